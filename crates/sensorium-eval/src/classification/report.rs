//! What a classification comes to: the numbers that stand in `metrics.json`.

use serde::{Deserialize, Serialize};

use super::share;
use crate::{CalibrationReport, Confusion, Interval};

/// All metrics of one evaluation. `None` is "undefined", never a number; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassificationReport {
    /// Samples measured.
    pub n: u64,
    /// Share of right answers; undefined without samples.
    pub accuracy: Option<f64>,
    /// Its 95 % Wilson interval.
    pub accuracy_interval: Option<Interval>,
    /// What always answering the commonest class would have reached: the line to be above.
    pub majority_share: Option<f64>,
    /// Share of samples whose true class is among the k highest scores, for the k of 2, 3, 5 below the class count.
    pub top_k: Vec<TopK>,
    /// Averages over samples; for one label a sample all three equal the accuracy.
    pub micro: Option<Averaged>,
    /// Plain averages over the classes that are true or answered at least once.
    #[serde(rename = "macro")]
    pub macro_: Option<Averaged>,
    /// Averages over classes, weighted by support.
    pub weighted: Option<Averaged>,
    /// Matthews' correlation over all classes (Gorodkin, 2004); 0 where the answer never changes, undefined
    /// where the truth never does.
    pub mcc: Option<f64>,
    /// Cohen's kappa: agreement beyond chance; undefined where truth and answers are one and the same class.
    pub kappa: Option<f64>,
    /// Area under the ROC curve of each class against all others, averaged over the classes that have one; like the three below,
    /// undefined without [probabilities](Self::with_probabilities).
    pub auroc: Option<f64>,
    /// Average precision of each class against all others, averaged over the classes that have one.
    pub average_precision: Option<f64>,
    /// Brier score: mean squared distance of the probabilities from the truth, over all classes; with two classes half of it, as is the
    /// custom and as scikit-learn has it.
    pub brier: Option<f64>,
    /// Whether answers are right as often as the model is sure of them, with the expected calibration error.
    pub calibration: Option<CalibrationReport>,
    /// How far off answers are, of classes that have an order; see [`with_order`](Self::with_order).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderScores>,
    /// One entry a class, in the order of the labels.
    pub classes: Vec<ClassScores>,
    /// Who was taken for whom.
    pub confusion: Confusion,
}

impl ClassificationReport {
    /// The same, for classes that have an order: that of the labels.
    #[must_use]
    pub fn with_order(mut self) -> Self {
        self.order = Some(OrderScores {
            rank_error: self.confusion.rank_error(),
            weighted_kappa: self.confusion.quadratic_kappa(),
        });
        self
    }

    /// The macro F1, the one number that counts rare classes as much as common ones.
    pub fn macro_f1(&self) -> Option<f64> {
        self.macro_.map(|average| average.f1)
    }

    /// The class names, in the order of the indices.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = &str> {
        self.classes.iter().map(|class| class.label.as_str())
    }
}

/// How far off answers are, of classes that have an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderScores {
    /// Mean absolute error in ranks: how many classes an answer is away from the truth.
    pub rank_error: Option<f64>,
    /// Cohen's kappa with quadratic weights; undefined where truth and answers are one and the same class.
    pub weighted_kappa: Option<f64>,
}

/// Share of samples whose true class is among the `k` highest scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopK {
    /// How many answers were allowed.
    pub k: usize,
    /// The share.
    pub accuracy: f64,
}

/// Precision, recall and F1 averaged over classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Averaged {
    /// Share of answers that are right.
    pub precision: f64,
    /// Share of true samples that are found.
    pub recall: f64,
    /// Harmonic mean of the two, taken per class and then averaged.
    pub f1: f64,
}

/// One class. Precision, recall and F1 are undefined where the class is neither true nor answered anywhere; where only one of
/// precision and recall has nothing to divide by, it is 0, as with scikit-learn's `zero_division=0`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// The class.
    pub label: String,
    /// Share of answers of this class that are right.
    pub precision: Option<f64>,
    /// Share of samples of this class that are found.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// Area under the ROC curve of this class against all others; undefined without scores, and where all samples are of this class
    /// or none is.
    pub auroc: Option<f64>,
    /// Average precision of this class against all others; undefined without scores, and where no sample is of this class.
    pub average_precision: Option<f64>,
    /// Samples that truly are of this class.
    pub support: u64,
    /// Samples that were answered with this class.
    pub predicted: u64,
}

impl ClassScores {
    pub(crate) fn new(label: &str, hits: u64, support: u64, predicted: u64) -> Self {
        let seen = support + predicted > 0;
        let or_zero = |value: Option<f64>| seen.then(|| value.unwrap_or(0.0));
        Self {
            label: label.to_owned(),
            precision: or_zero(share(hits, predicted)),
            recall: or_zero(share(hits, support)),
            f1: share(2 * hits, support + predicted),
            auroc: None,
            average_precision: None,
            support,
            predicted,
        }
    }
}
