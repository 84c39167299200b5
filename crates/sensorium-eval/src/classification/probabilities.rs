//! What needs every sample's probabilities at once: how well each class is told from the others, and how honest a model's
//! certainty is.

use super::ClassificationReport;
use crate::calibration;
use crate::standing::Standing;
use crate::{Calibration, Error, mean};

/// As many as torchmetrics takes where it is not told.
const BINS: usize = 15;
/// How far from 1 the probabilities of a sample may add up: those computed with half precision, or written with few digits.
const SUM_TOLERANCE: f64 = 1e-2;

impl ClassificationReport {
    /// Adds what is computed from the true class and the probabilities of every sample: `auroc` and `average_precision`, also of
    /// each class, `brier` and `calibration`. The rows are those that were counted, in any order.
    ///
    /// The rows are read where they lie, class by class; memory grows with the samples of the commonest class alone.
    ///
    /// ```
    /// use sensorium_eval::Classification;
    ///
    /// let rows: [(usize, &[f32]); 3] = [(0, &[0.9, 0.1]), (1, &[0.2, 0.8]), (1, &[0.6, 0.4])];
    /// let mut counts = Classification::new(["cat", "dog"])?;
    /// for (target, probabilities) in rows {
    ///     counts.add(target, probabilities)?;
    /// }
    /// let report = counts.finish().with_probabilities(&rows)?;
    /// assert_eq!(report.auroc, Some(1.0)); // every dog is more of a dog than the cat is
    /// assert!((report.brier.unwrap() - 0.41 / 3.0).abs() < 1e-6);
    /// # Ok::<(), sensorium_eval::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ClassOutOfRange`], [`Error::ScoreCount`], [`Error::NotAProbability`], [`Error::NotADistribution`], and
    /// [`Error::OtherRows`] where there are not as many rows of each class as were counted.
    pub fn with_probabilities(mut self, rows: &[(usize, &[f32])]) -> Result<Self, Error> {
        let (mut calibration, mut squares) = (Calibration::new(BINS)?, 0.0);
        for (i, &(target, probabilities)) in rows.iter().enumerate() {
            self.check(i, target, probabilities)?;
            let (answer, sure) = surest(probabilities);
            calibration.add(sure, answer == target)?;
            squares += distance(target, probabilities);
        }
        self.check_counts(rows)?;
        for (i, class) in self.classes.iter_mut().enumerate() {
            let against = rows
                .iter()
                .map(|&(target, row)| (target == i, f64::from(row[i])));
            let standing = Standing::new(against);
            class.auroc = standing.auroc();
            class.average_precision = standing.average_precision();
        }
        let halves = if self.classes.len() == 2 { 2.0 } else { 1.0 };
        let defined = self.classes.iter().filter(|class| class.auroc.is_some());
        self.auroc = mean(defined.map(|class| class.auroc));
        let defined = self.classes.iter().filter(|class| class.support > 0);
        self.average_precision = mean(defined.map(|class| class.average_precision));
        self.brier = (self.n > 0).then(|| squares / halves / self.n as f64);
        self.calibration = (self.n > 0).then(|| calibration.finish());
        Ok(self)
    }

    /// That the rows are as many of each class as were counted.
    fn check_counts(&self, rows: &[(usize, &[f32])]) -> Result<(), Error> {
        let mut found = vec![0; self.classes.len()];
        rows.iter().for_each(|&(target, _)| found[target] += 1);
        let mut pairs = self.classes.iter().zip(found);
        match pairs.find(|(class, found)| class.support != *found) {
            None => Ok(()),
            Some((class, found)) => Err(Error::OtherRows {
                label: class.label.clone(),
                counted: class.support,
                found,
            }),
        }
    }

    fn check(&self, row: usize, target: usize, probabilities: &[f32]) -> Result<(), Error> {
        let (sample, classes) = (|| row.to_string(), self.classes.len());
        if target >= classes {
            return Err(Error::ClassOutOfRange {
                sample: sample(),
                class: target,
                classes,
            });
        }
        if probabilities.len() != classes {
            return Err(Error::ScoreCount {
                sample: sample(),
                found: probabilities.len(),
                expected: classes,
            });
        }
        if let Some(value) = probabilities
            .iter()
            .find(|&&p| calibration::share(p).is_none())
        {
            return Err(Error::NotAProbability {
                sample: sample(),
                value: value.to_string(),
            });
        }
        let sum: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(Error::NotADistribution {
                sample: sample(),
                sum: format!("{sum:.4}"),
            });
        }
        Ok(())
    }
}

/// The answer and its probability; of equal ones the earlier, as in counting.
fn surest(probabilities: &[f32]) -> (usize, f32) {
    let of = |best: (usize, f32), (class, &p): (usize, &f32)| {
        if p > best.1 { (class, p) } else { best }
    };
    probabilities.iter().enumerate().fold((0, -1.0), of)
}

/// The squared distance of probabilities from a one at the truth and zeros elsewhere.
fn distance(target: usize, probabilities: &[f32]) -> f64 {
    let of = |(class, &p): (usize, &f32)| {
        let truth = f64::from(u8::from(class == target));
        (f64::from(p) - truth).powi(2)
    };
    probabilities.iter().enumerate().map(of).sum()
}
