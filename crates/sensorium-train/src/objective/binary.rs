//! Binary cross-entropy: several labels a sample, each of which is there or not.

use burn::module::Module;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Tensor, TensorData};
use sensorium_core::Logits;

use super::{Loss, Objective, Targets};

/// Binary cross-entropy of logits `[batch, labels]`, averaged over the labels that are known.
///
/// -(w y ln σ(x) + (1 - y) ln σ(-x)) for a logit x, its target y in 0..1 and the label's positive weight w, defined as
/// by PyTorch's `BCEWithLogitsLoss`. A positive weight above 1 makes up for a label that is seldom there: the number of
/// samples without it by those with it weighs both the same. A batch without any known label has loss 0.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{BinaryCrossEntropy, Objective};
/// # let device = Device::flex();
/// let logits = Tensor::from_data([[0.0, 20.0]], &device);
/// let there = Tensor::from_data([[1.0, 1.0]], &device);
/// let loss = BinaryCrossEntropy::new().loss(logits, there.into()).total.into_scalar::<f32>();
/// assert!((loss - 0.5 * 2f32.ln()).abs() < 1e-6);
/// ```
#[derive(Module, Debug, Default)]
pub struct BinaryCrossEntropy {
    #[module(skip)]
    positive_weights: Option<Vec<f32>>,
}

impl BinaryCrossEntropy {
    /// Plain binary cross-entropy.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a weight per label, by which its loss counts where it is there.
    #[must_use]
    pub fn with_positive_weights(mut self, weights: Vec<f32>) -> Self {
        self.positive_weights = Some(weights);
        self
    }
}

impl Objective for BinaryCrossEntropy {
    type Output = Logits;
    type Target = Targets;

    fn loss(&self, logits: Logits, targets: Targets) -> Loss {
        let [batch, labels] = logits.dims();
        let there = targets.filled([batch, labels]);
        let absent = there.clone().neg().add_scalar(1.0);
        let mut positive = log_sigmoid(logits.clone()) * there;
        if let Some(weights) = &self.positive_weights {
            assert_eq!(weights.len(), labels, "a weight per label is needed");
            let weights = TensorData::new(weights.clone(), [1, labels]);
            positive = positive * Tensor::<2>::from_data(weights, &logits.device());
        }
        let negative = log_sigmoid(logits.neg()) * absent;
        Loss::new(targets.mean((positive + negative).neg()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, floats, random};

    #[test]
    fn it_equals_the_definition_over_what_is_known() {
        for device in devices() {
            let logits = random::<2>([4, 3], 3, &device).mul_scalar(5.0);
            let there = [
                [1.0, 0.0, 1.0],
                [0.0, f32::NAN, 1.0],
                [0.3, 0.0, 0.0],
                [1.0, 1.0, f32::NAN],
            ];
            let values = Tensor::from_data(there, &device);
            let targets = Targets::partly(values.clone(), values.is_nan());
            let weights = [2.0, 0.5, 7.0];
            let (mut sum, mut known) = (0.0, 0.0);
            for (at, x) in floats(&logits).into_iter().enumerate() {
                let (x, y) = (f64::from(x), f64::from(there[at / 3][at % 3]));
                if y.is_nan() {
                    continue;
                }
                let p = 1.0 / (1.0 + (-x).exp());
                sum -= weights[at % 3] * y * p.ln() + (1.0 - y) * (1.0 - p).ln();
                known += 1.0;
            }
            let found = BinaryCrossEntropy::new()
                .with_positive_weights(weights.map(|w| w as f32).to_vec())
                .loss(logits, targets)
                .total
                .into_scalar::<f32>();
            assert!((f64::from(found) - sum / known).abs() < 1e-5, "{found}");
        }
    }

    #[test]
    fn huge_logits_stay_finite_and_nothing_known_is_nothing_lost() {
        for device in devices() {
            let logits = Tensor::from_data([[3e30, -3e30]], &device);
            let objective = BinaryCrossEntropy::new();
            let right = Tensor::from_data([[1.0, 0.0]], &device);
            let loss = objective.loss(logits.clone(), right.clone().into()).total;
            assert_eq!(loss.into_scalar::<f32>(), 0.0);
            let unknown = Targets::partly(right.clone(), right.greater_equal_elem(0.0));
            let loss = objective.loss(logits, unknown).total;
            assert_eq!(loss.into_scalar::<f32>(), 0.0);
        }
    }

    #[test]
    fn the_gradient_reaches_the_logits() {
        for device in devices().into_iter().map(|device| device.autodiff()) {
            let logits = Param::from_tensor(random([3, 2], 7, &device.clone().without_autodiff()));
            let there = Tensor::from_data([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]], &device);
            check_gradients(logits, |logits| {
                BinaryCrossEntropy::new()
                    .loss(logits.val(), there.into())
                    .total
            });
        }
    }
}
