//! A whole run: data, model, training, evaluation, export and report, in that order. Nothing is
//! written before the data has been read and found good.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::seed;
use sensorium_data::OnError;
use sensorium_eval::{Ablation, ClassificationReport};
use sensorium_train::{CrossEntropy, Outcome, Supervised, Trainer};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::evaluate::Measure;
use crate::feed::TrainFeed;
use crate::folder::{MODEL_TYPE, ModelConfig, RunFolder};
use crate::modalities::Processors;
use crate::model::{RecipeModel, build};
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
    if let Some(path) = &mut recipe.data.path {
        *path = crate::dataset::absolute(path);
    }
    recipe.encoders = recipe.encoders.absolute();
    let (data, processors, parts) = read(&recipe, observer)?;
    let folder = RunFolder::create(out, &recipe.name)?;
    folder.write("recipe.toml", recipe.to_toml().as_bytes())?;
    report::write_skipped(&folder, &data)?;
    let run = Run {
        recipe,
        folder: &folder,
        data,
        processors,
        parts,
        resume: false,
    };
    finish(run, options, observer, started)
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
        folder: &folder,
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
    let processors = recipe
        .encoders
        .fit(|modality| data.training_sources(modality))
        .map_err(|reason| Error::Modality {
            what: "learning from the training rows".to_owned(),
            reason,
        })?;
    let processors = Arc::new(processors);
    let how = How {
        on_error: recipe.data.on_error,
        threads: recipe.batch.n_threads(),
        cache_rows: recipe.batch.cache_rows,
    };
    let mut part = |name: &str, indices: &[usize]| {
        let done = prepare(data.rows(indices), &processors, &data.labels, how, observer)?;
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
    let (train, bad_train) = part("training", &data.splits.train)?;
    let (valid, bad_valid) = part("validation", &data.splits.valid)?;
    let (test, bad_test) = part("test", &data.splits.test)?;
    for bad in [bad_train, bad_valid, bad_test].into_iter().flatten() {
        data.bad.push(bad);
    }
    for bad in &data.bad {
        observer.note(&format!("left out: {bad}"));
    }
    Ok((data, processors, Parts { train, valid, test }))
}

/// A run, ready to learn.
struct Run<'a> {
    recipe: Recipe,
    folder: &'a RunFolder,
    data: Dataset,
    processors: Arc<Processors>,
    parts: Parts,
    /// Whether it goes on from a checkpoint.
    resume: bool,
}

fn finish(
    run: Run<'_>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
    started: Instant,
) -> Result<Finished, Error> {
    let (recipe, folder, test_rows) = (&run.recipe, run.folder, &run.parts.test);
    let classes = run.data.labels.names().to_vec();
    let outcome = learn(&run, &classes, options.device, observer)?;
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
        folder: folder.clone(),
        metrics,
    })
}

fn learn(
    run: &Run<'_>,
    classes: &[String],
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome<Trained>, Error> {
    let recipe = &run.recipe;
    let model = build(recipe, &run.processors, classes.len(), device)?;
    let objective = CrossEntropy::new().with_label_smoothing(recipe.objective.label_smoothing);
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
        .run(
            Supervised::new(model, objective),
            &feed,
            &mut validation,
            &mut watch,
            device,
        )
        .map_err(Error::from)
}

/// Writes `model/`, whole or not at all.
fn export(
    folder: &RunFolder,
    recipe: &Recipe,
    model: &RecipeModel,
    processors: &Processors,
    classes: &[String],
) -> Result<(), Error> {
    let path = folder.model_path();
    let aside = folder.path().join("model.part");
    let io = |error: std::io::Error| Error::folder(&path, error);
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(io)?;
    }
    std::fs::create_dir_all(&aside).map_err(io)?;
    processors.save(&aside).map_err(|reason| Error::Modality {
        what: format!("saving into {}", path.display()),
        reason,
    })?;
    sensorium_train::export_weights(model, &aside.join("model.safetensors"))?;
    let config = ModelConfig {
        model_type: MODEL_TYPE.to_owned(),
        sensorium_version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: classes.to_vec(),
        parameters: model.num_params(),
        recipe: recipe.clone(),
    };
    let text = serde_json::to_vec_pretty(&config).map_err(|error| Error::folder(&path, error))?;
    std::fs::write(aside.join("config.json"), text).map_err(io)?;
    if path.exists() {
        std::fs::remove_dir_all(&path).map_err(io)?;
    }
    std::fs::rename(&aside, &path).map_err(io)
}
