//! What this crate asks of each backend: is it compiled in, what does it find, and how is it added.

use burn::tensor::Device;

use crate::{Backend, Found, cuda, flex, libtorch, wgpu};

/// One backend's answers.
pub(crate) struct Driver {
    pub(crate) backend: Backend,
    /// Whether this build holds it.
    pub(crate) compiled: bool,
    /// The commands that compile it in.
    pub(crate) add: &'static str,
    /// What to install where it is compiled in but finds no device.
    pub(crate) install: &'static str,
    /// The devices present, best first; nothing where it is not compiled in. May panic: call it through
    /// [`Driver::find`].
    pub(crate) search: fn() -> Vec<Candidate>,
}

/// A device that is there, not yet started.
pub(crate) struct Candidate {
    pub(crate) found: Found,
    pub(crate) device: Device,
}

/// All backends, the fastest first: the order of `auto`.
pub(crate) const DRIVERS: [&Driver; 4] = [
    &cuda::DRIVER,
    &wgpu::DRIVER,
    &libtorch::DRIVER,
    &flex::DRIVER,
];

impl Driver {
    /// The driver of a backend; `None` for `auto`.
    pub(crate) fn of(backend: Backend) -> Option<&'static Self> {
        DRIVERS.into_iter().find(|driver| driver.backend == backend)
    }

    /// The devices present, best first. A driver library that panics has none.
    pub(crate) fn find(&self) -> Vec<Candidate> {
        sensorium_core::quietly(self.search).unwrap_or_default()
    }
}
