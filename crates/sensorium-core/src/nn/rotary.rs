//! Rotary positions: query and key are turned by an angle that grows with the position, so that their
//! product depends on the distance alone.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::host;

/// Rotary position embedding (arXiv 2104.09864) in the *rotate-half* layout of published checkpoints:
/// feature `i` is paired with feature `i + d_head / 2`.
///
/// Holds no parameters; the angles are computed for the tokens at hand, once for all layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Of each pair of features: by how much it is turned from one position to the next.
    speeds: Vec<f64>,
    /// On cosines and sines, as some ways to read longer texts ask for.
    factor: f64,
    /// How many pairs go by which axis of a position; empty where there is one axis.
    sections: Vec<usize>,
}

/// Where tokens stand: on one axis, or on several, as patches of pictures and films do (arXiv 2409.12191, section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    rows: usize,
    tokens: usize,
    /// `[axes, rows, tokens]`
    at: Vec<Vec<u32>>,
}

/// By what queries and keys are turned: cosines and sines, `[rows or 1, 1, tokens, d_head]` each.
#[derive(Clone, Debug)]
pub struct Angles {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Positions {
    /// The same for all rows: one after the other from `start` on.
    pub fn following(start: usize, tokens: usize) -> Self {
        Self::rows(&[start as i64], tokens)
    }

    /// One after the other, each row from its own start on. A start may lie before 0 where padding stands: it is then 0
    /// until the text begins.
    pub fn rows(starts: &[i64], tokens: usize) -> Self {
        let of = |start: &i64| {
            let start = *start;
            (0..tokens as i64)
                .map(move |i| start.saturating_add(i).clamp(0, u32::MAX.into()) as u32)
        };
        Self {
            rows: starts.len(),
            tokens,
            at: vec![starts.iter().flat_map(of).collect()],
        }
    }

    /// On several axes: each `[rows * tokens]`, row by row.
    ///
    /// # Panics
    /// If there is no axis, or they are of different lengths that rows do not divide.
    pub fn on_axes(at: Vec<Vec<u32>>, rows: usize) -> Self {
        let count = at.first().map_or(0, Vec::len);
        assert!(
            rows > 0 && !at.is_empty() && count.is_multiple_of(rows),
            "positions of {rows} rows on {} axes: {count} cannot be divided",
            at.len()
        );
        assert!(
            at.iter().all(|axis| axis.len() == count),
            "axes of different lengths"
        );
        let tokens = count / rows;
        Self { rows, tokens, at }
    }

    /// On the first axis, `[rows, tokens]`.
    pub fn ids(&self, device: &Device) -> Tensor<2, Int> {
        let ids: Vec<i64> = self.at[0].iter().map(|at| i64::from(*at)).collect();
        Tensor::from_data(TensorData::new(ids, [self.rows, self.tokens]), device)
    }

    /// The furthest, if there is any.
    pub fn last(&self) -> Option<u32> {
        self.at.iter().flatten().copied().max()
    }

    /// How many tokens a row has.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
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
        let half = d_head / 2;
        let speed = |pair: usize| base.powf(-(pair as f64) / half as f64);
        Self::with_speeds((0..half).map(speed).collect(), 1.0)
    }

    /// With the speed of each pair of features, and a factor on what they are turned by.
    pub fn with_speeds(speeds: Vec<f64>, factor: f64) -> Self {
        Self {
            speeds,
            factor,
            sections: Vec::new(),
        }
    }

    /// The pairs go by several axes: the first so many by the first, and so on.
    ///
    /// # Panics
    /// If these are more or fewer than there are.
    #[must_use]
    pub fn on_axes(mut self, sections: &[usize]) -> Self {
        assert_eq!(
            sections.iter().sum::<usize>(),
            self.speeds.len(),
            "sections {sections:?} must be as many as pairs of features"
        );
        self.sections = sections.to_vec();
        self
    }

    /// The speed of each pair of features.
    pub fn speeds(&self) -> &[f64] {
        &self.speeds
    }

    /// How many features a head has.
    pub fn d_head(&self) -> usize {
        2 * self.speeds.len()
    }

    /// By what tokens that stand there are turned.
    ///
    /// # Panics
    /// If positions have fewer axes than there are sections.
    pub fn angles(&self, positions: &Positions, device: &Device) -> Angles {
        let axes = self.axes();
        let most = axes.iter().copied().max().unwrap_or(0);
        assert!(
            most < positions.at.len(),
            "positions on {} axes for features that go by {}",
            positions.at.len(),
            most + 1
        );
        let count = positions.rows * positions.tokens;
        let mut cos = Vec::with_capacity(count * self.d_head());
        let mut sin = Vec::with_capacity(count * self.d_head());
        for token in 0..count {
            let (from, angle) = (cos.len(), |(speed, axis): (&f64, &usize)| {
                f64::from(positions.at[*axis][token]) * speed
            });
            for angle in self.speeds.iter().zip(&axes).map(angle) {
                cos.push((angle.cos() * self.factor) as f32);
                sin.push((angle.sin() * self.factor) as f32);
            }
            // Both features of a pair are turned by one angle.
            cos.extend_from_within(from..);
            sin.extend_from_within(from..);
        }
        let shape = [positions.rows, 1, positions.tokens, self.d_head()];
        let table = |values| Tensor::from_data(TensorData::new(values, shape), device);
        Angles {
            cos: table(cos),
            sin: table(sin),
        }
    }

    /// The axis that each pair goes by.
    fn axes(&self) -> Vec<usize> {
        match self.sections.is_empty() {
            true => vec![0; self.speeds.len()],
            false => {
                let sections = self.sections.iter().enumerate();
                let of = |(axis, count): (usize, &usize)| std::iter::repeat_n(axis, *count);
                sections.flat_map(of).collect()
            }
        }
    }
}

impl Angles {
    /// Turns `[batch, heads, tokens, d_head]`; the shape is kept.
    ///
    /// # Panics
    /// If there are other tokens or other heads than the angles were made for.
    pub fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, tokens, d_head] = x.dims();
        let [_, _, own, width] = self.cos.dims();
        assert_eq!(
            [tokens, d_head],
            [own, width],
            "rotary positions were made for other tokens or heads"
        );
        if host::holds(&x) && host::holds(&self.cos) {
            return self.turn_on_host(x);
        }
        let half = d_head / 2;
        let first = x.clone().narrow(3, 0, half);
        let second = x.clone().narrow(3, half, half);
        let turned = Tensor::cat(vec![second.neg(), first], 3);
        let [cos, sin] = [&self.cos, &self.sin].map(|table| table.clone().cast(x.dtype()));
        x * cos + turned * sin
    }

    /// What [`turn`](Self::turn) gives, each pair in its place.
    fn turn_on_host(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, heads, tokens, d_head] = x.dims();
        let rows = self.cos.dims()[0];
        let [cos, sin] = [&self.cos, &self.sin].map(|table| table.clone().into_data());
        let [cos, sin] = [&cos, &sin].map(host::numbers);
        host::rows(
            x,
            #[inline(always)]
            |row, x| {
                // Row by row of the batch, head by head, token by token.
                let (sample, token) = (row / (heads * tokens), row % tokens);
                let from = (sample % rows * tokens + token) * d_head;
                let (cos, sin) = (&cos[from..from + d_head], &sin[from..from + d_head]);
                let (first, second) = x.split_at_mut(d_head / 2);
                // Both of a pair are turned by one angle.
                for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            },
        )
    }

    /// Those of the first token alone.
    pub(super) fn first(&self) -> Self {
        Self {
            cos: self.cos.clone().narrow(2, 0, 1),
            sin: self.sin.clone().narrow(2, 0, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, devices, floats, random};

    fn turned(rotary: &Rotary, x: Tensor<4>, start: usize) -> Tensor<4> {
        let positions = Positions::following(start, x.dims()[2]);
        rotary.angles(&positions, &x.device()).turn(x)
    }

    #[test]
    fn halves_are_turned_by_hand_computed_angles() {
        for device in devices() {
            let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0]]]], &device);
            let found = floats(&turned(&Rotary::new(4, 10_000.0), x, 2));
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
                (turned(&rotary, q.clone(), at_q) * turned(&rotary, k.clone(), at_k)).sum()
            };
            assert_close(&product(3, 1), &product(13, 11), 1e-4);
        }
    }

    #[test]
    fn a_later_start_is_a_slice_of_the_whole_for_each_row_by_itself() {
        for device in devices() {
            let rotary = Rotary::new(8, 10_000.0);
            let x = random([2, 3, 6, 8], 3, &device);
            let whole = turned(&rotary, x.clone(), 0);
            let tail = x.clone().narrow(2, 4, 2);
            assert_close(
                &whole.clone().narrow(2, 4, 2),
                &turned(&rotary, tail, 4),
                1e-6,
            );
            // Rows from 0 and from 4 on; and what stands before 0 is 0.
            let positions = Positions::rows(&[0, 4], 6);
            let found = rotary.angles(&positions, &device).turn(x.clone());
            assert_close(&found.clone().narrow(0, 0, 1), &whole.narrow(0, 0, 1), 1e-6);
            let later = turned(&rotary, x.narrow(0, 1, 1), 4);
            assert_close(&found.narrow(0, 1, 1), &later, 1e-6);
            assert_eq!(
                Positions::rows(&[-2], 4),
                Positions::on_axes(vec![vec![0, 0, 0, 1]], 1)
            );
        }
    }

    #[test]
    fn many_tokens_are_turned_alike_with_and_without_gradients() {
        for device in devices() {
            // So many that threads share them; each row stands elsewhere.
            let positions = Positions::rows(&[3, -2], 400);
            let x = |device: &Device| random::<4>([2, 400, 3, 32], 5, device).swap_dims(1, 2);
            let turned = |device: &Device| {
                let angles = Rotary::new(32, 10_000.0).angles(&positions, device);
                angles.turn(x(device))
            };
            let expected = turned(&device.clone().autodiff()).inner();
            assert_close(&turned(&device), &expected, 1e-6);
        }
    }

    #[test]
    fn pairs_go_by_the_axis_of_their_section() {
        for device in devices() {
            let x = random([1, 2, 3, 8], 4, &device);
            let [a, b] = [[0, 5, 9], [7, 1, 2]].map(|at| at.to_vec());
            let on = |at: Vec<Vec<u32>>, rotary: &Rotary| {
                rotary
                    .angles(&Positions::on_axes(at, 1), &device)
                    .turn(x.clone())
            };
            let rotary = Rotary::new(8, 100.0);
            let found = on(vec![a.clone(), b.clone()], &rotary.clone().on_axes(&[1, 3]));
            // Feature 0 and its pair, 4, by the first axis; the others by the second.
            let (by_a, by_b) = (on(vec![a], &rotary), on(vec![b], &rotary));
            for (feature, expected) in [(0, &by_a), (1, &by_b), (3, &by_b), (4, &by_a), (7, &by_b)]
            {
                let of = |x: &Tensor<4>| x.clone().narrow(3, feature, 1);
                assert_close(&of(&found), &of(expected), 1e-6);
            }
        }
    }
}
