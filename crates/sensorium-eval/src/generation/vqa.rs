//! Accuracy of visual question answering (Antol et al., 2015): an answer is as right as people agree with it.

use serde::{Deserialize, Serialize};

use super::samples::{interval_of_mean, mean_of};
use super::vqa_answers::{trimmed, vqa_answer};
use crate::{Error, Interval};

/// So many people who agree make an answer wholly right.
const ENOUGH: f64 = 3.0;

/// Scores answers against those of several people, ten as a rule; [`finish`](Self::finish) gives the mean.
///
/// As the evaluation code of the VQA challenge does, each person is left out in turn, the answer is worth a third for each of the others who
/// gave it, 1 at most, and the mean of these is taken: of ten people 0, 1, 2, 3 and 4 who agree are 0, 0.3, 0.6, 0.9 and 1. Answers are
/// brought into one form by [`vqa_answer`], unless all people wrote the very same.
///
/// # Memory
/// Eight bytes a question.
///
/// ```
/// use sensorium_eval::VqaAccuracy;
///
/// let mut counts = VqaAccuracy::new();
/// let people = ["2", "two", "Two.", "3", "three", "2", "many", "4", "2 ", "5"];
/// assert_eq!(counts.add("two", &people)?, 1.0);
/// assert_eq!(counts.add("many", &people)?, 0.3);
/// assert_eq!(counts.finish().accuracy, Some(0.65));
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VqaAccuracy {
    samples: Vec<f64>,
}

impl VqaAccuracy {
    /// Starts scoring.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scores one answer, in 0..1. With fewer than four people it cannot be wholly right, with one it is always 0.
    ///
    /// # Errors
    /// [`Error::NoReferences`]; nothing is counted then.
    pub fn add<R: AsRef<str>>(&mut self, answer: &str, people: &[R]) -> Result<f64, Error> {
        let mut people: Vec<String> = people.iter().map(|given| trimmed(given.as_ref())).collect();
        let mut answer = trimmed(answer);
        let Some(first) = people.first() else {
            let sample = self.len();
            return Err(Error::NoReferences { sample });
        };
        if people.iter().any(|given| given != first) {
            people = people.iter().map(|given| vqa_answer(given)).collect();
            answer = vqa_answer(&answer);
        }
        let agree = people.iter().filter(|given| **given == answer).count();
        let worth = |others: usize| (others as f64 / ENOUGH).min(1.0);
        let left_out = |given: &String| worth(agree - usize::from(*given == answer));
        let score = people.iter().map(left_out).sum::<f64>() / people.len() as f64;
        self.samples.push(score);
        Ok(score)
    }

    /// How many answers were scored so far.
    pub fn len(&self) -> u64 {
        self.samples.len() as u64
    }

    /// True before the first answer.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Adds what another has scored, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        self.samples.extend_from_slice(&other.samples);
    }

    /// The mean over all answers scored so far.
    pub fn finish(&self) -> VqaReport {
        VqaReport {
            n: self.len(),
            accuracy: mean_of(&self.samples, |score| *score),
        }
    }

    /// Its 95 % interval, by the [bootstrap](crate::bootstrap) over the questions.
    pub fn interval(&self, resamples: usize, seed: u64) -> Option<Interval> {
        interval_of_mean(&self.samples, resamples, seed, |score| *score)
    }
}

/// VQA accuracy. `None` is "undefined", without answers; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VqaReport {
    /// Answers measured.
    pub n: u64,
    /// The mean, in 0..1; the challenge prints it in per cent.
    pub accuracy: Option<f64>,
}
