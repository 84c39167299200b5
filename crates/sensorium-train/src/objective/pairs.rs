//! Embeddings that come in twos, and what all contrastive losses do with them.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor};
use sensorium_core::assert_shape;

/// Embeddings of the same samples seen in two ways: row i of one belongs to row i of the other. Losses bring them to
/// length 1 themselves.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Such as pictures, sounds, or one view of each sample: `[batch, d_embed]`.
    pub first: Tensor<2>,
    /// Such as texts, or another view: `[batch, d_embed]`.
    pub second: Tensor<2>,
}

impl Pairs {
    /// Puts both together.
    ///
    /// # Panics
    /// If shapes differ.
    pub fn new(first: Tensor<2>, second: Tensor<2>) -> Self {
        assert_shape!(second, first.dims());
        Self { first, second }
    }
}

/// What no logit is below: its exponential is 0 next to any of a cosine, in half precision as well.
pub(super) const OUT: f32 = -3e4;

/// Rows of length 1; a row of zeros (an absent sample) stays one, and has a gradient of 0 as long as nothing asks.
pub(super) fn unit(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
    x / norm
}

/// The tensor as a constant: a leaf that is merely detached would still take part in the graph.
pub(super) fn constant<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.detach().set_require_grad(false)
}

/// Sets the columns of rows that are not there to [`OUT`].
pub(super) fn without_absent(logits: Tensor<2>, present: &Option<Tensor<1, Bool>>) -> Tensor<2> {
    let Some(present) = present else {
        return logits;
    };
    let shape = logits.dims();
    let absent = present.clone().bool_not().unsqueeze_dim::<2>(0);
    logits.mask_fill(absent.expand(shape), OUT)
}

/// The entries of the diagonal: `[batch, batch]` → `[batch]`.
pub(super) fn diagonal(square: Tensor<2>) -> Tensor<1> {
    let [batch, _] = square.dims();
    let places = Tensor::<1, Int>::arange(0..batch as i64, &square.device());
    square.gather(1, places.unsqueeze_dim(1)).squeeze_dim(1)
}

/// The mean over rows that are there; 0 if none is.
pub(super) fn mean_of_present(rows: Tensor<1>, present: &Option<Tensor<1, Bool>>) -> Tensor<1> {
    let Some(present) = present else {
        return rows.mean();
    };
    let count = present.clone().float().sum().clamp_min(1.0);
    rows.mask_fill(present.clone().bool_not(), 0.0).sum() / count
}

/// Cross-entropy of each row with its own place on the diagonal as the class, over the rows that are there.
pub(super) fn to_the_diagonal(logits: Tensor<2>, present: &Option<Tensor<1, Bool>>) -> Tensor<1> {
    let log_p = log_softmax(without_absent(logits, present), 1);
    mean_of_present(diagonal(log_p).neg(), present)
}
