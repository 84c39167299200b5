//! Windows over a grid of tokens: how it is cut into them, shifted or not, and where in a window each token stands.

use burn::tensor::{Device, Tensor, TensorData};

/// What is added to a score between tokens that do not lie beside each other; after a softmax nothing is left of it.
const APART: f32 = -100.0;

/// A grid of `[rows, columns]` tokens in windows of `side` by `side`, moved by `shift` towards its end (arXiv 2103.14030,
/// section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    grid: [usize; 2],
    side: usize,
    shift: usize,
}

impl Windows {
    /// A grid that one window covers in a direction is not shifted.
    pub(super) fn new(grid: [usize; 2], side: usize, shift: usize) -> Self {
        let covers = grid[0].min(grid[1]) <= side;
        Self {
            grid,
            side,
            shift: if covers { 0 } else { shift },
        }
    }

    /// The grid, filled to whole windows.
    fn whole(&self) -> [usize; 2] {
        self.grid.map(|length| length.next_multiple_of(self.side))
    }

    /// How many windows down and across.
    fn counts(&self) -> [usize; 2] {
        self.whole().map(|length| length / self.side)
    }

    /// `[batch, rows, columns, d]` → `[batch * windows, side * side, d]`; what is missing at the end is filled with zeros.
    pub(super) fn cut(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, _, _, d] = x.dims();
        let (side, [down, across]) = (self.side, self.counts());
        let x = self.rolled(self.filled(x), -1);
        x.reshape([batch, down, side, across, side, d]) // [B, R, C, D] -> [B, R/w, w, C/w, w, D]
            .swap_dims(2, 3)
            .reshape([batch * down * across, side * side, d])
    }

    /// The way back: `[batch * windows, side * side, d]` → `[batch, rows, columns, d]`.
    pub(super) fn join(&self, windows: Tensor<3>) -> Tensor<4> {
        let [all, _, d] = windows.dims();
        let (side, [down, across], [rows, columns]) = (self.side, self.counts(), self.whole());
        let batch = all / (down * across);
        let x = windows
            .reshape([batch, down, across, side, side, d])
            .swap_dims(2, 3)
            .reshape([batch, rows, columns, d]); // [B, R/w, w, C/w, w, D] -> [B, R, C, D]
        let [rows, columns] = self.grid;
        self.rolled(x, 1)
            .slice([0..batch, 0..rows, 0..columns, 0..d])
    }

    fn filled(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, rows, columns, d] = x.dims();
        let [all_rows, all_columns] = self.whole();
        let device = x.device();
        let mut x = x;
        if all_columns > columns {
            let missing = Tensor::zeros([batch, rows, all_columns - columns, d], &device);
            x = Tensor::cat(vec![x, missing], 2);
        }
        if all_rows > rows {
            let missing = Tensor::zeros([batch, all_rows - rows, all_columns, d], &device);
            x = Tensor::cat(vec![x, missing], 1);
        }
        x
    }

    fn rolled(&self, x: Tensor<4>, sign: i64) -> Tensor<4> {
        match self.shift {
            0 => x,
            shift => x.roll(&[sign * shift as i64; 2], &[1, 2]),
        }
    }

    /// What is added to scores so that tokens which the shift brought together from both ends stay apart:
    /// `[windows, 1, side * side, side * side]`; `None` without a shift.
    pub(super) fn apart(&self, device: &Device) -> Option<Tensor<4>> {
        if self.shift == 0 {
            return None;
        }
        let (side, [down, across], [rows, columns]) = (self.side, self.counts(), self.whole());
        let tokens = side * side;
        let mut scores = Vec::with_capacity(down * across * tokens * tokens);
        for window in 0..down * across {
            let (top, left) = (window / across * side, window % across * side);
            let regions: Vec<[usize; 2]> = (0..tokens)
                .map(|at| {
                    [
                        self.region(top + at / side, rows),
                        self.region(left + at % side, columns),
                    ]
                })
                .collect();
            for here in &regions {
                scores.extend(
                    regions
                        .iter()
                        .map(|there| if here == there { 0.0 } else { APART }),
                );
            }
        }
        let shape = [down * across, 1, tokens, tokens];
        Some(Tensor::from_data(TensorData::new(scores, shape), device))
    }

    /// Which of three parts a place of a shifted direction belongs to: before the last window, in it, or come from the other
    /// end.
    fn region(&self, place: usize, length: usize) -> usize {
        usize::from(place >= length - self.side) + usize::from(place >= length - self.shift)
    }
}

/// For each pair of a window's tokens, row by row, the place of their distance in a table of all distances
/// `[(2 * side - 1)²]`: `[side * side, side * side]` (arXiv 2103.14030, section 3.2).
pub(super) fn distances(side: usize) -> Vec<i64> {
    let (tokens, wide) = (side * side, 2 * side - 1);
    let mut places = Vec::with_capacity(tokens * tokens);
    for query in 0..tokens {
        for key in 0..tokens {
            let down = query / side + side - 1 - key / side;
            let across = query % side + side - 1 - key % side;
            places.push((down * wide + across) as i64);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, devices, floats, random};

    #[test]
    fn what_is_cut_is_joined_again() {
        for device in devices() {
            for (grid, side, shift) in [
                ([4, 6], 2, 0),
                ([4, 6], 2, 1),
                ([5, 7], 3, 1),
                ([3, 8], 3, 1),
            ] {
                let windows = Windows::new(grid, side, shift);
                let x = random::<4>([2, grid[0], grid[1], 3], 1, &device);
                let cut = windows.cut(x.clone());
                let [down, across] = windows.counts();
                assert_eq!(cut.dims(), [2 * down * across, side * side, 3]);
                assert_close(&x, &windows.join(cut), 0.0);
            }
        }
    }

    #[test]
    fn a_shifted_window_begins_where_it_was_shifted_to() {
        let device = &devices()[0];
        let numbers: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let x = Tensor::from_data(TensorData::new(numbers, [1, 4, 4, 1]), device);
        let windows = Windows::new([4, 4], 2, 1);
        let cut = floats(&windows.cut(x));
        assert_eq!(cut[..4], [5.0, 6.0, 9.0, 10.0]);
        assert_eq!(cut[12..], [15.0, 12.0, 3.0, 0.0]);
        // Of the last window, all tokens come from other corners.
        let apart = floats(&windows.apart(device).unwrap());
        assert_eq!(apart[..16], [0.0; 16]);
        let alone = |i: usize| if i.is_multiple_of(5) { 0.0 } else { APART };
        assert_eq!(apart[48..], (0..16).map(alone).collect::<Vec<_>>());
        // One window covers the grid: nothing is shifted.
        assert_eq!(Windows::new([2, 4], 2, 1).apart(device).map(|_| ()), None);
    }

    #[test]
    fn each_distance_has_its_place() {
        let places = distances(2);
        // From the first token to itself, to its right, below it; and back.
        assert_eq!(places[..4], [4, 3, 1, 0]);
        assert_eq!(places[4], 5);
        assert_eq!(places[8], 7);
        assert_eq!(places[12], 8);
    }
}
