//! CLIP: images and texts embedded in one space (arXiv 2103.00020), whole or a tower alone.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sensorium_models::clip::ClipConfig;
//! use sensorium_text::TextBatch;
//! use sensorium_vision::ImageBatch;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let clip = ClipConfig::debug().init(&device);
//!
//! // One image and two texts, of which the second is shorter.
//! let images = ImageBatch::dense(Tensor::zeros([1, 3, 8, 8], &device));
//! let texts = TextBatch {
//!     ids: Tensor::from_data([[1, 7, 15], [4, 15, 0]], &device),
//!     pad: Tensor::from_data([[false, false, false], [false, false, true]], &device),
//! };
//! let scores = clip.scores(clip.embed_images(images), clip.embed_texts(texts));
//! assert_eq!(clip.probabilities(scores).dims(), [1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod blocks;
mod config;
pub(crate) mod embeddings;
pub(crate) mod keys;
mod model;
pub(crate) mod nested;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod vision;

pub use config::{ClipConfig, ClipTextConfig, ClipVisionConfig};
pub use embeddings::{TextEmbeddings, VisionEmbeddings};
pub use model::ClipModel;
pub(crate) use model::{cosines, unit};
pub use text::{ClipTextModel, ClipTextModelWithProjection};
pub use vision::{ClipVisionModel, ClipVisionModelWithProjection};
