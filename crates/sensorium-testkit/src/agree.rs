//! Whether every backend computes the same.

use burn::tensor::{Device, Tensor};

use crate::{devices, floats};

/// Runs `compute` on each of [`devices`] and panics unless all results lie within `tolerance` of the first's.
///
/// With one device it still runs there, and shows that the result is finite. Inputs belong on the host
/// ([`random`](crate::random)), modules are initialised once on [`host`](sensorium_runtime::host) and forked.
///
/// # Panics
/// If results differ in shape or by more than `tolerance`, or one is not finite.
#[track_caller]
pub fn check_same_on_all<const D: usize>(tolerance: f32, compute: impl Fn(&Device) -> Tensor<D>) {
    let mut first: Option<(Device, [usize; D], Vec<f32>)> = None;
    for device in devices() {
        let result = compute(&device);
        let (shape, values) = (result.dims(), floats(&result));
        assert!(
            values.iter().all(|value| value.is_finite()),
            "{device:?} gives a number that is not finite"
        );
        let Some((reference, expected_shape, expected)) = &first else {
            first = Some((device, shape, values));
            continue;
        };
        assert_eq!(
            shape, *expected_shape,
            "{device:?} gives another shape than {reference:?}"
        );
        let worst = values
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(
            worst <= tolerance,
            "{device:?} differs from {reference:?} by {worst}, more than {tolerance}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn a_product_is_the_same_everywhere() {
        check_same_on_all(1e-5, |device| {
            random::<2>([3, 4], 1, device).matmul(random::<2>([4, 5], 2, device))
        });
    }

    #[test]
    #[should_panic(expected = "not finite")]
    fn a_result_without_numbers_agrees_with_nothing() {
        check_same_on_all(1.0, |device| Tensor::<1>::from_floats([f32::NAN], device));
    }
}
