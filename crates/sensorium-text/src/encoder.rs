//! A transformer encoder over token ids.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer};
use burn::tensor::Device;
use sensorium_core::nn::{
    Activation, LearnedPositions, NormKind, NormOrder, Rotary, Transformer, TransformerConfig,
    sinusoidal,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, Tap, Tokens, need};
use serde::{Deserialize, Serialize};

use crate::{Error, TEXT, TextBatch};

/// How a token's place is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector for each place (BERT).
    #[default]
    Learned,
    /// Fixed sines and cosines (arXiv 1706.03762).
    Sinusoidal,
    /// Query and key are turned (arXiv 2104.09864), base 10,000.
    Rotary,
}

/// Configuration of a [`TextEncoder`].
#[derive(Clone, Debug, PartialEq)]
pub struct TextEncoderConfig {
    /// Rows of the table of embeddings.
    pub vocab_size: usize,
    /// The longest text, in tokens.
    pub max_tokens: usize,
    /// Width of the tokens.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part.
    pub d_ff: usize,
    /// How a token's place is told.
    pub positions: Positions,
    /// Whether norms stand before or after what they belong to.
    pub order: NormOrder,
    /// Of the feed-forward part.
    pub activation: Activation,
    /// Whether embeddings are multiplied by the root of `d_model` (arXiv 1706.03762, section 3.4).
    pub scale_embeddings: bool,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// Chance of skipping the last block's residual branches in training.
    pub drop_path: f64,
}

impl TextEncoderConfig {
    /// A pre-norm encoder with learned positions and a feed-forward width of `4 * d_model`.
    pub fn new(
        vocab_size: usize,
        max_tokens: usize,
        d_model: usize,
        n_layers: usize,
        n_heads: usize,
    ) -> Self {
        Self {
            vocab_size,
            max_tokens,
            d_model,
            n_layers,
            n_heads,
            d_ff: d_model.saturating_mul(4),
            positions: Positions::Learned,
            order: NormOrder::Pre,
            activation: Activation::Gelu,
            scale_embeddings: false,
            dropout: 0.0,
            drop_path: 0.0,
        }
    }

    /// The sizes of BERT-base (arXiv 1810.04805, section 3): 30,522 tokens, 12 layers, width 768.
    pub fn bert_base() -> Self {
        Self::new(30_522, 512, 768, 12, 12)
            .with_order(NormOrder::Post)
            .with_dropout(0.1)
    }

    /// The encoder of the base model of the original Transformer (arXiv 1706.03762, table 3), but for its vocabulary.
    pub fn transformer_base(vocab_size: usize, max_tokens: usize) -> Self {
        Self::new(vocab_size, max_tokens, 512, 6, 8)
            .with_positions(Positions::Sinusoidal)
            .with_order(NormOrder::Post)
            .with_activation(Activation::Relu)
            .with_scale_embeddings(true)
            .with_dropout(0.1)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self::new(16, 8, 8, 2, 2).with_d_ff(12)
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = d_ff;
        self
    }

    /// How a token's place is told.
    pub fn with_positions(mut self, positions: Positions) -> Self {
        self.positions = positions;
        self
    }

    /// Whether norms stand before or after what they belong to.
    pub fn with_order(mut self, order: NormOrder) -> Self {
        self.order = order;
        self
    }

    /// The activation of the feed-forward part.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Whether embeddings are multiplied by the root of `d_model`; they then begin as much smaller.
    pub fn with_scale_embeddings(mut self, scale_embeddings: bool) -> Self {
        self.scale_embeddings = scale_embeddings;
        self
    }

    /// Share of features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Chance of skipping the last block's residual branches in training.
    pub fn with_drop_path(mut self, drop_path: f64) -> Self {
        self.drop_path = drop_path;
        self
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        need(
            (1..=1 << 24).contains(&self.vocab_size),
            "vocab_size",
            || format!("{} must be 1 to 16777216", self.vocab_size),
        )?;
        need(
            (1..=65_536).contains(&self.max_tokens),
            "max_tokens",
            || format!("{} must be 1 to 65536", self.max_tokens),
        )?;
        self.blocks().validate()?;
        // 2³¹ numbers are 8 GiB. The largest published table (256,000 x 5,376) has 1.4 of them.
        let numbers = self.vocab_size.saturating_mul(self.d_model);
        need(numbers <= 1 << 31, "vocab_size", || {
            format!(
                "{} tokens of width {} are more than a table of 2^31 numbers holds",
                self.vocab_size, self.d_model
            )
        })?;
        let even =
            self.positions != Positions::Rotary || (self.d_model / self.n_heads).is_multiple_of(2);
        need(even, "positions", || {
            let d_head = self.d_model / self.n_heads;
            format!("rotary positions need an even width a head, not d_model / n_heads = {d_head}")
        })?;
        Ok(())
    }

    /// A freshly initialised encoder.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> TextEncoder {
        TextEncoder {
            embedding: EmbeddingConfig::new(self.vocab_size, self.d_model)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: match self.scale_embeddings {
                        true => (self.d_model as f64).powf(-0.5), // 1 once multiplied
                        false => 0.02,                            // as BERT begins
                    },
                })
                .init(device),
            positions: (self.positions == Positions::Learned)
                .then(|| LearnedPositions::new(self.max_tokens, self.d_model, device)),
            dropout: DropoutConfig::new(self.dropout).init(),
            transformer: self.transformer().init(device),
            sinusoidal: self.positions == Positions::Sinusoidal,
            scale: self.scale_embeddings,
            d_model: self.d_model,
        }
    }

    fn transformer(&self) -> TransformerConfig {
        let rotary = (self.positions == Positions::Rotary)
            .then(|| Rotary::new(self.d_model / self.n_heads, 10_000.0));
        self.blocks().with_rotary(rotary)
    }

    /// All but what turns with their places, for which sizes have to fit.
    fn blocks(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_norm(NormKind::Layer)
            .with_order(self.order)
            .with_activation(self.activation)
            .with_dropout(self.dropout)
            .with_drop_path(self.drop_path)
    }
}

/// Text tokens from ids.
#[derive(Module, Debug)]
pub struct TextEncoder {
    /// One vector per id.
    pub embedding: Embedding,
    /// One vector per place, if learned.
    pub positions: Option<LearnedPositions>,
    /// On the embeddings.
    pub dropout: Dropout,
    /// The blocks.
    pub transformer: Transformer,
    #[module(skip)]
    sinusoidal: bool,
    #[module(skip)]
    scale: bool,
    #[module(skip)]
    d_model: usize,
}

impl Encoder for TextEncoder {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        let TextBatch { ids, pad } = batch;
        let [_, n_tokens] = ids.dims();
        let mut embeds = self.embedding.forward(ids); // [B, T] -> [B, T, D]
        if self.scale {
            embeds = embeds.mul_scalar((self.d_model as f64).sqrt());
        }
        if let Some(positions) = &self.positions {
            embeds = positions.forward(embeds);
        } else if self.sinusoidal {
            let table = sinusoidal(n_tokens, self.d_model, &embeds.device()).cast(embeds.dtype());
            embeds = embeds + table.unsqueeze();
        }
        let embeds = tap.tensor("embeds", self.dropout.forward(embeds));
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(Tokens::new(embeds, pad), tap)
        })
    }
}
