//! How good a model is that answers with no class: its losses on rows never seen, and what its space is good for.

use std::collections::BTreeMap;

use burn::tensor::Device;
use sensorium_core::seed;
use sensorium_data::Rows;
use sensorium_eval::{Search, Told, auroc};
use sensorium_train::{BoxError, Learned, Learner, Scores, Validate};

use super::{Pace, PretextModel, search, vectors, zero_shot};
use crate::feed::{HostBatch, Learning, Unlabelled, batches_of};
use crate::objective::{ObjectiveKind, Task};
use crate::prepare::Prepared;
use crate::{Error, Observer, Recipe};

/// What is measured.
pub(crate) struct Scored {
    /// The loss and its parts, and what else there is, by name.
    pub scores: BTreeMap<String, f64>,
    /// How well modalities that share a space find each other.
    pub search: Vec<Search>,
    /// Classes told by what they are called.
    pub told: Vec<Told>,
}

/// All that is measured at the end, on prepared rows; `own` are the same as they stand in the data.
pub(crate) fn measure(
    model: &PretextModel,
    recipe: &Recipe,
    rows: &Prepared,
    own: Rows,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Scored, Error> {
    let calm = Calm::of(recipe, rows.clone(), device)?;
    observer.phase("testing", rows.len());
    let mut scores = calm.scores(model)?;
    calm.tell_pairs(model, &mut scores)?;
    observer.phase_end();
    let (mut found, mut told) = (Vec::new(), Vec::new());
    if recipe.objective.kind.task() == Task::Alignment {
        let pace = Pace {
            device,
            batch_size: recipe.batch.eval_size,
            threads: recipe.batch.n_threads(),
        };
        found = search(&vectors(model, rows, pace, observer)?)?;
        if let Some(config) = &recipe.zero_shot {
            told = zero_shot(model, config, own, &rows.processors, pace, observer)?;
        }
    }
    Ok(Scored {
        scores,
        search: found,
        told,
    })
}

/// Measures the loss on rows as they are, the same things hidden each time.
pub(crate) struct Calm {
    rows: Prepared,
    feed: Unlabelled,
    kind: ObjectiveKind,
    device: Device,
    batch_size: usize,
    threads: usize,
}

impl Calm {
    pub(crate) fn of(recipe: &Recipe, rows: Prepared, device: &Device) -> Result<Self, Error> {
        let learning = Learning {
            rows: rows.clone(),
            size: recipe.batch.size,
            modality_dropout: 0.0,
            seed: seed::derive(recipe.train.seed, &[seed::of_name("measure")]),
            drawing: Default::default(),
        };
        Ok(Self {
            rows,
            feed: Unlabelled::new(learning, &recipe.objective)?,
            kind: recipe.objective.kind,
            device: device.clone(),
            // What is compared within a batch is as hard as in training.
            batch_size: recipe.batch.size,
            threads: recipe.batch.n_threads(),
        })
    }

    /// The loss and its parts, and the share of right answers where there are such.
    fn scores(&self, model: &PretextModel) -> Result<BTreeMap<String, f64>, Error> {
        // A part that a batch has not, such as that of a modality none of its rows has, is a mean over the others.
        let mut sums = BTreeMap::<String, (f64, f64)>::new();
        let (mut right, mut counted) = (0.0, 0.0);
        for batch in self.batches() {
            let batch: HostBatch = batch?;
            if batch.rows.is_empty() {
                continue;
            }
            let n = batch.rows.len() as f64;
            let Learned { loss, tally } = model.learn(self.feed.calm(batch, &self.device)?);
            let mut add = |name: &str, value: f64| {
                let (sum, seen) = sums.entry(name.to_owned()).or_default();
                *sum += n * value;
                *seen += n;
            };
            add("loss", number(loss.total));
            loss.terms
                .into_iter()
                .for_each(|(name, term)| add(&name, number(term)));
            if let Some(tally) = tally {
                right += number(tally.correct);
                counted += number(tally.counted);
            }
        }
        let mut scores: BTreeMap<String, f64> = sums
            .into_iter()
            .map(|(name, (sum, seen))| (name, sum / seen))
            .collect();
        if counted > 0.0 {
            scores.insert("accuracy".to_owned(), right / counted);
        }
        Ok(scores)
    }

    /// How well pairs are told, where a model is asked about such: how right ones stand above wrong ones, or the share of texts
    /// of which it is known whether one part follows the other.
    fn tell_pairs(
        &self,
        model: &PretextModel,
        scores: &mut BTreeMap<String, f64>,
    ) -> Result<(), Error> {
        if !self.feed.asks_of_pairs() {
            return Ok(());
        }
        let (mut positive, mut surplus) = (Vec::new(), Vec::new());
        for batch in self.batches() {
            let batch = batch?;
            if batch.rows.is_empty() {
                continue;
            }
            let Some(judged) = model.judge(self.feed.calm(batch, &self.device)?) else {
                continue;
            };
            let logits: Vec<f32> = judged.logits.into_data().iter::<f32>().collect();
            let matches = judged.matches.into_data();
            let pairs = logits.chunks(2).zip(matches.iter::<i64>());
            for (pair, class) in pairs.filter(|(_, class)| *class >= 0) {
                positive.push(class == 1);
                surplus.push(pair[1] - pair[0]);
            }
        }
        if self.kind == ObjectiveKind::Matching {
            let auroc = auroc(&positive, &surplus)?;
            scores.extend(auroc.map(|auroc| ("auroc".to_owned(), auroc)));
        } else if !positive.is_empty() {
            let told = positive.iter().zip(&surplus);
            let right = told.filter(|(class, surplus)| **class == (**surplus > 0.0));
            let share = right.count() as f64 / positive.len() as f64;
            scores.insert("next_sentence_accuracy".to_owned(), share);
        }
        Ok(())
    }

    /// The rows as they are, in order.
    fn batches(&self) -> impl Iterator<Item = Result<HostBatch, Error>> + use<> {
        let order = (0..self.rows.len()).collect();
        let keep = self.rows.processors.modalities();
        batches_of(&self.rows, order, self.batch_size, self.threads, keep)
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
