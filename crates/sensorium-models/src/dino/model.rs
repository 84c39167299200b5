//! The tower, and the head that classifies images.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Transformer;
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Logits, Modality, Model, NoTap, Tap, Tokens};
use sensorium_vision::{IMAGE, ImageBatch};

use super::Dinov2Config;
use crate::vit::{VitEmbeddings, class_token, first_token};

/// A DINOv2 without a head (arXiv 2304.07193, 2309.16588). Images may have any size of at least a patch: positions are
/// resampled for it.
#[derive(Module, Debug)]
pub struct Dinov2Model {
    /// Pixels to tokens.
    pub embeddings: VitEmbeddings,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
}

impl Dinov2Model {
    pub(super) fn new(config: &Dinov2Config, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        Self {
            embeddings: config.embeddings().init(device),
            encoder: config.transformer().init(device),
        }
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
}

impl Encoder for Dinov2Model {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        self.embeddings.d_model()
    }

    /// `[batch, channels, height, width]` → `[batch, 1 + registers + patches, d_model]`: the class token, the registers,
    /// and the patches row by row; an absent image is all padding. Shows `embeds`, `encoder.blocks.N.output` and
    /// `encoder.output` to the tap, and `encoder.blocks.N.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// If images have other channels than the model, or are smaller than a patch.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let tokens = self.embeddings.tokens_with(batch, tap);
        in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap))
    }
}

/// A tower, and a linear map on its class token and the mean of its patches, one after the other.
#[derive(Module, Debug)]
pub struct Dinov2ForImageClassification {
    /// The tower.
    pub dinov2: Dinov2Model,
    /// `2 * d_model` → classes
    pub classifier: Linear,
}

impl Dinov2ForImageClassification {
    pub(super) fn new(config: &Dinov2Config, device: &Device) -> Self {
        let classifier = LinearConfig::new(2 * config.d_model, config.labels().len());
        Self {
            dinov2: config.init(device),
            classifier: classifier.init(device),
        }
    }

    /// `[batch, tokens, d_model]` → `[batch, 2 * d_model]`
    pub(super) fn features(&self, tokens: &Tokens) -> Tensor<2> {
        let [batch, n_tokens, d_model] = tokens.dims();
        let prefix = self.dinov2.embeddings.n_prefix();
        let patches = tokens.embeds.clone();
        let mean = patches
            .slice([0..batch, prefix..n_tokens, 0..d_model])
            .mean_dim(1)
            .reshape([batch, d_model]); // [B, N, D] -> [B, 1, D] -> [B, D]
        Tensor::cat(vec![first_token(tokens), mean], 1)
    }
}

impl Model for Dinov2ForImageClassification {
    type Batch = ImageBatch;
    /// `[batch, classes]`; unspecified where an image is absent.
    type Output = Logits;

    /// Shows the tower's intermediates under `dinov2`, and `logits`.
    fn run_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Logits {
        let tokens = in_layer(tap, "dinov2", |tap| self.dinov2.encode_with(batch, tap));
        tap.tensor("logits", self.classifier.forward(self.features(&tokens)))
    }
}
