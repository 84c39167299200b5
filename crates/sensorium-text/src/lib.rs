//! Text to tokens: a tokenizer, a processor, a transformer encoder, and a decoder that writes. Knows no other modality.
//!
//! ```
//! use sensorium_text::{Encoder, Processor, Source, runtime, TextEncoderConfig, TextProcessor, Tokenizer};
//!
//! let device = runtime::open("flex".parse()?)?;
//! let texts = ["a cat on a mat", "a cat on a hat"]; // or Tokenizer::open("tokenizer.json")
//! let tokenizer = Tokenizer::fit(texts.into_iter(), 100)?;
//! let encoder = TextEncoderConfig::new(tokenizer.vocab_size(), 16, 64, 2, 4).init(&device);
//!
//! let processor = TextProcessor::new(tokenizer, 16);
//! let sample = processor.process(&Source::text("a cat"))?;
//! let tokens = encoder.encode(processor.collate(&[Some(&sample), None], &device));
//! assert_eq!(tokens.dims(), [2, 4, 64]); // [CLS] a cat [SEP]; the second text is absent
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decoder;
#[cfg(test)]
mod decoder_tests;
mod encoder;
mod error;
mod kit;
mod learned;
mod processor;
#[cfg(test)]
mod published_tests;
mod settings;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_augment;
mod tokenizer;

pub use decoder::{TextDecoder, TextDecoderConfig};
pub use encoder::{Positions, TextEncoder, TextEncoderConfig};
pub use error::Error;
pub use kit::{Pieces, TextConfig, TextKit};
pub use processor::{AugmentConfig, TextBatch, TextProcessor, TextSample, read};
pub use settings::{Side, TextSettings};
pub use target::{TargetBatch, TargetProcessor};
pub use tokenizer::Tokenizer;

/// Of the contract, what is needed to use this crate alone.
pub use sensorium_core::{Encoder, Modality, ModalityKit, Processor, Source, Tokens};

/// Opens a device to run on; any `burn::tensor::Device` will do as well.
#[cfg(feature = "device")]
pub use sensorium_runtime as runtime;

/// Text.
pub const TEXT: Modality = Modality("text");

/// The README's example is run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
