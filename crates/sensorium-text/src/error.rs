//! What can be wrong with a text, a tokenizer file, or the numbers a person asks for.

use sensorium_core::{Misfit, SourceError};

/// Why a text could not be prepared, or a configuration cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read, or has more bytes than allowed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file is not text.
    #[error("{name}: is not UTF-8 text (byte {position}); save it as UTF-8")]
    NotUtf8 {
        /// File or name.
        name: String,
        /// Where the first wrong byte stands.
        position: usize,
    },
    /// The tokenizer's file is not one.
    #[error("{name}: is not a tokenizer.json that can be used: {reason}")]
    Tokenizer {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tokenizer could not split a text.
    #[error("{name}: the tokenizer cannot split it: {reason}")]
    Encode {
        /// File, or the start of the text.
        name: String,
        /// What the tokenizer said.
        reason: String,
    },
    /// There is nothing to learn a vocabulary from.
    #[error(
        "no training sample has text to learn a vocabulary from; name a tokenizer.json with `tokenizer`, or drop the table [encoders.text]"
    )]
    NoText,
    /// A file cannot be written.
    #[error("{name}: cannot be written: {reason}")]
    Write {
        /// The file.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// A published model's file cannot be followed.
    #[error("{name}: {key}: {problem}")]
    Published {
        /// The file.
        name: String,
        /// The key in it.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A value of the configuration cannot work.
    #[error(transparent)]
    Config(#[from] Misfit),
}
