//! A guard against collapse: a model that learns from its own answers may come to give one answer to everything.

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::activation::softmax;
use sensorium_core::Logits;
use serde::{Deserialize, Serialize};

use crate::{Ended, Plan, StepLog, ValidationLog, Warning, Watch};

/// What was seen when a model collapsed. Shown, it is one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collapse {
    /// The class most samples were taken for.
    pub class: usize,
    /// Their share, 0 to 1.
    pub share: f64,
    /// The entropy of the mean prediction, in nats.
    pub entropy: f64,
    /// What it would be if all classes were as likely, in nats.
    pub most_entropy: f64,
    /// How many samples were looked at.
    pub samples: usize,
    /// In how many batches.
    pub batches: usize,
}

impl fmt::Display for Collapse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "the model has collapsed: {:.1} % of the last {} samples without label ({} batches) were taken for class {}, \
             and the mean prediction has {:.3} of {:.3} nats of entropy; lower the weight or raise the threshold of \
             pseudo-labels, or train on the labels alone",
            100.0 * self.share,
            self.samples,
            self.batches,
            self.class,
            self.entropy,
            self.most_entropy
        )
    }
}

/// Watches the answers to samples without labels over a window of batches. A model has collapsed if the commonest class
/// has more than a share of them, or the entropy of the mean prediction is less than a share of ln(classes).
///
/// A clone watches with the original: give one to [`FixMatch`](super::FixMatch) or [`FlexMatch`](super::FlexMatch), and one
/// to [`StopOnCollapse`], which ends the run. It says nothing before the window is full, and a resumed run begins with an
/// empty one.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::CollapseDetector;
/// # let device = Device::flex();
/// let detector = CollapseDetector::new(2); // after two batches
/// detector.see(Tensor::from_data([[9.0, 0.0, 0.0]; 5], &device));
/// assert!(detector.collapse().is_none());
/// detector.see(Tensor::from_data([[9.0, 0.0, 0.0]; 5], &device));
/// let collapse = detector.collapse().unwrap();
/// assert!(collapse.to_string().starts_with(
///     "the model has collapsed: 100.0 % of the last 10 samples without label (2 batches) were taken for class 0"
/// ));
/// ```
#[derive(Clone, Debug)]
pub struct CollapseDetector {
    window: usize,
    most_share: f64,
    least_entropy: f64,
    seen: Arc<Mutex<VecDeque<Seen>>>,
}

/// One batch.
#[derive(Clone, Debug)]
struct Seen {
    /// Probabilities added up, by class.
    sums: Vec<f64>,
    /// Samples taken for each class.
    counts: Vec<usize>,
}

impl CollapseDetector {
    /// Over so many batches; at most 95 % of one class, at least 10 % of the entropy.
    ///
    /// # Panics
    /// If there is no batch.
    pub fn new(window: usize) -> Self {
        assert!(window > 0, "a window needs a batch");
        Self {
            window,
            most_share: 0.95,
            least_entropy: 0.1,
            seen: Arc::default(),
        }
    }

    /// With other limits, both from 0 to 1, for data in which one class is very common.
    #[must_use]
    pub fn with_limits(mut self, most_share: f64, least_entropy: f64) -> Self {
        (self.most_share, self.least_entropy) = (most_share, least_entropy);
        self
    }

    /// Looks at the answers of a batch, logits `[batch, classes]`.
    pub fn see(&self, logits: Logits) {
        let [batch, n_classes] = logits.dims();
        if batch == 0 || n_classes == 0 {
            return;
        }
        let probabilities = softmax(logits.inner(), 1).into_data();
        let probabilities: Vec<f32> = probabilities.iter::<f32>().collect();
        let mut seen = Seen {
            sums: vec![0.0; n_classes],
            counts: vec![0; n_classes],
        };
        for row in probabilities.chunks(n_classes) {
            let mut most = 0;
            for (class, p) in row.iter().enumerate() {
                seen.sums[class] += f64::from(*p);
                if *p > row[most] {
                    most = class;
                }
            }
            seen.counts[most] += 1;
        }
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == self.window {
            all.pop_front();
        }
        all.push_back(seen);
    }

    /// What is wrong with the batches of the window, if something is. Numbers that are not finite are no collapse: the
    /// trainer refuses them.
    pub fn collapse(&self) -> Option<Collapse> {
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < self.window {
            return None;
        }
        let n_classes = all[0].counts.len();
        let mut whole = Seen {
            sums: vec![0.0; n_classes],
            counts: vec![0; n_classes],
        };
        for seen in &*all {
            for class in 0..n_classes {
                whole.sums[class] += seen.sums[class];
                whole.counts[class] += seen.counts[class];
            }
        }
        let samples: usize = whole.counts.iter().sum();
        let (class, count) = (0..).zip(&whole.counts).max_by_key(|(_, count)| **count)?;
        let share = *count as f64 / samples as f64;
        let nats = |sum: &f64| match sum / samples as f64 {
            p if p > 0.0 => -p * p.ln(),
            0.0 => 0.0,
            _ => f64::NAN,
        };
        let entropy: f64 = whole.sums.iter().map(nats).sum();
        let most_entropy = (n_classes as f64).ln();
        let collapsed = share > self.most_share || entropy < self.least_entropy * most_entropy;
        (collapsed && entropy.is_finite()).then_some(Collapse {
            class,
            share,
            entropy,
            most_entropy,
            samples,
            batches: all.len(),
        })
    }
}

/// Another watch, and the end of the run once the model has collapsed: the watch is warned, the warning is a line of the run's
/// log, and the run stops as if asked to.
#[derive(Debug)]
pub struct StopOnCollapse<W> {
    watch: W,
    detector: CollapseDetector,
    found: Option<Warning>,
}

impl<W: Watch> StopOnCollapse<W> {
    /// Shows the run to a watch until the detector finds a collapse.
    pub fn new(watch: W, detector: CollapseDetector) -> Self {
        Self {
            watch,
            detector,
            found: None,
        }
    }
}

impl<W: Watch> Watch for StopOnCollapse<W> {
    fn on_start(&mut self, plan: &Plan) {
        self.watch.on_start(plan);
    }

    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        self.watch.on_step(step)?;
        let Some(collapse) = self.detector.collapse() else {
            return ControlFlow::Continue(());
        };
        self.found = Some(Warning::Collapsed {
            step: step.step,
            seen: collapse.to_string(),
        });
        ControlFlow::Break(())
    }

    fn found(&mut self) -> Option<Warning> {
        self.found.take().or_else(|| self.watch.found())
    }

    fn on_validation(&mut self, validation: &ValidationLog) {
        self.watch.on_validation(validation);
    }

    fn on_checkpoint(&mut self, step: usize, folder: &Path) {
        self.watch.on_checkpoint(step, folder);
    }

    fn on_warning(&mut self, warning: &Warning) {
        self.watch.on_warning(warning);
    }

    fn on_end(&mut self, ended: Ended) {
        self.watch.on_end(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tensor;
    use sensorium_testkit::devices;

    #[test]
    fn classes_in_turn_are_no_collapse_and_one_class_is() {
        for device in devices() {
            let detector = CollapseDetector::new(3);
            let of = |class: usize| {
                let mut row = [0.0; 3];
                row[class] = 9.0;
                Tensor::from_data([row; 4], &device)
            };
            // Each batch is of one class, as data in order would be; the window is of all.
            for class in [0, 1, 2, 0] {
                detector.see(of(class));
                assert_eq!(detector.collapse(), None);
            }
            detector.see(of(0));
            assert_eq!(detector.collapse(), None, "a third is of another class");
            detector.see(of(0));
            let collapse = detector.collapse().unwrap();
            assert_eq!(
                (collapse.class, collapse.share, collapse.samples),
                (0, 1.0, 12)
            );
            assert!(collapse.entropy < 0.01 && (collapse.most_entropy - 3f64.ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn nearly_even_answers_may_hide_one_class() {
        for device in devices() {
            let detector = CollapseDetector::new(1);
            detector.see(Tensor::from_data([[0.1, 0.0], [0.1, 0.0]], &device));
            let collapse = detector.collapse().unwrap();
            assert!(collapse.share == 1.0 && collapse.entropy > 0.69);
            let line = collapse.to_string();
            assert!(
                !line.contains('\n') && line.contains("0.692 of 0.693 nats"),
                "{line}"
            );
            let lenient = CollapseDetector::new(1).with_limits(1.0, 0.1);
            lenient.see(Tensor::from_data([[0.1, 0.0]], &device));
            assert_eq!(lenient.collapse(), None);
        }
    }
}
