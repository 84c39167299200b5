//! ViT: the vision transformer (arXiv 2010.11929), with its pooler and its classification head.
//!
//! ```
//! use sensorium_core::{Encoder, Model};
//! use sensorium_models::vit::VitConfig;
//! use sensorium_vision::ImageBatch;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let images = ImageBatch::dense(burn::tensor::Tensor::zeros([2, 3, 8, 8], &device));
//!
//! // Four patches and a class token.
//! let vit = VitConfig::debug().init(&device);
//! assert_eq!(vit.encode(images.clone()).dims(), [2, 5, 8]);
//!
//! let classifier = VitConfig::debug().with_labels(["cat", "dog", "bird"]).init_classification(&device);
//! assert_eq!(classifier.run(images).dims(), [2, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod common;
mod config;
mod embeddings;
mod heads;
pub(crate) mod keys;
mod model;
#[cfg(test)]
mod tests;

pub use config::{PoolerActivation, VitConfig};
pub use embeddings::VitEmbeddings;
pub(crate) use embeddings::VitEmbeddingsConfig;
pub use heads::VitForImageClassification;
pub use model::VitModel;
pub(crate) use model::{class_token, first_token};
