//! Why a backend cannot be used, and what to do about it.

use crate::{Backend, Found};

/// Why a backend cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No backend has this name.
    #[error("there is no backend {name:?}{}; choose flex, wgpu, libtorch, cuda or auto", suggestion(*.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The backend that was probably meant.
        nearest: Option<Backend>,
    },
    /// The backend exists but was left out of this build.
    #[error("backend {backend} is not in this build: {add}")]
    NotCompiled {
        /// What was asked for.
        backend: Backend,
        /// The commands that add it.
        add: &'static str,
    },
    /// The backend is in this build but finds nothing to run on.
    #[error("backend {backend} found no device on this machine: {add}")]
    NoDevice {
        /// What was asked for.
        backend: Backend,
        /// What to install or to use instead.
        add: &'static str,
    },
    /// A device was found but does not start.
    #[error("backend {} cannot start {:?}: {reason}; try another backend (`sensorium devices` lists them)", .found.backend, .found.name)]
    Broken {
        /// The device.
        found: Box<Found>,
        /// What its driver said.
        reason: String,
    },
    /// This build has no backend at all.
    #[error("this build has no backend: build with `--features flex`")]
    NoBackend,
}

fn suggestion(nearest: Option<Backend>) -> String {
    nearest.map_or_else(String::new, |backend| {
        format!(", did you mean {:?}?", backend.name())
    })
}
