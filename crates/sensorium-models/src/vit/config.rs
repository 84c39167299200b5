//! ViT's `config.json`: what is read of it, what is refused, and presets.

use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Activation, TransformerConfig};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::common::{self, Labels, sides};
use super::{VitEmbeddingsConfig, VitForImageClassification, VitModel};
use crate::Error;
use crate::config::{self, hidden_act};
use crate::error::{need, share, size};
use crate::ready::Takes;

/// What follows the pooler's linear map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolerActivation {
    /// As in nearly all checkpoints.
    #[default]
    Tanh,
    /// One that blocks have too.
    Of(Activation),
}

impl PoolerActivation {
    /// Applies the activation.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tanh => tanh(x),
            Self::Of(activation) => activation.forward(x),
        }
    }
}

impl<'de> Deserialize<'de> for PoolerActivation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "tanh" => Ok(Self::Tanh),
            name => hidden_act::deserialize(name.into_deserializer()).map(Self::Of),
        }
    }
}

impl Serialize for PoolerActivation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tanh => to.serialize_str("tanh"),
            Self::Of(activation) => hidden_act::serialize(activation, to),
        }
    }
}

/// A ViT's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; without training there is no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VitConfig {
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
    /// `[height, width]` of images, in pixels.
    #[serde(with = "sides")]
    pub image_size: [usize; 2],
    /// `[height, width]` of patches, in pixels.
    #[serde(with = "sides")]
    pub patch_size: [usize; 2],
    /// 3 for colour, 1 for grey.
    #[serde(rename = "num_channels", default = "three")]
    pub channels: usize,
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
    /// Width of what the pooler gives; by default that of the tokens.
    #[serde(
        rename = "pooler_output_size",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub d_pooled: Option<usize>,
    /// What follows the pooler's linear map.
    #[serde(rename = "pooler_act", default)]
    pub pooler_activation: PoolerActivation,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Labels,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn three() -> usize {
    3
}
fn epsilon() -> f64 {
    1e-12
}
fn yes() -> bool {
    true
}

impl VitConfig {
    /// Square colour images and patches, a feed-forward width of `4 * d_model` and no dropout.
    pub fn new(
        image_size: usize,
        patch_size: usize,
        d_model: usize,
        n_layers: usize,
        n_heads: usize,
    ) -> Self {
        Self {
            d_model,
            n_layers,
            n_heads,
            d_ff: 4 * d_model,
            image_size: [image_size; 2],
            patch_size: [patch_size; 2],
            channels: three(),
            activation: Activation::Gelu,
            norm_epsilon: epsilon(),
            dropout: 0.0,
            qkv_bias: true,
            d_pooled: None,
            pooler_activation: PoolerActivation::Tanh,
            id2label: None,
            other: Map::new(),
        }
    }

    /// ViT-B/16 at 224 pixels (arXiv 2010.11929, table 1), as `google/vit-base-patch16-224`.
    pub fn base_patch16_224() -> Self {
        Self::new(224, 16, 768, 12, 12)
    }

    /// ViT-L/16 at 224 pixels (arXiv 2010.11929, table 1), as `google/vit-large-patch16-224`.
    pub fn large_patch16_224() -> Self {
        Self::new(224, 16, 1024, 24, 16)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_ff: 12,
            ..Self::new(8, 4, 8, 2, 2)
        }
    }

    /// Classes to be told apart, in the order of the logits.
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.id2label = common::numbered(labels);
        self
    }

    /// What it takes.
    pub(crate) fn images(&self) -> Takes {
        Takes {
            channels: self.channels,
            image_size: Some(self.image_size),
            patch_size: self.patch_size,
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

    /// Refuses sizes that do not fit each other, and what is not supported.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    fn validate_as(&self, file: &str) -> Result<(), Error> {
        common::validate_blocks(file, self.d_model, self.n_heads, self.n_layers)?;
        common::validate_image(file, self.image_size, self.patch_size, self.channels)?;
        size(file, "intermediate_size", self.d_ff, 1 << 20)?;
        common::validate_epsilon(file, self.norm_epsilon)?;
        share(file, "hidden_dropout_prob", self.dropout)?;
        // Transformers takes 0 for the default.
        let pooled = self.d_pooled.unwrap_or(0);
        need(pooled <= 65_536, file, "pooler_output_size", || {
            format!("{pooled} must be at most 65536")
        })?;
        common::validate_labels(file, &self.id2label)
    }

    /// Rows and columns of patches.
    pub fn grid(&self) -> [usize; 2] {
        common::grid(self.image_size, self.patch_size)
    }

    /// How many tokens come out: the class token and the patches.
    pub fn n_tokens(&self) -> usize {
        let [rows, columns] = self.grid();
        1 + rows * columns
    }

    /// Width of what the pooler gives.
    pub fn pooled_size(&self) -> usize {
        self.d_pooled.filter(|d| *d > 0).unwrap_or(self.d_model)
    }

    /// Names of the classes in the order of the logits; two, `LABEL_0` and `LABEL_1`, where none are given.
    pub fn labels(&self) -> Vec<String> {
        common::names(&self.id2label)
    }

    pub(super) fn embeddings(&self) -> VitEmbeddingsConfig {
        VitEmbeddingsConfig {
            d_model: self.d_model,
            channels: self.channels,
            image_size: self.image_size,
            patch_size: self.patch_size,
            dropout: self.dropout,
            n_registers: 0,
            mask: false,
            resample: None,
        }
    }

    /// The blocks.
    pub(super) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_activation(self.activation)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
            .with_qkv_bias(self.qkv_bias)
    }

    /// A freshly initialised tower, without a pooler.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> VitModel {
        VitModel::new(self, false, device)
    }

    /// The same with a pooler.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_with_pooler(&self, device: &Device) -> VitModel {
        VitModel::new(self, true, device)
    }

    /// A tower that classifies images into [`labels`](Self::labels).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_classification(&self, device: &Device) -> VitForImageClassification {
        VitForImageClassification::new(self, device)
    }
}
