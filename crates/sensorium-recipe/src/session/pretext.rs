//! Runs that learn without labels: one encoder by itself, or several towards one space.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_train::Outcome;

use super::{Finished, Options, Ready, Run, RunMetrics};
use crate::feed::{TrainFeed, Unlabelled};
use crate::observer::Watching;
use crate::pretext::{Calm, PretextModel, Scored, measure};
use crate::{Error, Observer};

/// Trains, measures, and writes all there is to know.
pub(super) fn finish(
    run: Run,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let device = options.device;
    let outcome = learn(&run, device, observer)?;
    let apart = run.apart(&outcome.learner)?;
    let model = outcome.learner.materialize();
    let ready = &run.ready;
    let (rows, test) = (&ready.parts.test, ready.data.part(&ready.data.splits.test));
    let Scored {
        scores,
        search,
        told,
    } = measure(&model, &ready.recipe, rows, test, device, observer)?;
    let metrics = RunMetrics {
        scores,
        search,
        told,
        ..run.metrics(&model, outcome.steps, outcome.seconds, options)
    };
    run.conclude((&model, apart), &[], metrics, options, observer)
}

/// What learns without labels, and what it learns from.
pub(super) fn ready_to_learn(
    run: &Ready,
    device: &Device,
) -> Result<(PretextModel, TrainFeed<Unlabelled>), Error> {
    let recipe = &run.recipe;
    let model = PretextModel::build(recipe, &run.processors, device)?;
    let mut model = run.begun(model)?;
    model.encoders = model.encoders.frozen(&recipe.frozen);
    let model = run.lora(model)?;
    let feed = Unlabelled::new(run.learning(), &recipe.objective)?;
    feed.check()?;
    Ok((model, run.feed(feed, device)))
}

fn learn(
    run: &Run,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome<PretextModel>, Error> {
    let recipe = &run.ready.recipe;
    let (model, feed) = ready_to_learn(&run.ready, device)?;
    let mut valid = Calm::of(recipe, run.ready.parts.valid.clone(), device)?;
    Ok(run
        .trainer(&[])?
        .run(model, &feed, &mut valid, &mut Watching(observer), device)?)
}
