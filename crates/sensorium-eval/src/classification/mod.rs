//! Single-label classification, measured as scikit-learn does with `zero_division=0`.

use std::collections::HashSet;

mod probabilities;
mod report;

pub use report::{Averaged, ClassScores, ClassificationReport, OrderScores, TopK};

use crate::{Confusion, Error, wilson};

/// The k of the top-k accuracies that are kept, where there are more classes than that.
const TOP_K: [usize; 3] = [2, 3, 5];

/// Counts samples one by one, so that scores need not be kept; [`finish`](Self::finish) gives the metrics.
#[derive(Clone, Debug)]
pub struct Classification {
    labels: Vec<String>,
    confusion: Confusion,
    /// `ranks[r]` counts the samples whose true class came at place r, the first being 0; the last place
    /// gathers all that no top-k asks for.
    ranks: [u64; 6],
    scored: u64,
}

impl Classification {
    /// Starts counting over these classes; a class index is a position in `labels`.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::DuplicateLabel`].
    pub fn new<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let labels = distinct(labels)?;
        Ok(Self {
            labels,
            confusion: Confusion::default(),
            ranks: [0; 6],
            scored: 0,
        })
    }

    /// The class names, in the order of the indices.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many samples were counted so far.
    pub fn len(&self) -> u64 {
        self.scored
    }

    /// True before the first sample.
    pub fn is_empty(&self) -> bool {
        self.scored == 0
    }

    /// Counts one sample: its true class and one score a class (logits or probabilities). An error names the
    /// sample by its position, counted from 0; [`add_sample`](Self::add_sample) names it by its id.
    ///
    /// # Errors
    /// As [`add_sample`](Self::add_sample).
    pub fn add(&mut self, target: usize, scores: &[f32]) -> Result<usize, Error> {
        let position = self.scored;
        self.count(target, scores, || position.to_string())
    }

    /// Counts one sample, known by its id, and returns the class with the highest score. Of equal scores the
    /// earlier class counts as the higher, in the answer as in the top-k accuracies, so that top-1 is the accuracy.
    ///
    /// # Errors
    /// [`Error::ClassOutOfRange`], [`Error::ScoreCount`], [`Error::NanScore`]; nothing is counted then.
    pub fn add_sample(&mut self, id: &str, target: usize, scores: &[f32]) -> Result<usize, Error> {
        self.count(target, scores, || format!("`{id}`"))
    }

    fn count(
        &mut self,
        target: usize,
        scores: &[f32],
        name: impl Fn() -> String,
    ) -> Result<usize, Error> {
        let classes = self.labels.len();
        if target >= classes {
            return Err(Error::ClassOutOfRange {
                sample: name(),
                class: target,
                classes,
            });
        }
        if scores.len() != classes {
            return Err(Error::ScoreCount {
                sample: name(),
                found: scores.len(),
                expected: classes,
            });
        }
        if let Some(class) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::NanScore {
                sample: name(),
                label: self.labels[class].clone(),
            });
        }
        let predicted = (1..classes).fold(0, |best, class| {
            if scores[class] > scores[best] {
                class
            } else {
                best
            }
        });
        let own = scores[target];
        let above =
            |(class, &score): (usize, &f32)| score > own || (score == own && class < target);
        let rank = scores
            .iter()
            .enumerate()
            .filter(|&pair| above(pair))
            .count();
        self.confusion.add(target, predicted);
        self.ranks[rank.min(self.ranks.len() - 1)] += 1;
        self.scored += 1;
        Ok(predicted)
    }

    /// Adds what another has counted, for evaluation in several parts.
    ///
    /// # Errors
    /// [`Error::LabelsDiffer`].
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.labels != other.labels {
            return Err(Error::LabelsDiffer {
                ours: self.labels.len(),
                theirs: other.labels.len(),
            });
        }
        self.confusion.merge(&other.confusion);
        for (ours, theirs) in self.ranks.iter_mut().zip(other.ranks) {
            *ours += theirs;
        }
        self.scored += other.scored;
        Ok(())
    }

    /// The metrics of all samples counted so far. What needs every sample's probabilities at once is undefined until
    /// [`ClassificationReport::with_probabilities`] is given them.
    pub fn finish(&self) -> ClassificationReport {
        let (n, right, classes) = (self.scored, self.confusion.right(), self.labels.len());
        let (support, predicted) = self.confusion.margins(classes);
        let per_class: Vec<ClassScores> = (0..classes)
            .map(|class| {
                let hits = self.confusion.count(class, class);
                ClassScores::new(&self.labels[class], hits, support[class], predicted[class])
            })
            .collect();
        let accuracy = share(right, n);
        ClassificationReport {
            n,
            accuracy,
            accuracy_interval: wilson(right, n),
            majority_share: share(support.iter().copied().max().unwrap_or(0), n),
            top_k: self.top_k(),
            // Every sample has one answer, so that each mistake is once a false positive and once a false negative.
            micro: accuracy.map(|value| Averaged {
                precision: value,
                recall: value,
                f1: value,
            }),
            macro_: average(&per_class, |_| 1),
            weighted: average(&per_class, |class| class.support),
            mcc: mcc(n, right, &support, &predicted),
            kappa: kappa(n, right, &support, &predicted),
            auroc: None,
            average_precision: None,
            brier: None,
            calibration: None,
            order: None,
            classes: per_class,
            confusion: self.confusion.clone(),
        }
    }

    fn top_k(&self) -> Vec<TopK> {
        let within = |k: usize| self.ranks[..k].iter().sum::<u64>();
        let kept = TOP_K
            .into_iter()
            .filter(|&k| k < self.labels.len() && !self.is_empty());
        kept.map(|k| TopK {
            k,
            accuracy: within(k) as f64 / self.scored as f64,
        })
        .collect()
    }
}

/// The names of classes, of which there is at least one and none twice.
pub(crate) fn distinct<S: Into<String>>(
    labels: impl IntoIterator<Item = S>,
) -> Result<Vec<String>, Error> {
    let labels: Vec<String> = labels.into_iter().map(Into::into).collect();
    if labels.is_empty() {
        return Err(Error::NoLabels);
    }
    let mut seen = HashSet::new();
    match labels.iter().find(|label| !seen.insert(label.as_str())) {
        Some(label) => Err(Error::DuplicateLabel {
            label: label.clone(),
        }),
        None => Ok(labels),
    }
}

/// `part / whole`, undefined where there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Averages over the classes that have scores.
pub(crate) fn average(
    classes: &[ClassScores],
    weight: impl Fn(&ClassScores) -> u64,
) -> Option<Averaged> {
    let (mut sum, mut total) = (
        Averaged {
            precision: 0.0,
            recall: 0.0,
            f1: 0.0,
        },
        0.0,
    );
    for class in classes {
        let (Some(precision), Some(recall), Some(f1)) = (class.precision, class.recall, class.f1)
        else {
            continue;
        };
        let w = weight(class) as f64;
        sum.precision += w * precision;
        sum.recall += w * recall;
        sum.f1 += w * f1;
        total += w;
    }
    (total > 0.0).then(|| Averaged {
        precision: sum.precision / total,
        recall: sum.recall / total,
        f1: sum.f1 / total,
    })
}

/// Gorodkin's multiclass correlation: (n·c − Σ tₖpₖ) / √((n² − Σpₖ²)(n² − Σtₖ²)).
fn mcc(n: u64, right: u64, support: &[u64], predicted: &[u64]) -> Option<f64> {
    let n = n as f64;
    let [cross, answers, truth] = [
        dot(support, predicted),
        dot(predicted, predicted),
        dot(support, support),
    ];
    let (answers, truth) = (n * n - answers, n * n - truth);
    if truth == 0.0 {
        return None;
    }
    if answers == 0.0 {
        return Some(0.0);
    }
    Some((n * right as f64 - cross) / (answers * truth).sqrt())
}

/// (observed − expected agreement) / (1 − expected agreement).
fn kappa(n: u64, right: u64, support: &[u64], predicted: &[u64]) -> Option<f64> {
    let squared = n as f64 * n as f64;
    let expected = dot(support, predicted);
    (squared != expected).then(|| (n as f64 * right as f64 - expected) / (squared - expected))
}

fn dot(a: &[u64], b: &[u64]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum()
}
