//! Numbers predicted: how far off, in their own unit and against always answering the mean.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Counts predictions of one quantity, one by one, so that none need be kept; [`finish`](Self::finish) gives the metrics.
///
/// ```
/// use sensorium_eval::Regression;
///
/// let report = Regression::of(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0])?.finish();
/// assert_eq!((report.n, report.mae), (4, Some(0.5)));
/// assert!((report.r2.unwrap() - 0.948608).abs() < 1e-6);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Regression {
    n: u64,
    absolute: f64,
    squared: f64,
    signed: f64,
    /// Mean of the targets, and the sum of their squared distances from it, both kept up to date (Welford, 1962): the difference of
    /// large sums would be lost in rounding.
    mean: f64,
    spread: f64,
}

impl Regression {
    /// Starts counting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts targets and the predictions that belong to them.
    ///
    /// # Errors
    /// [`Error::Lengths`], and as [`add`](Self::add).
    pub fn of<S: Into<f64> + Copy>(targets: &[S], predictions: &[S]) -> Result<Self, Error> {
        if targets.len() != predictions.len() {
            return Err(Error::Lengths {
                targets: targets.len(),
                scores: predictions.len(),
            });
        }
        let mut counts = Self::new();
        for (&target, &prediction) in targets.iter().zip(predictions) {
            counts.add(target.into(), prediction.into())?;
        }
        Ok(counts)
    }

    /// Counts one prediction.
    ///
    /// # Errors
    /// [`Error::NotFinite`], which names the sample by its position, counted from 0; nothing is counted then.
    pub fn add(&mut self, target: f64, prediction: f64) -> Result<(), Error> {
        for (what, value) in [("target", target), ("prediction", prediction)] {
            if !value.is_finite() {
                return Err(Error::NotFinite {
                    sample: self.n.to_string(),
                    what,
                    value: value.to_string(),
                });
            }
        }
        let off = prediction - target;
        self.n += 1;
        self.absolute += off.abs();
        self.squared += off * off;
        self.signed += off;
        let from_before = target - self.mean;
        self.mean += from_before / self.n as f64;
        self.spread += from_before * (target - self.mean);
        Ok(())
    }

    /// How many predictions were counted so far.
    pub fn len(&self) -> u64 {
        self.n
    }

    /// True before the first prediction.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Adds what another has counted, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        let n = (self.n + other.n) as f64;
        let apart = other.mean - self.mean;
        self.spread += other.spread + apart * apart * (self.n as f64 * (other.n as f64 / n));
        self.mean += apart * (other.n as f64 / n);
        self.n += other.n;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.signed += other.signed;
    }

    /// The metrics of all predictions counted so far.
    pub fn finish(&self) -> RegressionReport {
        let n = self.n as f64;
        // Of numbers near the largest there are, squares are none.
        let defined = |value: f64| Some(value).filter(|value| value.is_finite());
        RegressionReport {
            n: self.n,
            mae: defined(self.absolute / n),
            rmse: defined((self.squared / n).sqrt()),
            bias: defined(self.signed / n),
            r2: defined(1.0 - self.squared / self.spread).filter(|_| self.spread > 0.0),
        }
    }
}

/// All metrics of one predicted quantity. `None` is "undefined", never a number; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegressionReport {
    /// Predictions measured.
    pub n: u64,
    /// Mean absolute error, in the quantity's unit.
    pub mae: Option<f64>,
    /// Root of the mean squared error, in the quantity's unit; large errors weigh more.
    pub rmse: Option<f64>,
    /// Mean of prediction less target, in the quantity's unit: above 0 the model answers too high.
    pub bias: Option<f64>,
    /// Coefficient of determination: the share of the targets' variance that is explained. 0 is always answering their mean, and
    /// what does worse is below. Undefined where all targets are the same, where scikit-learn says 0 or 1.
    pub r2: Option<f64>,
}
