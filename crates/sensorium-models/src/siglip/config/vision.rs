//! The vision tower's part of SigLIP's `config.json`.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::clip::blocks::Blocks;
use crate::clip::embeddings::VisionEmbeddingsConfig;
use crate::clip::nested;
use crate::config::hidden_act;
use crate::ready::Takes;
use crate::siglip::SiglipVisionModel;
use crate::vit::common::{self, sides};

/// The vision tower of a SigLIP's `config.json`: the object `vision_config`, or a file of its own.
///
/// A key that is missing has the value of `google/siglip-base-patch16-224`, as in Transformers. Keys that are not read are
/// kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// As [`SiglipTextConfig`](super::SiglipTextConfig).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "SiglipVisionConfig::base_patch16")]
pub struct SiglipVisionConfig {
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
    #[serde(rename = "num_channels")]
    pub channels: usize,
    /// Of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act")]
    pub activation: Activation,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps")]
    pub norm_epsilon: f64,
    /// Share of features dropped in training.
    #[serde(rename = "attention_dropout")]
    pub dropout: f64,
    /// Whether a head pools the tokens into an embedding.
    #[serde(rename = "vision_use_head")]
    pub with_head: bool,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl SiglipVisionConfig {
    /// The vision tower of SigLIP B/16 (arXiv 2303.15343), as `google/siglip-base-patch16-224`.
    pub fn base_patch16() -> Self {
        Self {
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: 3072,
            image_size: [224; 2],
            patch_size: [16; 2],
            channels: 3,
            activation: Activation::GeluTanh,
            norm_epsilon: 1e-6,
            dropout: 0.0,
            with_head: true,
            other: Map::new(),
        }
    }

    /// The vision tower of shape-optimised SigLIP, as `google/siglip-so400m-patch14-384` (arXiv 2305.13035).
    pub fn so400m_patch14() -> Self {
        Self {
            d_model: 1152,
            n_layers: 27,
            n_heads: 16,
            d_ff: 4304,
            image_size: [384; 2],
            patch_size: [14; 2],
            ..Self::base_patch16()
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            d_ff: 12,
            image_size: [8; 2],
            patch_size: [4; 2],
            ..Self::base_patch16()
        }
    }

    /// What it takes.
    pub(crate) fn images(&self) -> Takes {
        Takes {
            channels: self.channels,
            image_size: Some(self.image_size),
            patch_size: self.patch_size,
        }
    }

    /// Parses and validates the `config.json` of a vision tower or of a whole SigLIP; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        super::fixed_resolution(file, json)?;
        let config: Self = nested::parse(file, json, nested::VISION)?;
        config.validate_as(&nested::place_in(file, json, nested::VISION))?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    pub(crate) fn validate_as(&self, file: &str) -> Result<(), Error> {
        self.blocks().validate(file)?;
        common::validate_image(file, self.image_size, self.patch_size, self.channels)
    }

    /// How many tokens come out: the patches.
    pub fn n_tokens(&self) -> usize {
        let [rows, columns] = common::grid(self.image_size, self.patch_size);
        rows * columns
    }

    pub(crate) fn blocks(&self) -> Blocks {
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

    pub(crate) fn embeddings(&self) -> VisionEmbeddingsConfig {
        VisionEmbeddingsConfig {
            d_model: self.d_model,
            channels: self.channels,
            image_size: self.image_size,
            patch_size: self.patch_size,
            with_class: false,
        }
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> SiglipVisionModel {
        SiglipVisionModel::new(self, device)
    }
}
