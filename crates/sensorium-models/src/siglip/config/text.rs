//! The text tower's part of SigLIP's `config.json`.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::WIDEST;
use crate::Error;
use crate::clip::blocks::Blocks;
use crate::clip::nested;
use crate::config::hidden_act;
use crate::error::{need, size};
use crate::siglip::SiglipTextModel;

/// How many ids Gemma's tokenizer has.
const GEMMA_VOCAB: usize = 256_000;

/// The text tower of a SigLIP's `config.json`: the object `text_config`, or a file of its own.
///
/// A key that is missing has the value of `google/siglip-base-patch16-224`, as in Transformers. Keys that are not read are
/// kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; published models drop nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "SiglipTextConfig::base_patch16")]
pub struct SiglipTextConfig {
    /// Rows of the table of words.
    pub vocab_size: usize,
    /// Width of the tokens.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// How many transformer blocks.
    #[serde(rename = "num_hidden_layers")]
    pub n_layers: usize,
    /// How many attention heads.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: usize,
    /// Width of the feed-forward part.
    #[serde(rename = "intermediate_size")]
    pub d_ff: usize,
    /// The longest text, in tokens.
    #[serde(rename = "max_position_embeddings")]
    pub max_tokens: usize,
    /// Of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act")]
    pub activation: Activation,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps")]
    pub norm_epsilon: f64,
    /// Share of features dropped in training.
    #[serde(rename = "attention_dropout")]
    pub dropout: f64,
    /// Width of the embedding; by default that of the tokens.
    #[serde(rename = "projection_size", skip_serializing_if = "Option::is_none")]
    pub d_embed: Option<usize>,
    /// The id of padding, which this model attends to; see [`pad_id`](Self::pad_id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad_token_id: Option<usize>,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl SiglipTextConfig {
    /// The text tower of SigLIP B/16 (arXiv 2303.15343), as `google/siglip-base-patch16-224`.
    pub fn base_patch16() -> Self {
        Self {
            vocab_size: 32_000,
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: 3072,
            max_tokens: 64,
            activation: Activation::GeluTanh,
            norm_epsilon: 1e-6,
            dropout: 0.0,
            d_embed: None,
            pad_token_id: None,
            other: Map::new(),
        }
    }

    /// The text tower of shape-optimised SigLIP, as `google/siglip-so400m-patch14-384` (arXiv 2305.13035).
    pub fn so400m_patch14() -> Self {
        Self {
            d_model: 1152,
            n_layers: 27,
            n_heads: 16,
            d_ff: 4304,
            ..Self::base_patch16()
        }
    }

    /// The same tower with the tokenizer of SigLIP 2 (arXiv 2502.14786), as in `google/siglip2-base-patch16-224`.
    pub fn with_gemma_vocabulary(mut self) -> Self {
        self.vocab_size = GEMMA_VOCAB;
        self
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            vocab_size: 16,
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            d_ff: 12,
            max_tokens: 6,
            d_embed: None,
            ..Self::base_patch16()
        }
    }

    /// Parses and validates the `config.json` of a text tower or of a whole SigLIP; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        super::fixed_resolution(file, json)?;
        let config: Self = nested::parse(file, json, nested::TEXT)?;
        config.validate_as(&nested::place_in(file, json, nested::TEXT))?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    pub(super) fn validate_as(&self, file: &str) -> Result<(), Error> {
        self.blocks().validate(file)?;
        size(file, "vocab_size", self.vocab_size, 1 << 24)?;
        size(file, "max_position_embeddings", self.max_tokens, 1 << 20)?;
        size(file, "projection_size", self.d_embed(), WIDEST)?;
        need(
            self.pad_id() < self.vocab_size,
            file,
            "pad_token_id",
            || {
                let (found, most) = (self.pad_id(), self.vocab_size);
                format!("{found} must be below vocab_size = {most}")
            },
        )
    }

    /// Width of the embedding.
    pub fn d_embed(&self) -> usize {
        self.d_embed.unwrap_or(self.d_model)
    }

    /// The id of padding: as the file says, or 1. Files of SigLIP 2 do not say, and its tokenizer, Gemma's, has 0.
    pub fn pad_id(&self) -> usize {
        let assumed = usize::from(self.vocab_size != GEMMA_VOCAB);
        self.pad_token_id.unwrap_or(assumed)
    }

    pub(in crate::siglip) fn blocks(&self) -> Blocks {
        Blocks {
            d_model: self.d_model,
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            d_ff: self.d_ff,
            activation: self.activation,
            norm_epsilon: self.norm_epsilon,
            dropout: self.dropout,
        }
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> SiglipTextModel {
        SiglipTextModel::new(self, device)
    }
}
