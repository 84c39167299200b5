//! AST: the audio spectrogram transformer (arXiv 2104.01778), which hears a spectrogram as a ViT sees an image.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use sensorium_audio::AudioBatch;
//! use sensorium_core::{Encoder, Model};
//! use sensorium_models::ast::AstConfig;
//!
//! let device = Device::flex();
//! let config = AstConfig::debug();
//! let sounds = AudioBatch::dense(Tensor::zeros([2, config.max_length, config.n_mels], &device));
//!
//! // Two tokens of its own, and a patch for each place.
//! let ast = config.init(&device);
//! assert_eq!(ast.encode(sounds.clone()).dims(), [2, config.n_tokens(), config.d_model]);
//!
//! let classifier = config.with_labels(["rain", "wind", "birds"]).init_classification(&device);
//! assert_eq!(classifier.run(sounds).dims(), [2, 3]);
//! ```

mod config;
mod keys;
mod model;
#[cfg(test)]
mod tests;

pub use config::AstConfig;
pub use model::{AstEmbeddings, AstForAudioClassification, AstModel};
