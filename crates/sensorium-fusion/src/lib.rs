//! Ways to join modalities, with a missing modality as a normal case, and the head that answers.
//!
//! Knows modalities by name and width only, never what they are made of. Two rooms: `vector`, where each modality is pooled to one
//! vector first, and `token`, where sequences attend to each other; a file for each method. [`FusionKind`] lists all that a recipe
//! can name. Between an encoder and a decoder stand [`PerceiverResampler`], [`QFormer`] and [`PrefixSplice`].
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

mod config;
mod error;
mod head;
mod inputs;
mod kinds;
mod prefix;
#[cfg(test)]
mod tests;
mod token;
mod vector;

pub use config::FusionConfig;
pub use error::Error;
pub use head::{ClassHead, HeadConfig};
pub use inputs::{Projections, Width};
pub(crate) use kinds::FromTable;
pub use kinds::{AnyFusion, FusionKind};
pub use prefix::{PrefixSplice, PrefixSpliceConfig, splice};
pub use token::*;
pub use vector::*;
