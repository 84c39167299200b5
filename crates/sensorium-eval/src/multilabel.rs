//! Several labels a sample, or none: each label is a question of yes or no of its own.

use serde::{Deserialize, Serialize};

use crate::classification::{average, distinct, share};
use crate::standing::Standing;
use crate::{Averaged, ClassScores, Error, mean};

/// Keeps truths and scores of samples, one sample at a time; [`finish`](Self::finish) gives the metrics.
///
/// A label is given where its score is *above* the threshold, as in torchmetrics. Memory is five bytes a label and sample: average
/// precision needs the scores of all samples side by side.
///
/// ```
/// use sensorium_eval::MultiLabel;
///
/// let mut counts = MultiLabel::new(["cat", "dog"], 0.5)?;
/// counts.add(&[true, false], &[0.9, 0.2])?;
/// counts.add(&[true, true], &[0.7, 0.4])?; // the dog is missed
/// let report = counts.finish();
/// assert_eq!((report.subset_accuracy, report.hamming_loss), (Some(0.5), Some(0.25)));
/// assert_eq!(report.mean_average_precision, Some(1.0));
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultiLabel {
    labels: Vec<String>,
    threshold: f32,
    /// A row a sample, as the scores.
    truths: Vec<bool>,
    scores: Vec<f32>,
}

impl MultiLabel {
    /// Starts counting over these labels; of probabilities the threshold is 0.5, of logits 0.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::DuplicateLabel`], [`Error::NanThreshold`].
    pub fn new<S: Into<String>>(
        labels: impl IntoIterator<Item = S>,
        threshold: f32,
    ) -> Result<Self, Error> {
        if threshold.is_nan() {
            return Err(Error::NanThreshold);
        }
        Ok(Self {
            labels: distinct(labels)?,
            threshold,
            truths: Vec::new(),
            scores: Vec::new(),
        })
    }

    /// Counts one sample: for each label whether it is true, and its score.
    ///
    /// # Errors
    /// [`Error::TruthCount`], [`Error::ScoreCount`], [`Error::NanScore`], which name the sample by its position, counted from 0;
    /// nothing is counted then.
    pub fn add(&mut self, truths: &[bool], scores: &[f32]) -> Result<(), Error> {
        let (sample, expected) = (|| self.len().to_string(), self.labels.len());
        if truths.len() != expected {
            return Err(Error::TruthCount {
                sample: sample(),
                found: truths.len(),
                expected,
            });
        }
        if scores.len() != expected {
            return Err(Error::ScoreCount {
                sample: sample(),
                found: scores.len(),
                expected,
            });
        }
        if let Some(label) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::NanScore {
                sample: sample(),
                label: self.labels[label].clone(),
            });
        }
        self.truths.extend_from_slice(truths);
        self.scores.extend_from_slice(scores);
        Ok(())
    }

    /// The labels, in their order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many samples were counted so far.
    pub fn len(&self) -> u64 {
        (self.scores.len() / self.labels.len()) as u64
    }

    /// True before the first sample.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Adds what another has counted, for evaluation in several parts.
    ///
    /// # Errors
    /// [`Error::LabelsDiffer`], [`Error::ThresholdsDiffer`].
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.labels != other.labels {
            return Err(Error::LabelsDiffer {
                ours: self.labels.len(),
                theirs: other.labels.len(),
            });
        }
        if self.threshold != other.threshold {
            return Err(Error::ThresholdsDiffer {
                ours: self.threshold.to_string(),
                theirs: other.threshold.to_string(),
            });
        }
        self.truths.extend_from_slice(&other.truths);
        self.scores.extend_from_slice(&other.scores);
        Ok(())
    }

    /// The metrics of all samples counted so far.
    pub fn finish(&self) -> MultiLabelReport {
        let labels: Vec<ClassScores> = (0..self.labels.len()).map(|i| self.label(i)).collect();
        let given = |score: &f32| *score > self.threshold;
        let decided: Vec<bool> = self.scores.iter().map(given).collect();
        let pairs = || self.truths.iter().zip(&decided);
        let count =
            |of: fn(bool, bool) -> bool| pairs().filter(|&(&t, &d)| of(t, d)).count() as u64;
        let rows = self.truths.chunks_exact(self.labels.len());
        let whole = rows
            .zip(decided.chunks_exact(self.labels.len()))
            .filter(|(truths, decided)| truths == decided)
            .count() as u64;
        let hits = count(|truth, decision| truth && decision);
        let (support, predicted) = (count(|truth, _| truth), count(|_, decision| decision));
        let micro = ClassScores::new("", hits, support, predicted);
        let ranked = labels.iter().filter(|label| label.support > 0);
        let told = labels.iter().filter(|label| label.auroc.is_some());
        MultiLabelReport {
            n: self.len(),
            threshold: self.threshold,
            mean_average_precision: mean(ranked.map(|label| label.average_precision)),
            auroc: mean(told.map(|label| label.auroc)),
            micro: average(&[micro], |_| 1),
            macro_: average(&labels, |_| 1),
            weighted: average(&labels, |label| label.support),
            subset_accuracy: share(whole, self.len()),
            hamming_loss: share(
                count(|truth, decision| truth != decision),
                self.truths.len() as u64,
            ),
            labels,
        }
    }

    fn label(&self, label: usize) -> ClassScores {
        let width = self.labels.len();
        let truths = self.truths.iter().skip(label).step_by(width).copied();
        let scores = self.scores.iter().skip(label).step_by(width).copied();
        let pairs = truths.zip(scores);
        let given = |&(_, score): &(bool, f32)| score > self.threshold;
        let predicted = pairs.clone().filter(given).count() as u64;
        let support = pairs.clone().filter(|pair| pair.0).count() as u64;
        let hits = pairs.clone().filter(given).filter(|pair| pair.0).count() as u64;
        let standing = Standing::new(pairs.map(|(truth, score)| (truth, f64::from(score))));
        ClassScores {
            auroc: standing.auroc(),
            average_precision: standing.average_precision(),
            ..ClassScores::new(&self.labels[label], hits, support, predicted)
        }
    }
}

/// All metrics of several labels a sample. `None` is "undefined", never a number; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MultiLabelReport {
    /// Samples measured.
    pub n: u64,
    /// The score above which a label was given.
    pub threshold: f32,
    /// Mean average precision (mAP): average precision of each label, averaged over the labels that are true somewhere. It does not
    /// depend on the threshold.
    pub mean_average_precision: Option<f64>,
    /// Area under the ROC curve of each label, averaged over the labels that are true somewhere and false somewhere.
    pub auroc: Option<f64>,
    /// Over all decisions together, so that common labels weigh more.
    pub micro: Option<Averaged>,
    /// Plain averages over the labels that are true or given at least once.
    #[serde(rename = "macro")]
    pub macro_: Option<Averaged>,
    /// Averages over labels, weighted by how often they are true.
    pub weighted: Option<Averaged>,
    /// Share of samples of which every label is right: exact match.
    pub subset_accuracy: Option<f64>,
    /// Share of wrong decisions among all labels of all samples.
    pub hamming_loss: Option<f64>,
    /// One entry a label, in their order.
    pub labels: Vec<ClassScores>,
}
