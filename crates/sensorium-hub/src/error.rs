//! What can be wrong with a checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use crate::Mismatch;

/// Why a checkpoint could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without weights.
    #[error("{}: has no model.safetensors and no model.safetensors.index.json; it has {found}", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
        /// Some of what is there.
        found: String,
    },
    /// Weights in Python's pickle format, which can run any code when opened.
    #[error(
        "{}: is a pickle, which can run any code and is not opened; convert it where you trust it: {command}",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
        /// One line of shell.
        command: String,
    },
    /// A file that breaks the safetensors format, or is not whole.
    #[error("{}: {problem}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A tensor whose entry breaks the format.
    #[error("{}: tensor {tensor}: {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// A model without a file it needs.
    #[error("{model}: has no {file}")]
    NoFile {
        /// The folder or id.
        model: String,
        /// What is missing.
        file: String,
    },
    /// What is neither a folder nor an id.
    #[error("{model}: {problem}")]
    Model {
        /// What was given.
        model: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The hub cannot be reached, or refuses.
    #[error("{model}: {file}: {problem}")]
    Hub {
        /// The model's id.
        model: String,
        /// The file asked for.
        file: String,
        /// What it said, and what to do.
        problem: String,
    },
    /// Tensors and a module's parameters do not fit each other.
    #[error("{}: does not fit the model: {mismatch}", path.display())]
    Mismatch {
        /// The file or index.
        path: PathBuf,
        /// All that does not fit.
        mismatch: Box<Mismatch>,
    },
    /// A checkpoint could not be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn broken(path: &Path, problem: impl Into<String>) -> Self {
        Self::Broken {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn tensor(path: &Path, tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor {
            path: path.to_owned(),
            tensor: shown(tensor),
            problem: problem.into(),
        }
    }
}

/// A name from a file, short and on one line whatever it holds.
pub(crate) fn shown(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut escaped = name.chars().flat_map(char::escape_debug);
    let mut shown: String = escaped.by_ref().take(LONGEST).collect();
    if escaped.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What may repeat a long piece of a file, shortened in its middle: a reader of JSON says at the end where that piece stands.
pub(crate) fn shortened(text: &str) -> String {
    const HEAD: usize = 160;
    const TAIL: usize = 80;
    let length = text.chars().count();
    if length <= HEAD + TAIL {
        return text.to_owned();
    }
    let head = text.chars().take(HEAD);
    let tail = text.chars().skip(length - TAIL);
    head.chain(['…']).chain(tail).collect()
}
