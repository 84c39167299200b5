//! Whether two tensors hold the same numbers.

use burn::tensor::Tensor;

/// The largest absolute difference; NaN anywhere counts as infinite.
///
/// # Panics
/// If shapes differ.
pub fn max_difference<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> f32 {
    assert_eq!(a.dims(), b.dims(), "shapes differ");
    crate::floats(a)
        .into_iter()
        .zip(crate::floats(b))
        .map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() })
        .fold(0.0, |worst: f32, d| {
            if d.is_nan() { f32::INFINITY } else { worst.max(d) }
        })
}

/// Panics unless all numbers agree within `tolerance`.
///
/// # Panics
/// If they do not, or shapes differ.
#[track_caller]
pub fn assert_close<const D: usize>(a: &Tensor<D>, b: &Tensor<D>, tolerance: f32) {
    let difference = max_difference(a, b);
    assert!(
        difference <= tolerance,
        "tensors of shape {:?} differ by {difference}, more than {tolerance}",
        a.dims()
    );
}
