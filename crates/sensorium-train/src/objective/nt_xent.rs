//! The contrastive loss of SimCLR: two views of a sample find each other among all views of the batch.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor};
use sensorium_core::assert_shape;

use super::pairs::{OUT, mean_of_present, unit, without_absent};
use super::{Loss, Objective, Pairs};

/// NT-Xent, the normalised temperature-scaled cross-entropy (SimCLR, arXiv 2002.05709, equation 1).
///
/// Of the 2 · batch views each asks, by the softmax of cosines over the temperature, which of all others is the other view
/// of its sample; itself is left out. Unlike in [`Contrastive`](super::Contrastive) both views come from one encoder, the
/// wrong answers are views of either kind, and the temperature is fixed. A sample that lacks a view takes no part.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{NtXent, Objective, Pairs};
/// # let device = Device::flex();
/// let view = Tensor::from_data([[1.0, 0.0], [0.0, 1.0]], &device);
/// let loss = NtXent::new(0.5).loss(Pairs::new(view.clone(), view), None).total;
/// // A cosine of 1 against two of 0, over 0.5: ln(e² + 2) - 2.
/// assert!((loss.into_scalar::<f32>() - (2f32.exp() + 2.0).ln() + 2.0).abs() < 1e-5);
/// ```
#[derive(Module, Debug)]
pub struct NtXent {
    #[module(skip)]
    temperature: f64,
}

impl NtXent {
    /// With a temperature; the paper's best are 0.1 for large batches and long training, 0.5 for small ones.
    ///
    /// # Panics
    /// If it is below 0.01 or not finite.
    pub fn new(temperature: f64) -> Self {
        assert!(
            temperature >= 0.01 && temperature.is_finite(),
            "the temperature must be 0.01 or more, not {temperature}"
        );
        Self { temperature }
    }
}

impl Objective for NtXent {
    type Output = Pairs;
    /// True for samples of which both views are there, `[batch]`; none: all are.
    type Target = Option<Tensor<1, Bool>>;

    fn loss(&self, pairs: Pairs, present: Self::Target) -> Loss {
        let [batch, d_embed] = pairs.first.dims();
        assert_shape!(pairs.second, [batch, d_embed]);
        let present = present.map(|present| {
            assert_shape!(present, [batch]);
            Tensor::cat(vec![present.clone(), present], 0)
        });
        let views = unit(Tensor::cat(vec![pairs.first, pairs.second], 0)); // [2B, E]
        let device = views.device();
        let logits = views
            .clone()
            .matmul(views.transpose())
            .div_scalar(self.temperature);
        let itself = Tensor::<2>::eye(2 * batch, &device).greater_elem(0.5);
        let logits = without_absent(logits.mask_fill(itself, OUT), &present);
        let batch = batch as i64;
        let other = [batch..2 * batch, 0..batch]
            .map(|views| Tensor::<1, Int>::arange(views, &device))
            .to_vec();
        let other = Tensor::cat(other, 0).unsqueeze_dim::<2>(1);
        let nll = log_softmax(logits, 1).gather(1, other).neg();
        Loss::new(mean_of_present(nll.squeeze_dim(1), &present))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

    #[test]
    fn it_equals_the_definition() {
        for device in devices() {
            let (first, second) = (
                random::<2>([3, 4], 1, &device),
                random::<2>([3, 4], 2, &device),
            );
            let rows = [floats(&first), floats(&second)].concat();
            let rows: Vec<&[f32]> = rows.chunks(4).collect();
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter()
                    .zip(b)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum()
            };
            let cosine = |i: usize, k: usize| {
                let norms = dot(rows[i], rows[i]) * dot(rows[k], rows[k]);
                (dot(rows[i], rows[k]) / norms.sqrt() / 0.3).exp()
            };
            let expected: f64 = (0..6)
                .map(|i| {
                    let all: f64 = (0..6).filter(|k| *k != i).map(|k| cosine(i, k)).sum();
                    -(cosine(i, (i + 3) % 6) / all).ln() / 6.0
                })
                .sum();
            let loss = NtXent::new(0.3).loss(Pairs::new(first, second), None).total;
            let found = loss.into_scalar::<f32>();
            assert!(
                (f64::from(found) - expected).abs() < 1e-5,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn a_sample_that_lacks_a_view_is_as_if_it_were_not_there() {
        for device in devices() {
            let (first, second) = (
                random::<2>([3, 4], 1, &device),
                random::<2>([3, 4], 2, &device),
            );
            let two = |x: &Tensor<2>| x.clone().narrow(0, 0, 2);
            let expected = NtXent::new(0.1).loss(Pairs::new(two(&first), two(&second)), None);
            let second = second.slice_assign([2..3, 0..4], Tensor::zeros([1, 4], &device));
            let present = Tensor::from_data([true, true, false], &device);
            let found = NtXent::new(0.1).loss(Pairs::new(first, second), Some(present));
            assert_close(&found.total, &expected.total, 1e-6);
        }
    }

    #[test]
    fn the_gradient_reaches_both_views() {
        for device in devices() {
            let views = Param::from_tensor(random([6, 4], 3, &device));
            check_gradients(views, |views| {
                let (first, second) = (views.val().narrow(0, 0, 3), views.val().narrow(0, 3, 3));
                NtXent::new(0.5).loss(Pairs::new(first, second), None).total
            });
        }
    }
}
