//! CLIP's `config.json`: what is read of it, what is refused, and presets.

mod text;
mod vision;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ClipModel, nested};
use crate::Error;
use crate::config;
use crate::error::{need, size};

pub use text::ClipTextConfig;
pub use vision::ClipVisionConfig;

/// The widest embedding.
const WIDEST: usize = 65_536;

/// The `config.json` of a whole CLIP. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClipConfig {
    /// The text tower.
    #[serde(rename = "text_config")]
    pub text: ClipTextConfig,
    /// The vision tower.
    #[serde(rename = "vision_config")]
    pub vision: ClipVisionConfig,
    /// Width of the embeddings.
    #[serde(rename = "projection_dim")]
    pub d_embed: usize,
    /// The logarithm with which the scale of scores begins.
    #[serde(rename = "logit_scale_init_value")]
    pub logit_scale: f64,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What of a whole CLIP's file stands beside the towers.
#[derive(Deserialize)]
struct Beside {
    #[serde(rename = "projection_dim", default = "d_embed")]
    d_embed: usize,
    #[serde(rename = "logit_scale_init_value", default = "logit_scale")]
    logit_scale: f64,
    #[serde(flatten)]
    other: Map<String, Value>,
}

// What Transformers assumes where a key is missing; the scale is ln(1/0.07) (arXiv 2103.00020, section 2.5).
fn d_embed() -> usize {
    512
}
fn logit_scale() -> f64 {
    2.6592
}

/// The width of the embeddings that a whole CLIP's file gives both towers: what stands in a tower's own part counts for a
/// tower alone, and published files often leave it at another width.
fn whole_width(file: &str, json: &Value) -> Result<Option<usize>, Error> {
    if !nested::is_whole(json) {
        return Ok(None);
    }
    let beside: Beside = config::parse(file, &nested::beside(json))?;
    Ok(Some(beside.d_embed))
}

impl ClipConfig {
    /// Two towers that embed into the width of the text tower's embedding.
    pub fn new(text: ClipTextConfig, vision: ClipVisionConfig) -> Self {
        Self {
            d_embed: text.d_embed,
            text,
            vision,
            logit_scale: logit_scale(),
            other: Map::new(),
        }
    }

    /// CLIP ViT-B/32, as `openai/clip-vit-base-patch32`.
    pub fn base_patch32() -> Self {
        Self::new(
            ClipTextConfig::base_patch32(),
            ClipVisionConfig::base_patch32(),
        )
    }

    /// CLIP ViT-L/14, as `openai/clip-vit-large-patch14`.
    pub fn large_patch14() -> Self {
        Self::new(
            ClipTextConfig::large_patch14(),
            ClipVisionConfig::large_patch14(),
        )
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self::new(ClipTextConfig::debug(), ClipVisionConfig::debug())
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// Files from before 2023 may have `text_config_dict` and `vision_config_dict`: these are taken whole instead of
    /// `text_config` and `vision_config`, as Transformers does.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let beside: Beside = config::parse(file, &nested::beside(json))?;
        let text: ClipTextConfig = nested::parse(file, json, nested::TEXT)?;
        let vision: ClipVisionConfig = nested::parse(file, json, nested::VISION)?;
        let d_embed = beside.d_embed;
        let config = Self {
            text: ClipTextConfig { d_embed, ..text },
            vision: ClipVisionConfig { d_embed, ..vision },
            d_embed,
            logit_scale: beside.logit_scale,
            other: beside.other,
        };
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
        // First, for the towers have the same.
        size(file, "projection_dim", self.d_embed, WIDEST)?;
        self.text.validate_as(&nested::place(file, nested::TEXT))?;
        self.vision
            .validate_as(&nested::place(file, nested::VISION))?;
        let scale = self.logit_scale;
        need(scale.is_finite(), file, "logit_scale_init_value", || {
            format!("{scale} must be finite")
        })
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ClipModel {
        ClipModel::new(self, device)
    }
}
