//! DINOv2's `config.json`: what is read of it, what is refused, and presets.

use burn::tensor::Device;
use sensorium_core::nn::{Activation, TransformerConfig};
use sensorium_vision::GridResample;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Dinov2ForImageClassification, Dinov2Model};
use crate::Error;
use crate::config::{self, hidden_act};
use crate::error::{need, share};
use crate::ready::Takes;
use crate::vit::VitEmbeddingsConfig;
use crate::vit::common::{self, Labels, sides};

/// Which of the two published kinds a model is. They differ in how positions are resampled, besides the registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dinov2Kind {
    /// Without register tokens (arXiv 2304.07193).
    #[default]
    #[serde(rename = "dinov2")]
    Plain,
    /// With register tokens (arXiv 2309.16588).
    #[serde(rename = "dinov2_with_registers")]
    WithRegisters,
}

/// A DINOv2's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; earlier blocks are skipped less often than the last. Without training there is
/// no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dinov2Config {
    /// With or without registers.
    #[serde(rename = "model_type", default)]
    pub kind: Dinov2Kind,
    /// Width of the tokens.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// How many transformer blocks.
    #[serde(rename = "num_hidden_layers")]
    pub n_layers: usize,
    /// How many attention heads.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: usize,
    /// Width of the feed-forward part by that of the tokens, before [`swiglu`](Self::swiglu) takes two thirds of it.
    #[serde(default = "four", serialize_with = "ratio")]
    pub mlp_ratio: f64,
    /// `[height, width]` of the images that positions are for, in pixels; images of other sizes are taken too.
    #[serde(with = "sides")]
    pub image_size: [usize; 2],
    /// `[height, width]` of patches, in pixels.
    #[serde(with = "sides")]
    pub patch_size: [usize; 2],
    /// 3 for colour, 1 for grey.
    #[serde(rename = "num_channels", default = "three")]
    pub channels: usize,
    /// Of the feed-forward part, unless it is gated.
    #[serde(rename = "hidden_act", with = "hidden_act", default)]
    pub activation: Activation,
    /// Whether the feed-forward part is gated (arXiv 2002.05202).
    #[serde(rename = "use_swiglu_ffn", default)]
    pub swiglu: bool,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps", default = "epsilon")]
    pub norm_epsilon: f64,
    /// Share of features dropped in training.
    #[serde(rename = "hidden_dropout_prob", default)]
    pub dropout: f64,
    /// Chance of skipping a residual branch in training.
    #[serde(rename = "drop_path_rate", default)]
    pub drop_path: f64,
    /// Whether query, key and value have biases.
    #[serde(default = "yes")]
    pub qkv_bias: bool,
    /// As what the factors on residual branches begin.
    #[serde(rename = "layerscale_value", default = "one")]
    pub layer_scale: f64,
    /// How many register tokens; 4 by default, and none where the kind has none.
    #[serde(
        rename = "num_register_tokens",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub n_registers: Option<usize>,
    /// Whether there is a token for hidden patches. With registers there always is.
    #[serde(rename = "use_mask_token", default = "yes")]
    pub mask: bool,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Labels,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn four() -> f64 {
    4.0
}
fn three() -> usize {
    3
}
fn one() -> f64 {
    1.0
}
fn epsilon() -> f64 {
    1e-6
}
fn yes() -> bool {
    true
}

/// Transformers reads whole ratios only where they are written as such.
fn ratio<S: Serializer>(ratio: &f64, to: S) -> Result<S::Ok, S::Error> {
    let whole = *ratio as u64;
    if whole as f64 == *ratio {
        to.serialize_u64(whole)
    } else {
        to.serialize_f64(*ratio)
    }
}

impl Dinov2Config {
    /// Square colour images and patches, without registers.
    pub fn new(
        image_size: usize,
        patch_size: usize,
        d_model: usize,
        n_layers: usize,
        n_heads: usize,
    ) -> Self {
        Self {
            kind: Dinov2Kind::Plain,
            d_model,
            n_layers,
            n_heads,
            mlp_ratio: four(),
            image_size: [image_size; 2],
            patch_size: [patch_size; 2],
            channels: three(),
            activation: Activation::Gelu,
            swiglu: false,
            norm_epsilon: epsilon(),
            dropout: 0.0,
            drop_path: 0.0,
            qkv_bias: true,
            layer_scale: one(),
            n_registers: None,
            mask: true,
            id2label: None,
            other: Map::new(),
        }
    }

    /// ViT-S/14 as distilled (arXiv 2304.07193, table 16), as `facebook/dinov2-small`.
    pub fn small() -> Self {
        Self::new(518, 14, 384, 12, 6)
    }

    /// ViT-B/14 as distilled (arXiv 2304.07193, table 16), as `facebook/dinov2-base`.
    pub fn base() -> Self {
        Self::new(518, 14, 768, 12, 12)
    }

    /// ViT-L/14 (arXiv 2304.07193, table 16), as `facebook/dinov2-large`.
    pub fn large() -> Self {
        Self::new(518, 14, 1024, 24, 16)
    }

    /// ViT-g/14, whose feed-forward part is gated (arXiv 2304.07193, table 16), as `facebook/dinov2-giant`.
    pub fn giant() -> Self {
        Self {
            swiglu: true,
            ..Self::new(518, 14, 1536, 40, 24)
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            mlp_ratio: 2.0,
            ..Self::new(8, 4, 8, 2, 2)
        }
    }

    /// With this many register tokens.
    pub fn with_registers(mut self, n_registers: usize) -> Self {
        self.kind = Dinov2Kind::WithRegisters;
        self.n_registers = Some(n_registers);
        self
    }

    /// Classes to be told apart, in the order of the logits.
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.id2label = common::numbered(labels);
        self
    }

    /// What it takes: images of any size.
    pub(crate) fn images(&self) -> Takes {
        Takes {
            channels: self.channels,
            image_size: None,
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
        let ratio = self.mlp_ratio;
        need(
            ratio > 0.0 && ratio <= 64.0 && self.d_ff() > 0,
            file,
            "mlp_ratio",
            || {
                let d = self.d_model;
                format!(
                    "{ratio} must be at least 1/{d}, so that hidden_size = {d} has a feed-forward part, and at most 64"
                )
            },
        )?;
        common::validate_epsilon(file, self.norm_epsilon)?;
        share(file, "hidden_dropout_prob", self.dropout)?;
        share(file, "drop_path_rate", self.drop_path)?;
        let scale = self.layer_scale;
        need(scale.is_finite(), file, "layerscale_value", || {
            format!("{scale} must be a finite number")
        })?;
        let registers = self.n_registers();
        need(registers <= 4096, file, "num_register_tokens", || {
            format!("{registers} must be at most 4096")
        })?;
        common::validate_labels(file, &self.id2label)
    }

    /// Width of the feed-forward part. A gated one takes two thirds of what the ratio gives, rounded up to a multiple
    /// of 8, so that three linear maps have about as many weights as two.
    pub fn d_ff(&self) -> usize {
        let plain = (self.d_model as f64 * self.mlp_ratio) as usize;
        match self.swiglu {
            true => ((plain as f64 * 2.0 / 3.0) as usize).next_multiple_of(8),
            false => plain,
        }
    }

    /// How many register tokens come after the class token.
    pub fn n_registers(&self) -> usize {
        match self.kind {
            Dinov2Kind::Plain => 0,
            Dinov2Kind::WithRegisters => self.n_registers.unwrap_or(4),
        }
    }

    /// Rows and columns of patches of an image of [`image_size`](Self::image_size).
    pub fn grid(&self) -> [usize; 2] {
        common::grid(self.image_size, self.patch_size)
    }

    /// How many tokens such an image has: class token, registers and patches.
    pub fn n_tokens(&self) -> usize {
        let [rows, columns] = self.grid();
        1 + self.n_registers() + rows * columns
    }

    /// Names of the classes in the order of the logits; two, `LABEL_0` and `LABEL_1`, where none are given.
    pub fn labels(&self) -> Vec<String> {
        common::names(&self.id2label)
    }

    pub(super) fn embeddings(&self) -> VitEmbeddingsConfig {
        let with_registers = self.kind == Dinov2Kind::WithRegisters;
        VitEmbeddingsConfig {
            d_model: self.d_model,
            channels: self.channels,
            image_size: self.image_size,
            patch_size: self.patch_size,
            dropout: self.dropout,
            n_registers: self.n_registers(),
            mask: self.mask || with_registers,
            resample: Some(match self.kind {
                Dinov2Kind::Plain => GridResample::Bicubic,
                Dinov2Kind::WithRegisters => GridResample::BicubicAntialias,
            }),
        }
    }

    /// The blocks.
    pub(super) fn transformer(&self) -> TransformerConfig {
        let activation = match self.swiglu {
            true => Activation::SwiGlu,
            false => self.activation,
        };
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff())
            .with_activation(activation)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
            .with_drop_path(self.drop_path)
            .with_qkv_bias(self.qkv_bias)
            .with_layer_scale(Some(self.layer_scale))
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> Dinov2Model {
        Dinov2Model::new(self, device)
    }

    /// A tower that classifies images into [`labels`](Self::labels).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_classification(&self, device: &Device) -> Dinov2ForImageClassification {
        Dinov2ForImageClassification::new(self, device)
    }
}
