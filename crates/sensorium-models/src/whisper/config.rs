//! Whisper's `config.json`: what is read of it, what is refused, and presets.

use burn::tensor::Device;
use sensorium_core::nn::{Activation, DecoderConfig, TransformerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{WhisperDecoder, WhisperEncoder, WhisperForConditionalGeneration, WhisperModel};
use crate::Error;
use crate::config::{self, hidden_act};
use crate::error::{need, share, size};

/// Whisper's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, attention weights never, and no layer is left out; without training there is no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhisperConfig {
    /// Rows of the table of words.
    pub vocab_size: usize,
    /// Bands of pitch: 80, or 128 from large-v3 on.
    #[serde(rename = "num_mel_bins", default = "eighty")]
    pub n_mels: usize,
    /// Width of the tokens.
    pub d_model: usize,
    /// Blocks of the encoder.
    pub encoder_layers: usize,
    /// Attention heads of the encoder.
    pub encoder_attention_heads: usize,
    /// Width of the encoder's feed-forward part.
    pub encoder_ffn_dim: usize,
    /// Blocks of the decoder: as many as the encoder's, or 4 in turbo.
    pub decoder_layers: usize,
    /// Attention heads of the decoder.
    pub decoder_attention_heads: usize,
    /// Width of the decoder's feed-forward part.
    pub decoder_ffn_dim: usize,
    /// Of the feed-forward parts.
    #[serde(rename = "activation_function", with = "hidden_act", default)]
    pub activation: Activation,
    /// Share of features dropped in training.
    #[serde(default)]
    pub dropout: f64,
    /// Tokens of a sound: one for two frames, 1500 for 30 s.
    #[serde(default = "half_minute")]
    pub max_source_positions: usize,
    /// The most tokens of a text, what stands before it included.
    #[serde(default = "most_tokens")]
    pub max_target_positions: usize,
    /// Whether logits come from the table of words.
    #[serde(rename = "tie_word_embeddings", default = "yes")]
    pub tied: bool,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn eighty() -> usize {
    80
}
fn half_minute() -> usize {
    1500
}
fn most_tokens() -> usize {
    448
}
fn yes() -> bool {
    true
}

impl WhisperConfig {
    /// As many layers and heads in the encoder as in the decoder, feed-forward widths of `4 * d_model`, 80 bands, 30 s.
    pub fn new(vocab_size: usize, d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            vocab_size,
            n_mels: eighty(),
            d_model,
            encoder_layers: n_layers,
            encoder_attention_heads: n_heads,
            encoder_ffn_dim: 4 * d_model,
            decoder_layers: n_layers,
            decoder_attention_heads: n_heads,
            decoder_ffn_dim: 4 * d_model,
            activation: Activation::Gelu,
            dropout: 0.0,
            max_source_positions: half_minute(),
            max_target_positions: most_tokens(),
            tied: true,
            other: Map::new(),
        }
    }

    /// `openai/whisper-tiny` (arXiv 2212.04356, table 1).
    pub fn tiny() -> Self {
        Self::new(51_865, 384, 4, 6)
    }

    /// `openai/whisper-base` (the same).
    pub fn base() -> Self {
        Self::new(51_865, 512, 6, 8)
    }

    /// `openai/whisper-small` (the same).
    pub fn small() -> Self {
        Self::new(51_865, 768, 12, 12)
    }

    /// `openai/whisper-medium` (the same).
    pub fn medium() -> Self {
        Self::new(51_865, 1024, 24, 16)
    }

    /// `openai/whisper-large-v3`: 128 bands, and one language more.
    pub fn large_v3() -> Self {
        Self {
            n_mels: 128,
            ..Self::new(51_866, 1280, 32, 20)
        }
    }

    /// `openai/whisper-large-v3-turbo`: large-v3 with four layers in its decoder.
    pub fn large_v3_turbo() -> Self {
        Self {
            decoder_layers: 4,
            ..Self::large_v3()
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            n_mels: 6,
            encoder_ffn_dim: 12,
            decoder_ffn_dim: 10,
            decoder_attention_heads: 4,
            max_source_positions: 10,
            max_target_positions: 12,
            ..Self::new(24, 8, 2, 2)
        }
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let config: Self = config::parse(file, json)?;
        config.validate_as(file)?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    fn validate_as(&self, file: &str) -> Result<(), Error> {
        size(file, "vocab_size", self.vocab_size, 1 << 24)?;
        size(file, "num_mel_bins", self.n_mels, 1024)?;
        size(file, "d_model", self.d_model, 65_536)?;
        for (key, layers) in [
            ("encoder_layers", self.encoder_layers),
            ("decoder_layers", self.decoder_layers),
        ] {
            size(file, key, layers, 512)?;
        }
        for (key, heads) in [
            ("encoder_attention_heads", self.encoder_attention_heads),
            ("decoder_attention_heads", self.decoder_attention_heads),
        ] {
            let divides = heads > 0 && self.d_model.is_multiple_of(heads);
            need(divides, file, key, || {
                format!("{heads} must divide d_model = {}", self.d_model)
            })?;
        }
        size(file, "encoder_ffn_dim", self.encoder_ffn_dim, 1 << 20)?;
        size(file, "decoder_ffn_dim", self.decoder_ffn_dim, 1 << 20)?;
        let (source, target) = (self.max_source_positions, self.max_target_positions);
        size(file, "max_source_positions", source, 1 << 16)?;
        size(file, "max_target_positions", target, 1 << 16)?;
        share(file, "dropout", self.dropout)
    }

    /// Frames of a sound's features, silence at its end included.
    pub fn n_frames(&self) -> usize {
        2 * self.max_source_positions
    }

    pub(super) fn encoder(&self) -> TransformerConfig {
        TransformerConfig::new(
            self.d_model,
            self.encoder_attention_heads,
            self.encoder_layers,
        )
        .with_d_ff(self.encoder_ffn_dim)
        .with_activation(self.activation)
        .with_dropout(self.dropout)
        .with_key_bias(false)
    }

    pub(super) fn decoder(&self) -> DecoderConfig {
        let blocks = TransformerConfig::new(
            self.d_model,
            self.decoder_attention_heads,
            self.decoder_layers,
        )
        .with_d_ff(self.decoder_ffn_dim)
        .with_activation(self.activation)
        .with_dropout(self.dropout)
        .with_key_bias(false)
        .with_causal(true);
        DecoderConfig::new(blocks, self.d_model)
    }

    /// A freshly initialised encoder.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_encoder(&self, device: &Device) -> WhisperEncoder {
        WhisperEncoder::new(self, device)
    }

    /// A freshly initialised decoder.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_decoder(&self, device: &Device) -> WhisperDecoder {
        WhisperDecoder::new(self, device)
    }

    /// A freshly initialised encoder and decoder, without logits.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> WhisperModel {
        WhisperModel {
            encoder: self.init_encoder(device),
            decoder: self.init_decoder(device),
        }
    }

    /// The same with what gives logits of words.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_generation(&self, device: &Device) -> WhisperForConditionalGeneration {
        WhisperForConditionalGeneration::new(self, device)
    }
}
