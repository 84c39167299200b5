//! The modalities a recipe can name: the one list to extend. `cargo xtask new-modality` adds a line.

use sensorium_models::tower::{ImageTowers, SoundTowers, TextTowers};

use crate::encoder::OrTower;
use crate::registry::modalities;

// What can be hidden of a modality's tokens, `as maskable`, masked modelling can learn from.

modalities! {
    text: OrTower<TextTowers>,
    image: OrTower<ImageTowers> as maskable,
    audio: OrTower<SoundTowers> as maskable,
}
