//! A run tried out: its data is read, its model made, and two steps taken in memory. Nothing is written.

use std::time::Instant;

use burn::tensor::Device;
use sensorium_train::{Feed, Rehearsal, Watch};
use serde::Serialize;

use super::classes::{self, Lesson};
use super::read::read;
use super::stages::Starts;
use super::{
    DrawnFrom, Options, Padding, Ready, check_precision, make_absolute, pretext, stages, taught,
    texts,
};
use crate::labels::LabelSet;
use crate::model::RecipeModel;
use crate::objective::Task;
use crate::validate::Answers;
use crate::variations::NamedStage;
use crate::{Error, Observer, Recipe};

/// What a run would do and take.
#[derive(Clone, Debug, Serialize)]
pub struct Rehearsed {
    /// The recipe's name.
    pub recipe: String,
    /// What it learns by.
    pub objective: String,
    /// What would be learned before it, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Before>,
    /// Rows that would be learned from, validated and tested on.
    pub rows: [usize; 3],
    /// How much an epoch would draw of each data set, where that goes by weight.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drawn_from: Vec<DrawnFrom>,
    /// Which share would be padding, where rows are put together by their length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub padding: Option<Padding>,
    /// Bad rows that would be left out.
    pub skipped_rows: usize,
    /// Seconds that reading and preparing them took.
    pub prepare_seconds: f64,
    /// What its steps would do and take.
    pub training: Rehearsal,
    /// The most memory this process has taken so far, prepared rows and program included, in bytes; where the system
    /// tells.
    pub peak_bytes: Option<u64>,
}

/// What would be learned before a run.
#[derive(Clone, Debug, Serialize)]
pub struct Before {
    /// Where the recipe asks for it: `pretrain.image`, `stages.base`.
    pub name: String,
    /// What it would do and take.
    pub run: Rehearsed,
}

/// Tries a recipe out, after all that it asks to be learned before. What one would hand on to the next is left out: each begins as it
/// is drawn, or where a run that is there already has come to.
///
/// # Errors
/// If its data is bad, or it could not begin to learn.
pub fn rehearse(
    mut recipe: Recipe,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Rehearsed, Error> {
    make_absolute(&mut recipe);
    let before = all_before(&recipe, options, observer)?;
    check_precision(&recipe, options)?;
    stages::check_starts(&recipe)?;
    taught::check(&recipe)?;
    let clock = Instant::now();
    let starts = Starts::named(&recipe)?;
    let read = read(&recipe, &starts, observer)?;
    let prepare_seconds = clock.elapsed().as_secs_f64();
    let ready = Ready::of(recipe, starts, read, &options.ranks, observer)?;
    let device = options.device;
    observer.phase("trying out", 2);
    let training = match ready.recipe.objective.kind.task() {
        Task::Classes | Task::Targets | Task::Semi | Task::Taught => {
            let labels = ready.labels().clone();
            classes::learn(&ready, &labels, device, observer, Trial(&ready))?
        }
        Task::Texts => {
            let (learner, feed) = texts::ready_to_learn(&ready, device, observer)?;
            sensorium_train::rehearse(&ready.recipe.train, learner, &feed, device)?
        }
        Task::Pretext | Task::Alignment | Task::Joint => {
            let (model, feed) = pretext::ready_to_learn(&ready, device)?;
            sensorium_train::rehearse(&ready.recipe.train, model, &feed, device)?
        }
    };
    observer.phase_end();
    let Ready {
        recipe,
        data,
        parts,
        drawn,
        ..
    } = ready;
    Ok(Rehearsed {
        recipe: recipe.name,
        objective: recipe.objective.kind.name().to_owned(),
        before,
        rows: [parts.train.len(), parts.valid.len(), parts.test.len()],
        drawn_from: drawn.sources,
        padding: drawn.padding,
        skipped_rows: data.bad.len(),
        prepare_seconds,
        training,
        peak_bytes: peak_bytes(),
    })
}

/// What `[pretrain]` and `[[stages]]` ask for, tried out.
fn all_before(
    recipe: &Recipe,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Before>, Error> {
    let mut before = Vec::new();
    let mut tried = |name: String, stage: Recipe, observer: &mut dyn Observer| {
        observer.note(&format!("before: {name}"));
        let run = rehearse(stage, options, observer)?;
        before.push(Before { name, run });
        Ok::<(), Error>(())
    };
    for name in recipe.pretrain.keys() {
        tried(format!("pretrain.{name}"), recipe.stage(name)?, observer)?;
    }
    let starts = Starts::named(recipe)?;
    for NamedStage { name, set } in &recipe.stages {
        let mut stage = recipe.before(name, set)?;
        stage.goes_on(&starts);
        tried(format!("stages.{name}"), stage, observer)?;
    }
    Ok(before)
}

/// Two steps instead of a run.
struct Trial<'a>(&'a Ready);

impl Lesson for Trial<'_> {
    type Out = Rehearsal;

    fn give<L: Answers<Trained = RecipeModel>, F: Feed<Batch = L::Batch>>(
        self,
        _labels: &LabelSet,
        learner: L,
        feed: &F,
        _watch: &mut impl Watch,
        device: &Device,
    ) -> Result<Rehearsal, Error> {
        let train = &self.0.recipe.train;
        Ok(sensorium_train::rehearse(train, learner, feed, device)?)
    }
}

/// The most memory that this process had in use, as Linux counts it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
