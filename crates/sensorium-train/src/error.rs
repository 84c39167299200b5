//! What can go wrong while training.

use std::path::{Path, PathBuf};

/// An error of someone else: a feed, a validator.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why training, or reading and writing weights, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has an impossible value.
    #[error("{key} is {value}: {way_out}")]
    Config {
        /// The setting's key, such as `train.lr`.
        key: &'static str,
        /// What was written.
        value: String,
        /// What would be right.
        way_out: &'static str,
    },
    /// A key that the optimizer does not look at.
    #[error(
        "train.{key} has no effect with train.optimizer = {optimizer:?}: remove it, or use {others}"
    )]
    NoEffect {
        /// The key.
        key: String,
        /// The optimizer.
        optimizer: &'static str,
        /// Those that look at it.
        others: String,
    },
    /// A precision that the device has not.
    #[error(
        "train.precision is bf16, in which {device} cannot compute: leave it out, or train on another backend"
    )]
    NoPrecision {
        /// What the framework calls the device.
        device: String,
    },
    /// A layer that cannot be computed with in half the width.
    #[error(
        "train.precision is bf16, but {parameter} keeps statistics of batches, which would lose what they have added up: leave it out"
    )]
    RunningStatistics {
        /// The layer's path.
        parameter: String,
    },
    /// A group names parameters that the model does not have.
    #[error(
        "train.groups.parameters is {pattern:?}, which no parameter matches; the nearest is {nearest:?}, and --dry-run lists all"
    )]
    NoSuchParameters {
        /// What was written.
        pattern: String,
        /// A pattern that would match.
        nearest: String,
    },
    /// A pattern of `[lora]` names nothing that could learn.
    #[error("{key} is {pattern:?}, {why}")]
    NoMatrix {
        /// The key, such as `lora.on`.
        key: &'static str,
        /// What was written.
        pattern: String,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// A model that is to get low-rank additions has some.
    #[error(
        "{path} is an addition that is there already: additions are not added to; merge them first, or leave one of the two out"
    )]
    AddedTo {
        /// Path of the first.
        path: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {error}", path.display())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another trainer works in the run folder.
    #[error(
        "{}: another trainer{} is at work in this run folder; wait for it to end, or choose another folder",
        path.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// The other trainer's process, where it is known.
        pid: Option<u32>,
    },
    /// The run folder holds an earlier run, and resuming was not asked for.
    #[error("{}: holds an earlier run; resume it, or choose another folder", path.display())]
    RunExists {
        /// The run folder.
        path: PathBuf,
    },
    /// The checkpoint was made with other settings, so going on would not be the same run.
    #[error(
        "{}: was made with other settings ({}); resume with the same, or start in another folder",
        path.display(),
        differences.join("; ")
    )]
    ConfigChanged {
        /// The checkpoint.
        path: PathBuf,
        /// Each setting that differs, with both values.
        differences: Vec<String>,
    },
    /// The checkpoint was made with other data, so going on would not be the same run.
    #[error("{}: was made with other data: {difference}; resume with the same, or start in another folder", path.display())]
    DataChanged {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// A file is not what it should be.
    #[error("{}: is damaged: {reason}", path.display())]
    Broken {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of weights does not fit the model. Everything that does not fit is named.
    #[error("{}: does not fit the model: {}", path.display(), describe_misfit(missing, unused, unfit))]
    Weights {
        /// The file.
        path: PathBuf,
        /// Parameters of the model that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the model lacks.
        unused: Vec<String>,
        /// Parameters of another shape or kind, with both.
        unfit: Vec<String>,
    },
    /// A parameter has a number format that safetensors cannot hold.
    #[error(
        "parameter {parameter}: numbers of type {dtype} cannot be saved; dequantise the model first"
    )]
    Unsaveable {
        /// Path of the parameter.
        parameter: String,
        /// Its number format.
        dtype: String,
    },
    /// No parameter of the learner is trainable.
    #[error("no parameter is trainable: unfreeze a part of the model")]
    NothingToTrain,
    /// The loss depends on no trainable parameter.
    #[error(
        "step {step}: the loss depends on no trainable parameter: check that the model's output reaches the objective, and that batches lie on an autodiff device"
    )]
    Untracked {
        /// The step, counted from 1.
        step: usize,
    },
    /// Losses or gradients stayed NaN or infinite.
    #[error(
        "step {step}: {reason}, {in_a_row} in a row; samples {}; lower train.lr or look at these samples",
        ids.join(", ")
    )]
    NonFinite {
        /// The step, counted from 1.
        step: usize,
        /// What was not finite.
        reason: String,
        /// How many steps in a row were not finite.
        in_a_row: usize,
        /// The samples of the last of them.
        ids: Vec<String>,
    },
    /// The feed has nothing to give.
    #[error("the training data gives no batch: it needs at least one sample")]
    NoData,
    /// The feed failed.
    #[error("epoch {epoch}, batch {batch}: {source}")]
    Feed {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch within it, counted from 1.
        batch: usize,
        /// What the feed said.
        source: BoxError,
    },
    /// The feed gave fewer batches than it said.
    #[error("epoch {epoch}: the data ended after {found} batches of {expected}")]
    FeedEnded {
        /// The epoch, counted from 1.
        epoch: usize,
        /// How many batches there were.
        found: usize,
        /// How many there should have been.
        expected: usize,
    },
    /// The validator failed.
    #[error("validation after step {step}: {source}")]
    Validate {
        /// The step, counted from 1.
        step: usize,
        /// What the validator said.
        source: BoxError,
    },
    /// The metric that chooses the best weights is not among those measured.
    #[error("train.metric is {metric:?}, but validation measures only {}", measured.join(", "))]
    UnknownMetric {
        /// The metric asked for.
        metric: String,
        /// Those there are.
        measured: Vec<String>,
    },
    /// One of the processes that train together is gone.
    #[error("{reason}; the run can be resumed from its last checkpoint")]
    RankLost {
        /// What was noticed.
        reason: String,
    },
    /// Rank 0, which writes, met an error.
    #[error("rank 0 ended: {reason}")]
    Elsewhere {
        /// What it met.
        reason: String,
    },
    /// Processes that train together do not have the same.
    #[error("rank {rank} has other {what} than rank 0: all must have the same")]
    Apart {
        /// What they have.
        what: &'static str,
        /// The first that differs.
        rank: usize,
    },
    /// The device failed to hand out numbers.
    #[error("step {step}: the device failed: {reason}")]
    Device {
        /// The step, counted from 1.
        step: usize,
        /// What it said.
        reason: String,
    },
}

impl Error {
    /// Names the action and path of an I/O error.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io {
            action,
            path,
            error,
        }
    }
}

/// All that does not fit, in one line.
fn describe_misfit(missing: &[String], unused: &[String], unfit: &[String]) -> String {
    [
        ("missing", missing),
        ("not in the model", unused),
        ("unfit", unfit),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(what, names)| format!("{what}: {}", names.join(", ")))
    .collect::<Vec<_>>()
    .join("; ")
}
