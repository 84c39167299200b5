//! Pseudo-labels: what a model is sure of, taken for the truth.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Bool, Int, Tensor};
use sensorium_core::{Logits, assert_shape};

use super::super::pairs::constant;

/// The classes a model gives to samples without labels, and whether it is sure enough of them (Lee, 2013, with the
/// threshold of arXiv 2001.07685).
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::PseudoLabels;
/// # let device = Device::flex();
/// let logits = Tensor::from_data([[4.0, 0.0, 0.0], [1.0, 0.0, 0.0]], &device);
/// let labels = PseudoLabels::select(logits, 0.95);
/// let classes: Vec<i64> = labels.classes().into_data().iter::<i64>().collect();
/// assert_eq!(classes, [0, -1]); // probabilities 0.965 and 0.576
/// ```
#[derive(Clone, Debug)]
pub struct PseudoLabels {
    /// The likeliest class of each sample, `[batch]`.
    pub guesses: Tensor<1, Int>,
    /// Its probability, `[batch]`.
    pub confidence: Tensor<1>,
    /// True where that is enough, `[batch]`.
    pub selected: Tensor<1, Bool>,
}

impl PseudoLabels {
    /// Those whose probability is at least a threshold, of logits `[batch, classes]`. No gradient goes into them.
    pub fn select(logits: Logits, threshold: f64) -> Self {
        let (guesses, confidence) = likeliest(logits);
        let selected = confidence.clone().greater_equal_elem(threshold);
        Self {
            guesses,
            confidence,
            selected,
        }
    }

    /// Those whose probability is at least their class's threshold, of logits `[batch, classes]` and thresholds
    /// `[classes]`.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn select_by_class(logits: Logits, thresholds: Tensor<1>) -> Self {
        assert_shape!(thresholds, [logits.dims()[1]]);
        let (guesses, confidence) = likeliest(logits);
        let own = constant(thresholds).select(0, guesses.clone());
        let selected = confidence.clone().greater_equal(own);
        Self {
            guesses,
            confidence,
            selected,
        }
    }

    /// The selected classes, `[batch]`, -1 for the others: the target of an objective that knows missing labels, such as
    /// [`CrossEntropy`](crate::CrossEntropy).
    pub fn classes(&self) -> Tensor<1, Int> {
        let left_out = self.selected.clone().bool_not();
        self.guesses.clone().mask_fill(left_out, -1)
    }

    /// The share of samples that are selected, `[1]`.
    pub fn kept(&self) -> Tensor<1> {
        self.selected.clone().float().mean()
    }

    /// Cross-entropy of other logits of the same samples with the selected classes, averaged over *all* samples, so that
    /// few pseudo-labels count little (arXiv 2001.07685, equation 4).
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn loss(&self, logits: Logits) -> Tensor<1> {
        let [batch] = self.guesses.dims();
        assert_shape!(logits, [batch, logits.dims()[1]]);
        let own = self.guesses.clone().unsqueeze_dim::<2>(1);
        let log_p: Tensor<1> = log_softmax(logits, 1).gather(1, own).squeeze_dim(1);
        let left_out = self.selected.clone().bool_not();
        log_p.mask_fill(left_out, 0.0).mean().neg()
    }
}

fn likeliest(logits: Logits) -> (Tensor<1, Int>, Tensor<1>) {
    let (confidence, guesses) = softmax(constant(logits), 1).max_dim_with_indices(1);
    (guesses.squeeze_dim(1), confidence.squeeze_dim(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{bools, devices, ints};

    #[test]
    fn a_class_of_its_own_threshold_is_selected_by_that() {
        for device in devices() {
            let logits = Tensor::from_data([[4.0, 0.0], [0.0, 4.0], [0.0, 1.0]], &device);
            let thresholds = Tensor::from_data([0.99, 0.7], &device);
            let labels = PseudoLabels::select_by_class(logits.clone(), thresholds);
            // Probabilities 0.982, 0.982 and 0.731.
            assert_eq!(bools(&labels.selected), [false, true, true]);
            assert_eq!(ints(&labels.classes()), [-1, 1, 1]);
            assert!((labels.kept().into_scalar::<f32>() - 2.0 / 3.0).abs() < 1e-6);
            let none = PseudoLabels::select(logits.clone(), 0.999);
            assert_eq!(none.loss(logits).into_scalar::<f32>(), 0.0);
        }
    }
}
