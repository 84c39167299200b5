//! A transformer decoder that writes a text, token by token, in view of a context.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::{
    Activation, Decoder, DecoderCache, DecoderConfig, LearnedPositions, NormKind, NormOrder,
    Rotary, TransformerConfig, affine, sinusoidal_from,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{NoTap, Tap, Tokens, need};

use crate::{Error, Positions, TextBatch};

/// Configuration of a [`TextDecoder`].
#[derive(Clone, Debug, PartialEq)]
pub struct TextDecoderConfig {
    /// Rows of the table of embeddings, which logits are read from too.
    pub vocab_size: usize,
    /// The longest text, in tokens, the one that it begins with included.
    pub max_tokens: usize,
    /// Width of the tokens.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the context's tokens.
    pub d_context: usize,
    /// Width of the feed-forward part.
    pub d_ff: usize,
    /// How a token's place is told.
    pub positions: Positions,
    /// Whether norms stand before or after what they belong to.
    pub order: NormOrder,
    /// Of the feed-forward part.
    pub activation: Activation,
    /// Share of features dropped in training.
    pub dropout: f64,
}

impl TextDecoderConfig {
    /// A decoder like the original Transformer's (arXiv 1706.03762): sinusoidal positions, norms after what they belong to,
    /// ReLU, a feed-forward width of `4 * d_model`, and a context as wide as its tokens.
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
            d_context: d_model,
            d_ff: d_model.saturating_mul(4),
            positions: Positions::Sinusoidal,
            order: NormOrder::Post,
            activation: Activation::Relu,
            dropout: 0.0,
        }
    }

    /// The base model of the paper (table 3), but for its vocabulary.
    pub fn transformer_base(vocab_size: usize, max_tokens: usize) -> Self {
        Self::new(vocab_size, max_tokens, 512, 6, 8).with_dropout(0.1)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self::new(16, 8, 8, 2, 2).with_d_ff(12).with_d_context(6)
    }

    /// Width of the context's tokens.
    pub fn with_d_context(mut self, d_context: usize) -> Self {
        self.d_context = d_context;
        self
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

    /// Share of features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
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
            (2..=65_536).contains(&self.max_tokens),
            "max_tokens",
            || format!("{} must be 2 to 65536", self.max_tokens),
        )?;
        need((1..=65_536).contains(&self.d_context), "d_context", || {
            format!("{} must be 1 to 65536", self.d_context)
        })?;
        self.blocks().validate()?;
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

    /// A freshly initialised decoder.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> TextDecoder {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let d_model = self.d_model;
        TextDecoder {
            embedding: EmbeddingConfig::new(self.vocab_size, d_model)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: (d_model as f64).powf(-0.5), // 1 once multiplied; logits begin as small
                })
                .init(device),
            positions: (self.positions == Positions::Learned)
                .then(|| LearnedPositions::new(self.max_tokens, d_model, device)),
            dropout: DropoutConfig::new(self.dropout).init(),
            decoder: DecoderConfig::new(self.transformer(), self.d_context).init(device),
            sinusoidal: self.positions == Positions::Sinusoidal,
            max_tokens: self.max_tokens,
            d_model,
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
            .with_causal(true)
    }
}

/// Logits of a text's next token, from the tokens before it and a context (arXiv 1706.03762, section 3). Logits are read from the
/// table of embeddings.
#[derive(Module, Debug)]
pub struct TextDecoder {
    /// `[vocab_size, d_model]`
    pub embedding: Embedding,
    /// One vector per place, if learned.
    pub positions: Option<LearnedPositions>,
    /// On the embeddings.
    pub dropout: Dropout,
    /// The blocks.
    pub decoder: Decoder,
    #[module(skip)]
    sinusoidal: bool,
    #[module(skip)]
    max_tokens: usize,
    #[module(skip)]
    d_model: usize,
}

impl TextDecoder {
    /// The longest text, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Logits of the token after each of the texts': `[batch, tokens]` and a context `[batch, keys, d_context]` →
    /// `[batch, tokens, vocab_size]`, to be trained on the same texts, one place on.
    ///
    /// # Panics
    /// If there are more tokens than a text may have.
    pub fn forward(&self, texts: TextBatch, context: &Tokens) -> Tensor<3> {
        self.forward_with(texts, context, &mut NoTap)
    }

    /// The same, showing `embeds`, what the blocks show under `decoder`, and `logits` to the tap.
    ///
    /// # Panics
    /// If there are more tokens than a text may have.
    pub fn forward_with<T: Tap>(
        &self,
        texts: TextBatch,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        let embeds = tap.tensor("embeds", self.embed(texts.ids, 0));
        let tokens = Tokens::new(embeds, texts.pad);
        let tokens = in_layer(tap, "decoder", |tap| {
            self.decoder.forward_with(tokens, context, tap)
        });
        tap.tensor("logits", self.logits(tokens.embeds))
    }

    /// Begins texts in view of a context `[batch, keys, d_context]`. `pad` `[batch, keys]` is true at padding; none is
    /// quicker than one without padding.
    pub fn begin(&self, context: &Tensor<3>, pad: Option<&Tensor<2, Bool>>) -> DecoderCache {
        self.decoder.begin(context, pad, self.max_tokens)
    }

    /// Logits of the token after the last of the next ones: `[batch, tokens]` → `[batch, vocab_size]`, as
    /// [`forward`](Self::forward) gives them where they follow those that the cache has seen; they join it. None of them is padding.
    ///
    /// # Panics
    /// If there are more tokens than a text may have.
    pub fn step(&self, ids: Tensor<2, Int>, cache: &mut DecoderCache) -> Tensor<2> {
        let [_, tokens] = ids.dims();
        let embeds = self.embed(ids, cache.len());
        let stepped = self.decoder.step(embeds, cache);
        let last = stepped.narrow(1, tokens - 1, 1); // [B, T, D] -> [B, 1, D]
        self.logits(last).squeeze_dim(1)
    }

    fn embed(&self, ids: Tensor<2, Int>, start: usize) -> Tensor<3> {
        let [_, tokens] = ids.dims();
        let (end, most) = (start + tokens, self.max_tokens);
        assert!(end <= most, "{end} tokens, but a text has at most {most}");
        let embeds = self.embedding.forward(ids); // [B, T] -> [B, T, D]
        let embeds = embeds.mul_scalar((self.d_model as f64).sqrt());
        let embeds = match &self.positions {
            Some(positions) => positions.forward_from(embeds, start),
            None if self.sinusoidal => {
                let table = sinusoidal_from(start, tokens, self.d_model, &embeds.device());
                embeds + table.unsqueeze()
            }
            None => embeds,
        };
        self.dropout.forward(embeds)
    }

    /// `[batch, tokens, d_model]` → `[batch, tokens, vocab_size]`
    fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        affine(x, self.embedding.weight.val().transpose(), None)
    }
}
