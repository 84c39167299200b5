//! FlexMatch: FixMatch with a threshold for each class, lower for those that are learned late.

use burn::module::{Module, RunningState};
use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_core::assert_shape;

use super::fix_match::{checked_threshold, semi_supervised};
use super::{CollapseDetector, LearningStatus, PseudoLabels, SemiLogits, SemiParts};
use crate::{CrossEntropy, Loss, Noted, Objective};

/// What FlexMatch has to know besides a model's answers.
#[derive(Clone, Debug)]
pub struct FlexTarget {
    /// Classes of the labelled samples, `[labelled]`, -1 without a label.
    pub classes: Tensor<1, Int>,
    /// Which of all unlabelled samples those of this batch are, `[unlabelled]`, from 0.
    pub samples: Tensor<1, Int>,
}

/// FlexMatch (arXiv 2110.08263): [`FixMatch`](super::FixMatch) with thresholds by class, from [`LearningStatus`]. Terms are
/// `labelled`, `unlabelled` and `kept`.
///
/// What it remembers of each unlabelled sample is a tensor of the module, `status`: it is in every checkpoint of a run
/// with the weights, and a resumed run goes on with the same thresholds. On an autodiff device, that is, in training, the loss
/// notes a sample's class where its probability reaches the fixed threshold τ, and [`remember`](Objective::remember) writes it
/// down: between steps, so that all parts of a batch have the same thresholds. A learner of your own hands it on from
/// [`Learner::remember`](crate::Learner::remember).
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{FlexMatch, FlexTarget, Objective, SemiLogits};
/// # let device = Device::flex().autodiff();
/// let flex = FlexMatch::new(10, 2, &device); // ten unlabelled samples, two classes
/// let weak = Tensor::from_data([[9.0, 0.0], [0.5, 0.0]], &device);
/// let output = SemiLogits { labelled: weak.clone(), strong: weak.clone(), weak };
/// let target = FlexTarget {
///     classes: Tensor::from_data([0, 0], &device),
///     samples: Tensor::from_data([7, 4], &device),
/// };
/// let loss = flex.loss(output, target);
/// assert_eq!(flex.learning_status().samples()[7], -1);
/// flex.remember(&loss.noted);
/// assert_eq!(flex.learning_status().samples()[7], 0);
/// assert_eq!(flex.learning_status().samples()[4], -1);
/// ```
#[derive(Module, Debug)]
pub struct FlexMatch {
    /// The class each unlabelled sample was last surely taken for, or -1: `[samples]`.
    pub status: RunningState<Tensor<1>>,
    /// The loss of the labelled samples.
    pub supervised: CrossEntropy,
    #[module(skip)]
    detector: Option<CollapseDetector>,
    #[module(skip)]
    n_classes: usize,
    #[module(skip)]
    threshold: f64,
    #[module(skip)]
    weight: f64,
    #[module(skip)]
    warm_up: bool,
}

impl FlexMatch {
    /// For so many unlabelled samples and classes, with the paper's τ = 0.95, λ = 1, and the warm-up.
    ///
    /// # Panics
    /// If there are more classes than float32 can count.
    pub fn new(samples: usize, n_classes: usize, device: &Device) -> Self {
        assert!(n_classes < 1 << 24, "{n_classes} classes are too many");
        Self {
            status: RunningState::new(Tensor::full([samples], -1.0, device)),
            supervised: CrossEntropy::new(),
            detector: None,
            n_classes,
            threshold: 0.95,
            weight: 1.0,
            warm_up: true,
        }
    }

    /// With another τ.
    ///
    /// # Panics
    /// If it lies outside of 0 to 1.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = checked_threshold(threshold);
        self
    }

    /// With another λ.
    #[must_use]
    pub fn with_weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// With or without the warm-up.
    #[must_use]
    pub fn with_warm_up(mut self, warm_up: bool) -> Self {
        self.warm_up = warm_up;
        self
    }

    /// With another loss of the labelled samples.
    #[must_use]
    pub fn with_supervised(mut self, supervised: CrossEntropy) -> Self {
        self.supervised = supervised;
        self
    }

    /// With a guard that is shown the weak views' answers.
    #[must_use]
    pub fn with_detector(mut self, detector: CollapseDetector) -> Self {
        self.detector = Some(detector);
        self
    }

    /// What is known of each sample.
    pub fn learning_status(&self) -> LearningStatus {
        let classes = self.status.value_sync().into_data();
        let classes = classes.iter::<f32>().map(|class| class as i64).collect();
        LearningStatus::of(classes, self.n_classes)
    }

    /// The loss of a batch that may be one of several parts, of which it counts so much: see [`SemiParts`].
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn loss_of(&self, output: SemiLogits, target: FlexTarget, parts: SemiParts) -> Loss {
        let [unlabelled, n_classes] = output.weak.dims();
        assert_shape!(target.samples, [unlabelled]);
        assert_eq!(n_classes, self.n_classes, "a logit per class is needed");
        if let Some(detector) = &self.detector {
            detector.see(output.weak.clone());
        }
        let status = self.learning_status();
        let thresholds = status.thresholds(self.threshold, self.warm_up);
        let thresholds: Vec<f32> = thresholds
            .iter()
            .map(|threshold| *threshold as f32)
            .collect();
        let thresholds = TensorData::new(thresholds, [n_classes]);
        let thresholds = Tensor::from_data(thresholds, &output.weak.device());
        let labels = PseudoLabels::select_by_class(output.weak.clone(), thresholds);
        let noted = match output.weak.is_autodiff() {
            true => self.noted(&labels, target.samples),
            false => Vec::new(),
        };
        let (supervised, weight) = (&self.supervised, self.weight);
        let loss = semi_supervised(supervised, output, target.classes, &labels, weight, parts);
        Loss { noted, ..loss }
    }

    /// What the model is sure of.
    fn noted(&self, labels: &PseudoLabels, samples: Tensor<1, Int>) -> Vec<Noted> {
        let samples = samples.into_data();
        let guesses = labels.guesses.clone().into_data();
        let confidence = labels.confidence.clone().into_data();
        let sure = confidence
            .iter::<f32>()
            .map(|p| f64::from(p) >= self.threshold);
        let rows = samples.iter::<i64>().zip(guesses.iter::<i64>()).zip(sure);
        rows.filter(|(_, sure)| *sure)
            .map(|((sample, guess), _)| Noted {
                sample: usize::try_from(sample).expect("a sample's number is not negative"),
                value: guess as f32,
            })
            .collect()
    }
}

impl Objective for FlexMatch {
    type Output = SemiLogits;
    type Target = FlexTarget;

    /// # Panics
    /// If shapes do not fit.
    fn loss(&self, output: SemiLogits, target: FlexTarget) -> Loss {
        self.loss_of(output, target, SemiParts::default())
    }

    /// # Panics
    /// If a sample's number is not below how many there are.
    fn remember(&self, noted: &[Noted]) {
        if noted.is_empty() {
            return;
        }
        let mut status = self.learning_status();
        for Noted { sample, value } in noted {
            status.set(*sample, *value as usize);
        }
        let classes: Vec<f32> = status.samples().iter().map(|class| *class as f32).collect();
        let count = classes.len();
        let device = self.status.value().device();
        let classes = Tensor::from_data(TensorData::new(classes, [count]), &device);
        self.status.update(classes);
        // Seen at once by whoever saves the module.
        self.status.value_sync();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{devices, floats};

    #[test]
    fn a_hard_class_is_let_through_and_validation_changes_nothing() {
        for device in devices() {
            let on = device.clone().autodiff();
            let flex = FlexMatch::new(4, 2, &on);
            flex.status
                .update(Tensor::from_data([0.0, 0.0, 1.0, -1.0], &on));
            let run = |device: &Device, weak: [[f32; 2]; 2]| {
                let weak = Tensor::from_data(weak, device);
                let output = SemiLogits {
                    labelled: weak.clone(),
                    strong: weak.clone(),
                    weak,
                };
                let target = FlexTarget {
                    classes: Tensor::from_data([0, 1], device),
                    samples: Tensor::from_data([3, 0], device),
                };
                let loss = flex.loss(output, target);
                (floats(&loss.terms[2].1)[0], loss.noted)
            };
            // Thresholds 0.95 and 0.3167; probabilities 0.73 of class 0 and 0.73 of class 1.
            let none = (0.5, Vec::new());
            assert_eq!(run(&on, [[1.0, 0.0], [0.0, 1.0]]), none, "none is sure");
            let validated = (1.0, Vec::new());
            assert_eq!(run(&device, [[0.0, 9.0], [0.0, 9.0]]), validated);
            let (kept, noted) = run(&on, [[0.0, 9.0], [0.0, 9.0]]);
            let sure = |sample| Noted { sample, value: 1.0 };
            assert_eq!((kept, &noted[..]), (1.0, &[sure(3), sure(0)][..]));
            assert_eq!(flex.learning_status().samples(), [0, 0, 1, -1]);
            flex.remember(&noted);
            assert_eq!(flex.learning_status().samples(), [1, 0, 1, 1]);
        }
    }
}
