//! Positions of a grid of patches, resampled for a grid of another size.

use burn::tensor::{Device, Tensor, TensorData};

/// How a grid is resampled. Both are cubic and differ in what they do when the grid shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridResample {
    /// Cubic convolution over four neighbours (Keys 1981, a = -0.75), whatever the scale; the border is repeated.
    Bicubic,
    /// The same, widened by the scale where the grid shrinks, so that each old place counts (a = -0.5); what would lie
    /// beyond the border is left out.
    BicubicAntialias,
}

/// Resamples `table` `[rows * columns, d_model]`, which holds a vector for each place of the grid `from`, to the grid
/// `to`: `[to_rows * to_columns, d_model]`. Both grids are `[rows, columns]`, places row by row, and pixels' centres are at
/// halves (PyTorch's `interpolate` with `align_corners=False`).
///
/// # Panics
/// If `table` has not a row for each place, or a grid is empty.
pub fn resample_grid(
    table: Tensor<2>,
    from: [usize; 2],
    to: [usize; 2],
    how: GridResample,
) -> Tensor<2> {
    let [places, d_model] = table.dims();
    let ([rows, columns], [to_rows, to_columns]) = (from, to);
    assert!(
        places == rows * columns && places > 0 && to_rows * to_columns > 0,
        "a table of {places} positions cannot go from a grid of {rows} x {columns} to {to_rows} x {to_columns}"
    );
    if from == to {
        return table;
    }
    let device = table.device();
    let dtype = table.dtype();
    let down = how.weights(rows, to_rows, &device).cast(dtype); // [R', R]
    let across = how.weights(columns, to_columns, &device).cast(dtype); // [S', S]
    let table = down.matmul(table.reshape([rows, columns * d_model])); // [R', S*D]
    across
        .unsqueeze::<3>()
        .expand([to_rows, to_columns, columns])
        .matmul(table.reshape([to_rows, columns, d_model])) // [R', S', D]
        .reshape([to_rows * to_columns, d_model])
}

impl GridResample {
    /// How much each of `from` places counts in each of `to`: `[to, from]`.
    fn weights(self, from: usize, to: usize, device: &Device) -> Tensor<2> {
        let mut weights = vec![0f32; to * from];
        for (place, row) in weights.chunks_exact_mut(from).enumerate() {
            match self {
                Self::Bicubic => cubic(row, from as f32 / to as f32, place),
                Self::BicubicAntialias => antialiased(row, from as f32 / to as f32, place),
            }
        }
        Tensor::from_data(TensorData::new(weights, [to, from]), device)
    }
}

fn cubic(row: &mut [f32], scale: f32, place: usize) {
    let centre = scale * (place as f32 + 0.5) - 0.5;
    let first = centre.floor();
    let last = row.len() as i64 - 1;
    for neighbour in -1..=2 {
        let at = (first as i64 + neighbour).clamp(0, last) as usize;
        row[at] += keys(first + neighbour as f32 - centre, -0.75);
    }
}

fn antialiased(row: &mut [f32], scale: f32, place: usize) {
    let stretch = scale.max(1.0);
    let centre = scale * (place as f32 + 0.5);
    let first = (centre - 2.0 * stretch + 0.5).max(0.0) as usize;
    let end = ((centre + 2.0 * stretch + 0.5) as usize).min(row.len());
    let mut sum = 0.0;
    for (at, weight) in row.iter_mut().enumerate().take(end).skip(first) {
        *weight = keys((at as f32 - centre + 0.5) / stretch, -0.5);
        sum += *weight;
    }
    for weight in row {
        *weight /= sum;
    }
}

/// The kernel of cubic convolution (Keys, "Cubic convolution interpolation for digital image processing", 1981).
fn keys(x: f32, a: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, devices, random};

    const KINDS: [GridResample; 2] = [GridResample::Bicubic, GridResample::BicubicAntialias];

    #[test]
    fn a_constant_stays_and_the_same_grid_is_left_alone() {
        for (device, how) in devices().iter().flat_map(|d| KINDS.map(|k| (d, k))) {
            for (from, to) in [
                ([3, 4], [7, 5]),
                ([9, 8], [2, 3]),
                ([1, 1], [3, 2]),
                ([5, 5], [1, 1]),
            ] {
                let constant = Tensor::full([from[0] * from[1], 2], 0.7, device);
                let expected = Tensor::full([to[0] * to[1], 2], 0.7, device);
                assert_close(&expected, &resample_grid(constant, from, to, how), 1e-5);
            }
            let table = random([12, 3], 1, device);
            let same = resample_grid(table.clone(), [3, 4], [3, 4], how);
            assert_close(&table, &same, 0.0);
        }
    }

    #[test]
    fn what_goes_through_the_weights_is_what_the_identity_would_be() {
        for device in devices() {
            for how in KINDS {
                let weights = how.weights(6, 6, &device);
                assert_close(&Tensor::<2>::eye(6, &device), &weights, 1e-6);
            }
        }
    }

    /// Printed by `tools/parity/vision/grid_positions.py` with PyTorch 2.9.0.
    #[rustfmt::skip]
    fn references() -> [(GridResample, [usize; 2], Vec<f32>); 6] {
        [
            (GridResample::Bicubic, [2, 2], vec![0.246216, 0.099487, 0.423096, 0.731201]),
            (GridResample::Bicubic, [5, 3], vec![-0.823142, 0.002, 1.127809, -0.376391, 0.678375, 0.292447, 0.272859, 1.40625, -0.592303, 0.661484, 1.020375, -0.061428, 0.839887, 0.55, 0.56078]),
            (GridResample::Bicubic, [4, 7], vec![-1.245406, -0.398604, 0.635835, 0.033035, -0.517068, 0.647009, 1.588548, -0.676544, 0.335533, 1.563354, 1.03038, -0.052846, -0.178734, -0.155922, 0.403845, 0.708543, 1.10869, 1.265488, 0.872033, -0.08153, -0.766096, 1.217162, 0.451611, -0.400497, 0.568924, 1.59104, 0.86857, 0.197757]),
            (GridResample::BicubicAntialias, [2, 2], vec![0.182976, 0.313791, 0.69065, 0.496325]),
            (GridResample::BicubicAntialias, [5, 3], vec![-0.571467, 0.041558, 0.840983, -0.149143, 0.539903, 0.252092, 0.504005, 1.230603, -0.512586, 0.605238, 0.886918, 0.191742, 0.597524, 0.579294, 0.747463]),
            (GridResample::BicubicAntialias, [4, 7], vec![-1.191061, -0.475919, 0.65695, 0.062966, -0.504334, 0.730822, 1.505732, -0.598924, 0.204526, 1.4732, 0.917505, 0.00583, -0.090083, -0.084, 0.393408, 0.638751, 1.04914, 1.139207, 0.873295, -0.080904, -0.632927, 1.16383, 0.554535, -0.349381, 0.589086, 1.554236, 0.752605, 0.20308]),
        ]
    }

    #[test]
    fn parity_with_pytorch() {
        for device in devices() {
            let table: Vec<f32> = (0..12).map(|i| (i * 7 % 12) as f32 / 4.0 - 1.0).collect();
            let table = Tensor::from_data(TensorData::new(table, [12, 1]), &device);
            for (how, to, expected) in references() {
                let found = resample_grid(table.clone(), [3, 4], to, how);
                let expected = TensorData::new(expected, [to[0] * to[1], 1]);
                assert_close(&Tensor::from_data(expected, &device), &found, 2e-6);
            }
        }
    }

    #[test]
    fn features_are_resampled_each_by_its_own_and_train() {
        for device in devices().into_iter().map(Device::autodiff) {
            let table = random::<2>([12, 3], 1, &device).require_grad();
            for how in KINDS {
                let all = resample_grid(table.clone(), [4, 3], [2, 5], how);
                for feature in 0..3 {
                    let one = table.clone().slice([0..12, feature..feature + 1]);
                    let one = resample_grid(one, [4, 3], [2, 5], how);
                    assert_close(
                        &one,
                        &all.clone().slice([0..10, feature..feature + 1]),
                        1e-6,
                    );
                }
                let w = random::<2>([10, 3], 2, &device);
                let gradient = table.grad(&(all * w).sum().backward()).expect("a gradient");
                assert!(
                    sensorium_testkit::floats(&gradient)
                        .iter()
                        .all(|g| *g != 0.0)
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "a table of 12 positions cannot go from a grid of 3 x 3 to 2 x 2")]
    fn a_table_of_another_grid_is_a_mistake() {
        let table = Tensor::zeros([12, 3], &devices()[0]);
        resample_grid(table, [3, 3], [2, 2], GridResample::Bicubic);
    }
}
