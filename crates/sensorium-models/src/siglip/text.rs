//! The text tower: ids to tokens, and to an embedding. It sees padding, and was trained so.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::Transformer;
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens};
use sensorium_text::{TEXT, TextBatch};

use super::SiglipTextConfig;
use crate::clip::TextEmbeddings;

/// SigLIP's text tower (arXiv 2303.15343), in which every token sees every other.
///
/// Published models were trained on texts filled up to the longest with padding, and no mask: padding is attended to like any
/// other token, and the last token, mostly padding, is pooled. A batch is therefore filled up to
/// [`SiglipTextConfig::max_tokens`] here, wherever its longest text ends, so that no text's embedding depends on its
/// neighbours. [`forward_with`](Self::forward_with) takes ids as they are.
#[derive(Module, Debug)]
pub struct SiglipTextModel {
    /// Ids to vectors.
    pub embeddings: TextEmbeddings,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
    /// `d_model` → `d_embed`, on the last token.
    pub head: Linear,
    #[module(skip)]
    pad_id: usize,
    #[module(skip)]
    d_model: usize,
}

impl SiglipTextModel {
    pub(super) fn new(config: &SiglipTextConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let d_model = config.d_model;
        let (vocab_size, max_tokens) = (config.vocab_size, config.max_tokens);
        Self {
            embeddings: TextEmbeddings::new(vocab_size, max_tokens, d_model, device),
            encoder: config.blocks().transformer().init(device),
            head: LinearConfig::new(d_model, config.d_embed()).init(device),
            pad_id: config.pad_id(),
            d_model,
        }
    }

    /// Fills texts up with this id, where a tokenizer has another one for padding than the configuration says.
    pub fn with_pad_id(mut self, pad_id: usize) -> Self {
        self.pad_id = pad_id;
        self
    }

    /// Ids as they are, each seeing each: `[batch, tokens]` → `[batch, tokens, d_model]`, after the last norm. Shows `embeds`,
    /// `encoder.blocks.N.output` and `encoder.output` to the tap, and `encoder.blocks.N.attention.weights` where weights are
    /// wanted.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward_with<T: Tap>(&self, ids: Tensor<2, Int>, tap: &mut T) -> Tensor<3> {
        let embeds = tap.tensor("embeds", self.embeddings.forward(ids));
        let tokens = in_layer(tap, "encoder", |tap| {
            self.encoder.forward_with(Tokens::dense(embeds), tap)
        });
        tokens.embeds
    }

    /// The head on the last token: `[batch, tokens, d_model]` → `[batch, d_embed]`.
    pub fn pool(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [batch, n_tokens, d_model] = hidden.dims();
        let last = hidden
            .slice([0..batch, n_tokens - 1..n_tokens, 0..d_model])
            .reshape([batch, d_model]); // [B, 1, D] -> [B, D]
        self.head.forward(last)
    }

    /// The model's own embedding, not normalised: `[batch, d_embed]`. Unspecified where a text is absent.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn embed(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `pooled` and what [`forward_with`](Self::forward_with) shows to the tap.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn embed_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        let Tokens { embeds, .. } = self.encode_with(batch, tap);
        tap.tensor("pooled", self.pool(embeds))
    }

    /// A batch filled up to the longest text there can be: `[batch, tokens]` → `[batch, max_tokens]`.
    fn fill(&self, TextBatch { ids, pad }: TextBatch) -> TextBatch {
        let [batch, n_tokens] = ids.dims();
        let missing = self.embeddings.position.max_len().saturating_sub(n_tokens);
        if missing == 0 {
            return TextBatch { ids, pad };
        }
        let device = ids.device();
        let more = Tensor::<2, Int>::full([batch, missing], self.pad_id as i64, &device);
        let more_pad = Tensor::<2, Bool>::full([batch, missing], true, &device);
        TextBatch {
            ids: Tensor::cat(vec![ids, more], 1),
            pad: Tensor::cat(vec![pad, more_pad], 1),
        }
    }
}

impl Encoder for SiglipTextModel {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    /// `[batch, tokens]` → `[batch, max_tokens, d_model]`, after the last norm. Texts are filled up with padding, which is
    /// attended to; whatever reads the tokens can leave it out, as it is marked. Shows what
    /// [`forward_with`](Self::forward_with) shows to the tap.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        let TextBatch { ids, pad } = self.fill(batch);
        Tokens::new(self.forward_with(ids, tap), pad)
    }
}
