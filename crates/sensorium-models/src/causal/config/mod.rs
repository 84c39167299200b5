//! What `config.json` says of a causal language model.

mod gpt2;
mod llama;
mod rope;

use burn::tensor::Device;
use sensorium_core::nn::TransformerConfig;
use serde::Serialize;
use serde_json::Value;

pub use gpt2::Gpt2Config;
pub use llama::{LlamaConfig, LlamaKind};
pub use rope::Rope;

use super::{CausalLm, CausalModel};
use crate::Error;

/// The `config.json` of any causal language model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub enum CausalConfig {
    /// Of Llama and those that are built alike.
    Llama(LlamaConfig),
    /// Of GPT-2.
    Gpt2(Gpt2Config),
}

impl CausalConfig {
    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        Ok(match json["model_type"].as_str() {
            Some("gpt2") => Self::Gpt2(Gpt2Config::parse(file, json)?),
            _ => Self::Llama(LlamaConfig::parse(file, json)?),
        })
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Llama(config) => config.validate(),
            Self::Gpt2(config) => config.validate(),
        }
    }

    /// Rows of the table of tokens.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Llama(config) => config.vocab_size,
            Self::Gpt2(config) => config.vocab_size,
        }
    }

    /// Width of the tokens.
    pub fn d_model(&self) -> usize {
        match self {
            Self::Llama(config) => config.d_model,
            Self::Gpt2(config) => config.d_model,
        }
    }

    /// How many tokens a text may have.
    pub fn max_positions(&self) -> usize {
        match self {
            Self::Llama(config) => config.max_positions(),
            Self::Gpt2(config) => config.max_positions,
        }
    }

    /// Whether logits come from the table of tokens.
    pub fn tied(&self) -> bool {
        match self {
            Self::Llama(config) => config.tied,
            Self::Gpt2(config) => config.tied,
        }
    }

    /// How many rows a learned table of positions has, if there is one.
    pub(super) fn learned_positions(&self) -> Option<usize> {
        match self {
            Self::Llama(_) => None,
            Self::Gpt2(config) => Some(config.max_positions),
        }
    }

    /// Share of features of the embeddings that is dropped in training.
    pub(super) fn dropout(&self) -> f64 {
        match self {
            Self::Llama(_) => 0.0,
            Self::Gpt2(config) => config.embedding_dropout,
        }
    }

    pub(super) fn transformer(&self) -> TransformerConfig {
        match self {
            Self::Llama(config) => config.transformer(),
            Self::Gpt2(config) => config.transformer(),
        }
    }

    /// A freshly initialised model without logits.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_model(&self, device: &Device) -> CausalModel {
        CausalModel::new(self, device)
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> CausalLm {
        CausalLm::new(self, device)
    }
}

impl From<LlamaConfig> for CausalConfig {
    fn from(config: LlamaConfig) -> Self {
        Self::Llama(config)
    }
}

impl From<Gpt2Config> for CausalConfig {
    fn from(config: Gpt2Config) -> Self {
        Self::Gpt2(config)
    }
}
