//! The trainer: from a learner and its data to trained weights, through any number of interruptions.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use sensorium_core::seed;
use serde::{Deserialize, Serialize};

use crate::checkpoint::files::{Disk, Files, Nowhere};
use crate::checkpoint::{Snapshot, State, Store};
use crate::groups::Groups;
use crate::log::Log;
use crate::parameters::draw_all;
use crate::recompute::recomputing;
use crate::run::{Run, Start};
use crate::tensors::{Layout, collect, decode, encode, restore, settle};
use crate::{
    Better, Error, Feed, Learner, Plan, RunLock, Schedule, Scores, Together, TrainConfig, Validate,
    Warning, Watch, count_parameters,
};

/// Trains a learner in a run folder, where it keeps `metrics.jsonl` and `checkpoints/`.
///
/// A run can be killed at any moment and resumed; where the backend computes the same numbers for the same input, as
/// `flex` does, it ends with bit-identical weights. For this all randomness is derived from the seed and the position
/// (before each batch the device is seeded from seed, epoch, step and batch), and everything else the next step
/// depends on is in the checkpoint.
pub struct Trainer {
    config: TrainConfig,
    folder: PathBuf,
    resume: bool,
    settings: serde_json::Value,
    lock: Option<RunLock>,
    files: Arc<dyn Files>,
    ranks: Together,
}

impl Trainer {
    /// A trainer for a new run in a folder, which is made if it is not there.
    pub fn new(config: TrainConfig, run_folder: impl Into<PathBuf>) -> Self {
        Self {
            config,
            folder: run_folder.into(),
            resume: false,
            settings: serde_json::Value::Null,
            lock: None,
            files: Arc::new(Disk),
            ranks: Together::default(),
        }
    }

    /// Whether to go on from the newest whole checkpoint in the folder. Without one the run begins at its start.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// What else the run depends on, such as the rest of a recipe: resuming with other settings is refused, and the error
    /// names them.
    #[must_use]
    pub fn with_settings(mut self, settings: serde_json::Value) -> Self {
        self.settings = settings;
        self
    }

    /// With the folder's lock taken already, by someone who writes to the folder before or after training and keeps a
    /// clone. Otherwise [`run`](Self::run) takes it, and lets it go at its end.
    #[must_use]
    pub fn with_lock(mut self, lock: RunLock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Together with other processes, each of which runs the same trainer with a feed of its share of every batch. What is learned is
    /// what one process alone would learn from whole batches, where the loss is a mean over samples or tells what else it is one
    /// over ([`Loss::over`](crate::Loss)), or compares samples by what the learner says
    /// ([`compared`](crate::Learner::compared)). A share without samples comes with no ids and a batch that does not count.
    ///
    /// Rank 0 alone looks at the folder, writes and is told by `watch` what counts; a wish to stop may be anyone's.
    #[must_use]
    pub fn with_ranks(mut self, ranks: Together) -> Self {
        if !ranks.writes() {
            self.files = Arc::new(Nowhere);
        }
        self.ranks = ranks;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_files(mut self, files: Arc<dyn Files>) -> Self {
        self.files = files;
        self
    }

    /// Trains to the end, or until `watch` wants to stop.
    ///
    /// `device` is where the learner goes; it is put into training mode there. The feed's batches must lie on the settings'
    /// [`training_device`](TrainConfig::training_device).
    ///
    /// # Errors
    /// Any [`Error`]. What was reached up to the last checkpoint can be resumed.
    pub fn run<L, F, V, W>(
        mut self,
        learner: L,
        feed: &F,
        validator: &mut V,
        watch: &mut W,
        device: &Device,
    ) -> Result<Outcome<L>, Error>
    where
        L: Learner,
        F: Feed<Batch = L::Batch>,
        V: Validate<L>,
        W: Watch + ?Sized,
    {
        self.config.validate()?;
        if feed.batches_per_epoch() == 0 {
            return Err(Error::NoData);
        }
        let mut lock = self.lock.take();
        self.ranks.once(|| {
            if lock.is_none() {
                lock = Some(RunLock::acquire(&self.folder)?);
            }
            Ok::<(), Error>(())
        })?;
        let learner = place(&self.config, learner, device);
        let learner = self.spread(learner)?;
        self.config.precision.check_module(&learner, device)?;
        let mut start = self.start(learner, feed)?;
        start.snapshot.learner = recomputing(start.snapshot.learner, self.config.recompute);
        let mut log = Log::new(&self.folder, self.files.clone());
        if self.config.tensorboard {
            log = log.with_events(&self.folder);
        }
        log.cut(start.state.step)?;
        for warning in start.warnings.drain(..) {
            watch.on_warning(&warning);
            log.warning(start.state.step, &warning)?;
        }
        let total_steps = self.config.total_steps(start.state.batches_per_epoch);
        watch.on_start(&self.plan(&start, total_steps));
        let run = Run {
            schedule: Schedule::new(&self.config, total_steps),
            store: self.store(),
            config: self.config,
            device: device.clone(),
            total_steps,
            log,
            ranks: self.ranks,
            clock: std::time::Instant::now(),
            seconds_before: start.state.seconds,
        };
        run.finish(start, feed, validator, watch)
    }

    fn plan<L: Learner>(&self, start: &Start<L>, total_steps: usize) -> Plan {
        let count = count_parameters(&start.snapshot.learner);
        let batches_per_epoch = start.state.batches_per_epoch;
        Plan {
            total_steps,
            steps_done: start.state.step,
            steps_per_epoch: self.config.steps_per_epoch(batches_per_epoch),
            batches_per_epoch,
            trainable: count.trainable,
            parameters: count.all,
            resumed_from: start.resumed_from.clone(),
        }
    }

    fn store(&self) -> Store {
        let root = self.folder.join("checkpoints");
        Store::new(root, self.files.clone(), self.config.keep_checkpoints)
    }

    /// The learner of rank 0, on all: what it begins with may have come from files that are there alone.
    fn spread<L: Learner>(&self, learner: L) -> Result<L, Error> {
        if self.ranks.is_alone() {
            return Ok(learner);
        }
        let bytes = self
            .ranks
            .once(|| encode(&collect(&learner.valid(), Layout::Memory)))?;
        if self.ranks.writes() {
            return Ok(learner);
        }
        let told = decode(&bytes).map_err(|reason| Error::RankLost { reason })?;
        restore(&learner, told, Layout::Memory).map_err(|misfit| misfit.in_file(&self.folder))
    }

    /// The start of a new run, or where an earlier one stood.
    fn start<L: Learner>(&self, learner: L, feed: &impl Feed) -> Result<Start<L>, Error> {
        let (snapshot, groups) = start_of(&self.config, learner, feed.batches_per_epoch())?;
        let store = self.store();
        store.prepare()?;
        let mut state = State::start(&self.config, feed.batches_per_epoch(), feed.identity());
        state.settings = self.settings.to_string();
        let mut start = Start {
            snapshot,
            state,
            best: None,
            resumed_from: None,
            warnings: Vec::new(),
        };
        self.agree(&start.state)?;
        if !self.resume {
            self.ranks.once(|| self.is_new(&store))?;
            return Ok(start);
        }
        let warnings = &mut start.warnings;
        let newest = self.ranks.once(|| {
            store.newest(|path, reason| warnings.push(Warning::BrokenCheckpoint { path, reason }))
        })?;
        match newest {
            None => start.warnings.push(Warning::NothingToResume),
            Some((step, parts)) => {
                let path = store.path(step);
                let state = Snapshot::<L>::load_state(&parts, &path)?;
                state.agrees(&start.state, &path)?;
                let learner = groups.at_step(start.snapshot.learner, state.step);
                start.snapshot =
                    Snapshot::load(learner, &self.config, groups, &state, &parts, &path)?;
                start.state = state;
                start.resumed_from = Some(path);
                self.find_best(&store, &mut start)?;
            }
        }
        Ok(start)
    }

    /// Refuses a folder with an earlier run in it.
    fn is_new(&self, store: &Store) -> Result<(), Error> {
        let log = Log::new(&self.folder, self.files.clone());
        match log.exists() || !store.steps()?.is_empty() {
            true => Err(Error::RunExists {
                path: self.folder.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Refuses ranks that would train something else, or from other data.
    fn agree(&self, state: &State) -> Result<(), Error> {
        let settings = format!("{} {}", state.config_sha256, state.settings);
        self.ranks.agree("settings", &settings)?;
        let data = format!("{} {}", state.batches_per_epoch, state.data);
        self.ranks.agree("data", &data)
    }

    /// Reads the best weights back from their own checkpoint.
    fn find_best<L: Learner>(&self, store: &Store, start: &mut Start<L>) -> Result<(), Error> {
        let Some(step) = start.state.best.as_ref().map(|best| best.step) else {
            return Ok(());
        };
        let path = store.path(step);
        let loaded = self.ranks.once(|| match store.load(step) {
            Ok(parts) => Ok(Ok(parts)),
            Err(Error::Broken { path, reason }) => Ok(Err((path, reason))),
            Err(error) => Err(error),
        })?;
        match loaded {
            Ok(parts) => start.best = Some(start.snapshot.load_view(&parts, &path)?),
            Err((path, reason)) => {
                start
                    .warnings
                    .push(Warning::BrokenCheckpoint { path, reason });
                start.warnings.push(Warning::BestLost { step });
                start.state.best = None;
                start.state.stale = 0;
            }
        }
        Ok(())
    }
}

/// The learner on the device, in training mode, with every parameter drawn.
pub(crate) fn place<L: Learner>(config: &TrainConfig, learner: L, device: &Device) -> L {
    // Burn draws parameters when they are first looked at; from here on that is no matter of chance.
    let seed = seed::derive(config.seed, &[seed::of_name("parameters")]);
    seed::drawn(device, seed, || draw_all(&learner));
    settle(learner).fork(device).train()
}

/// A learner at the start of a run, and how its parameters are trained.
pub(crate) fn start_of<L: Learner>(
    config: &TrainConfig,
    learner: L,
    batches_per_epoch: usize,
) -> Result<(Snapshot<L>, Arc<Groups>), Error> {
    let total_steps = config.total_steps(batches_per_epoch);
    let groups = Arc::new(Groups::new(config, &learner, total_steps)?);
    let learner = groups.at_step(learner, 0);
    Ok((Snapshot::start(learner, config, groups.clone()), groups))
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Outcome<L> {
    /// The learner in `valid()` mode on the plain device, with the best weights or the last ones as the settings say,
    /// averaged if the run averages.
    pub learner: L,
    /// How it ended.
    pub ended: Ended,
    /// Optimizer steps done, over all processes of the run.
    pub steps: usize,
    /// Epochs done, the last perhaps unfinished.
    pub epochs: usize,
    /// Seconds of training, over all processes of the run.
    pub seconds: f64,
    /// The best validation.
    pub best: Option<Best>,
    /// The last validation.
    pub scores: Option<Scores>,
    /// The checkpoint this process went on from.
    pub resumed_from: Option<PathBuf>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// All steps were done.
    Finished,
    /// Validation no longer improved.
    EarlyStop,
    /// The watcher wanted to stop; the run can be resumed.
    Asked,
}

/// The best validation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps done when it was measured.
    pub step: usize,
    /// Epochs done when it was measured, the last perhaps unfinished.
    pub epoch: usize,
    /// The score that made it the best.
    pub metric: String,
    /// Its value.
    #[serde(with = "exact")]
    pub value: f64,
    /// Which way it gets better.
    pub better: Better,
}

/// Numbers that decide must come back from a file bit for bit, which JSON readers do not promise for numbers.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
