//! Embeddings that come in twos, and what all contrastive losses do with them.

use burn::tensor::{Bool, Device, Int, Tensor};
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
pub(crate) fn constant<const D: usize>(x: Tensor<D>) -> Tensor<D> {
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

/// The mean over rows that are there; 0 if none is.
pub(super) fn mean_of_present(rows: Tensor<1>, present: &Option<Tensor<1, Bool>>) -> Tensor<1> {
    let Some(present) = present else {
        return rows.mean();
    };
    let count = present.clone().float().sum().clamp_min(1.0);
    rows.mask_fill(present.clone().bool_not(), 0.0).sum() / count
}

/// True where a row of a block meets its own column, `[block, batch]`.
pub(super) fn own_places(start: usize, shape: [usize; 2], device: &Device) -> Tensor<2, Bool> {
    let [rows, batch] = shape;
    let row = Tensor::<1, Int>::arange(start as i64..(start + rows) as i64, device);
    let column = Tensor::<1, Int>::arange(0..batch as i64, device);
    let row = row.unsqueeze_dim::<2>(1).expand(shape);
    row.equal(column.unsqueeze_dim::<2>(0).expand(shape))
}

/// 0 to the last bit, with the gradient `slope` by `x`, of which `fixed` is the value: so a loss brings a gradient of its own.
pub(super) fn sloped<const D: usize>(
    x: Tensor<D>,
    fixed: &Tensor<D>,
    slope: Tensor<D>,
) -> Tensor<1> {
    ((x - fixed.clone()) * slope).sum()
}
