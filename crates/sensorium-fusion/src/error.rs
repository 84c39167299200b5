//! What can be wrong with the numbers a person asks for, and with features that a text has no room for.

use sensorium_core::Misfit;

/// Why a configuration or a batch cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration cannot work.
    #[error(transparent)]
    Config(#[from] Misfit),
    /// A text holds another number of places free than there are features for it.
    #[error(
        "sample {sample} of the batch: places for features in its text: {places} (in a row: {runs} times); features of its media: \
         {features}; they do not belong together"
    )]
    Places {
        /// Which sample of the batch, from zero.
        sample: usize,
        /// How many places its text holds free.
        places: usize,
        /// In how many runs they stand.
        runs: usize,
        /// How many features it has.
        features: usize,
    },
}
