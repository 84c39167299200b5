//! What can be wrong with a sound file, or with the numbers a person asks for.

use sensorium_core::{Misfit, SourceError};

/// Why a sound could not be read, or a configuration cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read, or has more bytes than allowed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A text stands where a sound is needed.
    #[error("{name}: is a text, not a sound; give a file")]
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
        "{name}: is no sound that can be read; WAV, FLAC, Ogg Vorbis, MP3, AAC, and the sound of MP4, Matroska and WebM are (whatever the extension says)"
    )]
    Format {
        /// File or name.
        name: String,
    },
    /// The file ends before its sound does.
    #[error(
        "{name}: is cut off: its header announces {announced} bytes of sound, but {found} are there; copy it again"
    )]
    CutOff {
        /// File or name.
        name: String,
        /// Bytes by the header.
        announced: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The sound ends before its format says that it may.
    #[error("{name}: is cut off: {}; copy it again", there(*found_s, *announced_s))]
    EndsEarly {
        /// File or name.
        name: String,
        /// Seconds there are.
        found_s: f64,
        /// Seconds by the header, if it says.
        announced_s: Option<f64>,
    },
    /// The content breaks its format's rules, or uses a part of it that is not read.
    #[error("{name}: cannot be decoded: {reason}")]
    Broken {
        /// File or name.
        name: String,
        /// What the decoder said.
        reason: String,
    },
    /// There is a header, but no sound.
    #[error("{name}: holds no sound (no samples)")]
    Silent {
        /// File or name.
        name: String,
    },
    /// A window begins where the sound has ended.
    #[error(
        "{name}: is {length_s:.2} seconds long; a window that begins at {start_s:.2} holds none of it"
    )]
    Beyond {
        /// File or name.
        name: String,
        /// Where the window begins, in seconds.
        start_s: f64,
        /// How long the sound is, in seconds.
        length_s: f64,
    },
    /// A sample is not a number.
    #[error("{name}: sample {index} is not a finite number")]
    NotFinite {
        /// File or name.
        name: String,
        /// Which sample, counted over all channels.
        index: usize,
    },
    /// A sample rate nothing sounds at.
    #[error("{name}: has {rate_hz} samples a second; {min_hz} to {max_hz} are read")]
    Rate {
        /// File or name.
        name: String,
        /// What the file says.
        rate_hz: u32,
        /// The least.
        min_hz: u32,
        /// The most.
        max_hz: u32,
    },
    /// More sound than allowed.
    #[error("{name}: is longer than the {max_s} seconds that are read; cut it into pieces")]
    TooLong {
        /// File or name.
        name: String,
        /// The most seconds.
        max_s: u64,
    },
    /// A published model's settings cannot be followed.
    #[error("{name}: {key}: {problem}")]
    Published {
        /// The file.
        name: String,
        /// The key that is wrong or missing.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A value of the configuration cannot work.
    #[error(transparent)]
    Config(#[from] Misfit),
}

/// How much of a sound is there.
fn there(found_s: f64, announced_s: Option<f64>) -> String {
    match announced_s {
        Some(announced_s) => format!("{found_s:.2} of its {announced_s:.2} seconds are there"),
        None => format!("it ends half-way, after {found_s:.2} seconds of sound"),
    }
}
