//! SigLIP's `config.json`: what is read of it, what is refused, and presets.

mod text;
mod vision;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SiglipModel;
use crate::Error;
use crate::clip::nested;
use crate::config;
use crate::error::need;

pub use text::SiglipTextConfig;
pub use vision::SiglipVisionConfig;

/// The widest embedding.
const WIDEST: usize = 65_536;

/// The `config.json` of a whole SigLIP, or SigLIP 2 of fixed resolution. Keys that are not read are kept in
/// [`other`](Self::other), so that saving loses none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiglipConfig {
    /// The text tower.
    #[serde(rename = "text_config")]
    pub text: SiglipTextConfig,
    /// The vision tower.
    #[serde(rename = "vision_config")]
    pub vision: SiglipVisionConfig,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What of a whole SigLIP's file stands beside the towers.
#[derive(Deserialize)]
struct Beside {
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl SiglipConfig {
    /// Two towers.
    pub fn new(text: SiglipTextConfig, vision: SiglipVisionConfig) -> Self {
        let other = Map::new();
        Self {
            text,
            vision,
            other,
        }
    }

    /// SigLIP B/16 at 224 pixels, as `google/siglip-base-patch16-224`.
    pub fn base_patch16_224() -> Self {
        Self::new(
            SiglipTextConfig::base_patch16(),
            SiglipVisionConfig::base_patch16(),
        )
    }

    /// Shape-optimised SigLIP at 384 pixels, as `google/siglip-so400m-patch14-384`.
    pub fn so400m_patch14_384() -> Self {
        Self::new(
            SiglipTextConfig::so400m_patch14(),
            SiglipVisionConfig::so400m_patch14(),
        )
    }

    /// SigLIP 2 B/16 at 224 pixels (arXiv 2502.14786), as `google/siglip2-base-patch16-224`.
    pub fn v2_base_patch16_224() -> Self {
        Self::new(
            SiglipTextConfig::base_patch16().with_gemma_vocabulary(),
            SiglipVisionConfig::base_patch16(),
        )
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self::new(SiglipTextConfig::debug(), SiglipVisionConfig::debug())
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        fixed_resolution(file, json)?;
        let Beside { other } = config::parse(file, &nested::beside(json))?;
        let config = Self {
            text: nested::parse(file, json, nested::TEXT)?,
            vision: nested::parse(file, json, nested::VISION)?,
            other,
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
        let place = nested::place(file, nested::TEXT);
        self.text.validate_as(&place)?;
        let (text, vision) = (self.text.d_embed(), self.vision.d_model);
        need(text == vision, &place, "projection_size", || {
            format!("{text} must be hidden_size of vision_config = {vision}")
        })?;
        let place = nested::place(file, nested::VISION);
        self.vision.validate_as(&place)?;
        need(self.vision.with_head, &place, "vision_use_head", || {
            "a model of both towers needs the head; open the vision tower alone".to_owned()
        })
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> SiglipModel {
        SiglipModel::new(self, device)
    }
}

/// Refuses SigLIP 2 of variable resolution, which is called `siglip2`; the others are called `siglip`.
fn fixed_resolution(file: &str, json: &Value) -> Result<(), Error> {
    let kind = json.get("model_type").and_then(Value::as_str);
    let variable = kind.is_some_and(|kind| kind.starts_with("siglip2"));
    need(!variable, file, "model_type", || {
        let kind = kind.unwrap_or_default();
        format!(
            "{kind} (NaFlex, of variable resolution) is not supported; use a SigLIP 2 of fixed resolution"
        )
    })
}
