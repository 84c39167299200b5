//! wav2vec 2.0 (arXiv 2006.11477) and HuBERT (arXiv 2106.07447), which hear samples as they are.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use sensorium_audio::AudioBatch;
//! use sensorium_core::{Encoder, Model};
//! use sensorium_models::wav2vec2::Wav2Vec2Config;
//!
//! let device = Device::flex();
//! let config = Wav2Vec2Config::debug();
//! let sounds = AudioBatch::dense(Tensor::zeros([2, 100, 1], &device)); // 100 samples each
//!
//! let model = config.init(&device);
//! assert_eq!(model.encode(sounds.clone()).dims(), [2, config.n_tokens(100), config.d_model]);
//!
//! let writes = config.init_ctc(&device);
//! assert_eq!(writes.run(sounds.clone()).logits.dims(), [2, config.n_tokens(100), 7]);
//!
//! // To be trained: how unlikely the texts of both sounds are, of 100 samples each; what is below 0 is padding.
//! let texts = [vec![3, 1, 5], vec![4, -100, -100]];
//! let loss = writes.loss(sounds, &[100, 100], &texts, &config.ctc_loss()?)?;
//! assert!(loss.into_scalar::<f32>() > 0.0);
//! # Ok::<(), sensorium_models::Error>(())
//! ```

mod checks;
mod config;
mod features;
mod heads;
mod keys;
mod mask;
mod model;
mod position;
#[cfg(test)]
mod tests;

pub use config::{FeatureNorm, Wav2Vec2Config, Wav2Vec2Kind};
pub use features::{FeatureEncoder, FeatureLayer};
pub use heads::{CharacterLogits, Wav2Vec2ForCtc, Wav2Vec2ForSequenceClassification};
pub use mask::{Spans, hidden_spans};
pub use model::{FeatureProjection, Wav2Vec2Input, Wav2Vec2Model};
pub use position::PositionalConv;
