//! What can be wrong with the numbers a person asks for.

use sensorium_core::Misfit;

/// Why a configuration cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration cannot work.
    #[error(transparent)]
    Config(#[from] Misfit),
}
