//! What can go wrong between a recipe and its run.

use std::path::PathBuf;

use sensorium_core::Modality;

use crate::registry::Refusal;

/// Why a recipe, a data set or a run cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The recipe is not understood, or does not fit together.
    #[error("{place}: {message}")]
    Recipe {
        /// File and line, or the `--set` at fault.
        place: String,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// No such recipe.
    #[error(
        "there is no recipe {name:?}; the built-in ones are {known}, and a file's name ends in .toml{hint}"
    )]
    NoSuchRecipe {
        /// What was asked for.
        name: String,
        /// The built-in recipes.
        known: String,
        /// The nearest right spelling.
        hint: String,
    },
    /// The data set cannot be used.
    #[error(transparent)]
    Data(#[from] sensorium_data::Error),
    /// A row cannot be prepared.
    #[error("{place}, column {modality}: {reason} (use --on-error skip to leave such rows out)")]
    Row {
        /// File and row.
        place: String,
        /// Which input.
        modality: Modality,
        /// What its modality said.
        reason: Refusal,
    },
    /// Preparing a row panicked or took too long.
    #[error("{place}: {reason} (use --on-error skip to leave such rows out)")]
    Unprepared {
        /// File and row.
        place: String,
        /// What became of it.
        reason: Box<sensorium_data::Error>,
    },
    /// A row has none of the modalities of the recipe.
    #[error(
        "{place}: {} (use --on-error skip to leave such rows out)",
        crate::prepare::NOTHING
    )]
    Nothing {
        /// File and row.
        place: String,
    },
    /// Preparing a batch panicked or took too long, though its rows could be prepared before.
    #[error("the batch that begins with row {first}: {reason}")]
    Batch {
        /// The id of its first row.
        first: String,
        /// What became of it.
        reason: Box<sensorium_data::Error>,
    },
    /// A modality cannot learn from, save or open what it needs.
    #[error("{what}: {reason}")]
    Modality {
        /// What was being done.
        what: String,
        /// What the modality said.
        reason: Refusal,
    },
    /// Nothing is left to work on.
    #[error("{what} has no rows{why}")]
    Empty {
        /// Which part of the data.
        what: String,
        /// What to do about it.
        why: String,
    },
    /// A model that learns from its own answers has come to say the same of everything.
    #[error("{0}")]
    Collapsed(sensorium_train::Collapse),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] sensorium_train::Error),
    /// Evaluation failed.
    #[error(transparent)]
    Eval(#[from] sensorium_eval::Error),
    /// A file or folder of a run cannot be read or written.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An input was asked of a model that does not take it.
    #[error("this model takes {takes}; it has no use for {modality}")]
    NotTaken {
        /// What was given.
        modality: String,
        /// What the model takes.
        takes: String,
    },
}

impl From<sensorium_decode::Error> for Error {
    fn from(reason: sensorium_decode::Error) -> Self {
        Self::Modality {
            what: "decoder".to_owned(),
            reason: reason.into(),
        }
    }
}

impl Error {
    /// A file or folder, and what is wrong with it.
    pub(crate) fn folder(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Folder {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}
