//! Runs that learn without labels: one encoder by itself, or several towards one space.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::seed;
use sensorium_eval::{Search, Told};
use sensorium_train::{BoxError, Learned, Learner, Outcome, Scores, Trainer, Validate};

use super::read::settings;
use super::{Finished, Options, Run, RunMetrics};
use crate::feed::{HostBatch, Learning, Unlabelled, batches_of};
use crate::objective::Task;
use crate::observer::Watching;
use crate::prepare::Prepared;
use crate::pretext::{Pace, PretextModel, search, vectors, zero_shot};
use crate::{Error, Observer};

/// Trains, measures, and writes all there is to know.
pub(super) fn finish(
    run: Run,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let device = options.device;
    let outcome = learn(&run, device, observer)?;
    let model = outcome.learner.materialize();
    let calm = Calm::of(&run, run.parts.test.clone(), device);
    observer.phase("testing", run.parts.test.len());
    let scores = calm.scores(&model)?;
    observer.phase_end();
    let (search, told) = match run.recipe.objective.kind.task() {
        Task::Alignment => compare(&run, &model, device, observer)?,
        _ => (Vec::new(), Vec::new()),
    };
    let metrics = RunMetrics {
        scores,
        search,
        told,
        ..run.metrics(&model, outcome.steps, outcome.seconds, options)
    };
    run.conclude(&model, &[], metrics, options, observer)
}

fn learn(
    run: &Run,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome<PretextModel>, Error> {
    let recipe = &run.recipe;
    let model = PretextModel::build(recipe, &run.processors, device)?;
    let mut model = run.begun(model)?;
    model.encoders = model.encoders.frozen(&recipe.frozen);
    let feed = Unlabelled::new(run.learning(), &recipe.objective);
    let feed = run.feed(feed, device);
    let mut valid = Calm::of(run, run.parts.valid.clone(), device);
    Ok(Trainer::new(recipe.train.clone(), run.folder.path())
        .resume(run.resume)
        .with_settings(settings(run, &[])?)
        .with_lock(run.lock.clone())
        .run(model, &feed, &mut valid, &mut Watching(observer), device)?)
}

/// How well each modality finds the others, and classes are told by their descriptions.
fn compare(
    run: &Run,
    model: &PretextModel,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<(Vec<Search>, Vec<Told>), Error> {
    let recipe = &run.recipe;
    let pace = Pace {
        device,
        batch_size: recipe.batch.eval_size,
        threads: recipe.batch.n_threads(),
    };
    let test = vectors(model, &run.parts.test, pace, observer)?;
    let told = match &recipe.zero_shot {
        Some(config) => {
            let own = run.data.part(&run.data.splits.test).cloned().collect();
            zero_shot(model, config, own, &run.processors, pace, observer)?
        }
        None => Vec::new(),
    };
    Ok((search(&test)?, told))
}

/// Measures the loss on rows as they are, the same things hidden each time.
struct Calm {
    rows: Prepared,
    feed: Unlabelled,
    device: Device,
    batch_size: usize,
    threads: usize,
}

impl Calm {
    fn of(run: &Run, rows: Prepared, device: &Device) -> Self {
        let learning = Learning {
            rows: rows.clone(),
            size: run.recipe.batch.size,
            modality_dropout: 0.0,
            seed: seed::derive(run.recipe.train.seed, &[seed::of_name("measure")]),
        };
        Self {
            rows,
            feed: Unlabelled::new(learning, &run.recipe.objective),
            device: device.clone(),
            // What is compared within a batch is as hard as in training.
            batch_size: run.recipe.batch.size,
            threads: run.recipe.batch.n_threads(),
        }
    }

    /// The loss and its parts, and the share of right answers where there are such.
    fn scores(&self, model: &PretextModel) -> Result<BTreeMap<String, f64>, Error> {
        let order = (0..self.rows.len()).collect();
        let keep = self.rows.processors.modalities();
        let batches = batches_of(&self.rows, order, self.batch_size, self.threads, keep);
        let (mut sums, mut seen) = (BTreeMap::<String, f64>::new(), 0.0);
        let (mut right, mut counted) = (0.0, 0.0);
        for batch in batches {
            let batch: HostBatch = batch?;
            if batch.rows.is_empty() {
                continue;
            }
            let n = batch.rows.len() as f64;
            let Learned { loss, tally } = model.learn(self.feed.calm(batch, &self.device));
            let mut add =
                |name: &str, value: f64| *sums.entry(name.to_owned()).or_default() += n * value;
            add("loss", number(loss.total));
            loss.terms
                .into_iter()
                .for_each(|(name, term)| add(&name, number(term)));
            seen += n;
            if let Some(tally) = tally {
                right += number(tally.correct);
                counted += number(tally.counted);
            }
        }
        let mut scores: BTreeMap<String, f64> = sums
            .into_iter()
            .map(|(name, sum)| (name, sum / seen))
            .collect();
        if counted > 0.0 {
            scores.insert("accuracy".to_owned(), right / counted);
        }
        Ok(scores)
    }
}

fn number(tensor: burn::tensor::Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}

impl Validate<PretextModel> for Calm {
    fn validate(&mut self, model: &PretextModel, _epoch: usize) -> Result<Scores, BoxError> {
        let mut measured = self.scores(model)?;
        let Some(loss) = measured.remove("loss") else {
            return Ok(Scores::default());
        };
        let scores = Scores::default().lower("loss", loss);
        Ok(match measured.get("accuracy") {
            Some(accuracy) => scores.higher("accuracy", *accuracy),
            None => scores,
        })
    }
}
