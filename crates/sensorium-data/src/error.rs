//! What can be wrong with a data set.

use std::path::{Path, PathBuf};

use crate::BadRow;

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{}: cannot {action}: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// Neither a manifest nor a folder of one or of classes.
    #[error("{}: {reason}", path.display())]
    NotData {
        /// What was given.
        path: PathBuf,
        /// Why it is none, and what would be one.
        reason: String,
    },
    /// The table has no row.
    #[error("{name}: has no rows")]
    Empty {
        /// The manifest or folder.
        name: String,
    },
    /// Bad rows, which were not to be skipped.
    #[error(
        "{} bad {}: {}{} (use --on-error skip to leave such rows out)",
        bad.len(),
        if bad.len() == 1 { "row" } else { "rows" },
        bad.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; "),
        if bad.len() > 3 { "; …" } else { "" }
    )]
    BadRows {
        /// All of them.
        bad: Vec<BadRow>,
    },
    /// A column that is needed is not there.
    #[error("{name}: has no column {column}; it has {known}{hint}")]
    NoColumn {
        /// The manifest.
        name: String,
        /// What is missing.
        column: String,
        /// What is there.
        known: String,
        /// The nearest of these.
        hint: String,
    },
    /// A row without a label, or with one outside the classes.
    #[error("{place}, column label: {reason}")]
    Label {
        /// The row.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The split asked for cannot be made.
    #[error("data.split.{key}: {reason}")]
    Split {
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A pattern of file names that cannot be followed.
    #[error("the pattern {pattern:?} {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Files whose names do not fit a pattern, which were not to be skipped.
    #[error(
        "{}: {} of its files do not fit {pattern}: {}{} (use --on-error skip to leave them out)",
        folder.display(),
        unfit.len(),
        unfit.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; "),
        if unfit.len() > 3 { "; …" } else { "" }
    )]
    Unfit {
        /// Where they lie.
        folder: PathBuf,
        /// What they were to fit.
        pattern: String,
        /// Each file, and why it does not.
        unfit: Vec<String>,
    },
    /// A file cannot be made.
    #[error("{}: cannot be written: {reason}", path.display())]
    NotWritten {
        /// Which one.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// The worker at a job panicked.
    #[error("a worker panicked while preparing it: {reason}")]
    Worker {
        /// What it said.
        reason: String,
    },
    /// A job hung, or was far too much.
    #[error("took longer than {} s to prepare, and was given up", deadline.as_secs_f64())]
    TooSlow {
        /// How long it had.
        deadline: std::time::Duration,
    },
    /// A raw file of a data set to be made is broken.
    #[error("{}{}: {reason}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, if it has lines.
        line: Option<u64>,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, action: &'static str, error: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            error,
        }
    }

    pub(crate) fn broken(path: &Path, line: Option<u64>, reason: impl Into<String>) -> Self {
        Self::Broken {
            path: path.to_owned(),
            line,
            reason: reason.into(),
        }
    }
}

/// The known word most like `word`, as a hint for a message; empty if none is like it.
pub(crate) fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|k| (strsim::damerau_levenshtein(word, k), k))
        .min()
        .filter(|(distance, k)| *distance <= k.len().max(word.len()) / 2)
        .map(|(_, near)| format!("; did you mean {near:?}?"))
        .unwrap_or_default()
}
