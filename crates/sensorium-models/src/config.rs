//! What all families' `config.json` have in common: how it is parsed, and the names of activations.

use sensorium_core::nn::Activation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use crate::ast::AstConfig;
use crate::bert::BertConfig;
use crate::causal::CausalConfig;
use crate::clap::{ClapAudioConfig, ClapConfig, ClapTextConfig};
use crate::clip::{ClipConfig, ClipTextConfig, ClipVisionConfig};
use crate::dino::Dinov2Config;
use crate::siglip::{SiglipConfig, SiglipTextConfig, SiglipVisionConfig};
use crate::vit::VitConfig;
use crate::wav2vec2::Wav2Vec2Config;
use crate::whisper::WhisperConfig;

/// What a model's `config.json` says.
pub trait ModelConfig: Clone {
    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    fn parse(file: &str, json: &Value) -> Result<Self, Error>;
}

/// Configurations by their own `parse`.
macro_rules! model_configs {
    ($($config:ty),* $(,)?) => {$(
        impl ModelConfig for $config {
            fn parse(file: &str, json: &Value) -> Result<Self, Error> {
                <$config>::parse(file, json)
            }
        }
    )*};
}

model_configs!(
    AstConfig,
    BertConfig,
    CausalConfig,
    ClapAudioConfig,
    ClapConfig,
    ClapTextConfig,
    ClipConfig,
    ClipTextConfig,
    ClipVisionConfig,
    Dinov2Config,
    SiglipConfig,
    SiglipTextConfig,
    SiglipVisionConfig,
    VitConfig,
    Wav2Vec2Config,
    WhisperConfig,
);

/// Parses a JSON value; `file` stands for it in messages.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, value: &Value) -> Result<T, Error> {
    // With the path, so that the message names the key.
    serde_path_to_error::deserialize(value).map_err(|error| Error::Json {
        file: file.to_owned(),
        reason: error.to_string(),
    })
}

/// Names of activations as `hidden_act` has them, for `#[serde(with)]`. The first name of each is written.
pub(crate) mod hidden_act {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::Activation;

    const NAMES: [(&str, Activation); 9] = [
        ("gelu", Activation::Gelu),
        ("gelu_python", Activation::Gelu),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_fast", Activation::GeluTanh),
        ("quick_gelu", Activation::QuickGelu),
        ("relu", Activation::Relu),
        ("silu", Activation::Silu),
        ("swish", Activation::Silu),
    ];

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Activation, D::Error> {
        let found = String::deserialize(from)?;
        let known = NAMES.iter().find(|(name, _)| *name == found);
        known.map(|(_, activation)| *activation).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("the activation `{found}` is not one of {names}"))
        })
    }

    pub(crate) fn serialize<S: Serializer>(value: &Activation, to: S) -> Result<S::Ok, S::Error> {
        let known = NAMES.iter().find(|(_, activation)| activation == value);
        to.serialize_str(known.map_or("gelu", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests;
