//! Whether a model is right as often as it is sure: the expected calibration error, and what a reliability diagram draws.

use serde::{Deserialize, Serialize};

use crate::{Error, Interval, wilson};

/// More bins than anyone draws; a number read from elsewhere must not ask for any amount of memory.
const MOST_BINS: usize = 10_000;

/// Counts answers by how sure the model was of them, one by one.
///
/// Bins are of equal width and hold their lower end, `[a, b)`; a certainty of exactly 1 has a bin of its own, as in torchmetrics, for
/// `[0.9, 1)` would otherwise hold what is sure and what is not quite.
///
/// ```
/// use sensorium_eval::Calibration;
///
/// let mut counts = Calibration::new(5)?;
/// for (sure, right) in [(0.95, true), (0.91, true), (0.85, false), (0.62, true), (0.55, false), (0.3, false)] {
///     counts.add(sure, right)?;
/// }
/// assert!((counts.finish().ece.unwrap() - 0.323333).abs() < 1e-6);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calibration {
    /// One for each range, and the last for 1 alone.
    bins: Vec<Counted>,
    n: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    n: u64,
    right: u64,
    sure: f64,
}

impl Calibration {
    /// Starts counting in so many bins between 0 and 1.
    ///
    /// # Errors
    /// [`Error::BinCount`] for none, or more than 10,000.
    pub fn new(bins: usize) -> Result<Self, Error> {
        match (1..=MOST_BINS).contains(&bins) {
            true => Ok(Self {
                bins: vec![Counted::default(); bins + 1],
                n: 0,
            }),
            false => Err(Error::BinCount {
                bins,
                most: MOST_BINS,
            }),
        }
    }

    /// Counts one answer: its probability, and whether it was right.
    ///
    /// # Errors
    /// [`Error::NotAProbability`], which names the answer by its position, counted from 0.
    pub fn add(&mut self, probability: f32, right: bool) -> Result<(), Error> {
        let probability = share(probability).ok_or_else(|| Error::NotAProbability {
            sample: self.n.to_string(),
            value: probability.to_string(),
        })?;
        let bin = self.bin(probability);
        let bin = &mut self.bins[bin];
        bin.n += 1;
        bin.right += u64::from(right);
        bin.sure += f64::from(probability);
        self.n += 1;
        Ok(())
    }

    /// The last bin that begins at or below a probability.
    fn bin(&self, probability: f32) -> usize {
        let ranges = self.bins.len() - 1;
        // The product may be rounded over an edge, but not by more than one bin.
        let near = (f64::from(probability) * ranges as f64) as usize;
        let candidates = near.saturating_sub(1)..=(near + 1).min(ranges);
        let mut begun = candidates.filter(|&bin| edge(bin, ranges) <= probability);
        begun.next_back().unwrap_or(0)
    }

    /// Adds what another has counted in the same bins.
    ///
    /// # Errors
    /// [`Error::BinsDiffer`].
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.bins.len() != other.bins.len() {
            return Err(Error::BinsDiffer {
                ours: self.bins.len() - 1,
                theirs: other.bins.len() - 1,
            });
        }
        for (ours, theirs) in self.bins.iter_mut().zip(&other.bins) {
            ours.n += theirs.n;
            ours.right += theirs.right;
            ours.sure += theirs.sure;
        }
        self.n += other.n;
        Ok(())
    }

    /// What all answers counted so far come to.
    pub fn finish(&self) -> CalibrationReport {
        let ranges = self.bins.len() - 1;
        let report = |(i, bin): (usize, &Counted)| CalibrationBin {
            low: i as f64 / ranges as f64,
            high: (i + 1).min(ranges) as f64 / ranges as f64,
            n: bin.n,
            confidence: per(bin.sure, bin.n),
            accuracy: per(bin.right as f64, bin.n),
            accuracy_interval: wilson(bin.right, bin.n),
        };
        let gaps = self.bins.iter().map(|bin| bin.right as f64 - bin.sure);
        let (sure, right) = self.bins.iter().fold((0.0, 0), |(sure, right), bin| {
            (sure + bin.sure, right + bin.right)
        });
        CalibrationReport {
            n: self.n,
            ece: per(gaps.map(f64::abs).sum(), self.n),
            confidence: per(sure, self.n),
            accuracy: per(right as f64, self.n),
            bins: self.bins.iter().enumerate().map(report).collect(),
        }
    }
}

/// Where a bin begins, rounded as a probability is: one that reads 0.6 is in the bin that begins at 0.6.
fn edge(bin: usize, ranges: usize) -> f32 {
    (bin as f64 / ranges as f64) as f32
}

/// A probability within 0..1; one that rounding put just outside is brought back, and what is further off is none.
pub(crate) fn share(probability: f32) -> Option<f32> {
    const ROUNDING: f32 = 1e-6;
    (-ROUNDING..=1.0 + ROUNDING)
        .contains(&probability)
        .then(|| probability.clamp(0.0, 1.0))
}

fn per(sum: f64, n: u64) -> Option<f64> {
    (n > 0).then(|| sum / n as f64)
}

/// How far certainty and rightness lie apart. What is undefined is `None`; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CalibrationReport {
    /// Answers measured.
    pub n: u64,
    /// Expected calibration error (Naeini et al., 2015; Guo et al., 2017, eq. 3): the distance of certainty and accuracy in each bin,
    /// averaged over the answers. Equal to torchmetrics' with the l1 norm.
    pub ece: Option<f64>,
    /// How sure the model was on average.
    pub confidence: Option<f64>,
    /// How often it was right; above `confidence` it is too modest, below too sure.
    pub accuracy: Option<f64>,
    /// The bins by rising certainty, empty ones too; the last holds certainties of exactly 1.
    pub bins: Vec<CalibrationBin>,
}

/// The answers of one range of certainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Where the range begins; it belongs to it.
    pub low: f64,
    /// Where it ends; it does not belong to it, except in the last.
    pub high: f64,
    /// Answers in it.
    pub n: u64,
    /// Their mean certainty.
    pub confidence: Option<f64>,
    /// The share that is right.
    pub accuracy: Option<f64>,
    /// Its 95 % Wilson interval.
    pub accuracy_interval: Option<Interval>,
}
