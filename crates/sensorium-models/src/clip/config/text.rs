//! The text tower's part of CLIP's `config.json`.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::WIDEST;
use crate::Error;
use crate::clip::blocks::Blocks;
use crate::clip::{ClipTextModel, ClipTextModelWithProjection, nested};
use crate::config::hidden_act;
use crate::error::size;

/// The text tower of a CLIP's `config.json`: the object `text_config`, or a file of its own.
///
/// A key that is missing has the value of `openai/clip-vit-base-patch32`, as in Transformers. Keys that are not read are
/// kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; published models drop nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "ClipTextConfig::base_patch32")]
pub struct ClipTextConfig {
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
    /// Width of the embedding of a tower with a projection. Both towers together have that of the whole model.
    #[serde(rename = "projection_dim")]
    pub d_embed: usize,
    /// The id whose first place is pooled. Files from before 2023 say 2, which never was true: there the largest id of a
    /// text is pooled, which the end of a text is.
    #[serde(rename = "eos_token_id")]
    pub end_id: usize,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ClipTextConfig {
    /// The text tower of CLIP ViT-B/32 (arXiv 2103.00020, section 2.4), as `openai/clip-vit-base-patch32`.
    pub fn base_patch32() -> Self {
        Self {
            vocab_size: 49_408,
            d_model: 512,
            n_layers: 12,
            n_heads: 8,
            d_ff: 2048,
            max_tokens: 77,
            activation: Activation::QuickGelu,
            norm_epsilon: 1e-5,
            dropout: 0.0,
            d_embed: 512,
            end_id: 49_407,
            other: Map::new(),
        }
    }

    /// The text tower of CLIP ViT-L/14 (arXiv 2103.00020, table 20), as `openai/clip-vit-large-patch14`.
    pub fn large_patch14() -> Self {
        Self {
            d_model: 768,
            n_heads: 12,
            d_ff: 3072,
            d_embed: 768,
            ..Self::base_patch32()
        }
    }

    /// As small as it goes: for tests and examples. A text ends with the id 15.
    pub fn debug() -> Self {
        Self {
            vocab_size: 16,
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            d_ff: 12,
            max_tokens: 6,
            d_embed: 5,
            end_id: 15,
            ..Self::base_patch32()
        }
    }

    /// Parses and validates the `config.json` of a text tower or of a whole CLIP; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let mut config: Self = nested::parse(file, json, nested::TEXT)?;
        if let Some(width) = super::whole_width(file, json)? {
            config.d_embed = width;
        }
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
        size(file, "projection_dim", self.d_embed, WIDEST)
    }

    pub(in crate::clip) fn blocks(&self) -> Blocks {
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
    pub fn init(&self, device: &Device) -> ClipTextModel {
        ClipTextModel::new(self, device)
    }

    /// The same with a projection to [`d_embed`](Self::d_embed).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_with_projection(&self, device: &Device) -> ClipTextModelWithProjection {
        ClipTextModelWithProjection::new(self, device)
    }
}
