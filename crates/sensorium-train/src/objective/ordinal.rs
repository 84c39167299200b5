//! Ordered classes: to be wrong by one is better than to be wrong by three.

use burn::module::Module;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Bool, Int, Tensor};
use sensorium_core::{Logits, assert_shape};

use super::{Loss, Objective};
use crate::Tally;

/// The CORN loss of ordered classes (arXiv 2111.08851, equation 5).
///
/// A model of K classes gives K - 1 logits. The k-th says how likely a sample that is at least class k lies above it,
/// P(y > k | y ≥ k): each is trained with binary cross-entropy on those samples alone. All terms are divided by how many
/// there are. [`above`](Self::above) multiplies them to P(y > k), which can only fall with k: predictions are consistent
/// by construction, and the weights of the last layer need not be shared as in CORAL (arXiv 1901.07884). A negative class
/// marks a sample without a label; a batch without any has loss 0.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Objective, Ordinal};
/// # let device = Device::flex();
/// // Four classes. Surely above the first, probably above the second, hardly above the third.
/// let logits = Tensor::from_data([[9.0, 1.0, -2.0]], &device);
/// assert_eq!(Ordinal.classes(logits).into_scalar::<i64>(), 2);
/// ```
#[derive(Module, Debug, Default)]
pub struct Ordinal;

impl Ordinal {
    /// P(y > k) of each sample: `[batch, classes - 1]` → the same.
    pub fn above(&self, logits: Logits) -> Tensor<2> {
        log_sigmoid(logits).cumsum(1).exp()
    }

    /// The probability of each class: `[batch, classes - 1]` → `[batch, classes]`.
    pub fn probabilities(&self, logits: Logits) -> Tensor<2> {
        let [batch, _] = logits.dims();
        let above = self.above(logits);
        let (surely, never) = (
            Tensor::ones([batch, 1], &above.device()),
            Tensor::zeros([batch, 1], &above.device()),
        );
        let at_least = Tensor::cat(vec![surely, above.clone()], 1);
        at_least - Tensor::cat(vec![above, never], 1)
    }

    /// The class of each sample, that is, how many it more likely than not lies above: `[batch, classes - 1]` →
    /// `[batch]`.
    pub fn classes(&self, logits: Logits) -> Tensor<1, Int> {
        let above = self.above(logits).greater_elem(0.5).int();
        above.sum_dim(1).squeeze_dim(1)
    }
}

impl Objective for Ordinal {
    type Output = Logits;
    type Target = Tensor<1, Int>;

    /// # Shapes
    /// `logits` `[batch, classes - 1]`, `classes` `[batch]` in -1 (no label) or `0..classes`.
    fn loss(&self, logits: Logits, classes: Tensor<1, Int>) -> Loss {
        let [batch, steps] = logits.dims();
        assert_shape!(classes, [batch]);
        let step = Tensor::<1, Int>::arange(0..steps as i64, &logits.device())
            .unsqueeze_dim::<2>(0)
            .expand([batch, steps]);
        let classes = classes.unsqueeze_dim::<2>(1).expand([batch, steps]);
        let asked: Tensor<2, Bool> = classes.clone().greater_equal(step.clone());
        let above = classes.greater(step);
        let loss = log_sigmoid(logits.clone().neg()).mask_where(above, log_sigmoid(logits));
        let loss = loss.mask_fill(asked.clone().bool_not(), 0.0);
        Loss::new(loss.sum().neg() / asked.float().sum().clamp_min(1.0))
    }

    /// The likeliest class counts as the answer, as where probabilities are measured.
    fn tally(&self, logits: &Logits, classes: &Tensor<1, Int>) -> Option<Tally> {
        let probabilities = self.probabilities(logits.clone().inner());
        Some(Tally::of_classes(probabilities, classes.clone().inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, floats, ints, random};

    #[test]
    fn it_equals_the_definition() {
        for device in devices() {
            let logits = random::<2>([5, 3], 3, &device).mul_scalar(4.0);
            let classes = [2i64, 0, -1, 3, 1];
            let (mut sum, mut terms) = (0.0, 0.0);
            for (row, class) in floats(&logits).chunks(3).zip(classes) {
                for (k, x) in row.iter().enumerate() {
                    let p = 1.0 / (1.0 + f64::from(-x).exp());
                    if class >= k as i64 {
                        sum -= if class > k as i64 {
                            p.ln()
                        } else {
                            (1.0 - p).ln()
                        };
                        terms += 1.0;
                    }
                }
            }
            assert_eq!(terms, 3.0 + 1.0 + 3.0 + 2.0);
            let target = Tensor::from_data(classes, &device);
            let found = Ordinal
                .loss(logits.clone(), target)
                .total
                .into_scalar::<f32>();
            assert!((f64::from(found) - sum / terms).abs() < 1e-5, "{found}");
            let none = Tensor::from_data([-1; 5], &device);
            assert_eq!(Ordinal.loss(logits, none).total.into_scalar::<f32>(), 0.0);
        }
    }

    #[test]
    fn predictions_are_consistent_whatever_the_logits() {
        for device in devices() {
            let logits = random::<2>([40, 4], 9, &device).mul_scalar(8.0);
            let above = floats(&Ordinal.above(logits.clone()));
            for (sample, row) in above.chunks(4).enumerate() {
                assert!(
                    row.windows(2).all(|pair| pair[0] >= pair[1]),
                    "{sample}: {row:?}"
                );
            }
            let probabilities = floats(&Ordinal.probabilities(logits.clone()));
            for row in probabilities.chunks(5) {
                assert!(row.iter().all(|p| *p >= 0.0));
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            // σ(2) σ(2) σ(0) = 0.3879: above the second class, not above the third.
            let logits = Tensor::from_data([[2.0, 2.0, 0.0, 9.0]], &device);
            assert_eq!(ints(&Ordinal.classes(logits)), [2]);
        }
    }

    #[test]
    fn the_gradient_reaches_the_logits() {
        for device in devices() {
            let logits = Param::from_tensor(random([3, 2], 7, &device));
            let classes = Tensor::<1, Int>::from_data([0, 2, -1], &device.autodiff());
            check_gradients(logits, |logits| Ordinal.loss(logits.val(), classes).total);
        }
    }
}
