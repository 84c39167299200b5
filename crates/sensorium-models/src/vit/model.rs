//! The tower: embeddings, pre-norm blocks, the last norm and the pooler.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Transformer;
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens};
use sensorium_vision::{GridResample, IMAGE, ImageBatch};

use super::{PoolerActivation, VitConfig, VitEmbeddings};

/// A vision transformer without a head (arXiv 2010.11929).
#[derive(Module, Debug)]
pub struct VitModel {
    /// Pixels to tokens.
    pub embeddings: VitEmbeddings,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
    /// On the class token, before an activation, if there is one.
    pub pooler: Option<Linear>,
    #[module(skip)]
    pooler_activation: PoolerActivation,
}

impl VitModel {
    pub(super) fn new(config: &VitConfig, with_pooler: bool, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let pooler = LinearConfig::new(config.d_model, config.pooled_size());
        Self {
            embeddings: config.embeddings().init(device),
            encoder: config.transformer().init(device),
            pooler: with_pooler.then(|| pooler.init(device)),
            pooler_activation: config.pooler_activation,
        }
    }

    /// Takes images of other sizes too, by resampling the positions of patches (arXiv 2010.11929, section 3.2). Without
    /// this, an image of another size than the configuration's is a mistake.
    pub fn with_interpolated_positions(mut self) -> Self {
        self.embeddings = self.embeddings.with_resample(Some(GridResample::Bicubic));
        self
    }

    /// The model's own embedding, the class token after the last norm: `[batch, d_model]`. Unspecified where an image is
    /// absent.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: ImageBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing to the tap what [`encode_with`](Encoder::encode_with) shows.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tensor<2> {
        let tokens = self.embeddings.tokens_with(batch, tap);
        class_token(&self.encoder, tokens, tap)
    }

    /// What the pooler makes of the class token: `[batch, tokens, d_model]` → `[batch, d_pooled]`; `None` without a pooler.
    pub fn pool(&self, tokens: &Tokens) -> Option<Tensor<2>> {
        let pooler = self.pooler.as_ref()?;
        let pooled = pooler.forward(first_token(tokens));
        Some(self.pooler_activation.forward(pooled))
    }
}

/// The class token of a tower, as the answer is made of it: `[batch, tokens, d_model]` → `[batch, d_model]`
pub(crate) fn class_token<T: Tap>(encoder: &Transformer, tokens: Tokens, tap: &mut T) -> Tensor<2> {
    let class = in_layer(tap, "encoder", |tap| encoder.first_with(tokens, tap));
    first_token(&class)
}

/// `[batch, tokens, d_model]` → `[batch, d_model]`
pub(crate) fn first_token(tokens: &Tokens) -> Tensor<2> {
    let [batch, _, d_model] = tokens.dims();
    let embeds = tokens.embeds.clone();
    embeds
        .slice([0..batch, 0..1, 0..d_model])
        .reshape([batch, d_model]) // [B, 1, D] -> [B, D]
}

impl Encoder for VitModel {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        self.embeddings.d_model()
    }

    /// `[batch, channels, height, width]` → `[batch, 1 + patches, d_model]`, the class token first; an absent image is all
    /// padding. Shows `embeds`, `encoder.blocks.N.output` and `encoder.output` to the tap, and
    /// `encoder.blocks.N.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// If images have other channels than the model, or another size and positions are not interpolated.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let tokens = self.embeddings.tokens_with(batch, tap);
        in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap))
    }
}
