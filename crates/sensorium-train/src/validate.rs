//! How good the weights are on data they did not learn from.

use serde::{Deserialize, Serialize};

use crate::{BoxError, Learner};

/// Measures a learner between epochs.
///
/// Any `FnMut(&L, usize) -> Result<Scores, BoxError>` is one.
pub trait Validate<L: Learner> {
    /// Scores the learner after `epoch` epochs (the last may be unfinished). It comes with its averaged weights if
    /// the run averages, in `valid()` mode on the plain device.
    ///
    /// # Errors
    /// Whatever keeps it from being measured; the run ends with it.
    fn validate(&mut self, learner: &L, epoch: usize) -> Result<Scores, BoxError>;
}

impl<L: Learner, F: FnMut(&L, usize) -> Result<Scores, BoxError>> Validate<L> for F {
    fn validate(&mut self, learner: &L, epoch: usize) -> Result<Scores, BoxError> {
        self(learner, epoch)
    }
}

/// Measures nothing: the last weights are returned.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoValidation;

impl<L: Learner> Validate<L> for NoValidation {
    fn validate(&mut self, _learner: &L, _epoch: usize) -> Result<Scores, BoxError> {
        Ok(Scores::default())
    }
}

/// Which way a score gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Like an accuracy.
    Higher,
    /// Like a loss.
    Lower,
}

impl Better {
    /// Whether `new` is better than `old` by more than `min_delta`. NaN is never better.
    pub fn improves(self, new: f64, old: f64, min_delta: f64) -> bool {
        match self {
            Self::Higher => new > old + min_delta,
            Self::Lower => new < old - min_delta,
        }
    }
}

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Its name, such as `accuracy`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Which way it gets better.
    pub better: Better,
}

/// What a validation measured. Unless the settings name a metric, the first one chooses the best weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores(pub Vec<Score>);

impl Scores {
    /// Adds a score that is better the higher it is.
    #[must_use]
    pub fn higher(mut self, name: &str, value: f64) -> Self {
        self.push(name, value, Better::Higher);
        self
    }

    /// Adds a score that is better the lower it is.
    #[must_use]
    pub fn lower(mut self, name: &str, value: f64) -> Self {
        self.push(name, value, Better::Lower);
        self
    }

    /// The score of this name.
    pub fn get(&self, name: &str) -> Option<&Score> {
        self.0.iter().find(|score| score.name == name)
    }

    fn push(&mut self, name: &str, value: f64, better: Better) {
        self.0.push(Score {
            name: name.to_owned(),
            value,
            better,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_knows_its_direction_and_nan() {
        assert!(Better::Higher.improves(0.9, 0.8, 0.0));
        assert!(!Better::Higher.improves(0.85, 0.8, 0.1));
        assert!(Better::Lower.improves(0.7, 0.8, 0.05));
        assert!(!Better::Lower.improves(f64::NAN, 0.8, 0.0));
    }
}
