//! What is wrong with a value of a configuration, said the same way by every crate.

/// A value that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Misfit {
    /// The key, as in a recipe's table.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// `Err` naming the key unless a condition holds.
///
/// # Errors
/// If it does not.
pub fn need(
    holds: bool,
    key: &'static str,
    problem: impl FnOnce() -> String,
) -> Result<(), Misfit> {
    if holds {
        return Ok(());
    }
    Err(Misfit {
        key,
        problem: problem(),
    })
}
