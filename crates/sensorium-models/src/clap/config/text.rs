//! The text tower's part of CLAP's `config.json`.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Beside, WIDEST};
use crate::Error;
use crate::bert::BertConfig;
use crate::clap::{ClapTextModel, ClapTextModelWithProjection};
use crate::clip::nested;
use crate::config::hidden_act;
use crate::error::size;

/// The text tower of a CLAP's `config.json`: the object `text_config`, or a file of its own. It is a RoBERTa.
///
/// A key that is missing has the value of `laion/clap-htsat-fused`, as in Transformers. Keys that are not read are kept in
/// [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// As [`BertConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "ClapTextConfig::roberta")]
pub struct ClapTextConfig {
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
    /// Rows of the table of positions, those that are never used included.
    #[serde(rename = "max_position_embeddings")]
    pub max_positions: usize,
    /// Rows of the table of token types, of which the first is used.
    #[serde(rename = "type_vocab_size")]
    pub n_types: usize,
    /// Of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act")]
    pub activation: Activation,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps")]
    pub norm_epsilon: f64,
    /// Share of features dropped in training.
    #[serde(rename = "hidden_dropout_prob")]
    pub dropout: f64,
    /// The id of padding, after which positions begin; 1 if there is none.
    pub pad_token_id: Option<usize>,
    /// Width of the embedding of a tower with a projection. Both towers together have that of the whole model.
    #[serde(rename = "projection_dim")]
    pub d_embed: usize,
    /// Between the layers of the projection.
    #[serde(rename = "projection_hidden_act", with = "hidden_act")]
    pub projection_activation: Activation,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ClapTextConfig {
    /// RoBERTa-base under a projection, as in `laion/clap-htsat-fused`.
    pub fn roberta() -> Self {
        Self {
            vocab_size: 50_265,
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: 3072,
            max_positions: 514,
            n_types: 1,
            activation: Activation::Gelu,
            norm_epsilon: 1e-12,
            dropout: 0.1,
            pad_token_id: Some(1),
            d_embed: super::d_embed(),
            projection_activation: super::activation(),
            other: Map::new(),
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            vocab_size: 16,
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            d_ff: 12,
            max_positions: 10,
            dropout: 0.0,
            d_embed: 5,
            ..Self::roberta()
        }
    }

    /// Parses and validates the `config.json` of a text tower or of a whole CLAP; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let mut config: Self = nested::parse(file, json, nested::TEXT)?;
        if let Some(beside) = Beside::of_whole(file, json)? {
            config = config.within(&beside);
        }
        config.validate_as(&nested::place_in(file, json, nested::TEXT))?;
        Ok(config)
    }

    pub(super) fn within(self, whole: &Beside) -> Self {
        Self {
            d_embed: whole.d_embed,
            projection_activation: whole.projection_activation,
            ..self
        }
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    pub(super) fn validate_as(&self, file: &str) -> Result<(), Error> {
        self.bert().validate_as(file)?;
        size(file, "projection_dim", self.d_embed, WIDEST)
    }

    /// The longest text, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.bert().max_tokens()
    }

    /// The tower as what it is.
    pub(in crate::clap) fn bert(&self) -> BertConfig {
        BertConfig {
            vocab_size: self.vocab_size,
            d_model: self.d_model,
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            d_ff: self.d_ff,
            max_positions: self.max_positions,
            n_types: self.n_types,
            activation: self.activation,
            norm_epsilon: self.norm_epsilon,
            dropout: self.dropout,
            pad_token_id: self.pad_token_id,
            // What would change the model is told as in a BERT's file.
            other: self.other.clone(),
            ..BertConfig::roberta_base()
        }
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ClapTextModel {
        ClapTextModel::new(self, device)
    }

    /// The same with a projection to [`d_embed`](Self::d_embed).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_with_projection(&self, device: &Device) -> ClapTextModelWithProjection {
        ClapTextModelWithProjection::new(self, device)
    }
}
