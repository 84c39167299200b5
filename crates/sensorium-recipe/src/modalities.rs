//! The modalities a recipe can name: the one list to extend. `cargo xtask new-modality` adds a line.

use sensorium_models::tower::{ImageTowers, SoundTowers, TextTowers};

use crate::encoder::OrTower;
use crate::registry::modalities;

modalities! {
    text: OrTower<TextTowers>,
    image: OrTower<ImageTowers>,
    audio: OrTower<SoundTowers>,
}
