//! The modalities a recipe can name: the one list to extend. `cargo xtask new-modality` adds a line.

use crate::registry::modalities;

modalities! {
    text: sensorium_text::TextKit,
    image: sensorium_vision::ImageKit,
    audio: sensorium_audio::AudioKit,
}
