//! Runs that learn without labels: one encoder by itself, or several towards one space.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_train::Outcome;

use super::{Finished, Options, Run, RunMetrics};
use crate::feed::Unlabelled;
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
    let model = outcome.learner.materialize();
    let (rows, test) = (&run.parts.test, run.data.part(&run.data.splits.test));
    let own = test.cloned().collect();
    let Scored {
        scores,
        search,
        told,
    } = measure(&model, &run.recipe, rows, own, device, observer)?;
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
    let feed = Unlabelled::new(run.learning(), &recipe.objective)?;
    feed.check()?;
    let feed = run.feed(feed, device);
    let mut valid = Calm::of(recipe, run.parts.valid.clone(), device)?;
    Ok(run
        .trainer(&[])?
        .run(model, &feed, &mut valid, &mut Watching(observer), device)?)
}
