//! What a device says of the next token, as numbers that are chosen by.

use burn::tensor::Tensor;

/// Scores `[rows, vocab_size]` as numbers, row by row.
pub(crate) fn host(scores: Tensor<2>) -> Vec<f32> {
    let data = scores.into_data().convert::<f32>();
    data.iter::<f32>().collect()
}
