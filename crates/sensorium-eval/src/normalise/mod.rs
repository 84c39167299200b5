//! Texts brought into one form before they are compared, as the Whisper paper does (Radford et al., 2022, appendix C):
//! a recogniser should not pay for a comma, nor for "twenty" where the reference has "20".
//!
//! [`BasicNormalizer`] is for any language, [`EnglishNormalizer`] for English. Both give what the reference gives,
//! oddities included, since published error rates are measured so; they are for scoring, not for reading. Characters
//! younger than the Unicode of the Python that runs the reference are classed as what they are, where it takes them for
//! unknown.
//!
//! ```
//! use sensorium_eval::{Transcription, normalise::EnglishNormalizer};
//!
//! let normalizer = EnglishNormalizer::default();
//! let (reference, heard) = ("Mr. Smith paid $20.", "mister smith, uh, paid twenty dollars");
//! let mut counts = Transcription::new();
//! counts.add(&normalizer.normalise(reference), &normalizer.normalise(heard));
//! assert_eq!(counts.finish().wer, 0.0);
//! ```

mod amount;
mod basic;
mod clean;
mod english;
mod numbers;
mod vocabulary;

pub use basic::BasicNormalizer;
pub use english::EnglishNormalizer;
