//! A shape check that says what was expected of which tensor.

/// Panics unless a tensor has the given dimensions: for mistakes of a programmer, not of a file.
///
/// ```should_panic
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<2>::zeros([2, 3], &Device::flex());
/// sensorium_core::assert_shape!(x, [2, 4]);
/// ```
#[macro_export]
macro_rules! assert_shape {
    ($tensor:expr, $expected:expr) => {{
        let found = $tensor.dims();
        let expected = $expected;
        assert!(
            found == expected,
            "{} has shape {found:?}, but {expected:?} is needed",
            stringify!($tensor)
        );
    }};
}
