//! The `config.json` of Llama, Qwen2.5 and Qwen3.

use sensorium_core::nn::{Activation, NormKind, TransformerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Rope;
use crate::Error;
use crate::config::{self, hidden_act};
use crate::error::{need, size};

/// Which of the published relatives a model is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LlamaKind {
    /// No biases unless said (arXiv 2302.13971).
    #[default]
    Llama,
    /// Biases on query, key and value (arXiv 2412.15115).
    Qwen2,
    /// A norm on each head's query and key, and heads of their own width (arXiv 2505.09388).
    Qwen3,
    /// Qwen2.5 as it stands in Qwen2.5-VL (arXiv 2502.13923).
    #[serde(rename = "qwen2_5_vl_text")]
    Qwen25Vl,
}

/// A Llama's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the reference
/// In training, attention weights are never dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// Llama or a relative.
    #[serde(rename = "model_type", default)]
    pub kind: LlamaKind,
    /// Rows of the table of tokens.
    pub vocab_size: usize,
    /// Width of the tokens.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// Width of the feed-forward part.
    #[serde(rename = "intermediate_size")]
    pub d_ff: usize,
    /// How many transformer blocks.
    #[serde(rename = "num_hidden_layers")]
    pub n_layers: usize,
    /// How many heads of queries.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: usize,
    /// How many heads of keys and values; as many as of queries if not said.
    #[serde(
        rename = "num_key_value_heads",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub n_kv_heads: Option<usize>,
    /// Width of a head; `d_model / n_heads` if not said, and 128 in Qwen3.
    #[serde(rename = "head_dim", default, skip_serializing_if = "Option::is_none")]
    pub d_head: Option<usize>,
    /// On the gate of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act", default = "silu")]
    pub activation: Activation,
    /// How many tokens a text may have; 2,048 if not said, and 32,768 in Qwen.
    #[serde(
        rename = "max_position_embeddings",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub max_position_embeddings: Option<usize>,
    /// What norms add before the root.
    #[serde(rename = "rms_norm_eps", default = "epsilon")]
    pub norm_epsilon: f64,
    /// Whether logits come from the table of tokens.
    #[serde(rename = "tie_word_embeddings", default)]
    pub tied: bool,
    /// Whether the maps around attention have biases.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the maps of the feed-forward part have biases.
    #[serde(default)]
    pub mlp_bias: bool,
    /// The base of rotary positions, in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// How rotary positions are stretched, in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<Rope>,
    /// Both, in newer files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_parameters: Option<Rope>,
    /// Whether some blocks see no further back than a window, which is not known here.
    #[serde(default)]
    pub use_sliding_window: bool,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn silu() -> Activation {
    Activation::Silu
}
fn epsilon() -> f64 {
    1e-6
}
const BASE: f64 = 10_000.0;

impl LlamaConfig {
    /// Llama with as many key heads as query heads, a feed-forward width of `4 * d_model`, and its own logits.
    pub fn new(vocab_size: usize, d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            kind: LlamaKind::Llama,
            vocab_size,
            d_model,
            d_ff: 4 * d_model,
            n_layers,
            n_heads,
            n_kv_heads: None,
            d_head: None,
            activation: silu(),
            max_position_embeddings: None,
            norm_epsilon: epsilon(),
            tied: false,
            attention_bias: false,
            mlp_bias: false,
            rope_theta: None,
            rope_scaling: None,
            rope_parameters: None,
            use_sliding_window: false,
            other: Map::new(),
        }
    }

    /// `HuggingFaceTB/SmolLM2-135M` (arXiv 2502.02737).
    pub fn smollm2_135m() -> Self {
        Self {
            d_ff: 1536,
            n_kv_heads: Some(3),
            max_position_embeddings: Some(8192),
            norm_epsilon: 1e-5,
            tied: true,
            rope_theta: Some(100_000.0),
            ..Self::new(49_152, 576, 30, 9)
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_ff: 12,
            n_kv_heads: Some(1),
            max_position_embeddings: Some(64),
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
        size(file, "hidden_size", self.d_model, 65_536)?;
        size(file, "intermediate_size", self.d_ff, 1 << 20)?;
        size(file, "num_hidden_layers", self.n_layers, 512)?;
        size(file, "num_attention_heads", self.n_heads, 1024)?;
        size(
            file,
            "max_position_embeddings",
            self.max_positions(),
            1 << 26,
        )?;
        let kv = self.n_kv_heads();
        let shares = kv > 0 && self.n_heads.is_multiple_of(kv);
        need(shares, file, "num_key_value_heads", || {
            format!("{kv} must divide num_attention_heads = {}", self.n_heads)
        })?;
        let divides = self.own_d_head().is_some() || self.d_model.is_multiple_of(self.n_heads);
        need(divides, file, "num_attention_heads", || {
            format!(
                "{} must divide hidden_size = {}",
                self.n_heads, self.d_model
            )
        })?;
        let d_head = self.d_head();
        let paired = (2..=8192).contains(&d_head) && d_head.is_multiple_of(2);
        need(paired, file, "head_dim", || {
            format!("{d_head} must be even, 2 to 8192")
        })?;
        need(
            self.activation == Activation::Silu,
            file,
            "hidden_act",
            || "only silu, on a gate, is known here".to_owned(),
        )?;
        need(!self.slides(), file, "use_sliding_window", || {
            "only attention to all that came before is known here".to_owned()
        })?;
        let epsilon = self.norm_epsilon;
        need(
            epsilon.is_finite() && epsilon > 0.0,
            file,
            "rms_norm_eps",
            || format!("{epsilon} must be above 0"),
        )?;
        self.rope().validate(file, d_head)
    }

    /// Whether any block sees no further back than a window.
    fn slides(&self) -> bool {
        let layers = self.other.get("layer_types").and_then(Value::as_array);
        let mut layers = layers.into_iter().flatten();
        self.use_sliding_window || layers.any(|kind| kind != "full_attention")
    }

    /// How many heads of keys and values there are.
    pub fn n_kv_heads(&self) -> usize {
        self.n_kv_heads.unwrap_or(self.n_heads)
    }

    /// The width of a head.
    pub fn d_head(&self) -> usize {
        self.own_d_head().unwrap_or(self.d_model / self.n_heads)
    }

    fn own_d_head(&self) -> Option<usize> {
        let unsaid = (self.kind == LlamaKind::Qwen3).then_some(128);
        self.d_head.or(unsaid)
    }

    /// How many tokens a text may have.
    pub fn max_positions(&self) -> usize {
        let unsaid = match self.kind {
            LlamaKind::Llama => 2048,
            LlamaKind::Qwen2 | LlamaKind::Qwen3 | LlamaKind::Qwen25Vl => 32_768,
        };
        self.max_position_embeddings.unwrap_or(unsaid)
    }

    /// How positions are turned and stretched, wherever it stands.
    fn rope(&self) -> Rope {
        let said = self.rope_parameters.clone().or(self.rope_scaling.clone());
        let rope = said.unwrap_or_default();
        Rope {
            base: rope.base.or(self.rope_theta),
            ..rope
        }
    }

    pub(super) fn transformer(&self) -> TransformerConfig {
        let qwen2 = matches!(self.kind, LlamaKind::Qwen2 | LlamaKind::Qwen25Vl);
        let rotary = self
            .rope()
            .rotary(self.d_head(), BASE, self.max_positions());
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_kv_heads(self.n_kv_heads())
            .with_d_head(Some(self.d_head()))
            .with_d_ff(self.d_ff)
            .with_norm(NormKind::Rms)
            .with_norm_epsilon(self.norm_epsilon)
            .with_activation(Activation::SwiGlu)
            .with_bias(self.attention_bias && !qwen2)
            .with_qkv_bias(self.attention_bias || qwen2)
            .with_feed_forward_bias(self.mlp_bias)
            .with_qk_norm(self.kind == LlamaKind::Qwen3)
            .with_causal(true)
            .with_rotary(Some(rotary))
    }
}
