//! Encoder and decoder, and the logits of words.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};
use sensorium_audio::AudioBatch;
use sensorium_core::nn::{DecoderCache, affine, linear};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, NoTap, Tap, Tokens};
use sensorium_text::TextBatch;

use super::{WhisperConfig, WhisperDecoder, WhisperEncoder};

/// Whisper without logits.
#[derive(Module, Debug)]
pub struct WhisperModel {
    /// Sound to tokens.
    pub encoder: WhisperEncoder,
    /// Tokens and a text to the text's next word.
    pub decoder: WhisperDecoder,
}

impl WhisperModel {
    /// Hears `sounds`, and reads `texts` in view of them: `[batch, tokens, d_model]`.
    ///
    /// # Panics
    /// As [`WhisperEncoder::encode_with`] and [`WhisperDecoder::forward`].
    pub fn forward(&self, sounds: AudioBatch, texts: TextBatch) -> Tokens {
        self.forward_with(sounds, texts, &mut NoTap)
    }

    /// The same, showing what each part shows, under `encoder` and `decoder`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_with<T: Tap>(
        &self,
        sounds: AudioBatch,
        texts: TextBatch,
        tap: &mut T,
    ) -> Tokens {
        let heard = in_layer(tap, "encoder", |tap| self.encoder.encode_with(sounds, tap));
        in_layer(tap, "decoder", |tap| {
            self.decoder.forward_with(texts, &heard, tap)
        })
    }
}

/// Whisper with what gives logits of words.
#[derive(Module, Debug)]
pub struct WhisperForConditionalGeneration {
    /// Encoder and decoder.
    pub model: WhisperModel,
    /// `d_model` → `vocab_size`, if it is not the table of words.
    pub head: Option<Linear>,
}

impl WhisperForConditionalGeneration {
    pub(super) fn new(config: &WhisperConfig, device: &Device) -> Self {
        let head = LinearConfig::new(config.d_model, config.vocab_size).with_bias(false);
        Self {
            model: config.init(device),
            head: (!config.tied).then(|| head.init(device)),
        }
    }

    /// Logits of the word after each of the texts': `[batch, tokens, vocab_size]`, to be trained on the same texts, one
    /// place on.
    ///
    /// # Panics
    /// As [`WhisperModel::forward`].
    pub fn forward(&self, sounds: AudioBatch, texts: TextBatch) -> Tensor<3> {
        self.forward_with(sounds, texts, &mut NoTap)
    }

    /// The same, showing under `model` what the model shows, and `logits`.
    ///
    /// # Panics
    /// As [`WhisperModel::forward`].
    pub fn forward_with<T: Tap>(
        &self,
        sounds: AudioBatch,
        texts: TextBatch,
        tap: &mut T,
    ) -> Tensor<3> {
        let tokens = in_layer(tap, "model", |tap| {
            self.model.forward_with(sounds, texts, tap)
        });
        tap.tensor("logits", self.logits(tokens.embeds))
    }

    /// Begins to decode in view of what was heard, `[batch, keys, d_model]`.
    pub fn begin(&self, heard: &Tensor<3>) -> DecoderCache {
        self.model.decoder.begin(heard)
    }

    /// Logits of the word after each of the next tokens: `[batch, tokens]` → `[batch, tokens, vocab_size]`, as
    /// [`forward`](Self::forward) gives them where they follow those that the cache has seen; they join it.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn step(&self, ids: Tensor<2, Int>, cache: &mut DecoderCache) -> Tensor<3> {
        self.logits(self.model.decoder.step(ids, cache))
    }

    /// The same of the word after the last of them alone: `[batch, vocab_size]`.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn next(&self, ids: Tensor<2, Int>, cache: &mut DecoderCache) -> Tensor<2> {
        let [_, tokens] = ids.dims();
        let [last] = self.at(ids, [tokens - 1], cache);
        last
    }

    /// The same of the words after some of them alone, `[batch, vocab_size]` each: of many words, logits are large.
    ///
    /// # Panics
    /// If there are more tokens than positions, or fewer than asked for.
    pub fn at<const N: usize>(
        &self,
        ids: Tensor<2, Int>,
        places: [usize; N],
        cache: &mut DecoderCache,
    ) -> [Tensor<2>; N] {
        let stepped = self.model.decoder.step(ids, cache);
        let one = |place| self.logits(stepped.clone().narrow(1, place, 1));
        places.map(|place| one(place).squeeze_dim(1)) // [B, 1, V] -> [B, V]
    }

    /// `[batch, tokens, d_model]` → `[batch, tokens, vocab_size]`
    fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.head {
            Some(head) => linear(head, x),
            None => affine(x, self.model.decoder.token.weight.val().transpose(), None),
        }
    }
}
