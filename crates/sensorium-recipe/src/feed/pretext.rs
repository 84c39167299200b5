//! Rows without their classes: as they are, with words hidden, or in two views.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{Processor, seed};
use sensorium_text::{TextBatch, TextProcessor, TextSample};
use sensorium_train::{Fed, MaskTokens, TokenMask};

use super::{Batching, HostBatch, Learning, Plan, View, ids};
use crate::Error;
use crate::modalities::Samples;
use crate::objective::{ObjectiveConfig, ObjectiveKind};
use crate::pretext::PretextBatch;

/// Batches of all rows, an epoch once through them.
#[derive(Clone, Debug)]
pub(crate) struct Unlabelled {
    learning: Learning,
    all: Vec<usize>,
    kind: ObjectiveKind,
    /// What hides words, if that is what is learned from.
    hide: Option<Arc<Hide>>,
}

/// A batch on the host, and what each sample's randomness derives from.
pub(crate) struct Drawn {
    first: HostBatch,
    second: Option<HostBatch>,
    seeds: Vec<u64>,
    words: Option<Vec<TokenMask>>,
}

impl Unlabelled {
    pub(crate) fn new(learning: Learning, objective: &ObjectiveConfig) -> Self {
        let texts = learning.rows.processors.text.as_ref();
        let hide = texts
            .and_then(|texts| texts.own())
            .filter(|_| objective.kind == ObjectiveKind::MaskedLanguage)
            .map(|texts| Arc::new(Hide::new(texts, objective)));
        Self {
            all: (0..learning.rows.len()).collect(),
            learning,
            kind: objective.kind,
            hide,
        }
    }

    /// Whether two views are compared.
    fn compares(&self) -> bool {
        self.kind == ObjectiveKind::SimClr
    }

    /// Batches of rows as they are, to measure on: always the same.
    pub(crate) fn calm(&self, first: HostBatch, device: &Device) -> PretextBatch {
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
        self.join(self.hidden(first, second, seeds), device)
    }

    fn seed(&self, pass: u64, row: usize) -> u64 {
        seed::derive(
            self.learning.seed,
            &[seed::of_name("hide"), pass, row as u64],
        )
    }

    /// The batch with its words hidden, if that is what is learned from.
    fn hidden(&self, mut first: HostBatch, second: Option<HostBatch>, seeds: Vec<u64>) -> Drawn {
        let words = self.hide.as_ref().map(|hide| {
            let samples = first.samples.iter_mut().zip(&seeds);
            samples
                .map(|(samples, seed)| {
                    let mask = hide.mask(samples.text.as_ref(), *seed);
                    samples.text = Some(text(mask.ids.iter().copied()));
                    mask
                })
                .collect()
        });
        Drawn {
            first,
            second,
            seeds,
            words,
        }
    }

    fn join(&self, drawn: Drawn, device: &Device) -> PretextBatch {
        let processors = &self.learning.rows.processors;
        let collate = |batch: HostBatch| processors.collate(&batch.samples, device);
        let texts = processors.text.as_ref().and_then(|texts| texts.own());
        let words = texts.zip(drawn.words);
        PretextBatch {
            first: collate(drawn.first),
            second: drawn.second.map(collate),
            seeds: drawn.seeds,
            words: words.map(|(texts, words)| targets(texts, &words, device)),
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

    fn plan(&self, epoch: usize) -> Vec<Plan> {
        let size = self.learning.size;
        let batches = self.learning.epoch(&self.all, epoch, self.all.len(), size);
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
        Ok(Some(self.hidden(first, second, seeds)))
    }

    fn collate(&self, host: Drawn, device: &Device) -> Fed<PretextBatch> {
        Fed {
            ids: ids(&self.learning.rows, &host.first.rows),
            batch: self.join(host, device),
        }
    }
}

/// Hides words of texts.
#[derive(Debug)]
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
