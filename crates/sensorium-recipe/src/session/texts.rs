//! Runs whose model answers with a text.

use burn::tensor::Device;
use sensorium_train::Outcome;

use super::classes::{Learned, tested};
use super::stages::writes_anew;
use super::{Finished, Options, Ready, Run};
use crate::feed::{Labelled, TrainFeed, Wordings};
use crate::labels::{LabelSet, Texts};
use crate::observer::Watching;
use crate::writing::{TextLearner, TextModel};
use crate::{Error, Observer};

/// Trains, tests, and writes all there is to know.
pub(super) fn finish(
    run: Run,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let device = options.device;
    let (learner, feed) = ready_to_learn(&run.ready, device, observer)?;
    let mut validation = run.validation(device);
    let outcome: Outcome<TextLearner> = run.trainer(&[])?.run(
        learner,
        &feed,
        &mut validation,
        &mut Watching(observer),
        device,
    )?;
    let learned = Learned {
        model: outcome.learner.model,
        steps: outcome.steps,
        seconds: outcome.seconds,
    };
    tested(run, learned, options, observer)
}

/// What learns to write, and what it learns from.
pub(super) fn ready_to_learn(
    run: &Ready,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<(TextLearner, TrainFeed<Labelled<Wordings>>), Error> {
    let (recipe, texts) = (&run.recipe, run.texts());
    let model = TextModel::build(recipe, &run.processors, texts, device)?;
    let mut model = run.begun(model)?;
    if let Some(path) = &run.starts.last
        && run.ranks.writes()
        && writes_anew(recipe, run.data.labels.as_ref(), path)?
    {
        observer.note(
            "the decoder begins anew: its table, its vocabulary, or what it looks at is another than before",
        );
    }
    model.encoders = model.encoders.frozen(&recipe.frozen);
    let learner = TextLearner {
        model: run.lora(model)?,
        objective: recipe.objective.for_texts(),
    };
    let wordings = Wordings::of(texts, &run.parts.train)?;
    let cut = wordings.cut();
    if cut > 0 {
        observer.note(&format!(
            "{cut} training rows have a text of more than decoder.max_tokens = {} tokens, and learn its start alone",
            texts.processor().max_tokens()
        ));
    }
    let feed = Labelled::with(run.learning(), wordings);
    Ok((learner, run.feed(feed, device)))
}

impl Ready {
    /// How its texts are split.
    fn texts(&self) -> &Texts {
        match self.labels() {
            LabelSet::Texts(texts) => texts,
            _ => unreachable!("rows that a model learns to write from have texts"),
        }
    }
}
