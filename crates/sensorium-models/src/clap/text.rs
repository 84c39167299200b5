//! The text tower: a RoBERTa, pooled.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, present};
use sensorium_text::{TEXT, TextBatch};

use super::{ClapProjection, ClapTextConfig};
use crate::bert::BertModel;

/// CLAP's text tower without a projection: a RoBERTa with its pooler (arXiv 2211.06687, section 3.1).
#[derive(Module, Debug)]
pub struct ClapTextModel {
    /// What it is made of.
    pub bert: BertModel,
}

impl ClapTextModel {
    pub(super) fn new(config: &ClapTextConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        Self {
            bert: config.bert().init_with_pooler(device),
        }
    }

    /// The pooled output, a map of the first token: `[batch, d_model]`. Unspecified where a text is absent.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `pooled` and what [`encode_with`](Encoder::encode_with) shows to the tap.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        let tokens = self.encode_with(batch, tap);
        let pooled = self.bert.pool(&tokens);
        tap.tensor("pooled", pooled.expect("`new` makes a pooler"))
    }
}

impl Encoder for ClapTextModel {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.bert.d_output()
    }

    /// `[batch, tokens]` → `[batch, tokens, d_model]`. Shows what a [`BertModel`] shows.
    ///
    /// # Panics
    /// If there are more tokens than [`ClapTextConfig::max_tokens`].
    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        self.bert.encode_with(batch, tap)
    }
}

/// CLAP's text tower with its projection into the space of both towers.
#[derive(Module, Debug)]
pub struct ClapTextModelWithProjection {
    /// The tower.
    pub text: ClapTextModel,
    /// `d_model` → `d_embed`
    pub projection: ClapProjection,
}

impl ClapTextModelWithProjection {
    pub(super) fn new(config: &ClapTextConfig, device: &Device) -> Self {
        let (d_model, d_embed) = (config.d_model, config.d_embed);
        let activation = config.projection_activation;
        Self {
            text: ClapTextModel::new(config, device),
            projection: ClapProjection::new(d_model, d_embed, activation, device),
        }
    }

    /// The projected embedding, not normalised: `[batch, d_embed]`. Unspecified where a text is absent.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `embedding`, and under `text` what the tower shows, to the tap.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "text", |tap| self.text.embed_with(batch, tap));
        tap.tensor("embedding", self.projection.forward(pooled))
    }
}

impl Encoder for ClapTextModelWithProjection {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.projection.d_embed()
    }

    /// `[batch, tokens]` → `[batch, 1, d_embed]`: the embedding as the only token.
    ///
    /// # Panics
    /// As the tower's.
    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        let present = present(batch.pad.clone());
        let embedding = self.embed_with(batch, tap);
        Tokens::with_presence(embedding.unsqueeze_dim(1), present) // [B, E] -> [B, 1, E]
    }
}
