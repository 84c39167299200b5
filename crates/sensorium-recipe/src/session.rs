//! A whole run: data, model, training, evaluation, export and report, in that order. The run's folder is
//! locked from the first moment to the last, and holds nothing else until the data has been found good.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::seed;
use sensorium_data::{BadRow, OnError, Row, built_in};
use sensorium_eval::{Ablation, ClassificationReport};
use sensorium_train::{Outcome, RunLock, Supervised, Trainer, Weights};
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::dataset::Dataset;
use crate::evaluate::Measure;
use crate::export::export;
use crate::feed::TrainFeed;
use crate::folder::RunFolder;
use crate::modalities::Processors;
use crate::model::build;
use crate::prepare::{How, Prepared, prepare};
use crate::validate::{Trained, Validation};
use crate::{Error, Observer, Recipe, report};

/// What a run is to do besides what its recipe says.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Where tensors live.
    pub device: &'a Device,
    /// What to call that in the report.
    pub backend: String,
}

/// What stands in a run's `metrics.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunMetrics {
    /// The recipe's name.
    pub recipe: String,
    /// What ran the tensors.
    pub backend: String,
    /// How many numbers the model has.
    pub parameters: usize,
    /// Steps taken.
    pub steps: usize,
    /// Seconds of training, without preparing and testing.
    pub train_seconds: f64,
    /// Seconds of the whole run since it was last started.
    pub total_seconds: f64,
    /// Rows left out because they are bad.
    pub skipped_rows: usize,
    /// The score on rows never seen.
    pub test: ClassificationReport,
    /// The score on each set of modalities.
    pub ablation: Ablation,
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its folder.
    pub folder: RunFolder,
    /// Its numbers.
    pub metrics: RunMetrics,
}

/// The parts of a data set, prepared.
struct Parts {
    train: Prepared,
    valid: Prepared,
    test: Prepared,
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
    // First, so that a folder that is taken or cannot be written is not found out after all data has been prepared.
    let claim = Claim::new(out, &recipe.name)?;
    let (data, processors, parts) = read(&recipe, observer)?;
    let (folder, lock) = claim.begin(&recipe.to_toml())?;
    report::write_skipped(&folder, &data)?;
    let run = Run {
        recipe,
        folder,
        lock,
        data,
        processors,
        parts,
        resume: false,
    };
    finish(run, options, observer, started)
}

/// Makes a recipe's paths such that its run can be gone on with from anywhere.
pub(crate) fn make_absolute(recipe: &mut Recipe) {
    if let Some(path) = &mut recipe.data.path {
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
    let (data, processors, parts) = read(&recipe, observer)?;
    let run = Run {
        recipe,
        folder,
        lock,
        data,
        processors,
        parts,
        resume: true,
    };
    finish(run, options, observer, started)
}

/// Opens, checks and prepares the data.
fn read(
    recipe: &Recipe,
    observer: &mut dyn Observer,
) -> Result<(Dataset, Arc<Processors>, Parts), Error> {
    let mut data = Dataset::open(recipe, None, None)?;
    data.learn_also(recipe)?;
    data.notes.iter().for_each(|line| observer.note(line));
    data.split(recipe)?;
    let processors = recipe
        .encoders
        .fit(|modality| data.training_sources(modality))
        .map_err(|reason| Error::Modality {
            what: "learning from the training rows".to_owned(),
            reason,
        })?;
    let processors = Arc::new(processors);
    let mut how = How {
        on_error: recipe.data.on_error,
        threads: recipe.batch.n_threads(),
        room: recipe.batch.room(),
    };
    let mut part = |name: &str, rows: Vec<Row>| {
        let done = prepare(rows, &processors, &data.labels, how, observer)?;
        how.room = done.room;
        if done.prepared.is_empty() && name != "validation" {
            return Err(Error::Empty {
                what: format!("the {name} part of {}", data.name),
                why: match recipe.data.on_error {
                    OnError::Skip => {
                        " that can be used: see the reasons above, or the split".to_owned()
                    }
                    OnError::Fail => {
                        ": see [data.split], or the manifest's split column".to_owned()
                    }
                },
            });
        }
        Ok((done.prepared, done.bad))
    };
    let (train, bad_train) = part("training", data.training().cloned().collect())?;
    let (valid, bad_valid) = part(
        "validation",
        data.part(&data.splits.valid).cloned().collect(),
    )?;
    let (test, bad_test) = part("test", data.part(&data.splits.test).cloned().collect())?;
    for bad in [bad_train, bad_valid, bad_test].into_iter().flatten() {
        data.bad.push(bad);
    }
    for bad in &data.bad {
        observer.note(&format!("left out: {bad}"));
    }
    let anew = train.uncached() + valid.uncached() + test.uncached();
    if anew > 0 {
        observer.note(&format!(
            "{anew} prepared rows have no room in memory and are decoded anew each time: see batch.cache_mib and batch.cache_rows"
        ));
    }
    if valid.is_empty()
        && let Some(line) = nothing_to_validate(recipe, &data.name)
    {
        observer.note(&line);
    }
    Ok((data, processors, Parts { train, valid, test }))
}

/// What a recipe asks of a validation that has no rows, in one line.
fn nothing_to_validate(recipe: &Recipe, data: &str) -> Option<String> {
    let train = &recipe.train;
    let keys = [
        ("train.early_stop", train.early_stop.is_some()),
        ("train.metric", train.metric.is_some()),
        ("train.weights = \"best\"", train.weights == Weights::Best),
    ];
    let asked: Vec<&str> = keys
        .iter()
        .filter(|(_, set)| *set)
        .map(|(key, _)| *key)
        .collect();
    (!asked.is_empty()).then(|| {
        format!(
            "the validation part of {data} has no rows, so that {} {} no effect: the run goes to its end, and its last weights are kept",
            asked.join(" and "),
            if asked.len() == 1 { "has" } else { "have" }
        )
    })
}

/// Lists rows that could be decoded at first and no longer could later on.
fn note_lost(
    parts: &Parts,
    data: &mut Dataset,
    folder: &RunFolder,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let parts = [&parts.train, &parts.valid, &parts.test];
    let lost: Vec<BadRow> = parts.into_iter().flat_map(Prepared::lost_rows).collect();
    if lost.is_empty() {
        return Ok(());
    }
    for bad in &lost {
        observer.note(&format!("left out: {bad}"));
    }
    data.bad.extend(lost);
    report::write_skipped(folder, data)
}

/// What a run depends on besides its table `[train]` and its training rows: what must be the same to go on with it.
fn settings(run: &Run, classes: &[String]) -> Result<serde_json::Value, Error> {
    let recipe = serde_json::to_value(&run.recipe);
    let mut settings = recipe.map_err(|error| Error::folder(run.folder.recipe_path(), error))?;
    // Names, where the same rows lie, and what is done how fast, change no number.
    for (table, keys) in [
        ("", &["name", "about", "train"][..]),
        ("/data", &["path", "also"]),
        ("/batch", &["threads", "cache_rows", "cache_mib"]),
    ] {
        if let Some(table) = settings.pointer_mut(table).and_then(|t| t.as_object_mut()) {
            table.retain(|key, _| !keys.contains(&key.as_str()));
        }
    }
    settings["rows"] = serde_json::json!({
        "validation": run.parts.valid.identity(),
        "test": run.parts.test.identity(),
        "classes": classes,
    });
    Ok(settings)
}

/// A run, ready to learn.
struct Run {
    recipe: Recipe,
    folder: RunFolder,
    /// Keeps others out until the last file is written.
    lock: RunLock,
    data: Dataset,
    processors: Arc<Processors>,
    parts: Parts,
    /// Whether it goes on from a checkpoint.
    resume: bool,
}

fn finish(
    mut run: Run,
    options: &Options<'_>,
    observer: &mut dyn Observer,
    started: Instant,
) -> Result<Finished, Error> {
    let classes = run.data.labels.names().to_vec();
    let outcome = learn(&run, &classes, options.device, observer)?;
    let (recipe, folder, test_rows) = (&run.recipe, &run.folder, &run.parts.test);
    // What was added to a tower's weights is now part of them.
    let model = outcome.learner.model.materialize();
    let measure = Measure {
        classes: &classes,
        device: options.device,
        batch_size: recipe.batch.eval_size,
        threads: recipe.batch.n_threads(),
    };
    let of = recipe.encoders.modalities();
    observer.phase("testing", test_rows.len());
    let answers = measure.answers(&model, test_rows, &of, observer)?;
    observer.phase_end();
    let test = measure.score(test_rows, &answers)?;
    let ablation = measure.ablation(&model, test_rows, &of, &test, observer)?;
    export(folder, recipe, &model, &run.processors, &classes)?;
    note_lost(&run.parts, &mut run.data, folder, observer)?;
    let metrics = RunMetrics {
        recipe: recipe.name.clone(),
        backend: options.backend.clone(),
        parameters: model.num_params(),
        steps: outcome.steps,
        train_seconds: outcome.seconds,
        total_seconds: started.elapsed().as_secs_f64(),
        skipped_rows: run.data.bad.len(),
        test,
        ablation,
    };
    let html = report::html(recipe, folder, &run.data, test_rows, &answers, &metrics)?;
    folder.write("report.html", html.as_bytes())?;
    // Last, because its presence says that the run is complete.
    folder.write_json("metrics.json", &metrics)?;
    Ok(Finished {
        folder: run.folder,
        metrics,
    })
}

fn learn(
    run: &Run,
    classes: &[String],
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome<Trained>, Error> {
    let recipe = &run.recipe;
    let model = build(recipe, &run.processors, classes.len(), device)?;
    let train = &run.parts.train;
    let mut rows = vec![0; classes.len()];
    (0..train.len()).for_each(|row| rows[train.label(row)] += 1);
    let objective = recipe.objective.build(&rows);
    let feed = TrainFeed {
        rows: run.parts.train.clone(),
        size: recipe.batch.size,
        modality_dropout: recipe.batch.modality_dropout,
        threads: recipe.batch.n_threads(),
        seed: seed::derive(recipe.train.seed, &[seed::of_name("feed")]),
        device: device.clone().autodiff(),
    };
    let mut validation = Validation {
        rows: run.parts.valid.clone(),
        classes: classes.to_vec(),
        of: recipe.encoders.modalities(),
        device: device.clone(),
        batch_size: recipe.batch.eval_size,
        threads: recipe.batch.n_threads(),
    };
    let mut watch = crate::observer::Watching(observer);
    Trainer::new(recipe.train.clone(), run.folder.path())
        .resume(run.resume)
        .with_settings(settings(run, classes)?)
        .with_lock(run.lock.clone())
        .run(
            Supervised::new(model, objective),
            &feed,
            &mut validation,
            &mut watch,
            device,
        )
        .map_err(Error::from)
}
