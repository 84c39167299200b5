//! Words that are hidden of texts, and what they were.

use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{Processor, seed};
use sensorium_text::{TextBatch, TextProcessor, TextSample};
use sensorium_train::{MaskTokens, TokenMask};

use crate::objective::{ObjectiveConfig, ObjectiveKind};

/// Whether hidden words are guessed, by themselves or beside others.
pub(super) fn hides_words(kind: ObjectiveKind) -> bool {
    matches!(
        kind,
        ObjectiveKind::MaskedLanguage | ObjectiveKind::MaskedModalities
    )
}

/// Hides words of texts.
#[derive(Debug)]
pub(super) struct Hide {
    tokens: MaskTokens,
    special: Vec<u32>,
    starts_word: Option<Vec<bool>>,
}

impl Hide {
    pub(super) fn new(processor: &TextProcessor, objective: &ObjectiveConfig) -> Self {
        let tokenizer = processor.tokenizer();
        let mask = i64::from(tokenizer.mask_id());
        let share = match objective.kind {
            ObjectiveKind::MaskedModalities => objective.word_share(),
            _ => objective.share(),
        };
        let tokens = MaskTokens::new(mask, tokenizer.vocab_size()).with_share(share);
        Self {
            tokens,
            special: tokenizer.special_ids(),
            starts_word: objective
                .whole_words
                .unwrap_or(false)
                .then(|| tokenizer.word_starts()),
        }
    }

    pub(super) fn mask(&self, sample: Option<&TextSample>, seed: u64) -> TokenMask {
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
pub(super) fn targets(
    processor: &TextProcessor,
    masks: &[TokenMask],
    device: &Device,
) -> Tensor<2, Int> {
    // Collated as texts are, whatever side they are padded on.
    let samples: Vec<TextSample> = masks
        .iter()
        .map(|mask| text(mask.targets.iter().map(|target| target + 1)))
        .collect();
    let samples: Vec<Option<&TextSample>> = samples.iter().map(Some).collect();
    let TextBatch { ids, pad } = processor.collate(&samples, device);
    ids.sub_scalar(1).mask_fill(pad, -1)
}

pub(super) fn text(ids: impl Iterator<Item = i64>) -> TextSample {
    TextSample {
        ids: ids.map(|id| u32::try_from(id).unwrap_or(0)).collect(),
    }
}
