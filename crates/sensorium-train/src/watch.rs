//! Looking on while a run goes: progress bars, warnings, a wish to stop.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Best, Ended, Scores};

/// Sees what a run does. Every method has a default that does nothing.
pub trait Watch {
    /// The run begins or goes on.
    fn on_start(&mut self, _plan: &Plan) {}

    /// A step was done. [`ControlFlow::Break`] ends the run after a checkpoint, to be resumed later.
    fn on_step(&mut self, _step: &StepLog) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// What it found out itself by the step it was just told of. It is written into the log, and comes back through
    /// [`on_warning`](Self::on_warning) as the trainer's own warnings do.
    fn found(&mut self) -> Option<Warning> {
        None
    }

    /// A validation was done.
    fn on_validation(&mut self, _validation: &ValidationLog) {}

    /// A checkpoint of so many steps was written to this folder.
    fn on_checkpoint(&mut self, _step: usize, _folder: &Path) {}

    /// Something a person should know about.
    fn on_warning(&mut self, _warning: &Warning) {}

    /// The run ended without error.
    fn on_end(&mut self, _ended: Ended) {}
}

impl<W: Watch + ?Sized> Watch for &mut W {
    fn on_start(&mut self, plan: &Plan) {
        (**self).on_start(plan);
    }

    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        (**self).on_step(step)
    }

    fn found(&mut self) -> Option<Warning> {
        (**self).found()
    }

    fn on_validation(&mut self, validation: &ValidationLog) {
        (**self).on_validation(validation);
    }

    fn on_checkpoint(&mut self, step: usize, folder: &Path) {
        (**self).on_checkpoint(step, folder);
    }

    fn on_warning(&mut self, warning: &Warning) {
        (**self).on_warning(warning);
    }

    fn on_end(&mut self, ended: Ended) {
        (**self).on_end(ended);
    }
}

/// Looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWatch;

impl Watch for NoWatch {}

/// What a run is going to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Optimizer steps of the whole run.
    pub total_steps: usize,
    /// Steps done before this process.
    pub steps_done: usize,
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: usize,
    /// Batches of an epoch.
    pub batches_per_epoch: usize,
    /// Trainable numbers in the learner.
    pub trainable: usize,
    /// All numbers in the learner.
    pub parameters: usize,
    /// The checkpoint the run goes on from.
    pub resumed_from: Option<PathBuf>,
}

/// One step: a line of `metrics.jsonl` with `"kind": "step"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLog {
    /// The step, counted from 1.
    pub step: usize,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The loss, averaged over the accumulated batches. NaN (in JSON null) if it was not finite.
    #[serde(deserialize_with = "nan_for_null")]
    pub loss: f64,
    /// The loss's named parts.
    pub terms: BTreeMap<String, f64>,
    /// The learning rate.
    pub lr: f64,
    /// The global gradient norm before clipping. NaN (in JSON null) if it was not finite or not reached.
    #[serde(deserialize_with = "nan_for_null")]
    pub grad_norm: f64,
    /// The share of right answers, where that means something.
    pub accuracy: Option<f64>,
    /// Samples in the step, on all ranks.
    pub samples: usize,
    /// How many of them were of which data set, where several are mixed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drawn: BTreeMap<String, usize>,
    /// Samples a second over this step, waiting for data included.
    pub samples_per_s: f64,
    /// Seconds the step took.
    #[serde(default)]
    pub step_s: f64,
    /// Those of them that it waited for data.
    #[serde(default)]
    pub data_s: f64,
    /// Those of them that it told other ranks what it learned and waited for what they did; 0 without others.
    #[serde(default)]
    pub ranks_s: f64,
    /// How many bytes this rank told the others.
    #[serde(default)]
    pub ranks_bytes: u64,
    /// Seconds spent training, over all processes of the run.
    pub seconds: f64,
    /// Why the step was not applied, if it was not.
    pub skipped: Option<String>,
}

#[cfg(test)]
impl StepLog {
    /// A step of which nothing is special.
    pub(crate) fn example(step: usize) -> Self {
        Self {
            step,
            epoch: 1,
            loss: 1.0 / step as f64,
            terms: BTreeMap::new(),
            lr: 0.1,
            grad_norm: 2.0,
            accuracy: Some(0.75),
            samples: 4,
            drawn: BTreeMap::new(),
            samples_per_s: 100.0,
            step_s: 0.04,
            data_s: 0.0,
            ranks_s: 0.0,
            ranks_bytes: 0,
            seconds: 0.25,
            skipped: None,
        }
    }
}

/// One validation: a line of `metrics.jsonl` with `"kind": "validation"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationLog {
    /// Steps done.
    pub step: usize,
    /// Epochs done, the last perhaps unfinished.
    pub epoch: usize,
    /// What was measured.
    pub scores: Scores,
    /// Whether these are the best weights so far.
    pub is_best: bool,
    /// The best so far.
    pub best: Option<Best>,
    /// Seconds the validation took.
    pub seconds: f64,
}

/// Something a person should know about. In `metrics.jsonl`, lines with `"kind": "warning"`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A trainable parameter that the first step did not train.
    #[error("parameter {parameter} does not train: {reason}")]
    Untrained {
        /// Its path.
        parameter: String,
        /// Why it does not.
        reason: &'static str,
    },
    /// A step that was not applied.
    #[error("step {step} was not applied: {reason}; samples {}", ids.join(", "))]
    Skipped {
        /// The step, counted from 1.
        step: usize,
        /// What was not finite.
        reason: String,
        /// The samples in it.
        ids: Vec<String>,
    },
    /// A checkpoint that cannot be used, and was set aside.
    #[error("{}: this checkpoint is damaged and was set aside: {reason}", path.display())]
    BrokenCheckpoint {
        /// Where it was.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The best weights so far were lost with their checkpoint; the search for the best begins anew.
    #[error(
        "the best weights so far, those of step {step}, are lost; later ones will take their place"
    )]
    BestLost {
        /// The step they were of.
        step: usize,
    },
    /// A model that learns from its own answers gives one answer to everything.
    #[error("step {step}: {seen}")]
    Collapsed {
        /// The step, counted from 1.
        step: usize,
        /// What was seen.
        seen: String,
    },
    /// Resuming was asked for, but there is nothing to resume: the run begins anew.
    #[error("no checkpoint to resume from: the run begins at its start")]
    NothingToResume,
}

/// JSON has no NaN: it is written as null.
fn nan_for_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
