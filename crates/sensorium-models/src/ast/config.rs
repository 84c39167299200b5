//! AST's `config.json`: what is read of it, what is refused, and presets.

use burn::tensor::Device;
use sensorium_core::nn::{Activation, TransformerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AstForAudioClassification, AstModel};
use crate::Error;
use crate::config::{self, hidden_act};
use crate::error::{need, share, size};
use crate::vit::common::{self, Labels, MOST_PLACES};

/// An AST's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; without training there is no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AstConfig {
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
    /// Bands and frames of a patch.
    #[serde(default = "sixteen")]
    pub patch_size: usize,
    /// Bands from one patch to the next.
    #[serde(default = "ten")]
    pub frequency_stride: usize,
    /// Frames from one patch to the next.
    #[serde(default = "ten")]
    pub time_stride: usize,
    /// Frames of a sound.
    #[serde(default = "ten_seconds")]
    pub max_length: usize,
    /// Bands of a frame.
    #[serde(rename = "num_mel_bins", default = "many")]
    pub n_mels: usize,
    /// Of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act", default)]
    pub activation: Activation,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps", default = "epsilon")]
    pub norm_epsilon: f64,
    /// Share of features dropped in training.
    #[serde(rename = "hidden_dropout_prob", default)]
    pub dropout: f64,
    /// Whether query, key and value have biases.
    #[serde(default = "yes")]
    pub qkv_bias: bool,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Labels,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn sixteen() -> usize {
    16
}
fn ten() -> usize {
    10
}
fn ten_seconds() -> usize {
    1024
}
fn many() -> usize {
    128
}
fn epsilon() -> f64 {
    1e-12
}
fn yes() -> bool {
    true
}

impl AstConfig {
    /// Patches of 16 x 16 that overlap by 6, of sounds of 1,024 frames of 128 bands; a feed-forward width of `4 * d_model`.
    pub fn new(d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            d_model,
            n_layers,
            n_heads,
            d_ff: 4 * d_model,
            patch_size: sixteen(),
            frequency_stride: ten(),
            time_stride: ten(),
            max_length: ten_seconds(),
            n_mels: many(),
            activation: Activation::Gelu,
            norm_epsilon: epsilon(),
            dropout: 0.0,
            qkv_bias: true,
            id2label: None,
            other: Map::new(),
        }
    }

    /// `MIT/ast-finetuned-audioset-10-10-0.4593` (arXiv 2104.01778, section 3.1), but for the names of its 527 classes.
    pub fn base() -> Self {
        Self::new(768, 12, 12)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_ff: 12,
            patch_size: 3,
            frequency_stride: 2,
            time_stride: 3,
            max_length: 10,
            n_mels: 6,
            ..Self::new(8, 2, 2)
        }
    }

    /// Classes to be told apart, in the order of the logits.
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.id2label = common::numbered(labels);
        self
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
        common::validate_blocks(file, self.d_model, self.n_heads, self.n_layers)?;
        size(file, "intermediate_size", self.d_ff, 1 << 20)?;
        size(file, "patch_size", self.patch_size, 4096)?;
        size(file, "frequency_stride", self.frequency_stride, 4096)?;
        size(file, "time_stride", self.time_stride, 4096)?;
        for (key, side) in [
            ("num_mel_bins", self.n_mels),
            ("max_length", self.max_length),
        ] {
            size(file, key, side, 1 << 20)?;
            need(side >= self.patch_size, file, key, || {
                format!("{side} must be at least patch_size = {}", self.patch_size)
            })?;
        }
        let [rows, columns] = self.grid();
        need(rows * columns <= MOST_PLACES, file, "max_length", || {
            format!("gives {rows} x {columns} patches; {MOST_PLACES} in all are allowed")
        })?;
        common::validate_epsilon(file, self.norm_epsilon)?;
        share(file, "hidden_dropout_prob", self.dropout)?;
        common::validate_labels(file, &self.id2label)
    }

    /// Patches over the bands, and over the frames.
    pub fn grid(&self) -> [usize; 2] {
        let places = |side: usize, stride: usize| (side - self.patch_size) / stride + 1;
        [
            places(self.n_mels, self.frequency_stride),
            places(self.max_length, self.time_stride),
        ]
    }

    /// How many tokens come out: two of its own, and the patches.
    pub fn n_tokens(&self) -> usize {
        let [rows, columns] = self.grid();
        2 + rows * columns
    }

    /// Names of the classes in the order of the logits; two, `LABEL_0` and `LABEL_1`, where none are given.
    pub fn labels(&self) -> Vec<String> {
        common::names(&self.id2label)
    }

    pub(super) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_activation(self.activation)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
            .with_qkv_bias(self.qkv_bias)
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> AstModel {
        AstModel::new(self, device)
    }

    /// A tower that classifies sounds into [`labels`](Self::labels).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_classification(&self, device: &Device) -> AstForAudioClassification {
        AstForAudioClassification::new(self, device)
    }
}
