//! Rotary positions: query and key are turned by an angle that grows with the position, so that their
//! product depends on the distance alone.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

/// Rotary position embedding (arXiv 2104.09864) in the *rotate-half* layout of published checkpoints:
/// feature `i` is paired with feature `i + d_head / 2`.
///
/// Holds no parameters; the tables are made for the sequence at hand.
#[derive(Module, Debug)]
pub struct Rotary {
    #[module(skip)]
    d_head: usize,
    #[module(skip)]
    base: f64,
}

impl Rotary {
    /// For heads of `d_head` features; `base` is 10,000 in the paper.
    ///
    /// # Panics
    /// If `d_head` is odd.
    pub fn new(d_head: usize, base: f64) -> Self {
        assert!(
            d_head.is_multiple_of(2),
            "rotary positions pair features: d_head {d_head} is odd"
        );
        Self { d_head, base }
    }

    /// Turns `[batch, heads, tokens, d_head]`, whose first token stands at position `start`.
    pub fn forward(&self, x: Tensor<4>, start: usize) -> Tensor<4> {
        let [batch, heads, tokens, d_head] = x.dims();
        assert_eq!(
            d_head, self.d_head,
            "rotary positions were made for other heads"
        );
        let half = d_head / 2;
        let (cos, sin) = self.tables(start, tokens, &x.device());
        let first = x.clone().slice([0..batch, 0..heads, 0..tokens, 0..half]);
        let second = x
            .clone()
            .slice([0..batch, 0..heads, 0..tokens, half..d_head]);
        let turned = Tensor::cat(vec![second.neg(), first], 3);
        x * cos + turned * sin
    }

    /// `[1, 1, tokens, d_head]` cosines and sines, the angles repeated in both halves.
    fn tables(&self, start: usize, tokens: usize, device: &Device) -> (Tensor<4>, Tensor<4>) {
        let half = self.d_head / 2;
        let angles: Vec<f64> = (start..start + tokens)
            .flat_map(|position| {
                (0..self.d_head).map(move |feature| {
                    let exponent = (feature % half) as f64 / half as f64;
                    position as f64 / self.base.powf(exponent)
                })
            })
            .collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|a| f(*a) as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, 1, tokens, self.d_head]), device)
        };
        (table(f64::cos), table(f64::sin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, devices, floats, random};

    #[test]
    fn halves_are_turned_by_hand_computed_angles() {
        for device in devices() {
            let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0]]]], &device);
            let found = floats(&Rotary::new(4, 10_000.0).forward(x, 2));
            // Pairs (1, 3) and (2, 4), angles 2 and 2/100.
            let (a, b) = (2.0f64, 0.02f64);
            let expected = [
                a.cos() - 3.0 * a.sin(),
                2.0 * b.cos() - 4.0 * b.sin(),
                3.0 * a.cos() + a.sin(),
                4.0 * b.cos() + 2.0 * b.sin(),
            ];
            for (f, e) in found.iter().zip(expected) {
                assert!((f64::from(*f) - e).abs() < 1e-5, "{found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn products_depend_on_distance_alone() {
        for device in devices() {
            let rotary = Rotary::new(8, 10_000.0);
            let (q, k) = (
                random([1, 1, 1, 8], 1, &device),
                random([1, 1, 1, 8], 2, &device),
            );
            let product = |at_q, at_k| {
                (rotary.forward(q.clone(), at_q) * rotary.forward(k.clone(), at_k)).sum()
            };
            assert_close(&product(3, 1), &product(13, 11), 1e-4);
        }
    }

    #[test]
    fn a_later_start_is_a_slice_of_the_whole() {
        for device in devices() {
            let rotary = Rotary::new(8, 10_000.0);
            let x = random([2, 3, 6, 8], 3, &device);
            let whole = rotary.forward(x.clone(), 0).slice([0..2, 0..3, 4..6, 0..8]);
            let tail = rotary.forward(x.slice([0..2, 0..3, 4..6, 0..8]), 4);
            assert_close(&whole, &tail, 1e-6);
        }
    }
}
