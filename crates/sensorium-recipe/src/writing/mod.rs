//! Models that answer with a text: the encoders of a recipe, what joins them, and what writes.

mod ask;
mod decoder;
mod packed;
mod prefix;
mod published;
mod reads;
mod write;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::tap::in_layer;
use sensorium_core::{EncoderSet, Fusion, Losses, Tap, Tokens};
use sensorium_decode::Generation;
use sensorium_fusion::AnyFusion;
use sensorium_text::TargetBatch;
use sensorium_train::{CrossEntropy, Learned, Learner, Objective, Tally};

pub use ask::{Answering, Ask};
pub use decoder::{AnyDecoder, DecoderConfig, DecoderKind};
pub(crate) use decoder::{PUBLISHED, check_keys, serialize};
pub use prefix::PrefixDecoder;

use crate::labels::Texts;
use crate::modalities::{Batch, Encoders, Processors};
use crate::model::{begun_on_host, encoders};
use crate::{Error, Recipe};

/// What answers with a text: parameter paths begin with `encoders`, `fusion` and `decoder`.
#[derive(Module, Debug)]
pub struct TextModel {
    /// One encoder per modality.
    pub encoders: Encoders,
    /// Joins what they give; of one encoder, its tokens are what is looked at.
    pub fusion: Option<AnyFusion>,
    /// Writes in view of that.
    pub decoder: AnyDecoder,
    #[module(skip)]
    how: Generation,
}

impl TextModel {
    /// A freshly initialised model on `device`, drawn on the host as every model is.
    ///
    /// # Errors
    /// If an encoder's checkpoint cannot be read, or parts do not fit each other.
    pub fn build(
        recipe: &Recipe,
        processors: &Processors,
        texts: &Texts,
        device: &Device,
    ) -> Result<Self, Error> {
        begun_on_host(recipe, device, |host| {
            let encoders = encoders(recipe, processors, host)?;
            let widths = encoders.widths();
            let fusion = match &widths[..] {
                [] | [_] => None,
                _ => Some(recipe.fusion_of(&widths, host)?),
            };
            // Of a decoder that only reads, there is none.
            let alone = widths.first().map(|(_, width)| *width);
            let d_context = fusion.as_ref().map(Fusion::d_output).or(alone);
            let config = recipe.decoder();
            let decoder = config.build(texts, d_context, host)?;
            Ok(Self {
                encoders,
                fusion,
                decoder,
                how: config.generation(),
            })
        })
    }

    /// What is written in view of: the fused tokens, or those of the one encoder, and what the decoder reads itself.
    pub(crate) fn context_with<T: Tap>(&self, mut batch: Batch, tap: &mut T) -> Tokens {
        let read = match &self.encoders.text {
            Some(_) => None,
            None => batch.text.take(),
        };
        let parts = in_layer(tap, "encoders", |tap| self.encoders.encode_with(batch, tap));
        let seen = match &self.fusion {
            Some(fusion) if !parts.is_empty() => {
                Some(in_layer(tap, "fusion", |tap| fusion.fuse_with(parts, tap)))
            }
            _ => parts.into_iter().next().map(|(_, tokens)| tokens),
        };
        self.decoder.view(seen, read)
    }
}

/// A model that learns to write, each next token from those before it that were wanted.
#[derive(Module, Debug)]
pub struct TextLearner {
    /// What is to be trained.
    pub model: TextModel,
    /// What it is to become good at.
    pub objective: CrossEntropy,
}

impl Learner for TextLearner {
    type Batch = (Batch, TargetBatch);

    fn learn(&self, (batch, target): Self::Batch) -> Learned {
        let mut losses = Losses::default();
        let context = self.model.context_with(batch, &mut losses);
        let decoder = &self.model.decoder;
        let logits = in_layer(&mut losses, "decoder", |tap| {
            decoder.forward_with(target.texts, &context, tap)
        });
        let [batch, tokens, words] = logits.dims();
        let logits = logits.reshape([batch * tokens, words]); // [B, T, V] -> [B * T, V]
        let next = target.next.reshape([batch * tokens]);
        let tally = Tally::of_classes(logits.clone(), next.clone());
        Learned {
            loss: self.objective.loss(logits, next).and(losses),
            tally: Some(tally),
        }
    }
}
