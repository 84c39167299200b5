//! Models that read text with images in it: an image encoder, a projector into the text's space, and a causal decoder.
//!
//! Families are presets of one composition: Idefics3 and SmolVLM (arXiv 2408.12637, 2504.05299), LLaVA 1.5
//! (arXiv 2310.03744) and Qwen2.5-VL (arXiv 2502.13923). What differs between them stands in a folder each. A model of any other
//! encoder, projector and decoder is [`composed`](VisionLanguage::composed), and is the same type.

mod composed;
mod config;
mod features;
pub mod idefics3;
mod laid;
pub mod llava;
mod model;
mod pictures;
mod prompt;
pub mod qwen2_5_vl;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_pictures;
#[cfg(test)]
mod tests_text;

use serde_json::Value;

pub use composed::Encoded;
pub use config::VisionLanguageConfig;
pub use features::{Features, ImageEncoder, ImageFeatures, ImageFeaturesConfig, Images, Projector};
pub use model::VisionLanguage;
pub use pictures::{Pictures, PreparedImage};
pub use prompt::expand;

/// The text's part of a `config.json`, which may be the file itself.
fn text_of(json: &Value) -> &Value {
    match &json["text_config"] {
        Value::Null => json,
        text => text,
    }
}
