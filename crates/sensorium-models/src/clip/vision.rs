//! The vision tower: pixels to tokens, and to an embedding.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Norm, NormConfig, Transformer};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens};
use sensorium_vision::{IMAGE, ImageBatch};

use super::{ClipVisionConfig, VisionEmbeddings};
use crate::vit::class_token;

/// CLIP's vision tower without a projection (arXiv 2103.00020, section 2.4).
#[derive(Module, Debug)]
pub struct ClipVisionModel {
    /// Pixels to vectors.
    pub embeddings: VisionEmbeddings,
    /// On the vectors, before the blocks.
    pub pre_norm: Norm,
    /// The blocks, without a norm after them.
    pub encoder: Transformer,
    /// On what comes out of the blocks.
    pub post_norm: Norm,
}

impl ClipVisionModel {
    pub(super) fn new(config: &ClipVisionConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let norm = NormConfig::new(config.d_model).with_epsilon(config.norm_epsilon);
        Self {
            embeddings: config.embeddings().init(device),
            pre_norm: norm.init(device),
            encoder: config
                .blocks()
                .transformer()
                .with_final_norm(false)
                .init(device),
            post_norm: norm.init(device),
        }
    }

    /// Takes images of other sizes too, by resampling the positions of patches. Without this, an image of another size than
    /// the configuration's is a mistake.
    pub fn with_interpolated_positions(mut self) -> Self {
        self.embeddings = self.embeddings.with_interpolated_positions();
        self
    }

    /// What comes out of the blocks, before the last norm: Transformers' `last_hidden_state`,
    /// `[batch, 1 + patches, d_model]`. An absent image is all padding.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn last_hidden_state(&self, batch: ImageBatch) -> Tokens {
        self.blocks(batch, &mut NoTap)
    }

    /// The pooled output, the class token after the last norm: `[batch, d_model]`. Unspecified where an image is absent.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: ImageBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `pooled` and what [`encode_with`](Encoder::encode_with) shows to the tap.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tensor<2> {
        let tokens = self.tokens(batch, tap);
        let class = class_token(&self.encoder, tokens, tap);
        tap.tensor("pooled", self.post_norm.forward(class))
    }

    fn tokens<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let ImageBatch { pixels, present } = batch;
        let embeds = self.pre_norm.forward(self.embeddings.forward(pixels));
        Tokens::with_presence(tap.tensor("embeds", embeds), present)
    }

    fn blocks<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let tokens = self.tokens(batch, tap);
        in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap))
    }
}

impl Encoder for ClipVisionModel {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        self.embeddings.d_model()
    }

    /// `[batch, channels, height, width]` → `[batch, 1 + patches, d_model]`, all after the last norm, so that the first token
    /// is the [pooled output](Self::embed); before it they are in [`last_hidden_state`](Self::last_hidden_state). An absent
    /// image is all padding. Shows `embeds`, `encoder.blocks.N.output` and `encoder.output` to the tap, and
    /// `encoder.blocks.N.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// If images have other channels than the model, or another size and positions are not interpolated.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let Tokens { embeds, pad } = self.blocks(batch, tap);
        Tokens::new(self.post_norm.forward(embeds), pad)
    }
}

/// CLIP's vision tower with its projection into the space of both towers.
#[derive(Module, Debug)]
pub struct ClipVisionModelWithProjection {
    /// The tower.
    pub vision: ClipVisionModel,
    /// `d_model` → `d_embed`
    pub projection: Linear,
}

impl ClipVisionModelWithProjection {
    pub(super) fn new(config: &ClipVisionConfig, device: &Device) -> Self {
        Self {
            vision: ClipVisionModel::new(config, device),
            projection: projection(config.d_model, config.d_embed, device),
        }
    }

    /// Takes images of other sizes too, by resampling the positions of patches.
    pub fn with_interpolated_positions(mut self) -> Self {
        self.vision = self.vision.with_interpolated_positions();
        self
    }

    /// The projected embedding, not normalised: `[batch, d_embed]`. Unspecified where an image is absent.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: ImageBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `embedding`, and under `vision` what the tower shows, to the tap.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "vision", |tap| self.vision.embed_with(batch, tap));
        tap.tensor("embedding", self.projection.forward(pooled))
    }
}

/// A projection as CLIP has them.
pub(super) fn projection(d_model: usize, d_embed: usize, device: &Device) -> Linear {
    LinearConfig::new(d_model, d_embed)
        .with_bias(false)
        .init(device)
}

impl Encoder for ClipVisionModelWithProjection {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        let [_, d_embed] = self.projection.weight.shape().dims();
        d_embed
    }

    /// `[batch, channels, height, width]` → `[batch, 1, d_embed]`: the embedding as the only token.
    ///
    /// # Panics
    /// As the tower's.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let present = batch.present.clone();
        let embedding = self.embed_with(batch, tap);
        Tokens::with_presence(embedding.unsqueeze_dim(1), present) // [B, E] -> [B, 1, E]
    }
}
