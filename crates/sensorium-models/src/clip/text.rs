//! The text tower: ids to tokens, and to an embedding.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::Transformer;
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, present};
use sensorium_text::{TEXT, TextBatch};

use super::vision::projection;
use super::{ClipTextConfig, TextEmbeddings};

/// The end's id in files that name it wrongly; see [`ClipTextConfig::end_id`].
const WRONG_END: usize = 2;

/// CLIP's text tower without a projection: a causal transformer (arXiv 2103.00020, section 2.4).
#[derive(Module, Debug)]
pub struct ClipTextModel {
    /// Ids to vectors.
    pub embeddings: TextEmbeddings,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
    #[module(skip)]
    end_id: usize,
    #[module(skip)]
    d_model: usize,
}

impl ClipTextModel {
    pub(super) fn new(config: &ClipTextConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let d_model = config.d_model;
        let (vocab_size, max_tokens) = (config.vocab_size, config.max_tokens);
        Self {
            embeddings: TextEmbeddings::new(vocab_size, max_tokens, d_model, device),
            encoder: config.blocks().transformer().with_causal(true).init(device),
            end_id: config.end_id,
            d_model,
        }
    }

    /// The pooled output, the token at the end of the text: `[batch, d_model]`. Unspecified where a text is absent.
    ///
    /// A text in which the end's id is missing, as one that was cut off may be, gives its first token, as in Transformers.
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
        let end = self.end(batch.ids.clone(), &batch.pad);
        let Tokens { embeds, .. } = self.encode_with(batch, tap);
        tap.tensor("pooled", at(embeds, end))
    }

    /// The place of the token that is pooled: `[batch, tokens]` → `[batch, 1]`. Padding is never looked at, as it may be
    /// filled with the end's id, or a larger one.
    fn end(&self, ids: Tensor<2, Int>, pad: &Tensor<2, Bool>) -> Tensor<2, Int> {
        let ids = ids.mask_fill(pad.clone(), -1);
        let found = match self.end_id {
            WRONG_END => ids.clone().equal(ids.max_dim(1)),
            end => ids.equal_elem(end as i64),
        };
        first_true(found)
    }
}

/// The place of the first `true` in each row, or 0: `[batch, n]` → `[batch, 1]`.
fn first_true(found: Tensor<2, Bool>) -> Tensor<2, Int> {
    let [batch, n] = found.dims();
    // Above all places where nothing is found, so that backends need not agree on ties.
    let places = Tensor::<1, Int>::arange(0..n as i64, &found.device());
    let places = places.unsqueeze::<2>().expand([batch, n]);
    let first = places.mask_fill(found.bool_not(), n as i64).min_dim(1);
    let none = first.clone().equal_elem(n as i64);
    first.mask_fill(none, 0)
}

/// The token at one place of each row: `[batch, tokens, d_model]` and `[batch, 1]` → `[batch, d_model]`.
fn at(embeds: Tensor<3>, place: Tensor<2, Int>) -> Tensor<2> {
    let [batch, _, d_model] = embeds.dims();
    let place = place.reshape([batch, 1, 1]).repeat_dim(2, d_model); // [B, 1] -> [B, 1, D]
    embeds.gather(1, place).reshape([batch, d_model]) // [B, 1, D] -> [B, D]
}

impl Encoder for ClipTextModel {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    /// `[batch, tokens]` → `[batch, tokens, d_model]`, after the last norm. Shows `embeds`, `encoder.blocks.N.output` and
    /// `encoder.output` to the tap, and `encoder.blocks.N.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        let embeds = tap.tensor("embeds", self.embeddings.forward(batch.ids));
        let tokens = Tokens::new(embeds, batch.pad);
        in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap))
    }
}

/// CLIP's text tower with its projection into the space of both towers.
#[derive(Module, Debug)]
pub struct ClipTextModelWithProjection {
    /// The tower.
    pub text: ClipTextModel,
    /// `d_model` → `d_embed`
    pub projection: Linear,
}

impl ClipTextModelWithProjection {
    pub(super) fn new(config: &ClipTextConfig, device: &Device) -> Self {
        Self {
            text: ClipTextModel::new(config, device),
            projection: projection(config.d_model, config.d_embed, device),
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

impl Encoder for ClipTextModelWithProjection {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        let [_, d_embed] = self.projection.weight.shape().dims();
        d_embed
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
