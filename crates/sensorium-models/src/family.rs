//! Which family a checkpoint is of.

use std::fmt;

use sensorium_hub::Checkpoint;
use serde_json::Value;

use crate::Error;
use crate::published::described;

/// A family of published models, as the `model_type` of `config.json` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// BERT, RoBERTa and those that are built alike.
    Bert,
    /// The Vision Transformer.
    Vit,
    /// DINOv2, with registers or without.
    Dinov2,
    /// CLIP, both towers.
    Clip,
    /// CLIP's text tower.
    ClipText,
    /// CLIP's vision tower.
    ClipVision,
    /// SigLIP of fixed resolution, 1 or 2, both towers.
    Siglip,
    /// SigLIP's text tower.
    SiglipText,
    /// SigLIP's vision tower.
    SiglipVision,
    /// Whisper, speech to text.
    Whisper,
    /// The audio spectrogram transformer.
    Ast,
    /// wav2vec 2.0 and HuBERT.
    Wav2Vec2,
    /// CLAP, both towers.
    Clap,
    /// CLAP's text tower.
    ClapText,
    /// CLAP's audio tower.
    ClapAudio,
    /// Llama and those that are built alike: SmolLM2, TinyLlama.
    Llama,
    /// Qwen2.5, text alone.
    Qwen2,
    /// Qwen3, text alone.
    Qwen3,
    /// GPT-2.
    Gpt2,
}

/// `model_type`, the family, and its name.
const TYPES: [(&str, Family, &str); 24] = [
    ("bert", Family::Bert, "BERT"),
    ("roberta", Family::Bert, "RoBERTa"),
    ("xlm-roberta", Family::Bert, "XLM-RoBERTa"),
    ("camembert", Family::Bert, "CamemBERT"),
    ("vit", Family::Vit, "ViT"),
    ("dinov2", Family::Dinov2, "DINOv2"),
    (
        "dinov2_with_registers",
        Family::Dinov2,
        "DINOv2 with registers",
    ),
    ("clip", Family::Clip, "CLIP"),
    ("clip_text_model", Family::ClipText, "CLIP's text tower"),
    (
        "clip_vision_model",
        Family::ClipVision,
        "CLIP's vision tower",
    ),
    ("siglip", Family::Siglip, "SigLIP"),
    (
        "siglip_text_model",
        Family::SiglipText,
        "SigLIP's text tower",
    ),
    (
        "siglip_vision_model",
        Family::SiglipVision,
        "SigLIP's vision tower",
    ),
    ("whisper", Family::Whisper, "Whisper"),
    ("audio-spectrogram-transformer", Family::Ast, "AST"),
    ("wav2vec2", Family::Wav2Vec2, "wav2vec 2.0"),
    ("hubert", Family::Wav2Vec2, "HuBERT"),
    ("clap", Family::Clap, "CLAP"),
    ("clap_text_model", Family::ClapText, "CLAP's text tower"),
    ("clap_audio_model", Family::ClapAudio, "CLAP's audio tower"),
    ("llama", Family::Llama, "Llama"),
    ("qwen2", Family::Qwen2, "Qwen2.5"),
    ("qwen3", Family::Qwen3, "Qwen3"),
    ("gpt2", Family::Gpt2, "GPT-2"),
];

impl Family {
    /// The family that a `config.json` names; `model` stands for the checkpoint in messages.
    ///
    /// # Errors
    /// If it names none, or another.
    pub fn of(model: &str, config: &Value) -> Result<Self, Error> {
        Ok(entry(model, config)?.1)
    }

    /// Whether it goes on with texts.
    pub fn is_causal(self) -> bool {
        matches!(self, Self::Llama | Self::Qwen2 | Self::Qwen3 | Self::Gpt2)
    }

    /// The name that a `config.json`'s family goes by.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn name_of(model: &str, config: &Value) -> Result<&'static str, Error> {
        Ok(entry(model, config)?.2)
    }

    /// The family of a checkpoint.
    ///
    /// # Errors
    /// If there is no `config.json`, or it names no known family.
    pub fn of_checkpoint(checkpoint: &Checkpoint) -> Result<Self, Error> {
        let (_, config) = described(checkpoint)?;
        Self::of(checkpoint.name(), &config)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = TYPES.iter().find(|(_, family, _)| family == self);
        f.write_str(found.map_or("", |(_, _, name)| name))
    }
}

fn entry(
    model: &str,
    config: &Value,
) -> Result<&'static (&'static str, Family, &'static str), Error> {
    let found = config["model_type"].as_str();
    let known = TYPES.iter().find(|(name, _, _)| Some(*name) == found);
    known.ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|(name, _, _)| *name).collect();
        Error::Unknown {
            model: model.to_owned(),
            key: "model_type",
            problem: match found {
                Some(found) => format!("{found:?} is none of {}", names.join(", ")),
                None => format!("is missing; it would be one of {}", names.join(", ")),
            },
        }
    })
}

/// The class that wrote a checkpoint: `BertForMaskedLM`.
pub(crate) fn class(config: &Value) -> &str {
    config["architectures"][0].as_str().unwrap_or_default()
}

/// The model's head, as `architectures` names it, without the family: `ForMaskedLM`, `Model`.
pub(crate) fn head(config: &Value) -> &str {
    let class = class(config);
    class.find("For").map_or("", |at| &class[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_is_known_and_others_are_named() {
        for (name, family, _) in TYPES {
            assert_eq!(
                Family::of("m", &json!({ "model_type": name })).unwrap(),
                family
            );
            assert!(!family.to_string().is_empty());
        }
        let error = Family::of("m", &json!({ "model_type": "bart" })).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("m: config.json: model_type: \"bart\" is none of bert,")
        );
        assert!(Family::of("m", &json!({})).is_err());
        assert_eq!(
            head(&json!({ "architectures": ["BertForMaskedLM"] })),
            "ForMaskedLM"
        );
        assert_eq!(head(&json!({ "architectures": ["ViTModel"] })), "");
        assert_eq!(head(&json!({})), "");
    }
}
