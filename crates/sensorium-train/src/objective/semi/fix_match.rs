//! FixMatch: what a model is sure of in a sample barely changed, it is to say of the sample much changed.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use sensorium_core::{Logits, assert_shape};

use super::{CollapseDetector, PseudoLabels, SemiParts};
use crate::{CrossEntropy, Loss, Objective};

/// A model's answers to labelled samples and to two views of samples without labels.
#[derive(Clone, Debug)]
pub struct SemiLogits {
    /// Of labelled samples, `[labelled, classes]`.
    pub labelled: Logits,
    /// Of samples without labels, weakly changed: `[unlabelled, classes]`. No gradient goes into them.
    pub weak: Logits,
    /// Of the same samples, strongly changed: `[unlabelled, classes]`.
    pub strong: Logits,
}

/// FixMatch (arXiv 2001.07685, equations 3 and 4): cross-entropy of the labelled samples, the term `labelled`, plus λ
/// times that of the strong views with the pseudo-labels of the weak ones, the term `unlabelled`. `kept` is the share of
/// pseudo-labels that are sure enough.
///
/// The paper has a threshold of 0.95, λ = 1, seven unlabelled samples to a labelled one, and judges weights averaged with
/// 0.999. It can do harm: on texts with 40 labels FixMatch errs twice as often as training on the labels alone. Compare with
/// that, and attach a [`CollapseDetector`].
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{FixMatch, Objective, SemiLogits};
/// # let device = Device::flex();
/// let output = SemiLogits {
///     labelled: Tensor::from_data([[9.0, 0.0, 0.0]], &device),
///     weak: Tensor::from_data([[4.0, 0.0, 0.0], [1.0, 0.0, 0.0]], &device),
///     strong: Tensor::from_data([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]], &device),
/// };
/// let loss = FixMatch::new().loss(output, Tensor::from_data([0], &device));
/// let unlabelled = loss.terms[1].1.clone().into_scalar::<f32>();
/// assert!((unlabelled - 0.203803).abs() < 1e-6); // the first alone is sure, and counts half
/// ```
#[derive(Module, Debug)]
pub struct FixMatch {
    /// The loss of the labelled samples.
    pub supervised: CrossEntropy,
    #[module(skip)]
    threshold: f64,
    #[module(skip)]
    weight: f64,
    #[module(skip)]
    detector: Option<CollapseDetector>,
}

impl Default for FixMatch {
    fn default() -> Self {
        Self::new()
    }
}

impl FixMatch {
    /// With the paper's threshold of 0.95 and λ = 1.
    pub fn new() -> Self {
        Self {
            supervised: CrossEntropy::new(),
            threshold: 0.95,
            weight: 1.0,
            detector: None,
        }
    }

    /// With another threshold.
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

    /// The loss of a batch that may be one of several parts, of which it counts so much: see [`SemiParts`].
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn loss_of(&self, output: SemiLogits, classes: Tensor<1, Int>, parts: SemiParts) -> Loss {
        if let Some(detector) = &self.detector {
            detector.see(output.weak.clone());
        }
        let labels = PseudoLabels::select(output.weak.clone(), self.threshold);
        let weight = self.weight;
        semi_supervised(&self.supervised, output, classes, &labels, weight, parts)
    }
}

impl Objective for FixMatch {
    type Output = SemiLogits;
    type Target = Tensor<1, Int>;

    /// # Shapes
    /// The target is the labelled samples' classes, `[labelled]`, -1 without a label.
    fn loss(&self, output: SemiLogits, classes: Tensor<1, Int>) -> Loss {
        self.loss_of(output, classes, SemiParts::default())
    }
}

pub(super) fn checked_threshold(threshold: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&threshold),
        "the threshold must lie between 0 and 1, not at {threshold}"
    );
    threshold
}

/// The labelled loss plus so much of the unlabelled one.
pub(super) fn semi_supervised(
    supervised: &CrossEntropy,
    output: SemiLogits,
    classes: Tensor<1, Int>,
    labels: &PseudoLabels,
    weight: f64,
    parts: SemiParts,
) -> Loss {
    assert_shape!(output.strong, output.weak.dims());
    let labelled = parts.labelled(supervised.loss(output.labelled, classes).total);
    let mut loss = Loss::new(labelled.clone());
    loss.terms.push(("labelled".to_owned(), labelled));
    let unlabelled = parts.unlabelled(labels.loss(output.strong));
    loss = loss.plus("unlabelled", unlabelled, weight);
    let kept = parts.unlabelled(labels.kept());
    loss.terms.push(("kept".to_owned(), kept));
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, floats, random};

    #[test]
    fn weak_views_teach_and_do_not_learn() {
        for device in devices() {
            let on = device.clone().autodiff();
            let weak = Tensor::<2>::from_data([[4.0, 0.0, 0.0], [1.0, 0.0, 0.0]], &on);
            let weak = weak.require_grad();
            let both = Param::from_tensor(random([4, 3], 1, &device));
            let classes = Tensor::<1, Int>::from_data([2, -1], &on);
            let output = |both: &Param<Tensor<2>>| SemiLogits {
                labelled: both.val().narrow(0, 0, 2),
                weak: weak.clone() * 1.0,
                strong: both.val().narrow(0, 2, 2),
            };
            check_gradients(both.clone(), |both| {
                FixMatch::new().loss(output(both), classes.clone()).total
            });
            let both = both.train();
            let loss = FixMatch::new()
                .with_weight(3.0)
                .loss(output(&both), classes);
            let names: Vec<&str> = loss.terms.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, ["labelled", "unlabelled", "kept"]);
            let terms: Vec<f32> = loss.terms.iter().map(|(_, term)| floats(term)[0]).collect();
            assert_eq!(terms[2], 0.5);
            assert!((floats(&loss.total)[0] - terms[0] - 3.0 * terms[1]).abs() < 1e-6);
            let grads = loss.total.backward();
            assert!(weak.grad(&grads).is_none());
            // Neither the sample without a label nor the one that is unsure.
            let grad = floats(&both.val().grad(&grads).unwrap());
            assert!(grad[3..6].iter().chain(&grad[9..]).all(|grad| *grad == 0.0));
        }
    }
}
