//! What can be wrong with a published model's files.

/// Why a published model cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A JSON file does not hold what is needed.
    #[error("{file}: {reason}")]
    Json {
        /// The file, relative to the model's folder.
        file: String,
        /// What is wrong with it, naming the key.
        reason: String,
    },
    /// A value of a configuration cannot work.
    #[error("{file}: {key}: {problem}")]
    Config {
        /// The file, relative to the model's folder.
        file: String,
        /// The key, as in the file.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A family or a head that is not among those of this crate.
    #[error("{model}: config.json: {key}: {problem}")]
    Unknown {
        /// The folder or id.
        model: String,
        /// The key that says what it is.
        key: &'static str,
        /// What it says, and what is known.
        problem: String,
    },
    /// A model that does not take, or give, what it is asked for.
    #[error("{model}: {problem}")]
    Unfit {
        /// The folder or id.
        model: String,
        /// What it is, and what would serve.
        problem: String,
    },
    /// Images that do not fit their prompt.
    #[error("{problem}")]
    Images {
        /// How many there are of what, and how many there would have to be.
        problem: String,
    },
    /// A label that a model does not tell apart.
    #[error("sample {sample}: label {label} is none of the model's {n_ids} ids, 0 to {}; below 0 is padding", n_ids.saturating_sub(1))]
    Label {
        /// Which of the batch, from 0.
        sample: usize,
        /// The label.
        label: i64,
        /// How many ids there are.
        n_ids: usize,
    },
    /// A text or a tokenizer.
    #[error(transparent)]
    Text(#[from] sensorium_text::Error),
    /// A sound, or how it is prepared.
    #[error(transparent)]
    Audio(#[from] sensorium_audio::Error),
    /// An image, or how it is prepared.
    #[error(transparent)]
    Vision(#[from] sensorium_vision::Error),
    /// Files or tensors are missing, broken, or do not fit.
    #[error(transparent)]
    Hub(#[from] sensorium_hub::Error),
}

/// `Err` naming file and key unless a condition holds.
pub(crate) fn need(
    holds: bool,
    file: &str,
    key: &'static str,
    problem: impl FnOnce() -> String,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Config {
        file: file.to_owned(),
        key,
        problem: problem(),
    })
}

/// `Err` unless a size is 1 to `most`: what is beyond would overflow or exhaust memory before any weight is read.
pub(crate) fn size(file: &str, key: &'static str, found: usize, most: usize) -> Result<(), Error> {
    need((1..=most).contains(&found), file, key, || {
        format!("{found} must be 1 to {most}")
    })
}

/// `Err` unless a share is at least 0 and below 1.
pub(crate) fn share(file: &str, key: &'static str, found: f64) -> Result<(), Error> {
    need((0.0..1.0).contains(&found), file, key, || {
        format!("{found} must be at least 0 and below 1")
    })
}
