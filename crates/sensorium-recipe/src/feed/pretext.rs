//! Rows without their classes: as they are, with words hidden, or in two views.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{Processor, seed};
use sensorium_text::{TextBatch, TextProcessor, TextSample};
use sensorium_train::{Fed, MaskTokens, TokenMask};

use super::{Batching, Draw, HostBatch, Learning, View, ids};
use crate::Error;
use crate::objective::{ObjectiveConfig, ObjectiveKind};
use crate::pretext::PretextBatch;

/// Batches of all rows, an epoch once through them.
#[derive(Clone, Debug)]
pub(crate) struct Unlabelled {
    learning: Learning,
    all: Vec<usize>,
    objective: ObjectiveConfig,
}

/// A batch on the host, and what each sample's randomness derives from.
pub(crate) struct Drawn {
    first: HostBatch,
    second: Option<HostBatch>,
    seeds: Vec<u64>,
}

impl Unlabelled {
    pub(crate) fn new(learning: Learning, objective: &ObjectiveConfig) -> Self {
        Self {
            all: (0..learning.rows.len()).collect(),
            learning,
            objective: objective.clone(),
        }
    }

    fn places(&self, epoch: usize, batch: usize) -> Range<usize> {
        let (rows, size) = (self.all.len(), self.learning.size);
        let start = batch * size;
        epoch * rows + start..epoch * rows + (start + size).min(rows)
    }

    /// How samples are changed, once or twice.
    fn views(&self) -> (View, Option<View>) {
        match self.objective.kind {
            ObjectiveKind::SimClr => (View::Strong, Some(View::StrongAgain)),
            _ => (View::Learned, None),
        }
    }

    /// Batches of rows as they are, to measure on: always the same.
    pub(crate) fn calm(&self, host: HostBatch, device: &Device) -> PretextBatch {
        let seeds = host.rows.iter().map(|row| self.seed(0, *row)).collect();
        let drawn = Drawn {
            second: self.views().1.map(|_| HostBatch {
                rows: host.rows.clone(),
                samples: host
                    .rows
                    .iter()
                    .zip(&host.samples)
                    .map(|(row, samples)| {
                        let mut rng = seed::rng(self.seed(1, *row), &[]);
                        let processors = &self.learning.rows.processors;
                        processors.augment_strongly(samples.clone(), &mut rng)
                    })
                    .collect(),
            }),
            first: host,
            seeds,
        };
        self.join(drawn, device)
    }

    fn seed(&self, pass: u64, row: usize) -> u64 {
        seed::derive(
            self.learning.seed,
            &[seed::of_name("hide"), pass, row as u64],
        )
    }

    fn join(&self, drawn: Drawn, device: &Device) -> PretextBatch {
        let processors = &self.learning.rows.processors;
        let mut samples = drawn.first.samples;
        let mut words = None;
        if self.objective.kind == ObjectiveKind::MaskedLanguage
            && let Some(processor) = processors.text.as_ref().and_then(|text| text.own())
        {
            let hide = Hide::new(processor, &self.objective);
            let masks: Vec<TokenMask> = samples
                .iter()
                .zip(&drawn.seeds)
                .map(|(samples, seed)| hide.mask(samples.text.as_ref(), *seed))
                .collect();
            words = Some(targets(processor, &masks, device));
            for (samples, mask) in samples.iter_mut().zip(masks) {
                samples.text = Some(text(mask.ids.iter().copied()));
            }
        }
        PretextBatch {
            first: processors.collate(&samples, device),
            second: drawn
                .second
                .map(|second| processors.collate(&second.samples, device)),
            seeds: drawn.seeds,
            words,
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
        self.all.len().div_ceil(self.learning.size)
    }

    fn extent(&self, epoch: usize, batch: usize) -> (usize, usize) {
        let places = self.places(epoch, batch);
        let first = self
            .learning
            .draw(&self.all, places.start..places.start + 1);
        (places.len(), first[0].row)
    }

    fn prepare(&self, epoch: usize, batch: usize) -> Result<Option<Drawn>, Error> {
        let draws = self.learning.draw(&self.all, self.places(epoch, batch));
        let (view, again) = self.views();
        let Some(first) = HostBatch::of(&self.learning, &draws, view)? else {
            return Ok(None);
        };
        let readable: Vec<Draw> = draws
            .into_iter()
            .filter(|draw| first.rows.contains(&draw.row))
            .collect();
        let seeds = readable
            .iter()
            .map(|draw| self.seed(draw.pass, draw.row))
            .collect();
        let second = match again {
            Some(again) => match HostBatch::of(&self.learning, &readable, again)? {
                Some(second) if second.rows == first.rows => Some(second),
                _ => return Ok(None),
            },
            None => None,
        };
        Ok(Some(Drawn {
            first,
            second,
            seeds,
        }))
    }

    fn collate(&self, host: Drawn, device: &Device) -> Fed<PretextBatch> {
        Fed {
            ids: ids(&self.learning.rows, &host.first.rows),
            batch: self.join(host, device),
        }
    }
}

/// Hides words of texts.
struct Hide {
    tokens: MaskTokens,
    special: Vec<u32>,
    starts_word: Option<Vec<bool>>,
}

impl Hide {
    fn new(processor: &TextProcessor, objective: &ObjectiveConfig) -> Self {
        let tokenizer = processor.tokenizer();
        let mask = i64::from(tokenizer.mask_id());
        let tokens = MaskTokens::new(mask, tokenizer.vocab_size()).with_share(objective.share());
        Self {
            tokens,
            special: tokenizer.special_ids(),
            starts_word: objective
                .whole_words
                .unwrap_or(false)
                .then(|| tokenizer.word_starts()),
        }
    }

    fn mask(&self, sample: Option<&TextSample>, seed: u64) -> TokenMask {
        let ids: &[u32] = sample.map_or(&[], |sample| &sample.ids);
        let special: Vec<bool> = ids.iter().map(|id| self.special.contains(id)).collect();
        let words = self.starts_word.as_ref().map(|starts| {
            let mut word = 0;
            let count = |id: &u32| {
                word += usize::from(starts.get(*id as usize).copied().unwrap_or(true));
                word
            };
            ids.iter().map(count).collect::<Vec<_>>()
        });
        let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let rng = &mut seed::rng(seed, &[]);
        self.tokens.mask(&ids, &special, words.as_deref(), rng)
    }
}

/// What is to be guessed, where the texts' tokens stand in a batch: `[batch, tokens]`, -1 elsewhere.
fn targets(processor: &TextProcessor, masks: &[TokenMask], device: &Device) -> Tensor<2, Int> {
    // Collated as texts are, whatever side they are padded on.
    let samples: Vec<TextSample> = masks
        .iter()
        .map(|mask| text(mask.targets.iter().map(|target| target + 1)))
        .collect();
    let samples: Vec<Option<&TextSample>> = samples.iter().map(Some).collect();
    let TextBatch { ids, pad } = processor.collate(&samples, device);
    ids.sub_scalar(1).mask_fill(pad, -1)
}

fn text(ids: impl Iterator<Item = i64>) -> TextSample {
    TextSample {
        ids: ids.map(|id| u32::try_from(id).unwrap_or(0)).collect(),
    }
}
