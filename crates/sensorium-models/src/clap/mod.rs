//! CLAP: sounds and texts embedded in one space (arXiv 2211.06687), whole or a tower alone.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sensorium_audio::SoundBatch;
//! use sensorium_core::Model;
//! use sensorium_models::clap::ClapConfig;
//! use sensorium_text::TextBatch;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let config = ClapConfig::debug();
//! let clap = config.init(&device);
//!
//! // One sound and two texts, of which the second is shorter.
//! let sounds = SoundBatch::dense(Tensor::zeros([1, 60, config.audio.n_mels], &device));
//! let texts = TextBatch {
//!     ids: Tensor::from_data([[0, 7, 2], [0, 2, 1]], &device),
//!     pad: Tensor::from_data([[false, false, false], [false, false, true]], &device),
//! };
//! let scores = clap.run((sounds, texts));
//! assert_eq!(clap.probabilities(scores.per_sound).dims(), [1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audio;
mod batch_norm;
mod config;
mod keys;
mod model;
mod patches;
mod projection;
mod rows;
mod spectrogram;
mod stage;
#[cfg(test)]
mod tests;
mod text;
mod window;

pub use audio::{ClapAudioModel, ClapAudioModelWithProjection};
pub use config::{ClapAudioConfig, ClapConfig, ClapTextConfig};
pub use model::{ClapModel, ClapScores};
pub use patches::{AttentionalFusion, Bottleneck, ClapPatches, Crops};
pub use projection::ClapProjection;
pub use spectrogram::SpectrogramImage;
pub use stage::{PatchMerging, SwinBlock, SwinStage};
pub use text::{ClapTextModel, ClapTextModelWithProjection};
