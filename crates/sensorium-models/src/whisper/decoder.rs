//! From what was heard, and the text so far, to what the next word is read from.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::nn::{Decoder, DecoderCache, LearnedPositions};
use sensorium_core::tap::in_layer;
use sensorium_core::{NoTap, Tap, Tokens};
use sensorium_text::TextBatch;

use super::WhisperConfig;

/// Whisper's decoder: pre-norm blocks that attend to the words so far, and to what was heard (arXiv 2212.04356, section
/// 2.2).
#[derive(Module, Debug)]
pub struct WhisperDecoder {
    /// `[vocab_size, d_model]`
    pub token: Embedding,
    /// `[max_target_positions, d_model]`
    pub position: LearnedPositions,
    /// On what the blocks take.
    pub dropout: Dropout,
    /// The blocks, and the norm after them.
    pub decoder: Decoder,
}

impl WhisperDecoder {
    pub(super) fn new(config: &WhisperConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let (most, d_model) = (config.max_target_positions, config.d_model);
        Self {
            token: EmbeddingConfig::new(config.vocab_size, d_model)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: 0.02,
                })
                .init(device),
            position: LearnedPositions::new(most, d_model, device),
            dropout: DropoutConfig::new(config.dropout).init(),
            decoder: config.decoder().init(device),
        }
    }

    /// All tokens of texts at once, in view of what was heard, `[batch, keys, d_model]`: `[batch, tokens]` →
    /// `[batch, tokens, d_model]`, after the last norm.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward(&self, texts: TextBatch, heard: &Tokens) -> Tokens {
        self.forward_with(texts, heard, &mut NoTap)
    }

    /// The same, showing `embeds`, `decoder.blocks.N.output` and `decoder.output` to the tap, and
    /// `decoder.blocks.N.attention.weights` and `decoder.blocks.N.cross.weights` where weights are wanted.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward_with<T: Tap>(&self, texts: TextBatch, heard: &Tokens, tap: &mut T) -> Tokens {
        let embeds = tap.tensor("embeds", self.embed(texts.ids, 0));
        let tokens = Tokens::new(embeds, texts.pad);
        in_layer(tap, "decoder", |tap| {
            self.decoder.forward_with(tokens, heard, tap)
        })
    }

    /// Begins to decode in view of what was heard, `[batch, keys, d_model]`.
    pub fn begin(&self, heard: &Tensor<3>) -> DecoderCache {
        self.decoder.begin(heard, None, self.position.max_len())
    }

    /// The next tokens, `[batch, tokens]` → `[batch, tokens, d_model]`, as [`forward`](Self::forward) gives them where they
    /// follow those that the cache has seen; they join it.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn step(&self, ids: Tensor<2, Int>, cache: &mut DecoderCache) -> Tensor<3> {
        let embeds = self.embed(ids, cache.len());
        self.decoder.step(embeds, cache)
    }

    fn embed(&self, ids: Tensor<2, Int>, start: usize) -> Tensor<3> {
        let embeds = self.position.forward_from(self.token.forward(ids), start);
        self.dropout.forward(embeds)
    }
}
