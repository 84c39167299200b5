//! The vision tower's part of CLIP's `config.json`.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::WIDEST;
use crate::Error;
use crate::clip::blocks::Blocks;
use crate::clip::embeddings::VisionEmbeddingsConfig;
use crate::clip::{ClipVisionModel, ClipVisionModelWithProjection, nested};
use crate::config::hidden_act;
use crate::error::size;
use crate::ready::Takes;
use crate::vit::common::{self, sides};

/// The vision tower of a CLIP's `config.json`: the object `vision_config`, or a file of its own.
///
/// A key that is missing has the value of `openai/clip-vit-base-patch32`, as in Transformers. Keys that are not read are
/// kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// As [`ClipTextConfig`](super::ClipTextConfig).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "ClipVisionConfig::base_patch32")]
pub struct ClipVisionConfig {
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
    /// Width of the embedding of a tower with a projection. Both towers together have that of the whole model.
    #[serde(rename = "projection_dim")]
    pub d_embed: usize,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ClipVisionConfig {
    /// The vision tower of CLIP ViT-B/32 (arXiv 2103.00020, table 20), as `openai/clip-vit-base-patch32`.
    pub fn base_patch32() -> Self {
        Self {
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: 3072,
            image_size: [224; 2],
            patch_size: [32; 2],
            channels: 3,
            activation: Activation::QuickGelu,
            norm_epsilon: 1e-5,
            dropout: 0.0,
            d_embed: 512,
            other: Map::new(),
        }
    }

    /// The vision tower of CLIP ViT-L/14 (arXiv 2103.00020, table 20), as `openai/clip-vit-large-patch14`.
    pub fn large_patch14() -> Self {
        Self {
            d_model: 1024,
            n_layers: 24,
            n_heads: 16,
            d_ff: 4096,
            patch_size: [14; 2],
            d_embed: 768,
            ..Self::base_patch32()
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
            d_embed: 5,
            ..Self::base_patch32()
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

    /// Parses and validates the `config.json` of a vision tower or of a whole CLIP; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let mut config: Self = nested::parse(file, json, nested::VISION)?;
        if let Some(width) = super::whole_width(file, json)? {
            config.d_embed = width;
        }
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
        common::validate_image(file, self.image_size, self.patch_size, self.channels)?;
        size(file, "projection_dim", self.d_embed, WIDEST)
    }

    /// How many tokens come out: the class token and the patches.
    pub fn n_tokens(&self) -> usize {
        let [rows, columns] = common::grid(self.image_size, self.patch_size);
        1 + rows * columns
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

    pub(in crate::clip) fn embeddings(&self) -> VisionEmbeddingsConfig {
        VisionEmbeddingsConfig {
            d_model: self.d_model,
            channels: self.channels,
            image_size: self.image_size,
            patch_size: self.patch_size,
            with_class: true,
        }
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ClipVisionModel {
        ClipVisionModel::new(self, device)
    }

    /// The same with a projection to [`d_embed`](Self::d_embed).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_with_projection(&self, device: &Device) -> ClipVisionModelWithProjection {
        ClipVisionModelWithProjection::new(self, device)
    }
}
