//! From tokens to the logits of those that are next.

use burn::module::Module;
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear, LinearConfig,
};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{
    Layout, LearnedPositions, Positions, Transformer, TransformerCache, affine, linear,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{NoTap, Tap, Tokens};
use sensorium_text::TextBatch;

use super::CausalConfig;

/// A table of tokens, and blocks that see what came before.
#[derive(Module, Debug)]
pub struct CausalModel {
    /// `[vocab_size, d_model]`
    pub token: Embedding,
    /// `[max_positions, d_model]`, where positions are learned and not rotary.
    pub position: Option<LearnedPositions>,
    /// On what the blocks take.
    pub dropout: Dropout,
    /// The blocks, and the norm after them.
    pub transformer: Transformer,
}

/// A causal language model: what comes before, and the logits of what is next.
#[derive(Module, Debug)]
pub struct CausalLm {
    /// Without logits.
    pub model: CausalModel,
    /// `d_model` → `vocab_size`, if it is not the table of tokens.
    pub head: Option<Linear>,
    #[module(skip)]
    pub(super) max_positions: usize,
}

/// As the families begin.
const INIT: Initializer = Initializer::Normal {
    mean: 0.0,
    std: 0.02,
};

impl CausalModel {
    pub(super) fn new(config: &CausalConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let d_model = config.d_model();
        Self {
            token: EmbeddingConfig::new(config.vocab_size(), d_model)
                .with_initializer(INIT)
                .init(device),
            position: config
                .learned_positions()
                .map(|most| LearnedPositions::new(most, d_model, device)),
            dropout: DropoutConfig::new(config.dropout()).init(),
            transformer: config.transformer().init(device),
        }
    }

    /// Tokens of texts from their beginning on: `[batch, tokens]` → `[batch, tokens, d_model]`, after the last norm.
    ///
    /// # Panics
    /// If there are more tokens than learned positions.
    pub fn forward(&self, texts: TextBatch) -> Tokens {
        self.forward_with(texts, &mut NoTap)
    }

    /// The same, showing `embeds`, `transformer.blocks.N.output` and `transformer.output` to the tap, and
    /// `transformer.blocks.N.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// If there are more tokens than learned positions.
    pub fn forward_with<T: Tap>(&self, texts: TextBatch, tap: &mut T) -> Tokens {
        let tokens = Tokens::new(self.token.forward(texts.ids), texts.pad);
        self.forward_in_with(tokens, &Layout::default(), tap)
    }

    /// The same for vectors of tokens, which may come out of something else than a text, and lie as `layout` says.
    ///
    /// # Panics
    /// If there are more tokens than learned positions, or the layout is of others.
    pub fn forward_in_with<T: Tap>(&self, tokens: Tokens, layout: &Layout, tap: &mut T) -> Tokens {
        let Tokens { embeds, pad } = tokens;
        let following = Positions::following(0, embeds.dims()[1]);
        let at = layout.positions.as_ref().unwrap_or(&following);
        let embeds = tap.tensor("embeds", self.placed(embeds, at));
        let tokens = Tokens::new(embeds, pad);
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_in_with(tokens, layout, tap)
        })
    }

    /// Begins texts side by side, before each of which so many tokens of padding stand, for up to `capacity` tokens a row.
    pub fn begin(&self, before: &[usize], capacity: usize) -> TransformerCache {
        self.transformer.begin(before, capacity, &self.device())
    }

    /// The next tokens' vectors `[batch, tokens, d_model]`, as [`forward_in_with`](Self::forward_in_with) gives them where they follow
    /// those that the cache has seen; they join it, and stand where `positions` says, or one after the other.
    ///
    /// # Panics
    /// As [`Transformer::step`].
    pub fn step(
        &self,
        tokens: Tensor<3>,
        positions: Option<&Positions>,
        cache: &mut TransformerCache,
    ) -> Tensor<3> {
        let following = cache.following(tokens.dims()[1]);
        let at = positions.unwrap_or(&following);
        self.transformer
            .step(self.placed(tokens, at), Some(at), cache)
    }

    /// With learned positions, where there are any.
    fn placed(&self, embeds: Tensor<3>, at: &Positions) -> Tensor<3> {
        let embeds = match &self.position {
            Some(position) => position.forward_at(embeds, at),
            None => embeds,
        };
        self.dropout.forward(embeds)
    }

    /// Where it lives.
    pub fn device(&self) -> Device {
        self.token.weight.val().device()
    }
}

impl CausalLm {
    pub(super) fn new(config: &CausalConfig, device: &Device) -> Self {
        let head = LinearConfig::new(config.d_model(), config.vocab_size())
            .with_bias(false)
            .with_initializer(INIT);
        Self {
            model: CausalModel::new(config, device),
            head: (!config.tied()).then(|| head.init(device)),
            max_positions: config.max_positions(),
        }
    }

    /// Logits of the token after each of the texts': `[batch, tokens, vocab_size]`.
    ///
    /// # Panics
    /// If there are more tokens than learned positions.
    pub fn forward(&self, texts: TextBatch) -> Tensor<3> {
        self.forward_with(texts, &mut NoTap)
    }

    /// The same, showing under `model` what the model shows, and `logits`.
    ///
    /// # Panics
    /// If there are more tokens than learned positions.
    pub fn forward_with<T: Tap>(&self, texts: TextBatch, tap: &mut T) -> Tensor<3> {
        let tokens = in_layer(tap, "model", |tap| self.model.forward_with(texts, tap));
        tap.tensor("logits", self.logits(tokens.embeds))
    }

    /// `[batch, tokens, d_model]` → `[batch, tokens, vocab_size]`
    pub fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.head {
            Some(head) => linear(head, x),
            None => affine(x, self.model.token.weight.val().transpose(), None),
        }
    }

    /// Logits of the token after the last of these, given as vectors `[batch, tokens, d_model]` which stand where `positions` says or one
    /// after the other: `[batch, vocab_size]`. They join the cache.
    ///
    /// # Panics
    /// As [`CausalModel::step`].
    pub fn next_of(
        &self,
        tokens: Tensor<3>,
        positions: Option<&Positions>,
        cache: &mut TransformerCache,
    ) -> Tensor<2> {
        let stepped = self.model.step(tokens, positions, cache);
        let last = stepped.dims()[1] - 1;
        self.logits(stepped.narrow(1, last, 1)).squeeze_dim(1) // [B, 1, V] -> [B, V]
    }

    /// How many tokens a text may have.
    pub fn max_positions(&self) -> usize {
        self.max_positions
    }
}
