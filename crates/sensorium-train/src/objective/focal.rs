//! Focal loss: what is already right counts less, so that many easy samples do not drown a few hard ones.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Bool, Int, Tensor, TensorData};
use sensorium_core::{Logits, assert_shape};

use super::{Loss, Objective, Targets};
use crate::Tally;

/// Below this probability the modulating factor stays where it is: with γ < 1 its slope has no bound at 0.
const LEAST: f32 = 1e-30;

/// Focal loss of one class a sample (arXiv 1708.02002, equation 5, with a softmax).
///
/// -w (1 - p)^γ ln p for the probability p of the sample's class and the class's weight w, divided by the sum of the
/// samples' weights: with γ = 0 it is [`CrossEntropy`](super::CrossEntropy). A negative class marks a sample without a
/// label. [`class_balanced_weights`](super::class_balanced_weights) gives weights for classes of unlike size.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Focal, Objective};
/// # let device = Device::flex();
/// let logits = Tensor::from_data([[0.0, 0.0]], &device);
/// let loss = Focal::new(2.0).loss(logits, Tensor::from_data([1], &device)).total;
/// assert!((loss.into_scalar::<f32>() - 0.25 * 2f32.ln()).abs() < 1e-6);
/// ```
#[derive(Module, Debug)]
pub struct Focal {
    #[module(skip)]
    gamma: f64,
    #[module(skip)]
    class_weights: Option<Vec<f32>>,
}

impl Focal {
    /// With the focusing parameter γ; the paper's best is 2.
    ///
    /// # Panics
    /// If γ is negative or not finite.
    pub fn new(gamma: f64) -> Self {
        Self {
            gamma: focusing(gamma),
            class_weights: None,
        }
    }

    /// With a weight per class.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Self {
        self.class_weights = Some(weights);
        self
    }
}

impl Objective for Focal {
    type Output = Logits;
    type Target = Tensor<1, Int>;

    /// # Shapes
    /// `logits` `[batch, classes]`, `classes` `[batch]` in -1 (no label) or `0..classes`.
    fn loss(&self, logits: Logits, classes: Tensor<1, Int>) -> Loss {
        let [batch, n_classes] = logits.dims();
        assert_shape!(classes, [batch]);
        let unlabelled = classes.clone().lower_elem(0);
        let classes = classes.clamp_min(0);
        let log_p = log_softmax(logits, 1);
        let own = own_class(&classes, n_classes);
        // 1 - p as the sum of the others loses no digits where p is nearly 1.
        let others = log_p.clone().exp().mask_fill(own, 0.0).sum_dim(1);
        let factor = others.clamp_min(LEAST).powf_scalar(self.gamma);
        let picked = log_p.clone().gather(1, classes.clone().unsqueeze_dim(1));
        let loss = (picked * factor).neg().squeeze_dim::<1>(1); // [B]

        let weights = match &self.class_weights {
            Some(weights) => {
                assert_eq!(weights.len(), n_classes, "a weight per class is needed");
                let weights = TensorData::new(weights.clone(), [n_classes]);
                Tensor::<1>::from_data(weights, &log_p.device()).select(0, classes)
            }
            None => Tensor::ones([batch], &log_p.device()),
        };
        let weights = weights.mask_fill(unlabelled, 0.0);
        let over = weights.clone().sum();
        let total = (loss * weights).sum() / over.clone().clamp_min(f32::MIN_POSITIVE);
        Loss::new(total).over(over)
    }

    fn tally(&self, logits: &Logits, classes: &Tensor<1, Int>) -> Option<Tally> {
        Some(Tally::of_classes(logits.clone(), classes.clone()))
    }
}

/// True at each sample's class, `[batch, classes]`.
fn own_class(classes: &Tensor<1, Int>, n_classes: usize) -> Tensor<2, Bool> {
    let [batch] = classes.dims();
    let all = Tensor::<1, Int>::arange(0..n_classes as i64, &classes.device());
    let all = all.unsqueeze_dim::<2>(0).expand([batch, n_classes]);
    let own = classes.clone().unsqueeze_dim::<2>(1);
    all.equal(own.expand([batch, n_classes]))
}

/// Focal loss of several labels a sample (arXiv 1708.02002, equation 5, with sigmoids), averaged over the labels that
/// are known.
///
/// -α_t (1 - p_t)^γ ln p_t, where p_t is σ(x) for a label that is there and 1 - σ(x) for one that is not, and α_t
/// likewise α or 1 - α. Targets are 0 or 1. Torchvision's `sigmoid_focal_loss` with `reduction="mean"` is the same.
///
/// # Differs from the paper
/// The paper divides by the number of boxes that matched an object; labels have none, so this is a mean.
#[derive(Module, Debug)]
pub struct BinaryFocal {
    #[module(skip)]
    gamma: f64,
    #[module(skip)]
    alpha: Option<f64>,
}

impl BinaryFocal {
    /// With the focusing parameter γ, and without α; the paper's best are 2 and 0.25.
    ///
    /// # Panics
    /// If γ is negative or not finite.
    pub fn new(gamma: f64) -> Self {
        Self {
            gamma: focusing(gamma),
            alpha: None,
        }
    }

    /// With the weight α of labels that are there; those that are not get 1 - α.
    ///
    /// # Panics
    /// If α lies outside of 0 to 1.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&alpha),
            "alpha must lie between 0 and 1, not at {alpha}"
        );
        self.alpha = Some(alpha);
        self
    }
}

impl Objective for BinaryFocal {
    type Output = Logits;
    type Target = Targets;

    /// # Shapes
    /// `logits` and targets `[batch, labels]`.
    fn loss(&self, logits: Logits, targets: Targets) -> Loss {
        let there = targets.filled(logits.dims());
        let absent = there.clone().neg().add_scalar(1.0);
        let (log_p, log_not) = (log_sigmoid(logits.clone()), log_sigmoid(logits.neg()));
        let (positive, negative) = match self.alpha {
            Some(alpha) => (there.mul_scalar(alpha), absent.mul_scalar(1.0 - alpha)),
            None => (there, absent),
        };
        let focused = |log_p: Tensor<2>, log_not: Tensor<2>| {
            log_p * log_not.mul_scalar(self.gamma).exp() // (1 - p)^γ without a power of 0
        };
        let loss =
            focused(log_p.clone(), log_not.clone()) * positive + focused(log_not, log_p) * negative;
        Loss::new(targets.mean(loss.neg()))
    }
}

fn focusing(gamma: f64) -> f64 {
    assert!(
        gamma >= 0.0 && gamma.is_finite(),
        "gamma must be 0 or more, not {gamma}"
    );
    gamma
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BinaryCrossEntropy, CrossEntropy};
    use burn::module::Param;
    use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

    #[test]
    fn without_focus_it_is_cross_entropy() {
        for device in devices() {
            let logits = random::<2>([4, 3], 3, &device).mul_scalar(4.0);
            let classes = Tensor::<1, Int>::from_data([2, -1, 0, 1], &device);
            let weights = vec![0.5, 2.0, 1.0];
            let focal = Focal::new(0.0).with_class_weights(weights.clone());
            let plain = CrossEntropy::new().with_class_weights(weights);
            assert_close(
                &focal.loss(logits.clone(), classes.clone()).total,
                &plain.loss(logits.clone(), classes).total,
                1e-6,
            );
            let there = random::<2>([4, 3], 4, &device).greater_elem(0.0).float();
            assert_close(
                &BinaryFocal::new(0.0)
                    .loss(logits.clone(), there.clone().into())
                    .total,
                &BinaryCrossEntropy::new().loss(logits, there.into()).total,
                1e-6,
            );
        }
    }

    #[test]
    fn it_equals_the_definition() {
        for device in devices() {
            for gamma in [0.5, 1.0, 2.0, 5.0] {
                let logits = random::<2>([5, 3], 5, &device).mul_scalar(6.0);
                let classes = [0usize, 2, 1, 1, 0];
                let mut expected = 0.0;
                for (row, class) in floats(&logits).chunks(3).zip(classes) {
                    let exp: Vec<f64> = row.iter().map(|x| f64::from(*x).exp()).collect();
                    let p = exp[class] / exp.iter().sum::<f64>();
                    expected -= (1.0 - p).powf(gamma) * p.ln() / 5.0;
                }
                let target = Tensor::from_data(classes.map(|class| class as i64), &device);
                let found = Focal::new(gamma)
                    .loss(logits, target)
                    .total
                    .into_scalar::<f32>();
                assert!(
                    (f64::from(found) - expected).abs() < 1e-5,
                    "{gamma}: {found}"
                );
            }
        }
    }

    #[test]
    fn certain_samples_have_finite_gradients() {
        for device in devices().into_iter().map(|device| device.autodiff()) {
            for gamma in [0.0, 0.5, 1.0, 2.0] {
                let logits = Tensor::<2>::from_data([[300.0, -300.0], [0.0, 90.0]], &device);
                let logits = logits.require_grad();
                let classes = Tensor::from_data([0, 0], &device);
                let there = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 1.0]], &device);
                let total = Focal::new(gamma).loss(logits.clone(), classes).total
                    + BinaryFocal::new(gamma)
                        .loss(logits.clone(), there.into())
                        .total;
                let grads = floats(&logits.grad(&total.backward()).unwrap());
                assert!(
                    grads.iter().all(|grad| grad.is_finite()),
                    "{gamma}: {grads:?}"
                );
            }
        }
    }

    #[test]
    fn the_gradient_reaches_the_logits() {
        for device in devices() {
            let logits = Param::from_tensor(random([3, 2], 7, &device));
            let classes = Tensor::<1, Int>::from_data([1, 0, -1], &device.clone().autodiff());
            check_gradients(logits, |logits| {
                Focal::new(2.0).loss(logits.val(), classes).total
            });
            let logits = Param::from_tensor(random([3, 2], 7, &device));
            let there = Tensor::<2>::ones([3, 2], &device.autodiff());
            check_gradients(logits, |logits| {
                let focal = BinaryFocal::new(2.0).with_alpha(0.25);
                focal.loss(logits.val(), there.into()).total
            });
        }
    }
}
