//! Ways to join modalities, with a missing modality as a normal case, and the head that answers.
//!
//! Knows modalities by name and width only, never what they are made of.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sensorium_core::{Fusion, Modality, Parts, Tokens};
//! use sensorium_fusion::ConcatFusionConfig;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let fusion = ConcatFusionConfig::text_image_512().init(&device);
//! let text = Tokens::dense(Tensor::ones([2, 7, 512], &device));
//! let fused = fusion.fuse(Parts::new().with(Modality("text"), text)); // no image: a normal case
//! assert_eq!(fused.dims(), [2, 1, 512]);
//! # Ok::<(), sensorium_runtime::Error>(())
//! ```

mod any;
mod concat;
mod error;
mod gated;
mod head;
mod inputs;
#[cfg(test)]
mod tests;
mod transformer;

pub use any::{AnyFusion, FusionConfig, FusionKind};
pub use concat::{ConcatFusion, ConcatFusionConfig};
pub use error::Error;
pub use gated::{GatedFusion, GatedFusionConfig};
pub use head::{ClassHead, HeadConfig};
pub use inputs::{Projections, Width};
pub use transformer::{CrossModalTransformer, CrossModalTransformerConfig};
