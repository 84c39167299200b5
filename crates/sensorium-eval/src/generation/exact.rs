//! Answers that are right to the letter.

use serde::{Deserialize, Serialize};

use crate::{Error, Interval, wilson};

/// Counts answers that equal one of their references; [`finish`](Self::finish) gives the share.
///
/// Texts are compared as they come: bring both sides into one form first, with [`normalise`](crate::normalise) or
/// [`vqa_answer`](crate::vqa_answer).
///
/// ```
/// use sensorium_eval::ExactMatch;
///
/// let mut counts = ExactMatch::new();
/// assert!(counts.add("Paris", &["Paris", "Paris, France"])?);
/// assert!(!counts.add("paris", &["Paris"])?);
/// assert_eq!(counts.finish().exact_match, Some(0.5));
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactMatch {
    n: u64,
    hits: u64,
}

impl ExactMatch {
    /// Starts counting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one answer, and returns whether it is right.
    ///
    /// # Errors
    /// [`Error::NoReferences`]; nothing is counted then.
    pub fn add<R: AsRef<str>>(&mut self, answer: &str, references: &[R]) -> Result<bool, Error> {
        if references.is_empty() {
            return Err(Error::NoReferences { sample: self.n });
        }
        let right = references.iter().any(|right| right.as_ref() == answer);
        self.n += 1;
        self.hits += u64::from(right);
        Ok(right)
    }

    /// How many answers were counted so far.
    pub fn len(&self) -> u64 {
        self.n
    }

    /// True before the first answer.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Adds what another has counted, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.hits += other.hits;
    }

    /// The share of right answers so far.
    pub fn finish(&self) -> ExactMatchReport {
        ExactMatchReport {
            n: self.n,
            exact_match: (self.n > 0).then(|| self.hits as f64 / self.n as f64),
            interval: wilson(self.hits, self.n),
        }
    }
}

/// The share of right answers. `None` is "undefined", without answers; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExactMatchReport {
    /// Answers measured.
    pub n: u64,
    /// The share that equals a reference, in 0..1.
    pub exact_match: Option<f64>,
    /// Its 95 % Wilson interval.
    pub interval: Option<Interval>,
}
