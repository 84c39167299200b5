//! The `config.json` of GPT-2.

use sensorium_core::nn::{Activation, TransformerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::config::{self, hidden_act};
use crate::error::{need, share, size};

/// GPT-2's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the reference
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; without training there is no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gpt2Config {
    /// Rows of the table of tokens.
    pub vocab_size: usize,
    /// How many tokens a text may have.
    #[serde(rename = "n_positions", default = "positions")]
    pub max_positions: usize,
    /// Width of the tokens.
    #[serde(rename = "n_embd")]
    pub d_model: usize,
    /// How many transformer blocks.
    #[serde(rename = "n_layer")]
    pub n_layers: usize,
    /// How many attention heads.
    #[serde(rename = "n_head")]
    pub n_heads: usize,
    /// Width of the feed-forward part; `4 * d_model` if not said.
    #[serde(rename = "n_inner", default)]
    pub d_ff: Option<usize>,
    /// Of the feed-forward part.
    #[serde(rename = "activation_function", with = "hidden_act", default = "gelu")]
    pub activation: Activation,
    /// Share of features dropped in training.
    #[serde(rename = "resid_pdrop", default = "tenth")]
    pub dropout: f64,
    /// The same of the embeddings.
    #[serde(rename = "embd_pdrop", default = "tenth")]
    pub embedding_dropout: f64,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_epsilon", default = "epsilon")]
    pub norm_epsilon: f64,
    /// Whether logits come from the table of tokens.
    #[serde(rename = "tie_word_embeddings", default = "yes")]
    pub tied: bool,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn positions() -> usize {
    1024
}
fn gelu() -> Activation {
    Activation::GeluTanh
}
fn tenth() -> f64 {
    0.1
}
fn epsilon() -> f64 {
    1e-5
}
fn yes() -> bool {
    true
}

/// Keys that would change what is computed, each with what it must be.
const FIXED: [(&str, bool); 3] = [
    ("scale_attn_weights", true),
    ("scale_attn_by_inverse_layer_idx", false),
    ("add_cross_attention", false),
];

impl Gpt2Config {
    /// GPT-2 with 1,024 positions.
    pub fn new(vocab_size: usize, d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            vocab_size,
            max_positions: positions(),
            d_model,
            n_layers,
            n_heads,
            d_ff: None,
            activation: gelu(),
            dropout: tenth(),
            embedding_dropout: tenth(),
            norm_epsilon: epsilon(),
            tied: true,
            other: Map::from_iter([("model_type".to_owned(), "gpt2".into())]),
        }
    }

    /// `openai-community/gpt2`, of 124 million parameters.
    pub fn small() -> Self {
        Self::new(50_257, 768, 12, 12)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            max_positions: 64,
            d_ff: Some(12),
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
        size(file, "n_positions", self.max_positions, 1 << 20)?;
        size(file, "n_embd", self.d_model, 65_536)?;
        size(file, "n_layer", self.n_layers, 512)?;
        let divides = self.n_heads > 0 && self.d_model.is_multiple_of(self.n_heads);
        need(divides, file, "n_head", || {
            format!("{} must divide n_embd = {}", self.n_heads, self.d_model)
        })?;
        size(file, "n_inner", self.d_ff(), 1 << 20)?;
        for (key, must) in FIXED {
            let other = self.other.get(key).and_then(Value::as_bool) == Some(!must);
            need(!other, file, key, || format!("only {must} is known here"))?;
        }
        let epsilon = self.norm_epsilon;
        let above = epsilon.is_finite() && epsilon > 0.0;
        need(above, file, "layer_norm_epsilon", || {
            format!("{epsilon} must be above 0")
        })?;
        share(file, "resid_pdrop", self.dropout)?;
        share(file, "embd_pdrop", self.embedding_dropout)
    }

    fn d_ff(&self) -> usize {
        self.d_ff.unwrap_or(self.d_model.saturating_mul(4))
    }

    pub(super) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff())
            .with_activation(self.activation)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
            .with_fused_qkv(true)
            .with_causal(true)
    }
}
