//! What can be wrong with an image file, or with the numbers a person asks for.

use sensorium_core::{Misfit, SourceError};

/// Why an image could not be read, or a configuration cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read, or has more bytes than allowed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A text stands where an image is needed.
    #[error("{name}: is a text, not an image; give a file")]
    Text {
        /// The start of the text.
        name: String,
    },
    /// There is no content.
    #[error("{name}: is empty")]
    Empty {
        /// File or name.
        name: String,
    },
    /// The content is of no format that is read.
    #[error(
        "{name}: {found}; JPEG, PNG, GIF, WebP, BMP and TIFF are read (whatever the extension says)"
    )]
    Format {
        /// File or name.
        name: String,
        /// What the first bytes look like.
        found: String,
    },
    /// More pixels than allowed, by what the file's header says; none has been decoded.
    #[error(
        "{name}: {width} x {height} pixels are more than the {max_pixels} in all, {max_side} a side, that are allowed; make the image smaller or raise the limit"
    )]
    TooLarge {
        /// File or name.
        name: String,
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// The most pixels that are decoded.
        max_pixels: u64,
        /// The longest side that is decoded.
        max_side: u32,
    },
    /// Decoding needs more memory than allowed.
    #[error("{name}: decoding needs more than the {limit} bytes of memory that are allowed")]
    Memory {
        /// File or name.
        name: String,
        /// The most bytes that may be allocated for one image.
        limit: u64,
    },
    /// The content ends before the image does.
    #[error("{name}: the {format} file is cut off before its image ends; copy it again")]
    CutOff {
        /// File or name.
        name: String,
        /// Its format.
        format: &'static str,
    },
    /// The content breaks its format's rules, or uses a part of it that is not read.
    #[error("{name}: the {format} file cannot be decoded: {reason}")]
    Broken {
        /// File or name.
        name: String,
        /// Its format.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A picture is longer and narrower than a published model takes.
    #[error(
        "{name}: {width} x {height} pixels: one side is more than {most} times the other, which the model's processor refuses; crop the image"
    )]
    TooNarrow {
        /// File or name.
        name: String,
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// How often the shorter side may go into the longer one.
        most: usize,
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
