//! Cross-entropy of classes, with label smoothing and class weights.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use sensorium_core::{Logits, assert_shape};

use super::{Loss, Objective};
use crate::Tally;

/// Cross-entropy between logits `[batch, classes]` and classes `[batch]`, averaged over the samples.
///
/// Label smoothing ε (arXiv 1512.00567, section 7) trains towards 1 - ε on the class plus ε / classes on each, and
/// class weights scale each class's share of the loss; both, and the mean they are taken into, are defined as by
/// PyTorch's `CrossEntropyLoss`. A negative class marks a sample without a label: it adds nothing, not even to the
/// mean's denominator. A batch without any label has loss 0.
///
/// ```
/// # use burn::tensor::Device;
/// use burn::tensor::Tensor;
/// use sensorium_train::{CrossEntropy, Objective};
/// # let device = Device::flex();
/// let logits = Tensor::from_data([[2.0, 0.0], [0.0, 9.0]], &device);
/// let classes = Tensor::from_data([0, -1], &device);
/// let loss = CrossEntropy::new().loss(logits, classes).total.into_scalar::<f32>();
/// assert!((loss - 0.126_928).abs() < 1e-6);
/// ```
#[derive(Module, Debug, Default)]
pub struct CrossEntropy {
    #[module(skip)]
    label_smoothing: f64,
    #[module(skip)]
    class_weights: Option<Vec<f32>>,
}

impl CrossEntropy {
    /// Plain cross-entropy.
    pub fn new() -> Self {
        Self::default()
    }

    /// With label smoothing ε, 0 to 1.
    ///
    /// # Panics
    /// If ε is outside of that.
    #[must_use]
    pub fn with_label_smoothing(mut self, epsilon: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&epsilon),
            "label smoothing must lie between 0 and 1, not at {epsilon}"
        );
        self.label_smoothing = epsilon;
        self
    }

    /// With a weight per class.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Self {
        self.class_weights = Some(weights);
        self
    }

    /// The loss with a weight per sample, `[batch]`: the weighted mean.
    ///
    /// # Shapes
    /// `logits` `[batch, classes]`, `classes` `[batch]` in -1 (no label) or `0..classes`.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn weighted(
        &self,
        logits: Logits,
        classes: Tensor<1, Int>,
        sample_weights: Option<Tensor<1>>,
    ) -> Tensor<1> {
        let (loss, over) = self.summed(logits, classes, sample_weights);
        // The floor is only reached where the numerator is 0 too: a batch without labels.
        loss / over.clamp_min(f32::MIN_POSITIVE)
    }

    /// What the loss of samples of these classes `[batch]` is a mean over: how many have a label, or the sum of their classes' weights.
    pub fn over(&self, classes: &Tensor<1, Int>) -> f64 {
        let weight = |class: i64| match (usize::try_from(class), &self.class_weights) {
            (Err(_), _) => 0.0,
            (Ok(_), None) => 1.0,
            (Ok(class), Some(weights)) => f64::from(weights[class]),
        };
        let classes = classes.clone().into_data();
        classes.iter::<i64>().map(weight).sum()
    }

    /// The sum that [`weighted`](Self::weighted) is the mean of, and what it is a mean over.
    fn summed(
        &self,
        logits: Logits,
        classes: Tensor<1, Int>,
        sample_weights: Option<Tensor<1>>,
    ) -> (Tensor<1>, Tensor<1>) {
        let [batch, n_classes] = logits.dims();
        assert_shape!(classes, [batch]);
        let unlabelled = classes.clone().lower_elem(0);
        let classes = classes.clamp_min(0);
        let log_p = log_softmax(logits, 1);

        let class_weights = self.class_weights.as_ref().map(|weights| {
            assert_eq!(weights.len(), n_classes, "a weight per class is needed");
            Tensor::<1>::from_data(
                TensorData::new(weights.clone(), [n_classes]),
                &log_p.device(),
            )
        });
        let mut weights = match &class_weights {
            Some(class_weights) => class_weights.clone().select(0, classes.clone()),
            None => Tensor::ones([batch], &log_p.device()),
        };
        let mut sample = Tensor::<1>::ones([batch], &log_p.device()).mask_fill(unlabelled, 0.0);
        if let Some(sample_weights) = sample_weights {
            assert_shape!(sample_weights, [batch]);
            sample = sample * sample_weights;
        }

        let picked = log_p
            .clone()
            .gather(1, classes.unsqueeze_dim(1))
            .squeeze_dim(1); // [B]
        let mut loss = (picked * weights.clone()).mul_scalar(self.label_smoothing - 1.0);
        if self.label_smoothing > 0.0 {
            let all = match class_weights {
                Some(class_weights) => log_p * class_weights.unsqueeze_dim(0),
                None => log_p,
            };
            let spread = self.label_smoothing / n_classes as f64;
            loss = loss - all.sum_dim(1).squeeze_dim::<1>(1).mul_scalar(spread);
        }
        weights = weights * sample.clone();
        ((loss * sample).sum(), weights.sum())
    }
}

impl Objective for CrossEntropy {
    type Output = Logits;
    type Target = Tensor<1, Int>;

    fn loss(&self, output: Logits, target: Tensor<1, Int>) -> Loss {
        let (loss, over) = self.summed(output, target, None);
        Loss::new(loss / over.clone().clamp_min(f32::MIN_POSITIVE)).over(over)
    }

    fn tally(&self, logits: &Logits, classes: &Tensor<1, Int>) -> Option<Tally> {
        Some(Tally::of_classes(logits.clone(), classes.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, floats, random};

    /// The definition in float64 on the host.
    fn expected(
        logits: &[f32],
        n_classes: usize,
        classes: &[i64],
        smoothing: f64,
        weights: Option<&[f32]>,
    ) -> f64 {
        let weight = |class: usize| weights.map_or(1.0, |w| f64::from(w[class]));
        let (mut loss, mut whole) = (0.0, 0.0);
        for (row, &class) in logits.chunks(n_classes).zip(classes) {
            let Ok(class) = usize::try_from(class) else {
                continue;
            };
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|x| f64::from(x - most).exp()).sum();
            let log_p: Vec<f64> = row.iter().map(|x| f64::from(x - most) - sum.ln()).collect();
            loss -= (1.0 - smoothing) * weight(class) * log_p[class];
            let spread: f64 = log_p.iter().enumerate().map(|(c, p)| weight(c) * p).sum();
            loss -= smoothing / n_classes as f64 * spread;
            whole += weight(class);
        }
        loss / whole
    }

    #[test]
    fn it_equals_the_definition() {
        let weights = [0.5, 2.0, 1.0, 0.25];
        for device in devices() {
            let logits = random([5, 4], 3, &device).mul_scalar(6.0);
            let classes = [3i64, 0, -1, 1, 3];
            let target = Tensor::from_data(classes, &device);
            for smoothing in [0.0, 0.1, 1.0] {
                for weighted in [None, Some(&weights[..])] {
                    let mut objective = CrossEntropy::new().with_label_smoothing(smoothing);
                    if let Some(weights) = weighted {
                        objective = objective.with_class_weights(weights.to_vec());
                    }
                    let found = objective
                        .loss(logits.clone(), target.clone())
                        .total
                        .into_scalar::<f32>();
                    let expected = expected(&floats(&logits), 4, &classes, smoothing, weighted);
                    assert!(
                        (f64::from(found) - expected).abs() < 1e-5,
                        "{smoothing}: {found}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn smoothing_equals_a_case_by_hand() {
        for device in devices() {
            // ln softmax(2, 1, 0) = (-0.407606, -1.407606, -2.407606); with ε = 0.3:
            // 0.7 * 0.407606 + 0.1 * (0.407606 + 1.407606 + 2.407606) = 0.707606.
            let logits = Tensor::from_data([[2.0, 1.0, 0.0]], &device);
            let target = Tensor::from_data([0], &device);
            let loss = CrossEntropy::new()
                .with_label_smoothing(0.3)
                .loss(logits, target);
            assert!((loss.total.into_scalar::<f32>() - 0.707_606).abs() < 1e-5);
        }
    }

    #[test]
    fn huge_logits_and_missing_labels_stay_finite() {
        for device in devices() {
            let logits = Tensor::from_data([[3e30, -3e30], [0.0, 0.0]], &device);
            let objective = CrossEntropy::new();
            let right = objective
                .loss(logits.clone(), Tensor::from_data([0, 0], &device))
                .total;
            assert!((right.into_scalar::<f32>() - 0.5 * 2f32.ln()).abs() < 1e-6);
            let none = objective
                .loss(logits, Tensor::from_data([-1, -1], &device))
                .total;
            assert_eq!(none.into_scalar::<f32>(), 0.0);
        }
    }

    #[test]
    fn sample_weights_weight_the_mean() {
        for device in devices() {
            let logits = random([3, 4], 5, &device);
            let target = Tensor::from_data([0, 2, 3], &device);
            let weights = Tensor::from_data([2.0, 0.0, 1.0], &device);
            let objective = CrossEntropy::new().with_label_smoothing(0.1);
            let found = objective
                .weighted(logits.clone(), target, Some(weights))
                .into_scalar::<f32>();
            let one = |row: usize, class: i32| {
                let row = logits.clone().slice([row..row + 1, 0..4]);
                objective
                    .loss(row, Tensor::from_data([class], &device))
                    .total
                    .into_scalar::<f32>()
            };
            assert!((found - (2.0 * one(0, 0) + one(2, 3)) / 3.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_gradient_reaches_the_logits() {
        for device in devices() {
            let logits = Param::from_tensor(random([3, 4], 7, &device));
            let target = Tensor::from_data([0, 2, -1], &device);
            check_gradients(logits, |logits| {
                CrossEntropy::new()
                    .with_label_smoothing(0.1)
                    .loss(logits.val(), target.clone())
                    .total
            });
        }
    }
}
