//! What an encoder learns from without labels: the heads and losses around any encoder.
//!
//! [`MaskedAutoencoder`] hides most of a picture or a sound and paints it, [`LanguageHead`] guesses hidden words, [`TwoViews`]
//! tells two views of a sample from those of others, and [`Alignment`] brings any number of modalities into one space;
//! [`Matching`] says whether two inputs belong together, and [`MaskedModalities`] guesses what is hidden of each from what is left of all. The first three are a [`Pretext`]: with an encoder,
//! [`Pretraining`] is what the trainer takes; [`Aligning`] is that of several encoders.
//!
//! This crate must never know a concrete encoder, a modality or a recipe.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sensorium_core::{Modality, Parts, Tokens};
//! use sensorium_pretrain::AlignmentConfig;
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let alignment = AlignmentConfig::new(&[(Modality("image"), 16), (Modality("text"), 8)], 4).init(&device);
//! let parts = Parts::new()
//!     .with(Modality("image"), Tokens::dense(Tensor::ones([2, 5, 16], &device)))
//!     .with(Modality("text"), Tokens::dense(Tensor::ones([2, 3, 8], &device)));
//! let loss = alignment.loss(parts, None);
//! assert_eq!(loss.terms[0].0, "image_text");
//! # Ok::<(), sensorium_runtime::Error>(())
//! ```

mod alignment;
mod autoencoder;
mod by_modality;
mod error;
mod joint;
mod language;
mod masks;
mod matching;
mod positions;
mod pretext;
mod projection;
#[cfg(test)]
mod tests;

pub use alignment::{AlignBy, Aligning, Alignment, AlignmentConfig, Embedded};
pub use autoencoder::{MaskedAutoencoder, MaskedAutoencoderConfig, Painted};
pub use by_modality::ByModality;
pub use error::Error;
pub use joint::{Glimpse, Guesser, MaskedModalities, MaskedModalitiesConfig, Painter};
pub use language::{LanguageHead, LanguageHeadConfig, LanguageTargets, NextSentence};
pub use masks::PatchMasks;
pub use matching::{Judged, Matching, WrongPairs};
pub use pretext::{Pretext, Pretraining};
pub use projection::{ProjectionHead, ProjectionHeadConfig, TwoViews};
