//! DINOv2: self-supervised vision transformers (arXiv 2304.07193), with or without register tokens (arXiv 2309.16588).
//!
//! ```
//! use sensorium_core::{Encoder, Model};
//! use sensorium_models::dino::Dinov2Config;
//! use sensorium_vision::ImageBatch;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let images = ImageBatch::dense(burn::tensor::Tensor::zeros([1, 3, 12, 8], &device));
//!
//! // Made for 8 pixels a side; the positions of patches follow the image's size. 3 x 2 patches and a class token.
//! let dino = Dinov2Config::debug().init(&device);
//! assert_eq!(dino.encode(images.clone()).dims(), [1, 7, 8]);
//!
//! // Two registers come after the class token.
//! let dino = Dinov2Config::debug().with_registers(2).init(&device);
//! assert_eq!(dino.encode(images).dims(), [1, 9, 8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod keys;
mod model;
#[cfg(test)]
mod tests;

pub use config::{Dinov2Config, Dinov2Kind};
pub use model::{Dinov2ForImageClassification, Dinov2Model};
