//! CLAP's `config.json`: what is read of it, what is refused, and presets.

mod audio;
mod text;

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ClapModel;
use crate::Error;
use crate::clip::nested;
use crate::config::{self, hidden_act};
use crate::error::{need, size};

pub use audio::ClapAudioConfig;
pub use text::ClapTextConfig;

/// The widest embedding.
const WIDEST: usize = 65_536;

/// The `config.json` of a whole CLAP. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClapConfig {
    /// The text tower.
    #[serde(rename = "text_config")]
    pub text: ClapTextConfig,
    /// The audio tower.
    #[serde(rename = "audio_config")]
    pub audio: ClapAudioConfig,
    /// Width of the embeddings.
    #[serde(rename = "projection_dim")]
    pub d_embed: usize,
    /// Between the layers of both projections.
    #[serde(rename = "projection_hidden_act", with = "hidden_act")]
    pub projection_activation: Activation,
    /// With which both scales of scores begin; not its logarithm.
    #[serde(rename = "logit_scale_init_value")]
    pub logit_scale: f64,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What of a whole CLAP's file stands beside the towers.
#[derive(Deserialize)]
struct Beside {
    #[serde(rename = "projection_dim", default = "d_embed")]
    d_embed: usize,
    #[serde(
        rename = "projection_hidden_act",
        with = "hidden_act",
        default = "activation"
    )]
    projection_activation: Activation,
    #[serde(rename = "logit_scale_init_value", default = "logit_scale")]
    logit_scale: f64,
    #[serde(flatten)]
    other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn d_embed() -> usize {
    512
}
fn activation() -> Activation {
    Activation::Relu
}
fn logit_scale() -> f64 {
    1.0 / 0.07
}

impl Beside {
    fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        config::parse(file, &nested::beside(json))
    }

    /// What a whole CLAP's file says of both projections; what stands in a tower's own part counts for a tower alone.
    fn of_whole(file: &str, json: &Value) -> Result<Option<Self>, Error> {
        match nested::is_whole(json) {
            true => Self::parse(file, json).map(Some),
            false => Ok(None),
        }
    }
}

impl ClapConfig {
    /// Two towers that embed into the space of the audio tower's embedding.
    pub fn new(text: ClapTextConfig, audio: ClapAudioConfig) -> Self {
        Self {
            d_embed: audio.d_embed,
            projection_activation: audio.projection_activation,
            text: ClapTextConfig {
                d_embed: audio.d_embed,
                projection_activation: audio.projection_activation,
                ..text
            },
            audio,
            logit_scale: logit_scale(),
            other: Map::new(),
        }
    }

    /// `laion/clap-htsat-unfused` (arXiv 2211.06687, section 4.1).
    pub fn htsat_unfused() -> Self {
        Self::new(ClapTextConfig::roberta(), ClapAudioConfig::htsat())
    }

    /// `laion/clap-htsat-fused`, which hears sounds of any length (arXiv 2211.06687, section 3.3).
    pub fn htsat_fused() -> Self {
        let audio = ClapAudioConfig::htsat().with_fusion();
        Self::new(ClapTextConfig::roberta(), audio)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self::new(ClapTextConfig::debug(), ClapAudioConfig::debug())
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let beside = Beside::parse(file, json)?;
        let text: ClapTextConfig = nested::parse(file, json, nested::TEXT)?;
        let audio: ClapAudioConfig = nested::parse(file, json, nested::AUDIO)?;
        let config = Self {
            text: text.within(&beside),
            audio: audio.within(&beside),
            d_embed: beside.d_embed,
            projection_activation: beside.projection_activation,
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
        self.audio
            .validate_as(&nested::place(file, nested::AUDIO))?;
        let scale = self.logit_scale;
        let works = scale.is_finite() && scale > 0.0;
        need(works, file, "logit_scale_init_value", || {
            format!("{scale} must be above 0")
        })
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ClapModel {
        ClapModel::new(self, device)
    }
}
