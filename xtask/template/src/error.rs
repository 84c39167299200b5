//! What can be wrong with a series or a config, and the way out.

use sensorium_core::SourceError;

/// Why a series could not be prepared, or a config not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The content is no text.
    #[error("{name}: is not UTF-8 text; series are numbers in a .csv or .txt file")]
    NotText {
        /// File or name.
        name: String,
    },
    /// A cell is no number.
    #[error("{name}, line {line}: {cell:?} is not a number")]
    NotANumber {
        /// File or name.
        name: String,
        /// From 1.
        line: usize,
        /// What stands there.
        cell: String,
    },
    /// A number is infinite, or not a number.
    #[error("{name}, line {line}: {cell:?} is not finite; remove the row or fill the gap")]
    NotFinite {
        /// File or name.
        name: String,
        /// From 1.
        line: usize,
        /// What stands there.
        cell: String,
    },
    /// Rows differ in length.
    #[error("{name}, line {line}: has {found} numbers, but the lines before have {expected}")]
    Ragged {
        /// File or name.
        name: String,
        /// From 1.
        line: usize,
        /// Numbers in this line.
        found: usize,
        /// Numbers in the others.
        expected: usize,
    },
    /// There is no number at all.
    #[error("{name}: holds no numbers")]
    Empty {
        /// File or name.
        name: String,
    },
    /// The series is longer than the encoder has positions for.
    #[error(
        "{name}: has {rows} rows, more than the {limit} allowed; raise `max_rows` or shorten it"
    )]
    TooLong {
        /// File or name.
        name: String,
        /// Rows it has, as far as it was read.
        rows: usize,
        /// `max_rows`.
        limit: usize,
    },
    /// The series has other channels than those trained on.
    #[error("{name}: has {found} channels, but the training data has {expected}")]
    Channels {
        /// File or name.
        name: String,
        /// Columns it has.
        found: usize,
        /// Columns of the training data.
        expected: usize,
    },
    /// There is no series to learn the channels from.
    #[error(
        "no training sample has a template: check the manifest's column, or leave the encoder out"
    )]
    NothingToLearn,
    /// A config's value cannot work.
    #[error("encoders.template.{key}: {reason}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The saved state of the processor is missing or broken.
    #[error("{path}: {reason}; export the model again")]
    State {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}
