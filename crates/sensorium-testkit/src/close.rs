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
            if d.is_nan() {
                f32::INFINITY
            } else {
                worst.max(d)
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices;

    #[test]
    fn the_largest_difference_is_found_and_nan_is_never_close() {
        for device in devices() {
            let a = Tensor::<1>::from_floats([1.0, 2.0, f32::INFINITY], &device);
            let b = Tensor::<1>::from_floats([1.5, 2.0, f32::INFINITY], &device);
            let nan = Tensor::<1>::from_floats([1.0, f32::NAN, 3.0], &device);
            assert_eq!(max_difference(&a, &b), 0.5);
            assert_eq!(max_difference(&nan, &nan), f32::INFINITY);
            assert_close(&a, &b, 0.5);
        }
    }

    #[test]
    #[should_panic(expected = "differ by 0.5, more than 0.25")]
    fn what_is_further_apart_than_allowed_fails() {
        let device = &devices()[0];
        let a = Tensor::<1>::from_floats([1.0], device);
        assert_close(&a, &(a.clone() + 0.5), 0.25);
    }
}
