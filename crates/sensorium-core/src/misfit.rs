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

/// Which of a modality's two tables of random changes is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// `augment`: what training sees of every sample.
    Usual,
    /// `strong`: what [`Processor::augment_strongly`](crate::Processor::augment_strongly) makes of one.
    Strong,
}

/// The name of a key in one of the tables of random changes, for [`need`].
///
/// ```
/// use sensorium_core::{Changes, changes_key};
/// assert_eq!(changes_key!(Changes::Usual, "noise"), "augment.noise");
/// assert_eq!(changes_key!(Changes::Strong, "noise"), "strong.noise");
/// ```
#[macro_export]
macro_rules! changes_key {
    ($table:expr, $key:literal) => {
        match $table {
            $crate::Changes::Usual => concat!("augment.", $key),
            $crate::Changes::Strong => concat!("strong.", $key),
        }
    };
}
