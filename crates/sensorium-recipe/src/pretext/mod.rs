//! Learning without labels: the encoders of a recipe, and what they learn from.

mod head;
mod search;
mod zero_shot;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{EncoderSet, Modality, NoTap, Tokens, seed};
use sensorium_pretrain::LanguageTargets;
use sensorium_train::{Learned, Learner};

pub(crate) use head::PretextHead;
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
    /// The words that are hidden in `first`.
    pub words: Option<Tensor<2, Int>>,
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
            let head = PretextHead::build(&recipe.objective, &encoders, processors, host)?;
            Ok(Self { encoders, head })
        })
    }

    /// The tokens of the one modality there is.
    fn tokens(&self, batch: Batch) -> Tokens {
        let parts = self.encoders.encode_with(batch, &mut NoTap);
        let (_, tokens) = parts.into_iter().next().expect("a batch has samples");
        tokens
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
                let words = batch.words.expect("words are hidden in texts");
                let tokens = self.tokens(batch.first);
                head.learn_tokens(tokens, None, LanguageTargets::from(words))
            }
            PretextHead::TwoViews(head) => {
                let second = batch.second.expect("there are two views");
                let [first, second] = [batch.first, second].map(|view| self.tokens(view));
                Learned::new(head.loss_of_tokens(first, second))
            }
            PretextHead::Alignment(head) => {
                let parts = self.encoders.encode_with(batch.first, &mut NoTap);
                Learned::new(head.loss(parts, None))
            }
        }
    }
}
