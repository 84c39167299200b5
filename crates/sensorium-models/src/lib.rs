//! Published model families, assembled from the crates below: one folder a family.
//!
//! A family is a configuration (`config.json` as the hub has it), modules that are initialised from it, and a map from
//! our parameter names to the published ones. Each tower is a [`sensorium_core::Encoder`] of its modality.
//!
//! This crate must never know training, data sets, recipes, commands or a backend.

pub mod ast;
pub mod bert;
pub mod causal;
pub mod clap;
pub mod clip;
mod config;
pub mod ctc;
pub mod dino;
mod error;
mod family;
mod fit;
mod guess;
#[cfg(test)]
mod parity;
mod published;
pub mod ready;
mod scores;
pub mod siglip;
pub mod tower;
pub mod vision_language;
pub mod vit;
pub mod wav2vec2;
pub mod whisper;

pub use config::ModelConfig;
pub use error::Error;
pub use family::Family;
pub use fit::fit;
pub use published::{Loaded, Published, described, merge_adapter};

/// The README's example is run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
