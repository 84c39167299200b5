//! The contract between modalities, fusion and heads, and the tensor layers every modality needs.
//!
//! A model is `Encoder`s that give [`Tokens`], a [`Fusion`] that joins them and a [`Head`] that
//! answers. This crate must never know a concrete modality, a file format, or a backend.

mod autodiff;
mod encoder;
mod gathered;
mod guard;
mod misfit;
mod modality;
mod model;
pub mod nn;
mod one_of;
pub mod seed;
mod shape;
mod source;
pub mod tap;
mod tokens;

pub use autodiff::with_autodiff_of;
pub use encoder::{Encoder, EncoderSet, HostBytes, Maskable, ModalityKit, Opened, Processor};
pub use gathered::{Gathered, spread};
pub use guard::quietly;
pub use misfit::{Changes, Misfit, need};
pub use modality::Modality;
pub use model::{Composite, Fusion, Head, Logits, Model};
pub use source::{Source, SourceError, Store};
pub use tap::{Losses, NoTap, Recorder, Tap};
pub use tokens::{Parts, Tokens, present};

/// Random generators that can be asked for again; re-exported so that implementors need no version of their own.
pub use rand_chacha::ChaCha8Rng as SampleRng;
