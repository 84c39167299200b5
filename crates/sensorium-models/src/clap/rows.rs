//! Some samples of a batch, changed among the others.

use burn::tensor::{Device, Int, Tensor};

/// Changes the samples at `rows`, which rise, and leaves the others as they are; the shape is kept.
pub(super) fn among<const D: usize>(
    x: Tensor<D>,
    rows: &[usize],
    change: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let batch = x.dims()[0];
    if rows.len() == batch {
        return change(x);
    }
    if rows.is_empty() {
        return x;
    }
    let device = x.device();
    let others: Vec<usize> = (0..batch).filter(|row| !rows.contains(row)).collect();
    let changed = change(pick(x.clone(), rows));
    let kept = pick(x, &others);
    // Where each sample is among the changed ones and the others after them.
    let mut order = vec![0; batch];
    for (place, row) in rows.iter().chain(&others).enumerate() {
        order[*row] = place;
    }
    Tensor::cat(vec![changed, kept], 0).select(0, indices(&order, &device))
}

/// The samples at `rows`, in this order.
pub(super) fn pick<const D: usize>(x: Tensor<D>, rows: &[usize]) -> Tensor<D> {
    let device = x.device();
    x.select(0, indices(rows, &device))
}

/// Places as a tensor.
pub(super) fn indices(places: &[usize], device: &Device) -> Tensor<1, Int> {
    let places: Vec<i64> = places.iter().map(|place| *place as i64).collect();
    Tensor::from_data(places.as_slice(), device)
}
