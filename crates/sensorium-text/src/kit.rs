//! What a recipe needs to know of text: one flat table, a processor and an encoder made of it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_core::nn::{Activation, NormOrder};
use sensorium_core::{Changes, Modality, ModalityKit, Source, need};
use serde::{Deserialize, Serialize};

use crate::processor::read;
use crate::tokenizer::FILE;
use crate::{
    AugmentConfig, Error, Positions, TEXT, TextEncoder, TextEncoderConfig, TextProcessor, Tokenizer,
};

/// What a learned vocabulary is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pieces {
    /// Pieces of words, in lower case and without accents: see [`Tokenizer::fit`].
    #[default]
    Words,
    /// Bytes, and what they are joined to, from which a text can be put together again: see [`Tokenizer::fit_bytes`].
    Bytes,
}

impl Pieces {
    fn is_words(&self) -> bool {
        *self == Self::Words
    }

    /// Learns a vocabulary of at most so many.
    ///
    /// # Errors
    /// If there is no text.
    pub fn learn<'a>(
        self,
        texts: impl Iterator<Item = &'a str>,
        vocab_size: usize,
    ) -> Result<Tokenizer, Error> {
        match self {
            Self::Words => Tokenizer::fit(texts, vocab_size),
            Self::Bytes => Tokenizer::fit_bytes(texts, vocab_size),
        }
    }
}

fn is_gelu(activation: &Activation) -> bool {
    *activation == Activation::Gelu
}

/// A recipe's table for text: how it is split, changed in training, and encoded by a [`TextEncoder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// A `tokenizer.json`; without it, a WordPiece vocabulary is learned from the training texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// What a learned vocabulary is made of.
    #[serde(skip_serializing_if = "Pieces::is_words")]
    pub pieces: Pieces,
    /// The most tokens of a learned vocabulary.
    pub vocab_size: usize,
    /// The longest text, in tokens; what is longer is cut.
    pub max_tokens: usize,
    /// Width of the tokens; a multiple of `n_heads`.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part; four times `d_model` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_ff: Option<usize>,
    /// How a token's place is told.
    pub positions: Positions,
    /// Whether norms stand before or after what they belong to.
    pub order: NormOrder,
    /// Of the feed-forward part.
    #[serde(skip_serializing_if = "is_gelu")]
    pub activation: Activation,
    /// Whether embeddings are multiplied by the root of `d_model`, as the original Transformer does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scale_embeddings: bool,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// Chance of skipping the last block's residual branches in training.
    pub drop_path: f64,
    /// Random changes in training.
    pub augment: AugmentConfig,
    /// What a strongly changed copy is instead, where training compares such copies;
    /// [`stronger`](AugmentConfig::stronger) than `augment` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strong: Option<AugmentConfig>,
}

impl Default for TextConfig {
    /// A small model for short texts.
    fn default() -> Self {
        Self {
            tokenizer: None,
            pieces: Pieces::Words,
            vocab_size: 2000,
            max_tokens: 64,
            d_model: 64,
            n_layers: 2,
            n_heads: 4,
            d_ff: None,
            positions: Positions::Learned,
            order: NormOrder::Pre,
            activation: Activation::Gelu,
            scale_embeddings: false,
            dropout: 0.0,
            drop_path: 0.0,
            augment: AugmentConfig::default(),
            strong: None,
        }
    }
}

impl TextConfig {
    /// The encoder for a vocabulary.
    pub fn encoder(&self, vocab_size: usize) -> TextEncoderConfig {
        TextEncoderConfig::new(
            vocab_size,
            self.max_tokens,
            self.d_model,
            self.n_layers,
            self.n_heads,
        )
        .with_d_ff(self.d_ff.unwrap_or(self.d_model.saturating_mul(4)))
        .with_positions(self.positions)
        .with_order(self.order)
        .with_activation(self.activation)
        .with_scale_embeddings(self.scale_embeddings)
        .with_dropout(self.dropout)
        .with_drop_path(self.drop_path)
    }

    /// What splits texts with a vocabulary, and changes them in training.
    ///
    /// # Errors
    /// If how they are changed cannot work.
    pub fn processor(&self, tokenizer: Tokenizer) -> Result<TextProcessor, Error> {
        TextProcessor::new(tokenizer, self.max_tokens)
            .with_augment(self.augment)?
            .with_strong(self.strong)
    }
}

/// Text for recipes.
#[derive(Clone, Copy, Debug)]
pub struct TextKit;

impl ModalityKit for TextKit {
    const MODALITY: Modality = TEXT;
    type Config = TextConfig;
    type Processor = TextProcessor;
    type Encoder = TextEncoder;
    type Error = Error;

    fn validate(config: &TextConfig) -> Result<(), Error> {
        need(
            (8..=1 << 20).contains(&config.vocab_size),
            "vocab_size",
            || format!("{} must be 8 to 1048576", config.vocab_size),
        )?;
        need(config.max_tokens >= 2, "max_tokens", || {
            format!(
                "{} must be at least 2, for the special tokens",
                config.max_tokens
            )
        })?;
        config.augment.validate()?;
        if let Some(strong) = &config.strong {
            strong.validate_as(Changes::Strong)?;
        }
        config.encoder(config.vocab_size).validate()
    }

    fn fit(
        config: &TextConfig,
        samples: &mut dyn Iterator<Item = Source>,
    ) -> Result<TextProcessor, Error> {
        let tokenizer = match &config.tokenizer {
            Some(path) => Tokenizer::open(path)?,
            None => {
                let texts = samples
                    .map(|source| read(&source))
                    .collect::<Result<Vec<_>, _>>()?;
                let texts = texts.iter().map(String::as_str);
                config.pieces.learn(texts, config.vocab_size)?
            }
        };
        config.processor(tokenizer)
    }

    fn save(processor: &TextProcessor, dir: &Path) -> Result<(), Error> {
        processor.tokenizer().save(dir)
    }

    fn open(config: &TextConfig, dir: &Path) -> Result<TextProcessor, Error> {
        config.processor(Tokenizer::open(&dir.join(FILE))?)
    }

    fn encoder(
        config: &TextConfig,
        processor: &TextProcessor,
        device: &Device,
    ) -> Result<TextEncoder, Error> {
        let encoder = config.encoder(processor.tokenizer().vocab_size());
        // The size of the vocabulary is the tokenizer file's say.
        encoder.validate()?;
        Ok(encoder.init(device))
    }

    fn absolute(mut config: TextConfig) -> TextConfig {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        config.tokenizer = config.tokenizer.map(absolute);
        config
    }
}
