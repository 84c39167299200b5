//! SigLIP, and SigLIP 2 of fixed resolution: images and texts embedded in one space, each pair judged by itself
//! (arXiv 2303.15343, 2502.14786), whole or a tower alone.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sensorium_models::siglip::SiglipConfig;
//! use sensorium_text::TextBatch;
//! use sensorium_vision::ImageBatch;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let siglip = SiglipConfig::debug().init(&device);
//!
//! let images = ImageBatch::dense(Tensor::zeros([1, 3, 8, 8], &device));
//! let texts = TextBatch {
//!     ids: Tensor::from_data([[5, 7, 1], [4, 1, 1]], &device),
//!     pad: Tensor::from_data([[false, false, false], [false, false, true]], &device),
//! };
//! let scores = siglip.scores(siglip.embed_images(images), siglip.embed_texts(texts));
//! assert_eq!(siglip.probabilities(scores).dims(), [1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod head;
mod keys;
mod model;
#[cfg(test)]
mod tests;
mod text;
mod vision;

pub use config::{SiglipConfig, SiglipTextConfig, SiglipVisionConfig};
pub use head::AttentionPool;
pub use model::SiglipModel;
pub use text::SiglipTextModel;
pub use vision::SiglipVisionModel;
