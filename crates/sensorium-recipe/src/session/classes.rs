//! Runs whose model answers what is asked: with a class, with several, or with numbers.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_data::RowRef;
use sensorium_train::{
    CollapseDetector, Feed, Outcome, StopOnCollapse, Supervised, Together, Trainer, Watch,
};

use super::read::settings;
use super::stages::same_parts;
use super::taught::lessons;
use super::{Finished, Options, Ready, Run, RunMetrics, drawn};
use crate::evaluate::Measure;
use crate::feed::{Labelled, Learning, Semi, TrainFeed, Values, View};
use crate::labels::LabelSet;
use crate::model::{RecipeModel, build};
use crate::objective::{SemiLearner, Task, TaughtLearner, strong};
use crate::observer::Watching;
use crate::validate::{Answers, Validation};
use crate::writing::Ask;
use crate::{Error, Observer};

/// What training gave.
pub(super) struct Learned<M> {
    pub(super) model: M,
    pub(super) steps: usize,
    pub(super) seconds: f64,
}

/// Trains, tests, and writes all there is to know.
pub(super) fn finish(
    run: Run,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let labels = run.ready.labels().clone();
    let learned = learn(&run.ready, &labels, options.device, observer, &run)?;
    tested(run, learned, options, observer)
}

/// Tests what was trained, and writes all there is to know.
pub(super) fn tested<M: Module + Ask>(
    run: Run,
    learned: Learned<M>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let Learned {
        model,
        steps,
        seconds,
    } = learned;
    let labels = run.ready.labels().clone();
    let (recipe, test_rows) = (&run.ready.recipe, &run.ready.parts.test);
    let apart = run.apart(&model)?;
    // What was added to weights is now part of them.
    let model = model.materialize();
    let measure = Measure {
        labels: &labels,
        device: options.device,
        batch_size: recipe.batch.eval_size,
        threads: recipe.batch.n_threads(),
        ranks: &options.ranks,
    };
    let of = recipe.encoders.modalities();
    observer.phase("testing", test_rows.len());
    let answers = measure.answers(&model, test_rows, &of, observer)?;
    observer.phase_end();
    let test = measure.score(test_rows, &answers)?;
    let ablation = measure.ablation(&model, test_rows, &of, &test, observer)?;
    let metrics = RunMetrics {
        ablation: Some(ablation),
        ..run.metrics(&model, steps, seconds, options).of(test)
    };
    run.conclude((&model, apart), &answers, metrics, options, observer)
}

/// What is done with what is ready to learn: it learns, or is tried out.
pub(super) trait Lesson {
    /// What comes of it.
    type Out;

    fn give<L: Answers<Trained = RecipeModel>, F: Feed<Batch = L::Batch>>(
        self,
        labels: &LabelSet,
        learner: L,
        feed: &F,
        watch: &mut impl Watch,
        device: &Device,
    ) -> Result<Self::Out, Error>;
}

/// Makes what the recipe asks for, and gives it its lesson.
pub(super) fn learn<T: Lesson>(
    run: &Ready,
    labels: &LabelSet,
    device: &Device,
    observer: &mut dyn Observer,
    lesson: T,
) -> Result<T::Out, Error> {
    let recipe = &run.recipe;
    let model = build(recipe, &run.processors, labels.width(), device)?;
    let mut model = run.begun(model)?;
    model.encoders = model.encoders.frozen(&recipe.frozen);
    let model = run.lora(model)?;
    let rows = &run.parts.train;
    let learning = run.learning();
    match recipe.objective.kind.task() {
        Task::Classes => {
            let mut counts = vec![0; labels.names().len()];
            let labelled = rows.labelled().into_iter();
            labelled.for_each(|row| counts[rows.class(row)] += 1);
            let learner = Supervised::new(model, recipe.objective.for_classes(&counts));
            let feed = run.feed(Labelled::new(learning), device);
            let watch = &mut Watching(observer);
            lesson.give(labels, learner, &feed, watch, device)
        }
        Task::Targets => {
            let mut there = vec![0; labels.names().len()];
            if matches!(labels, LabelSet::Several { .. }) {
                let held = (0..rows.len()).flat_map(|row| rows.held(row).iter().enumerate());
                held.for_each(|(class, held)| there[class] += usize::from(*held));
            }
            let objective = recipe.objective.for_targets(&there, rows.len());
            let values = Values {
                scales: labels.scales().to_vec(),
            };
            let feed = run.feed(Labelled::with(learning, values), device);
            let (learner, watch) = (Supervised::new(model, objective), &mut Watching(observer));
            lesson.give(labels, learner, &feed, watch, device)
        }
        Task::Taught => {
            let lessons = lessons(run, device, observer)?;
            let learner = TaughtLearner::new(model, &recipe.objective);
            let (known, lessons) = (lessons.rows(), Arc::new(lessons));
            let feed = run.feed(Labelled::once(learning, known, lessons), device);
            let watch = &mut Watching(observer);
            lesson.give(labels, learner, &feed, watch, device)
        }
        _ => {
            let objective = &recipe.objective;
            let other = match strong(objective.kind) {
                true => View::Strong,
                false => View::Again,
            };
            let feed = run.feed(Semi::new(learning, objective.unlabelled(), other), device);
            let steps = recipe.train.total_steps(feed.batches_per_epoch());
            let (learner, detector) =
                SemiLearner::new(model, objective, rows.len(), labels.width(), steps, device);
            let mut watch = StopOnCollapse::new(Watching(observer), detector.clone());
            let learned = lesson.give(labels, learner, &feed, &mut watch, device)?;
            collapsed(&detector, &run.ranks)?;
            Ok(learned)
        }
    }
}

/// An error, if a model has come to say the same of everything: of all that one of the processes has seen, which then ends all.
fn collapsed(detector: &CollapseDetector, ranks: &Together) -> Result<(), Error> {
    let seen = ranks.gather(detector.collapse())?;
    match seen.into_iter().flatten().next() {
        Some(collapse) => Err(Error::Collapsed(collapse)),
        None => Ok(()),
    }
}

impl Lesson for &Run {
    type Out = Learned<RecipeModel>;

    fn give<L: Answers<Trained = RecipeModel>, F: Feed<Batch = L::Batch>>(
        self,
        labels: &LabelSet,
        learner: L,
        feed: &F,
        watch: &mut impl Watch,
        device: &Device,
    ) -> Result<Learned<RecipeModel>, Error> {
        let mut validation = self.validation(device);
        let outcome: Outcome<L> =
            self.trainer(labels.names())?
                .run(learner, feed, &mut validation, watch, device)?;
        Ok(Learned {
            model: outcome.learner.trained().clone(),
            steps: outcome.steps,
            seconds: outcome.seconds,
        })
    }
}

impl Run {
    /// What measures it between epochs.
    pub(super) fn validation(&self, device: &Device) -> Validation {
        let recipe = &self.ready.recipe;
        Validation {
            rows: self.ready.parts.valid.clone(),
            labels: self.ready.labels().clone(),
            of: recipe.encoders.modalities(),
            device: device.clone(),
            batch_size: recipe.batch.eval_size,
            threads: recipe.batch.n_threads(),
            ranks: self.ready.ranks.clone(),
        }
    }

    /// What trains it, or goes on with it.
    pub(super) fn trainer(&self, classes: &[String]) -> Result<Trainer, Error> {
        let trainer = Trainer::new(self.ready.recipe.train.clone(), self.folder.path())
            .resume(self.resume)
            .with_settings(settings(self, classes)?)
            .with_ranks(self.ready.ranks.clone());
        Ok(match &self.lock {
            Some(lock) => trainer.with_lock(lock.clone()),
            None => trainer,
        })
    }
}

impl Ready {
    /// What its rows are labelled with.
    pub(super) fn labels(&self) -> &LabelSet {
        let labels = self.data.labels.as_ref();
        labels.expect("rows that are learned from with their labels have some")
    }

    /// What is learned from.
    pub(super) fn learning(&self) -> Learning {
        drawn::learning(&self.recipe, &self.parts, self.drawn.drawing.clone())
    }

    pub(super) fn feed<B>(&self, batching: B, device: &Device) -> TrainFeed<B> {
        TrainFeed {
            batching,
            threads: self.recipe.batch.n_threads(),
            device: self.recipe.train.training_device(device),
            ranks: self.ranks.clone(),
            data_sets: self.data_sets(),
        }
    }

    /// The data sets that are drawn from by weight; none, if a row of the run's own has an id as another's rows have.
    fn data_sets(&self) -> Vec<String> {
        if self.drawn.sources.is_empty() {
            return Vec::new();
        }
        let names = self.drawn.sources.iter().map(|source| source.name.clone());
        let names: Vec<String> = names.collect();
        let taken = |row: RowRef<'_>| {
            names[1..]
                .iter()
                .any(|name| row.id().starts_with(&format!("{name}/")))
        };
        let own = self.data.part(&self.data.splits.train);
        match own.refs().any(taken) {
            true => Vec::new(),
            false => names,
        }
    }

    /// A model whose encoders begin where those of other runs have come to.
    pub(super) fn begun<M: Module>(&self, mut model: M) -> Result<M, Error> {
        // The others are told by rank 0, which has the folders.
        if !self.ranks.writes() {
            return Ok(model);
        }
        let weights = |path: &Path| path.join("model").join("model.safetensors");
        for (name, path) in &self.starts.encoders {
            let part = format!("encoders.{name}.");
            model = sensorium_train::import_part(&model, &weights(path), &part)?;
        }
        let Some(path) = &self.starts.last else {
            return Ok(model);
        };
        let labels = self.data.labels.as_ref();
        for part in same_parts(&self.recipe, labels, path)? {
            model = sensorium_train::import_part(&model, &weights(path), part)?;
        }
        Ok(model)
    }
}
