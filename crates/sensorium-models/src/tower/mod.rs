//! Towers as encoders of a model one puts together: out of a checkpoint, with as much of it left to train as one likes.

mod image;
mod kit;
mod sound;
#[cfg(test)]
mod tests;
mod text;
mod tune;

pub use image::ImageTower;
pub use kit::{ImageTowers, OfCheckpoint, SoundTowers, TextTowers, TowerKit};
pub use sound::SoundTower;
pub use text::{TextPreparation, TextTower};
pub use tune::{LoraConfig, LoraLayers, Tune};

use burn::tensor::Device;
use sensorium_core::Encoder;
use sensorium_hub::{Checkpoint, Weights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::need;
use crate::ready::unfit;
use crate::{Error, Family};

/// What a tower hands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// A vector for each patch or token, as the last layer leaves them.
    #[default]
    Tokens,
    /// The model's own embedding as the only token: CLIP's projected, SigLIP's pooled, a sentence encoder's as its
    /// `modules.json` says, ViT's and DINOv2's class token, the mean of AST's two, the mean over what Whisper heard, CLAP's
    /// projected, of length one.
    Embedding,
}

/// A published model's tower of one modality, whichever family it is of.
pub trait Tower: Encoder {
    /// The tower of a checkpoint.
    ///
    /// # Errors
    /// If the model is of another modality, or a file is missing, broken or does not fit.
    fn load(checkpoint: &Checkpoint, output: Output, device: &Device) -> Result<Self, Error> {
        Self::build(checkpoint, output, true, device)
    }

    /// The same without its weights, which are to be read from elsewhere: the checkpoint needs none.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn lay_out(checkpoint: &Checkpoint, output: Output, device: &Device) -> Result<Self, Error> {
        Self::build(checkpoint, output, false, device)
    }

    /// The tower, with its weights if it is `pretrained`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn build(
        checkpoint: &Checkpoint,
        output: Output,
        pretrained: bool,
        device: &Device,
    ) -> Result<Self, Error>;
}

/// A checkpoint's weights, if they are wanted.
fn weights(checkpoint: &Checkpoint, pretrained: bool) -> Result<Option<Weights>, Error> {
    Ok(match pretrained {
        true => Some(checkpoint.weights()?),
        false => None,
    })
}

/// A tower, where it comes from, and how it is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerConfig {
    /// A folder in the hub's layout, or a hub's model: `owner/name`, or `owner/name@revision`.
    pub from: String,
    /// What it hands on.
    #[serde(default)]
    pub output: Output,
    /// Which of its weights training changes.
    #[serde(default)]
    pub tune: Tune,
    /// With [`Tune::Lora`]: how large the changes may be, and where.
    #[serde(default)]
    pub lora: LoraConfig,
}

impl TowerConfig {
    /// A frozen tower that hands on all tokens.
    pub fn new(from: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            ..Self::default()
        }
    }

    /// Which of its weights training changes.
    pub fn with_tune(mut self, tune: Tune) -> Self {
        self.tune = tune;
        self
    }

    /// What it hands on.
    pub fn with_output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        need(!self.from.trim().is_empty(), "recipe", "from", || {
            "is empty: name a folder, or a model of the hub such as openai/clip-vit-base-patch32"
                .to_owned()
        })?;
        self.lora.validate()
    }
}

/// The error of a family that was given what it does not take.
fn takes_other(checkpoint: &Checkpoint, family: Family, given: &str) -> Error {
    let takes = match family {
        Family::Bert | Family::ClipText | Family::SiglipText | Family::ClapText => "texts",
        Family::Vit | Family::Dinov2 | Family::ClipVision | Family::SiglipVision => "images",
        Family::Clip | Family::Siglip => "images and texts",
        Family::Whisper | Family::Ast | Family::Wav2Vec2 | Family::ClapAudio => "sounds",
        Family::Clap => "sounds and texts",
        Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Gpt2 => "texts to go on with",
    };
    unfit(checkpoint, format!("{family} takes {takes}, not {given}"))
}

/// Whether the checkpoint of a CLIP's or CLAP's tower holds its projection; without weights, whether its files say so.
fn projects(family: Family, config: &Value, weights: Option<&Weights>) -> bool {
    match weights {
        Some(weights) => {
            let name = match family {
                Family::ClipText => "text_projection.weight",
                Family::ClipVision => "visual_projection.weight",
                Family::ClapText => "text_projection.linear1.weight",
                Family::ClapAudio => "audio_projection.linear1.weight",
                _ => return true,
            };
            crate::published::holds(weights, name)
        }
        None => {
            let class = config["architectures"][0].as_str().unwrap_or_default();
            matches!(family, Family::Clip | Family::Clap) || class.ends_with("WithProjection")
        }
    }
}
