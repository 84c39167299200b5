//! Fixed positions on a grid.

use burn::tensor::{Device, Tensor, TensorData};

/// Sines and cosines of a token's column in the first half of the features, of its row in the second, in the order of
/// masked autoencoders' published weights; rows of zeros before, for tokens that have no place:
/// `[n_extra + rows * columns, d_model]`.
///
/// # Panics
/// If four does not divide `d_model`.
pub(crate) fn grid(
    n_extra: usize,
    [rows, columns]: [usize; 2],
    d_model: usize,
    device: &Device,
) -> Tensor<2> {
    assert!(d_model.is_multiple_of(4), "four must divide {d_model}");
    let quarter = d_model / 4;
    let mut values = vec![0f32; n_extra * d_model];
    values.reserve(rows * columns * d_model);
    for place in 0..rows * columns {
        for along in [place % columns, place / columns] {
            let angle = |i: usize| along as f64 / 10_000f64.powf(i as f64 / quarter as f64);
            values.extend((0..quarter).map(|i| angle(i).sin() as f32));
            values.extend((0..quarter).map(|i| angle(i).cos() as f32));
        }
    }
    let shape = [n_extra + rows * columns, d_model];
    Tensor::from_data(TensorData::new(values, shape), device)
}
