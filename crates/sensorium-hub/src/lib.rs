//! Published checkpoints: tensors in safetensors files, whole or in shards, memory-mapped and checked before anything in
//! them is trusted.
//!
//! [`Weights`] gives names, shapes and numbers; [`load`] puts them into any Burn module, by a [`KeyMap`] that says what the
//! checkpoint calls each parameter; [`save`] writes them back under the same names.
//!
//! This crate must never know a model, a modality or a backend.
//!
//! ```
//! use sensorium_hub::{Dtype, Weights};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.safetensors");
//! # let header = br#"{"head.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! # let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
//! # bytes.extend_from_slice(header);
//! # bytes.extend([0.5f32, -1.0].map(f32::to_le_bytes).concat());
//! # std::fs::write(&path, bytes)?;
//! let weights = Weights::open(&path)?; // a file, an index of shards, or a model's folder
//! let bias = weights.get("head.bias").expect("it is in the file");
//! assert_eq!((bias.dtype, bias.shape), (Dtype::F32, &[2][..]));
//! assert_eq!(bias.to_f32()?, [0.5, -1.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapter;
mod checkpoint;
mod constant;
mod dtype;
mod error;
mod header;
mod keymap;
mod load;
mod mapped;
mod mismatch;
mod once;
mod pattern;
mod remote;
mod save;
mod wanted;
mod weights;
mod whole;

pub use adapter::{Adapter, Factors, Merged, merge};
pub use checkpoint::Checkpoint;
pub use constant::Constant;
pub use dtype::Dtype;
pub use error::Error;
pub use keymap::KeyMap;
pub use load::{Allow, LoadReport, check, load};
pub use mismatch::{Mismatch, Missing, Unfit};
pub use remote::RemoteOptions;
pub use save::save;
pub use weights::{TensorView, Weights};
pub use whole::write_whole;

/// The README's example is run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
