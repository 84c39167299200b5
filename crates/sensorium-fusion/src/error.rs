//! What can be wrong with the numbers a person asks for.

/// Why a configuration cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration cannot work.
    #[error("{key}: {problem}")]
    Config {
        /// The key, as in a recipe's table.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// `Err` naming the key unless a condition holds.
pub(crate) fn need(
    holds: bool,
    key: &'static str,
    problem: impl FnOnce() -> String,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Config {
        key,
        problem: problem(),
    })
}
