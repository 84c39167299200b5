//! Rows without their classes: as they are, with words hidden, or in two views.

use std::sync::Arc;

use burn::tensor::Device;
use sensorium_core::seed;
use sensorium_train::{Fed, TokenMask};

use super::next::{NextSentences, UNKNOWN};
use super::pairs::wrong_pairs;
use super::words::{Hide, hides_words, targets, text};
use super::{Batching, HostBatch, Learning, Plan, View, ids, numbers};
use crate::Error;
use crate::modalities::Samples;
use crate::objective::{Negatives, ObjectiveConfig, ObjectiveKind};
use crate::pretext::PretextBatch;

/// Batches of all rows, an epoch once through them.
#[derive(Clone, Debug)]
pub(crate) struct Unlabelled {
    learning: Learning,
    all: Vec<usize>,
    kind: ObjectiveKind,
    /// What hides words, if that is what is learned from.
    hide: Option<Arc<Hide>>,
    /// What cuts texts in two, if it is asked whether one part follows the other.
    next: Option<Arc<NextSentences>>,
    /// Which wrong pairs are drawn.
    negatives: Negatives,
}

/// A batch on the host, and what each sample's randomness derives from.
pub(crate) struct Drawn {
    first: HostBatch,
    second: Option<HostBatch>,
    seeds: Vec<u64>,
    words: Option<Vec<TokenMask>>,
    next: Option<Vec<i64>>,
}

impl Unlabelled {
    /// # Errors
    /// If a row can no longer be read and such rows are not skipped.
    pub(crate) fn new(learning: Learning, objective: &ObjectiveConfig) -> Result<Self, Error> {
        let texts = learning.rows.processors.text.as_ref();
        let texts = texts.and_then(|texts| texts.own());
        let next = texts.filter(|_| objective.next_sentence == Some(true));
        let next = next.map(|texts| NextSentences::new(&learning.rows, texts));
        let next = next.transpose()?.map(Arc::new);
        let hide = texts
            .filter(|_| hides_words(objective.kind))
            .map(|texts| Arc::new(Hide::new(texts, objective)));
        Ok(Self {
            all: (0..learning.rows.len()).collect(),
            learning,
            kind: objective.kind,
            hide,
            next,
            negatives: objective.negatives.unwrap_or_default(),
        })
    }

    /// Refuses rows that what is asked of them cannot be asked of.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.next {
            Some(next) if next.of_two() < 2 => Err(Error::Recipe {
                place: "objective.next_sentence".to_owned(),
                message: format!(
                    "asks whether a sentence follows another, and {} of {} training texts have two: remove it",
                    next.of_two(),
                    self.all.len()
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Whether it is asked of pairs, of modalities or of sentences, if they belong together.
    pub(crate) fn asks_of_pairs(&self) -> bool {
        self.kind == ObjectiveKind::Matching || self.next.is_some()
    }

    /// Whether two views are compared.
    fn compares(&self) -> bool {
        self.kind == ObjectiveKind::SimClr
    }

    /// Batches of rows as they are, to measure on: always the same.
    pub(crate) fn calm(&self, first: HostBatch, device: &Device) -> Result<PretextBatch, Error> {
        let processors = &self.learning.rows.processors;
        let again = |(row, samples): (&usize, &Samples)| {
            let mut rng = seed::rng(self.seed(1, *row), &[]);
            processors.augment_strongly(samples.clone(), &mut rng)
        };
        let second = self.compares().then(|| HostBatch {
            rows: first.rows.clone(),
            samples: first.rows.iter().zip(&first.samples).map(again).collect(),
        });
        let seeds = first.rows.iter().map(|row| self.seed(0, *row)).collect();
        let drawn = self.hidden(first, second, seeds)?;
        Ok(self.join(drawn, Negatives::Uniform, device))
    }

    fn seed(&self, pass: u64, row: usize) -> u64 {
        seed::derive(
            self.learning.seed,
            &[seed::of_name("hide"), pass, row as u64],
        )
    }

    /// The batch with its texts cut in two and its words hidden, if that is what is learned from.
    fn hidden(
        &self,
        mut first: HostBatch,
        second: Option<HostBatch>,
        seeds: Vec<u64>,
    ) -> Result<Drawn, Error> {
        let next = self
            .next
            .as_ref()
            .map(|next| paired(next, &mut first, &seeds));
        let next = next.transpose()?;
        let words = self.hide.as_ref().map(|hide| {
            let samples = first.samples.iter_mut().zip(&seeds);
            samples
                .map(|(samples, seed)| {
                    let mask = hide.mask(samples.text.as_ref(), *seed);
                    if samples.text.is_some() {
                        samples.text = Some(text(mask.ids.iter().copied()));
                    }
                    mask
                })
                .collect()
        });
        Ok(Drawn {
            first,
            second,
            seeds,
            words,
            next,
        })
    }

    fn join(&self, drawn: Drawn, negatives: Negatives, device: &Device) -> PretextBatch {
        let processors = &self.learning.rows.processors;
        let pairs = self.kind == ObjectiveKind::Matching;
        let wrong = pairs.then(|| {
            let rows = &self.learning.rows;
            let hard = negatives == Negatives::Hard;
            wrong_pairs(rows, &drawn.first.rows, &drawn.seeds, hard, device)
        });
        let collate = |batch: HostBatch| processors.collate(&batch.samples, device);
        let texts = processors.text.as_ref().and_then(|texts| texts.own());
        let words = texts.zip(drawn.words);
        PretextBatch {
            first: collate(drawn.first),
            second: drawn.second.map(collate),
            seeds: drawn.seeds,
            wrong,
            words: words.map(|(texts, words)| targets(texts, &words, device)),
            next: drawn.next.map(|next| numbers(next, device)),
        }
    }
}

impl Batching for Unlabelled {
    type Host = Drawn;
    type Batch = PretextBatch;

    fn learning(&self) -> &Learning {
        &self.learning
    }

    fn batches(&self) -> usize {
        let rows = self.learning.epoch_rows(self.all.len());
        rows.div_ceil(self.learning.size)
    }

    fn plan(&self, epoch: usize) -> Vec<Plan> {
        let size = self.learning.size;
        let places = self.learning.epoch_rows(self.all.len());
        let batches = self.learning.epoch(&self.all, epoch, places, size);
        let plan = |others| Plan {
            others,
            ..Plan::default()
        };
        batches.into_iter().map(plan).collect()
    }

    fn prepare(&self, plan: &Plan) -> Result<Option<Drawn>, Error> {
        let (learning, draws) = (&self.learning, &plan.others);
        let (first, second) = if self.compares() {
            match HostBatch::views(learning, draws, [View::Strong, View::StrongAgain])? {
                Some([first, second]) => (first, Some(second)),
                None => return Ok(None),
            }
        } else {
            match HostBatch::of(learning, draws, View::Learned)? {
                Some(first) => (first, None),
                None => return Ok(None),
            }
        };
        let readable = draws.iter().filter(|draw| first.rows.contains(&draw.row));
        let seeds = readable
            .map(|draw| self.seed(draw.pass, draw.row))
            .collect();
        self.hidden(first, second, seeds).map(Some)
    }

    fn collate(&self, host: Drawn, device: &Device) -> Fed<PretextBatch> {
        Fed {
            ids: ids(&self.learning.rows, &host.first.rows),
            batch: self.join(host, self.negatives, device),
        }
    }
}

/// Cuts the texts of a batch in two, each by its seed; returns how second parts stand to first ones.
fn paired(next: &NextSentences, batch: &mut HostBatch, seeds: &[u64]) -> Result<Vec<i64>, Error> {
    let rows = batch.rows.iter().zip(&mut batch.samples).zip(seeds);
    rows.map(|((row, samples), seed)| {
        let Some(own) = &samples.text else {
            return Ok(UNKNOWN);
        };
        let mut rng = seed::rng(*seed, &[seed::of_name("next sentence")]);
        let (ids, follows) = next.pair(*row, &own.ids, &mut rng)?;
        samples.text = Some(text(ids.into_iter().map(i64::from)));
        Ok(follows)
    })
    .collect()
}
