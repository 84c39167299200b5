//! Whisper: speech to text, in the language that is spoken or in English (arXiv 2212.04356).
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use sensorium_core::Encoder;
//! use sensorium_models::whisper::WhisperConfig;
//! # use sensorium_audio::AudioBatch;
//!
//! let device = Device::flex();
//! let config = WhisperConfig::debug();
//! let model = config.init_generation(&device);
//! let features = Tensor::zeros([1, config.n_frames(), config.n_mels], &device);
//! let heard = model.model.encoder.encode(AudioBatch::dense(features)); // two frames a token
//! assert_eq!(heard.dims(), [1, config.max_source_positions, config.d_model]);
//!
//! let mut cache = model.begin(&heard.embeds); // and then token by token
//! let logits = model.step(Tensor::<2, Int>::from_data([[1, 2]], &device), &mut cache);
//! assert_eq!(logits.dims(), [1, 2, config.vocab_size]);
//! ```

mod config;
mod decoder;
mod encoder;
pub mod generate;
mod keys;
mod model;
#[cfg(test)]
mod tests;

pub use config::WhisperConfig;
pub use decoder::WhisperDecoder;
pub use encoder::WhisperEncoder;
pub use model::{WhisperForConditionalGeneration, WhisperModel};
