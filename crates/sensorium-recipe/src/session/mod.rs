//! A whole run: data, model, training, evaluation, export and report, in that order. The run's folder is
//! locked from the first moment to the last, and holds nothing else until the data has been found good.

mod adapted;
mod beside;
mod classes;
mod conclude;
mod drawn;
mod metrics;
mod pretext;
mod read;
mod rehearse;
mod stages;
mod taught;
mod texts;
mod together;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use sensorium_data::built_in;
use sensorium_train::{RunLock, Together};

use crate::dataset::Dataset;
use crate::folder::{LARGEST_METRICS, RunFolder, read_json};
use crate::modalities::Processors;
use crate::objective::Task;
use crate::{Error, Observer, Recipe, report};
pub use beside::Beside;
pub(crate) use beside::FOLDER as BESIDE;
use drawn::Drawn;
pub use drawn::{DrawnFrom, Padding};
pub use metrics::{Finished, RunMetrics};
use read::{Parts, read};
pub use rehearse::{Before, Rehearsed, rehearse};
use stages::Starts;
pub(crate) use stages::{FOLDER as PRETRAIN, STAGES, check_stage};
pub(crate) use together::check as check_together;
use together::{Begun, HowFar};

/// What a run is to do besides what its recipe says.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Where tensors live.
    pub device: &'a Device,
    /// What to call that in the report.
    pub backend: String,
    /// Which of several processes this is that train one model; by itself, unless said otherwise.
    pub ranks: Together,
}

impl<'a> Options<'a> {
    /// A run by itself on this device, which the report calls so.
    pub fn new(device: &'a Device, backend: impl Into<String>) -> Self {
        Self {
            device,
            backend: backend.into(),
            ranks: Together::default(),
        }
    }
}

/// All that a model is made of and learns from.
struct Ready {
    recipe: Recipe,
    data: Dataset,
    processors: Arc<Processors>,
    parts: Parts,
    /// How rows are drawn.
    drawn: Drawn,
    /// What it goes on from.
    starts: Starts,
    /// Which of several processes this is that train the model.
    ranks: Together,
}

/// A run, ready to learn.
struct Run {
    ready: Ready,
    folder: RunFolder,
    /// Keeps others out until the last file is written; who does not write needs none.
    lock: Option<RunLock>,
    /// Whether it goes on from a checkpoint.
    resume: bool,
    started: Instant,
}

impl Ready {
    fn of(
        recipe: Recipe,
        starts: Starts,
        (data, processors, parts): (Dataset, Arc<Processors>, Parts),
        ranks: &Together,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let drawn = Drawn::of(&recipe, &data, &parts)?;
        drawn.tell(observer);
        Ok(Self {
            drawn,
            recipe,
            data,
            processors,
            parts,
            starts,
            ranks: ranks.clone(),
        })
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
    check_precision(&recipe, options)?;
    stages::check_starts(&recipe)?;
    taught::check(&recipe)?;
    together::check(&recipe, &options.ranks)?;
    // First, so that a folder that is taken or cannot be written is not found out after all data has been prepared.
    let mut claim = Begun::claim(out, &recipe.name, &options.ranks)?;
    let (starts, read) = if recipe.pretrain.is_empty() && recipe.stages.is_empty() {
        let starts = Starts::named(&recipe)?;
        let read = read(&recipe, &starts, observer)?;
        claim.begin(&recipe, &options.ranks)?;
        (starts, read)
    } else {
        // What comes before the data is learned inside the folder.
        claim.begin(&recipe, &options.ranks)?;
        let starts = stages::all(&recipe, &claim.folder, options, observer)?;
        let read = read(&recipe, &starts, observer)?;
        (starts, read)
    };
    let Begun { folder, lock, .. } = claim;
    let ready = Ready::of(recipe, starts, read, &options.ranks, observer)?;
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
        .chain(&mut recipe.after)
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
    if let Some(decoder) = &mut recipe.decoder {
        decoder.absolute();
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
    let (folder, recipe, lock) = Begun::open(root, &options.ranks)?;
    check_precision(&recipe, options)?;
    stages::check_starts(&recipe)?;
    taught::check(&recipe)?;
    together::check(&recipe, &options.ranks)?;
    let starts = stages::all(&recipe, &folder, options, observer)?;
    let read = read(&recipe, &starts, observer)?;
    let run = Run {
        ready: Ready::of(recipe, starts, read, &options.ranks, observer)?,
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
    let there = options.ranks.once(|| Ok::<_, Error>(HowFar::of(path)))?;
    match there {
        HowFar::Complete => options
            .ranks
            .once_json(|| read_json(&path.join("metrics.json"), LARGEST_METRICS)),
        HowFar::Begun => Ok(resume(path, options, observer)?.metrics),
        HowFar::Nowhere => Ok(train(recipe()?, Some(path), options, observer)?.metrics),
    }
}

fn finish(run: Run, options: &Options<'_>, observer: &mut dyn Observer) -> Result<Finished, Error> {
    match run.ready.recipe.objective.kind.task() {
        Task::Classes | Task::Targets | Task::Semi | Task::Taught => {
            classes::finish(run, options, observer)
        }
        Task::Texts => texts::finish(run, options, observer),
        Task::Pretext | Task::Alignment | Task::Joint => pretext::finish(run, options, observer),
    }
}

/// Refuses a precision that the backend has not, before anything is read.
fn check_precision(recipe: &Recipe, options: &Options<'_>) -> Result<(), Error> {
    let checked = recipe.train.precision.check(options.device);
    checked.map_err(|_| Error::Recipe {
        place: "train.precision".to_owned(),
        message: format!(
            "{:?} is nothing that {} computes in on this device: leave it out, or choose another --backend",
            recipe.train.precision.name(),
            options.backend
        ),
    })
}
