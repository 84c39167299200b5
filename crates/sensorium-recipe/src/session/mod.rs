//! A whole run: data, model, training, evaluation, export and report, in that order. The run's folder is
//! locked from the first moment to the last, and holds nothing else until the data has been found good.

mod beside;
mod classes;
mod conclude;
mod metrics;
mod pretext;
mod read;
mod rehearse;
mod stages;
mod taught;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use sensorium_data::built_in;
use sensorium_train::RunLock;

use crate::claim::Claim;
use crate::dataset::Dataset;
use crate::folder::{LARGEST_METRICS, RunFolder, read_json};
use crate::modalities::Processors;
use crate::objective::Task;
use crate::{Error, Observer, Recipe, report};
pub use beside::Beside;
pub(crate) use beside::FOLDER as BESIDE;
pub use metrics::{Finished, RunMetrics};
use read::{Parts, read};
pub use rehearse::{Rehearsed, rehearse};
pub(crate) use stages::FOLDER as PRETRAIN;

/// What a run is to do besides what its recipe says.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Where tensors live.
    pub device: &'a Device,
    /// What to call that in the report.
    pub backend: String,
}

/// All that a model is made of and learns from.
struct Ready {
    recipe: Recipe,
    data: Dataset,
    processors: Arc<Processors>,
    parts: Parts,
    /// The run that an encoder goes on from, by modality.
    starts: BTreeMap<String, PathBuf>,
}

/// A run, ready to learn.
struct Run {
    ready: Ready,
    folder: RunFolder,
    /// Keeps others out until the last file is written.
    lock: RunLock,
    /// Whether it goes on from a checkpoint.
    resume: bool,
    started: Instant,
}

impl Ready {
    fn of(
        recipe: Recipe,
        starts: BTreeMap<String, PathBuf>,
        (data, processors, parts): (Dataset, Arc<Processors>, Parts),
    ) -> Self {
        Self {
            recipe,
            data,
            processors,
            parts,
            starts,
        }
    }
}

/// Starts a run.
///
/// # Errors
/// If the data is bad, the folder cannot be written, or training fails.
pub fn train(
    mut recipe: Recipe,
    out: Option<&Path>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let started = Instant::now();
    make_absolute(&mut recipe);
    stages::check_starts(&recipe)?;
    taught::check(&recipe)?;
    // First, so that a folder that is taken or cannot be written is not found out after all data has been prepared.
    let claim = Claim::new(out, &recipe.name)?;
    let (starts, read, folder, lock) = if recipe.pretrain.is_empty() {
        let starts = recipe.start.clone();
        let read = read(&recipe, &starts, observer)?;
        let (folder, lock) = claim.begin(&recipe.to_toml())?;
        (starts, read, folder, lock)
    } else {
        // What comes before the data is learned inside the folder.
        let (folder, lock) = claim.begin(&recipe.to_toml())?;
        let starts = stages::run(&recipe, &folder, options, observer)?;
        let read = read(&recipe, &starts, observer)?;
        (starts, read, folder, lock)
    };
    let ready = Ready::of(recipe, starts, read);
    report::write_skipped(&folder, &ready.data)?;
    let run = Run {
        ready,
        folder,
        lock,
        resume: false,
        started,
    };
    finish(run, options, observer)
}

/// Makes a recipe's paths such that its run can be gone on with from anywhere.
pub(crate) fn make_absolute(recipe: &mut Recipe) {
    if let Some(path) = &mut recipe.data.path {
        *path = crate::dataset::absolute(path);
    }
    for path in recipe
        .start
        .values_mut()
        .chain(&mut recipe.objective.teacher)
    {
        *path = crate::dataset::absolute(path);
    }
    for name in recipe
        .data
        .also
        .iter_mut()
        .filter(|name| built_in(name).is_none())
    {
        *name = crate::dataset::absolute(Path::new(name))
            .display()
            .to_string();
    }
    recipe.encoders = recipe.encoders.clone().absolute();
}

/// Goes on with a run that was stopped.
///
/// # Errors
/// If it is no run, or is complete, or as [`train`].
pub fn resume(
    root: &Path,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let started = Instant::now();
    let folder = RunFolder::open(root)?;
    let lock = RunLock::acquire(root)?;
    if folder.metrics_path().is_file() {
        return Err(Error::folder(
            root,
            "is complete: there is nothing to resume (see its report.html)",
        ));
    }
    let recipe = folder.recipe()?;
    stages::check_starts(&recipe)?;
    taught::check(&recipe)?;
    let starts = stages::run(&recipe, &folder, options, observer)?;
    let read = read(&recipe, &starts, observer)?;
    let run = Run {
        ready: Ready::of(recipe, starts, read),
        folder,
        lock,
        resume: true,
        started,
    };
    finish(run, options, observer)
}

/// A run inside of another's folder: what it came to if it is complete, else what is left of it is done, or all.
pub(crate) fn run_within(
    path: &Path,
    recipe: impl FnOnce() -> Result<Recipe, Error>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<RunMetrics, Error> {
    if path.join("metrics.json").is_file() {
        read_json(&path.join("metrics.json"), LARGEST_METRICS)
    } else if path.join("recipe.toml").is_file() {
        Ok(resume(path, options, observer)?.metrics)
    } else {
        Ok(train(recipe()?, Some(path), options, observer)?.metrics)
    }
}

fn finish(run: Run, options: &Options<'_>, observer: &mut dyn Observer) -> Result<Finished, Error> {
    match run.ready.recipe.objective.kind.task() {
        Task::Classes | Task::Targets | Task::Semi | Task::Taught => {
            classes::finish(run, options, observer)
        }
        Task::Pretext | Task::Alignment | Task::Joint => pretext::finish(run, options, observer),
    }
}
