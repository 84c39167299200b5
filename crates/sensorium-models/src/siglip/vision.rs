//! The vision tower: pixels to tokens, and to an embedding.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Transformer;
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens};
use sensorium_vision::{IMAGE, ImageBatch};

use super::{AttentionPool, SiglipVisionConfig};
use crate::clip::VisionEmbeddings;

/// SigLIP's vision tower: a vision transformer without a class token (arXiv 2303.15343).
#[derive(Module, Debug)]
pub struct SiglipVisionModel {
    /// Pixels to vectors.
    pub embeddings: VisionEmbeddings,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
    /// Pools the tokens, if there is a head.
    pub head: Option<AttentionPool>,
}

impl SiglipVisionModel {
    pub(super) fn new(config: &SiglipVisionConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        Self {
            embeddings: config.embeddings().init(device),
            encoder: config.blocks().transformer().init(device),
            head: config.with_head.then(|| AttentionPool::new(config, device)),
        }
    }

    /// Takes images of other sizes too, by resampling the positions of patches. Without this, an image of another size than
    /// the configuration's is a mistake.
    pub fn with_interpolated_positions(mut self) -> Self {
        self.embeddings = self.embeddings.with_interpolated_positions();
        self
    }

    /// The tower without its head, which has no part in [`encode`](Encoder::encode).
    pub fn without_head(mut self) -> Self {
        self.head = None;
        self
    }

    /// The model's own embedding, the pooled output, not normalised: `[batch, d_model]`; `None` without a head. Unspecified
    /// where an image is absent.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: ImageBatch) -> Option<Tensor<2>> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `pooled` and what [`encode_with`](Encoder::encode_with) shows to the tap, and
    /// `head.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Option<Tensor<2>> {
        let head = self.head.as_ref()?;
        let tokens = self.encode_with(batch, tap);
        let pooled = in_layer(tap, "head", |tap| head.forward_with(&tokens, tap));
        Some(tap.tensor("pooled", pooled))
    }
}

impl Encoder for SiglipVisionModel {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        self.embeddings.d_model()
    }

    /// `[batch, channels, height, width]` → `[batch, patches, d_model]`, after the last norm; an absent image is all padding.
    /// Shows `embeds`, `encoder.blocks.N.output` and `encoder.output` to the tap, and `encoder.blocks.N.attention.weights`
    /// where weights are wanted.
    ///
    /// # Panics
    /// If images have other channels than the model, or another size and positions are not interpolated.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let ImageBatch { pixels, present } = batch;
        let embeds = tap.tensor("embeds", self.embeddings.forward(pixels));
        let tokens = Tokens::with_presence(embeds, present);
        in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap))
    }
}
