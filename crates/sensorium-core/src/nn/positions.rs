//! Where a token stands: learned or sinusoidal vectors that are added to the embeddings.

use burn::module::{Module, Param};
use burn::tensor::module::embedding;
use burn::tensor::{Device, Tensor, TensorData};

use super::init::trunc_normal;
use super::rotary::Positions;

/// A learned vector for each position (BERT, ViT).
#[derive(Module, Debug)]
pub struct LearnedPositions {
    /// `[max_len, d_model]`
    pub weight: Param<Tensor<2>>,
}

impl LearnedPositions {
    /// Positions `0..max_len`, drawn with deviation 0.02.
    pub fn new(max_len: usize, d_model: usize, device: &Device) -> Self {
        Self {
            weight: trunc_normal([max_len, d_model], 0.02, device),
        }
    }

    /// The longest sequence there are positions for.
    pub fn max_len(&self) -> usize {
        self.weight.shape().dims::<2>()[0]
    }

    /// Adds positions `0..tokens` to `[batch, tokens, d_model]`.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.forward_from(x, 0)
    }

    /// Adds positions `start..start + tokens` to `[batch, tokens, d_model]`, which follow `start` others.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward_from(&self, x: Tensor<3>, start: usize) -> Tensor<3> {
        let [_, tokens, d_model] = x.dims();
        let (end, max_len) = (start + tokens, self.max_len());
        assert!(
            end <= max_len,
            "{end} tokens, but there are only {max_len} positions"
        );
        let positions = self.weight.val().slice([start..end, 0..d_model]);
        x + positions.reshape([1, tokens, d_model])
    }

    /// Adds to `[batch, tokens, d_model]` the vectors of where each stands.
    ///
    /// # Panics
    /// If one stands where there is no vector, or positions are of other tokens.
    pub fn forward_at(&self, x: Tensor<3>, at: &Positions) -> Tensor<3> {
        let (last, max_len) = (at.last(), self.max_len());
        assert!(
            last.is_none_or(|last| (last as usize) < max_len),
            "{} tokens, but there are only {max_len} positions",
            last.map_or(0, |last| last as usize + 1)
        );
        x + embedding(self.weight.val(), at.ids(&self.weight.val().device()))
    }
}

/// The fixed positions of the Transformer (arXiv 1706.03762, section 3.5): `[len, d_model]`, sines in
/// the even features and cosines in the odd ones.
pub fn sinusoidal(len: usize, d_model: usize, device: &Device) -> Tensor<2> {
    let mut values = Vec::with_capacity(len * d_model);
    for position in 0..len {
        for feature in 0..d_model {
            let exponent = (feature / 2 * 2) as f64 / d_model as f64;
            let angle = position as f64 / 10_000f64.powf(exponent);
            let value = if feature % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            };
            values.push(value as f32);
        }
    }
    Tensor::from_data(TensorData::new(values, [len, d_model]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

    #[test]
    fn sinusoids_are_those_of_the_paper() {
        for device in devices() {
            let table = floats(&sinusoidal(3, 4, &device));
            let expected = [
                [0.0, 1.0, 0.0, 1.0],
                [1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()],
                [2f64.sin(), 2f64.cos(), 0.02f64.sin(), 0.02f64.cos()],
            ];
            for (found, expected) in table.iter().zip(expected.concat()) {
                assert!((f64::from(*found) - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn learned_positions_are_added_and_train() {
        for device in devices() {
            let positions = LearnedPositions::new(5, 4, &device);
            let table = floats(&positions.weight.val());
            // Fewer tokens than positions take the first ones.
            let x = random::<3>([2, 3, 4], 1, &device);
            let out = floats(&positions.forward(x.clone()));
            for (sample, (out, x)) in out.chunks(12).zip(floats(&x).chunks(12)).enumerate() {
                for i in 0..12 {
                    assert!((out[i] - (x[i] + table[i])).abs() < 1e-6, "{sample}, {i}");
                }
            }

            // Each row where it is said.
            let at = Positions::rows(&[2, -1], 3);
            let found = positions.forward_at(x.clone(), &at);
            let first = positions.forward_from(x.clone().narrow(0, 0, 1), 2);
            assert_close(&found.clone().narrow(0, 0, 1), &first, 1e-6);
            let second = positions.forward(x.narrow(0, 1, 1).narrow(1, 1, 2));
            assert_close(&found.narrow(0, 1, 1).narrow(1, 1, 2), &second, 1e-6);

            let positions = LearnedPositions::new(5, 4, &device.clone().autodiff());
            let x = random([2, 5, 4], 1, &device.clone().autodiff());
            let w = random([2, 5, 4], 2, &device.clone().autodiff());
            check_gradients(positions, |p| (p.forward(x) * w).sum());
        }
    }

    #[test]
    #[should_panic(expected = "6 tokens, but there are only 5 positions")]
    fn too_long_a_sequence_says_so() {
        let device = &devices()[0];
        LearnedPositions::new(5, 4, device).forward(Tensor::zeros([1, 6, 4], device));
    }
}
