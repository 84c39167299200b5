//! How the positives stand among the negatives: all that the area under the ROC curve and average precision depend on.
//!
//! The positives alone are sorted and kept; each negative is counted where it lies among them. Of many classes against all others that
//! is n·log(positives) a class, and memory for the positives of one.

use crate::Error;

/// Area under the ROC curve: how often a positive scores above a negative, of all pairs of one and the other; equal scores count half.
///
/// `None` where there is no positive or no negative. Scores may be infinite, and need not be probabilities. Equal to scikit-learn's
/// `roc_auc_score`.
///
/// ```
/// let positive = [false, false, true, true, false, true];
/// let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.8];
/// let area = sensorium_eval::auroc(&positive, &scores)?.unwrap();
/// assert!((area - 7.5 / 9.0).abs() < 1e-12);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
///
/// # Errors
/// [`Error::Lengths`], [`Error::NanAt`].
pub fn auroc<S: Into<f64> + Copy>(positive: &[bool], scores: &[S]) -> Result<Option<f64>, Error> {
    Ok(of(positive, scores)?.auroc())
}

/// Average precision: the precision at each positive's score, averaged over the positives. It is the area under the steps of the
/// precision-recall curve, not under lines drawn between its points, which would flatter.
///
/// `None` where there is no positive. Equal to scikit-learn's `average_precision_score`.
///
/// # Errors
/// [`Error::Lengths`], [`Error::NanAt`].
pub fn average_precision<S: Into<f64> + Copy>(
    positive: &[bool],
    scores: &[S],
) -> Result<Option<f64>, Error> {
    Ok(of(positive, scores)?.average_precision())
}

/// Brier score of yes or no: the mean squared distance of the probability of yes from what was true (Brier, 1950, halved as is the
/// custom with two outcomes). `None` without samples. Equal to scikit-learn's `brier_score_loss`.
///
/// # Errors
/// [`Error::Lengths`], [`Error::NotAProbability`].
pub fn brier_score<S: Into<f64> + Copy>(
    positive: &[bool],
    probabilities: &[S],
) -> Result<Option<f64>, Error> {
    same_length(positive.len(), probabilities.len())?;
    let mut sum = 0.0;
    for (i, (&positive, &p)) in positive.iter().zip(probabilities).enumerate() {
        let p: f64 = p.into();
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::NotAProbability {
                sample: i.to_string(),
                value: p.to_string(),
            });
        }
        sum += (p - f64::from(u8::from(positive))).powi(2);
    }
    Ok((!positive.is_empty()).then(|| sum / positive.len() as f64))
}

fn of<S: Into<f64> + Copy>(positive: &[bool], scores: &[S]) -> Result<Standing, Error> {
    same_length(positive.len(), scores.len())?;
    if let Some(position) = scores.iter().position(|&s| s.into().is_nan()) {
        return Err(Error::NanAt { position });
    }
    let scores = scores.iter().map(|&score| score.into());
    Ok(Standing::new(positive.iter().copied().zip(scores)))
}

fn same_length(targets: usize, scores: usize) -> Result<(), Error> {
    match targets == scores {
        true => Ok(()),
        false => Err(Error::Lengths { targets, scores }),
    }
}

/// A score that some positive has, and what lies there.
struct Step {
    score: f64,
    positives: u64,
    /// Negatives of the same score.
    equal: u64,
    /// Negatives between the score before and this one.
    below: u64,
}

/// Steps by rising score.
pub(crate) struct Standing {
    steps: Vec<Step>,
    positives: u64,
    negatives: u64,
}

impl Standing {
    /// Counts pairs of whether a sample is positive and its score, none of which is NaN. They are gone through twice.
    pub(crate) fn new(pairs: impl Iterator<Item = (bool, f64)> + Clone) -> Self {
        // Adding zero makes the negative zero the other one, which it equals.
        let positive = pairs.clone().filter(|pair| pair.0);
        let mut scores: Vec<f64> = positive.map(|pair| pair.1 + 0.0).collect();
        scores.sort_unstable_by(f64::total_cmp);
        let mut steps: Vec<Step> = Vec::new();
        for &score in &scores {
            match steps.last_mut().filter(|step| step.score == score) {
                Some(step) => step.positives += 1,
                None => steps.push(Step {
                    score,
                    positives: 1,
                    equal: 0,
                    below: 0,
                }),
            }
        }
        let mut negatives = 0;
        for (_, score) in pairs.filter(|pair| !pair.0) {
            negatives += 1;
            let at = steps.partition_point(|step| step.score < score);
            // What lies above every positive counts against none of them in the area; the total tells of it.
            if let Some(step) = steps.get_mut(at) {
                match step.score == score {
                    true => step.equal += 1,
                    false => step.below += 1,
                }
            }
        }
        Self {
            steps,
            positives: scores.len() as u64,
            negatives,
        }
    }

    pub(crate) fn auroc(&self) -> Option<f64> {
        let pairs = u128::from(self.positives) * u128::from(self.negatives);
        let (mut passed, mut twice_won) = (0, 0_u128);
        for step in &self.steps {
            passed += step.below;
            twice_won += u128::from(step.positives) * u128::from(2 * passed + step.equal);
            passed += step.equal;
        }
        (pairs > 0).then(|| twice_won as f64 / (2 * pairs) as f64)
    }

    pub(crate) fn average_precision(&self) -> Option<f64> {
        let passed: u64 = self.steps.iter().map(|step| step.below + step.equal).sum();
        let (mut found, mut wrong) = (0, self.negatives - passed);
        let mut sum = 0.0;
        for step in self.steps.iter().rev() {
            found += step.positives;
            wrong += step.equal;
            sum += step.positives as f64 * (found as f64 / (found + wrong) as f64);
            wrong += step.below;
        }
        (self.positives > 0).then(|| sum / self.positives as f64)
    }
}
