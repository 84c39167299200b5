//! Learning without labels: the encoders of a recipe, and what they learn from.

mod calm;
mod head;
mod search;
mod zero_shot;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{EncoderSet, Modality, NoTap, Tokens, seed};
use sensorium_pretrain::{Glimpse, Judged, LanguageTargets, MaskedModalities, WrongPairs};
use sensorium_text::TEXT;
use sensorium_train::{Compared, Learned, Learner, Others};

pub(crate) use calm::{Calm, Scored, measure};
pub(crate) use head::{HEADS, PretextHead};
pub(crate) use search::{Pace, search, vectors};
pub use zero_shot::ZeroShotConfig;
pub(crate) use zero_shot::{WORDS, zero_shot};

use crate::modalities::{Batch, Encoders, Processors};
use crate::model::{begun_on_host, encoders};
use crate::{Error, Recipe};

/// What learns without labels: parameter paths begin with `encoders` and `head`.
#[derive(Module, Debug)]
pub struct PretextModel {
    /// What is wanted afterwards.
    pub encoders: Encoders,
    /// What it takes to learn.
    pub head: PretextHead,
}

/// Samples, and what has to be known of them to learn without labels.
#[derive(Clone, Debug)]
pub struct PretextBatch {
    /// The samples.
    pub first: Batch,
    /// The same once more, changed in another way.
    pub second: Option<Batch>,
    /// What is hidden of each derives from its number.
    pub seeds: Vec<u64>,
    /// What wrong pairs are drawn by, where a model is asked about pairs.
    pub wrong: Option<WrongPairs>,
    /// The words that are hidden in `first`.
    pub words: Option<Tensor<2, Int>>,
    /// Whether the second part of a text follows the first: 0 if it does, 1 if it does not, -1 where nobody knows.
    pub next: Option<Tensor<1, Int>>,
}

impl PretextBatch {
    /// What is to be told of texts.
    fn targets(&self) -> LanguageTargets {
        LanguageTargets {
            words: self.words.clone().expect("words are hidden in texts"),
            next: self.next.clone(),
        }
    }
}

impl PretextModel {
    /// A freshly initialised model on `device`, drawn on the host as every model is.
    pub(crate) fn build(
        recipe: &Recipe,
        processors: &Processors,
        device: &Device,
    ) -> Result<Self, Error> {
        begun_on_host(recipe, device, |host| {
            let encoders = encoders(recipe, processors, host)?;
            let head = PretextHead::build(recipe, &encoders, processors, host)?;
            Ok(Self { encoders, head })
        })
    }

    /// The tokens of the one modality there is.
    pub(crate) fn tokens(&self, batch: Batch) -> Tokens {
        let parts = self.encoders.encode_with(batch, &mut NoTap);
        let (_, tokens) = parts.into_iter().next().expect("a batch has samples");
        tokens
    }

    /// The tokens of either view.
    fn views(&self, batch: PretextBatch) -> [Tokens; 2] {
        let second = batch.second.expect("there are two views");
        [batch.first, second].map(|view| self.tokens(view))
    }

    /// What is seen of a batch in which something of each modality is hidden.
    fn glimpses(
        &self,
        head: &MaskedModalities,
        batch: PretextBatch,
    ) -> BTreeMap<Modality, Glimpse> {
        let first = batch.first;
        let mut glimpses = self.encoders.glimpses(head, &first, &batch.seeds);
        let texts = self.encoders.text.as_ref().zip(first.text);
        if let Some(((encoder, texts), words)) = texts.zip(batch.words) {
            let tokens = texts.encode_with(encoder, &mut NoTap);
            glimpses.insert(TEXT, head.words(TEXT, tokens, words));
        }
        glimpses
    }

    /// How much is hidden so of each modality: what other parts of a batch have to know.
    fn hidden(&self, head: &MaskedModalities, batch: &PretextBatch) -> Compared {
        let mut hidden = self
            .encoders
            .hidden_patches(head, &batch.first, &batch.seeds);
        let words = batch.words.as_ref().map(|words| {
            let counted = words.clone().greater_equal_elem(0).float().sum();
            (TEXT, counted.into_scalar::<f32>().into())
        });
        hidden.extend(words);
        hidden.into_iter().fold(
            Compared::new(batch.seeds.len(), []),
            |all, (modality, count)| all.counting(modality.name(), count),
        )
    }

    /// Vectors of a batch in the common space, by modality: `[batch, d_embed]`, and which samples have it.
    pub(crate) fn embed(&self, batch: Batch) -> Vec<(Modality, sensorium_pretrain::Embedded)> {
        let PretextHead::Alignment(alignment) = &self.head else {
            return Vec::new();
        };
        let parts = self.encoders.encode_with(batch, &mut NoTap);
        alignment.embed(parts).into_iter().collect()
    }
}

impl PretextModel {
    /// What it says of pairs, if it was made for such and the batch has any: whether inputs belong together, or whether one
    /// part of a text does not follow the other.
    pub(crate) fn judge(&self, batch: PretextBatch) -> Option<Judged> {
        match &self.head {
            PretextHead::Matching(head) => {
                let parts = self.encoders.encode_with(batch.first, &mut NoTap);
                head.judge(parts, batch.wrong?)
            }
            PretextHead::Language(head) => {
                let (head, matches) = head.next_sentence.as_ref().zip(batch.next)?;
                let logits = head.logits(self.tokens(batch.first));
                Some(Judged { logits, matches })
            }
            _ => None,
        }
    }
}

impl Learner for PretextModel {
    type Batch = PretextBatch;

    fn learn(&self, batch: PretextBatch) -> Learned {
        let rngs = batch.seeds.iter().map(|seed| seed::rng(*seed, &[]));
        match &self.head {
            PretextHead::Autoencoder(head) => self
                .encoders
                .paint(head, batch.first, rngs)
                .expect("a recipe is checked for an encoder that can be masked"),
            PretextHead::Language(head) => {
                let targets = batch.targets();
                head.learn_tokens(self.tokens(batch.first), None, targets)
            }
            PretextHead::Joint(head) => head.learn(self.glimpses(head, batch)),
            PretextHead::Matching(head) => {
                let wrong = batch.wrong.expect("wrong pairs are drawn");
                let parts = self.encoders.encode_with(batch.first, &mut NoTap);
                head.learn(parts, wrong)
            }
            PretextHead::TwoViews(head) => {
                let [first, second] = self.views(batch);
                Learned::new(head.loss_of_tokens(first, second))
            }
            PretextHead::Alignment(head) => {
                let parts = self.encoders.encode_with(batch.first, &mut NoTap);
                Learned::new(head.loss(parts, None))
            }
        }
    }

    fn compared(&self, batch: PretextBatch) -> Option<Compared> {
        match &self.head {
            PretextHead::TwoViews(head) => {
                let [first, second] = self.views(batch);
                Some(head.compared(first, second))
            }
            PretextHead::Alignment(head) => {
                let parts = self.encoders.encode_with(batch.first, &mut NoTap);
                Some(head.compared(parts))
            }
            PretextHead::Joint(head) => Some(self.hidden(head, &batch)),
            // Of words alone the loss itself says how many.
            PretextHead::Language(head) if head.next_sentence.is_some() => {
                Some(head.compared(&batch.targets()))
            }
            _ => None,
        }
    }

    fn learn_among(&self, batch: PretextBatch, others: &Others) -> Learned {
        match &self.head {
            PretextHead::TwoViews(head) => {
                let [first, second] = self.views(batch);
                Learned::new(head.loss_among(first, second, others))
            }
            PretextHead::Alignment(head) => {
                let parts = self.encoders.encode_with(batch.first, &mut NoTap);
                Learned::new(head.loss_among(parts, others))
            }
            PretextHead::Language(head) => {
                let targets = batch.targets();
                head.learn_among(self.tokens(batch.first), None, targets, others)
            }
            PretextHead::Joint(head) => {
                head.learn_among(self.glimpses(head, batch), others, &mut NoTap)
            }
            _ => self.learn(batch),
        }
    }
}
