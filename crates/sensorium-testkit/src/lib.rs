//! For tests only: the same questions asked of every module, on every backend compiled in.
//!
//! [`devices`] says where to ask; [`check_gradients`] that every parameter trains; [`assert_close`]
//! that two results are the same, and [`Reference`] that a published model is what it is elsewhere. Test data is made on the host, because backends draw different
//! random numbers from the same seed.

mod agree;
mod close;
mod data;
mod gradients;
mod parity;
mod snapshot;
mod weights;

pub use agree::check_same_on_all;
pub use close::{assert_close, max_difference};
pub use data::{bools, floats, ints, random};
pub use gradients::{check_gradients, untrained_parameters};
pub use parity::{PARITY, Reference};
pub use snapshot::parameter_snapshot;

use burn::tensor::Device;

/// The devices tests run on: those named in `SENSORIUM_TEST_BACKENDS` (comma-separated), or flex.
///
/// # Panics
/// If a named backend is not compiled in or has no device: a test that silently skips shows nothing.
pub fn devices() -> Vec<Device> {
    let names = std::env::var("SENSORIUM_TEST_BACKENDS").unwrap_or_else(|_| "flex".to_owned());
    let devices: Vec<Device> = names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            name.parse::<sensorium_runtime::Backend>()
                .and_then(sensorium_runtime::open)
                .unwrap_or_else(|error| panic!("SENSORIUM_TEST_BACKENDS names {name}: {error}"))
        })
        .collect();
    assert!(
        !devices.is_empty(),
        "SENSORIUM_TEST_BACKENDS names no backend"
    );
    devices
}
