//! Patches that see each other: those of a window, or of a whole image.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::nn::{Angles, Attend, Positions, Rotary};

/// Groups of patches side by side, the shorter ones filled up.
pub(super) struct Groups {
    count: usize,
    length: usize,
    /// Which patch stands in each place, and in which place each patch, unless they stand as they come.
    order: Option<[Tensor<1, Int>; 2]>,
    /// By what they are turned.
    pub(super) angles: Angles,
    /// Filled up places are not attended to.
    pub(super) how: Attend,
}

impl Groups {
    /// Of the patches of each group; `places` are row and column of each patch.
    pub(super) fn new(
        groups: &[Vec<usize>],
        places: &[[u32; 2]],
        rotary: &Rotary,
        device: &Device,
    ) -> Self {
        let (count, patches) = (groups.len(), places.len());
        let length = groups.iter().map(Vec::len).max().unwrap_or(0);
        // Places that are left over hold the first patch.
        let (mut from, mut back) = (vec![0; count * length], vec![0; patches]);
        let mut pad = vec![true; count * length];
        for (group, members) in groups.iter().enumerate() {
            for (i, patch) in members.iter().enumerate() {
                let place = group * length + i;
                (from[place], pad[place]) = (*patch as i64, false);
                back[*patch] = place as i64;
            }
        }
        let axis = |axis: usize| {
            let patches = from.iter();
            patches.map(|patch| places[*patch as usize][axis]).collect()
        };
        let positions = Positions::on_axes(vec![axis(0), axis(1)], count);
        let full = !pad.contains(&true);
        let as_they_come = full && from.iter().copied().eq(0..patches as i64);
        let indices = |of: &[i64]| Tensor::<1, Int>::from_data(of, device);
        let pad = || {
            let pad = TensorData::new(pad.clone(), [count, length]);
            Tensor::<2, Bool>::from_data(pad, device)
        };
        Self {
            count,
            length,
            order: (!as_they_come).then(|| [indices(&from), indices(&back)]),
            angles: rotary.angles(&positions, device),
            how: Attend {
                key_pad: (!full).then(pad),
                ..Attend::default()
            },
        }
    }

    /// `[patches, d]` → `[groups, length, d]`
    pub(super) fn apart(&self, x: Tensor<2>) -> Tensor<3> {
        let [_, d] = x.dims();
        let x = match &self.order {
            Some([from, _]) => x.select(0, from.clone()),
            None => x,
        };
        x.reshape([self.count, self.length, d]) // [G*L, D] -> [G, L, D]
    }

    /// `[groups, length, d]` → `[patches, d]`
    pub(super) fn together(&self, x: Tensor<3>) -> Tensor<2> {
        let [groups, length, d] = x.dims();
        let x = x.reshape([groups * length, d]); // [G, L, D] -> [G*L, D]
        match &self.order {
            Some([_, back]) => x.select(0, back.clone()),
            None => x,
        }
    }
}

/// Row and column of each patch, in the order in which they come: square by square of those that are merged.
pub(super) fn places(grids: &[[usize; 3]], merge: usize) -> Vec<[u32; 2]> {
    let mut places = Vec::new();
    for [frames, rows, columns] in grids {
        for _ in 0..*frames {
            for top in (0..*rows).step_by(merge) {
                for left in (0..*columns).step_by(merge) {
                    let square = (0..merge * merge).map(|i| [top + i / merge, left + i % merge]);
                    places.extend(square.map(|place| place.map(|at| at as u32)));
                }
            }
        }
    }
    places
}

/// The patches of each image, or of each frame of a film.
pub(super) fn frames(grids: &[[usize; 3]]) -> Vec<Vec<usize>> {
    let lengths = grids
        .iter()
        .flat_map(|[frames, rows, columns]| std::iter::repeat_n(rows * columns, *frames));
    let mut next = 0;
    let frame = |length: usize| {
        next += length;
        (next - length..next).collect()
    };
    lengths.map(frame).collect()
}

/// The patches of each window of `window` x `window` squares of `merge` x `merge` patches; those at the lower and right edges
/// are cut off.
pub(super) fn windows(grids: &[[usize; 3]], merge: usize, window: usize) -> Vec<Vec<usize>> {
    let (mut windows, mut first) = (Vec::new(), 0);
    for [frames, rows, columns] in grids {
        let [rows, columns] = [rows / merge, columns / merge];
        for _ in 0..*frames {
            for top in (0..rows).step_by(window) {
                for left in (0..columns).step_by(window) {
                    let mut members = Vec::new();
                    for row in top..rows.min(top + window) {
                        for column in left..columns.min(left + window) {
                            let square = first + (row * columns + column) * merge * merge;
                            members.extend(square..square + merge * merge);
                        }
                    }
                    windows.push(members);
                }
            }
            first += rows * columns * merge * merge;
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_come_row_by_row_and_patches_square_by_square() {
        let expected = [
            [0, 0],
            [0, 1],
            [1, 0],
            [1, 1],
            [0, 2],
            [0, 3],
            [1, 2],
            [1, 3],
        ];
        assert_eq!(places(&[[1, 2, 4]], 2), expected);
        assert_eq!(places(&[[2, 1, 2]], 1), [[0, 0], [0, 1], [0, 0], [0, 1]]);
        assert_eq!(
            frames(&[[2, 1, 2], [1, 1, 1]]),
            [vec![0, 1], vec![2, 3], vec![4]]
        );
    }

    #[test]
    fn windows_are_cut_off_at_the_edges() {
        // Two rows of three squares of one patch, in windows of two.
        let expected = [vec![0, 1, 3, 4], vec![2, 5], vec![6, 7]];
        assert_eq!(windows(&[[1, 2, 3], [1, 1, 2]], 1, 2), expected);
        // One window for all: the patches of a square stay together.
        assert_eq!(windows(&[[1, 2, 4]], 2, 9), [(0..8).collect::<Vec<_>>()]);
        assert_eq!(windows(&[[2, 1, 1]], 1, 4), [vec![0], vec![1]]);
    }
}
