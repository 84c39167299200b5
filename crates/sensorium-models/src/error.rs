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
