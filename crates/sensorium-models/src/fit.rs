//! Whether a checkpoint would load, without loading it.

use burn::tensor::Device;
use sensorium_hub::{Allow, Checkpoint, LoadReport, check};

use crate::ast::{AstForAudioClassification, AstModel};
use crate::bert::{
    BertForMaskedLm, BertForSequenceClassification, BertModel, MODULES, SentenceEncoder,
};
use crate::causal::{CausalLm, CausalModel};
use crate::clap::{
    ClapAudioModel, ClapAudioModelWithProjection, ClapModel, ClapTextModel,
    ClapTextModelWithProjection,
};
use crate::clip::{
    ClipModel, ClipTextModel, ClipTextModelWithProjection, ClipVisionModel,
    ClipVisionModelWithProjection,
};
use crate::dino::{Dinov2ForImageClassification, Dinov2Model};
use crate::family::{class, head};
use crate::published::{described, holds};
use crate::siglip::{SiglipModel, SiglipTextModel, SiglipVisionModel};
use crate::vision_language::{ImageFeatures, VisionLanguage};
use crate::vit::{VitForImageClassification, VitModel};
use crate::wav2vec2::{Wav2Vec2ForCtc, Wav2Vec2ForSequenceClassification, Wav2Vec2Model};
use crate::whisper::{WhisperForConditionalGeneration, WhisperModel};
use crate::{Error, Family, Published};

/// Compares a checkpoint with the model that its `config.json` names: its family, and the head among `architectures`. A
/// BERT with a `modules.json` is compared with the sentence encoder that it describes.
///
/// # Errors
/// If the family is not known, and [`sensorium_hub::Error::Mismatch`] with every tensor that does not fit.
pub fn fit(checkpoint: &Checkpoint, device: &Device) -> Result<LoadReport, Error> {
    let (_, config) = described(checkpoint)?;
    let family = Family::of(checkpoint.name(), &config)?;
    let projects = || -> Result<bool, Error> {
        let weights = checkpoint.weights()?;
        const NAMES: [&str; 4] = [
            "text_projection.weight",
            "visual_projection.weight",
            "text_projection.linear1.weight",
            "audio_projection.linear1.weight",
        ];
        Ok(NAMES.iter().any(|name| holds(&weights, name)))
    };
    match (family, head(&config)) {
        (Family::Bert, _) if checkpoint.optional(MODULES)?.is_some() => {
            SentenceEncoder::fit(checkpoint, device)
        }
        (Family::Bert, "ForMaskedLM") => of::<BertForMaskedLm>(checkpoint, device),
        (Family::Bert, "ForSequenceClassification") => {
            of::<BertForSequenceClassification>(checkpoint, device)
        }
        (Family::Bert, _) => of::<BertModel>(checkpoint, device),
        (Family::Vit, "ForImageClassification") => {
            of::<VitForImageClassification>(checkpoint, device)
        }
        (Family::Vit, _) => of::<VitModel>(checkpoint, device),
        (Family::Dinov2, "ForImageClassification") => {
            of::<Dinov2ForImageClassification>(checkpoint, device)
        }
        (Family::Dinov2, _) => of::<Dinov2Model>(checkpoint, device),
        (Family::Clip, _) => of::<ClipModel>(checkpoint, device),
        (Family::ClipText, _) if projects()? => {
            of::<ClipTextModelWithProjection>(checkpoint, device)
        }
        (Family::ClipText, _) => of::<ClipTextModel>(checkpoint, device),
        (Family::ClipVision, _) if projects()? => {
            of::<ClipVisionModelWithProjection>(checkpoint, device)
        }
        (Family::ClipVision, _) => of::<ClipVisionModel>(checkpoint, device),
        (Family::Siglip, _) => of::<SiglipModel>(checkpoint, device),
        (Family::SiglipText, _) => of::<SiglipTextModel>(checkpoint, device),
        (Family::SiglipVision, _) => of::<SiglipVisionModel>(checkpoint, device),
        (Family::Whisper, "ForConditionalGeneration") => {
            of::<WhisperForConditionalGeneration>(checkpoint, device)
        }
        (Family::Whisper, _) => of::<WhisperModel>(checkpoint, device),
        (Family::Ast, "ForAudioClassification") => {
            of::<AstForAudioClassification>(checkpoint, device)
        }
        (Family::Ast, _) => of::<AstModel>(checkpoint, device),
        (Family::Wav2Vec2, "ForCTC") => of::<Wav2Vec2ForCtc>(checkpoint, device),
        (Family::Wav2Vec2, "ForSequenceClassification") => {
            of::<Wav2Vec2ForSequenceClassification>(checkpoint, device)
        }
        (Family::Wav2Vec2, _) => of::<Wav2Vec2Model>(checkpoint, device),
        (Family::Clap, _) => of::<ClapModel>(checkpoint, device),
        (Family::ClapText, _) if projects()? => {
            of::<ClapTextModelWithProjection>(checkpoint, device)
        }
        (Family::ClapText, _) => of::<ClapTextModel>(checkpoint, device),
        (Family::ClapAudio, _) if projects()? => {
            of::<ClapAudioModelWithProjection>(checkpoint, device)
        }
        (Family::ClapAudio, _) => of::<ClapAudioModel>(checkpoint, device),
        (Family::Gpt2, _) if class(&config).ends_with("LMHeadModel") => {
            of::<CausalLm>(checkpoint, device)
        }
        (Family::Llama | Family::Qwen2 | Family::Qwen3, "ForCausalLM") => {
            of::<CausalLm>(checkpoint, device)
        }
        (Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Gpt2, _) => {
            of::<CausalModel>(checkpoint, device)
        }
        (Family::Idefics3 | Family::Llava | Family::Qwen25Vl, "ForConditionalGeneration") => {
            of::<VisionLanguage>(checkpoint, device)
        }
        (Family::Idefics3 | Family::Llava | Family::Qwen25Vl, _) => {
            of::<ImageFeatures>(checkpoint, device)
        }
    }
}

fn of<M: Published>(checkpoint: &Checkpoint, device: &Device) -> Result<LoadReport, Error> {
    let config = M::parse("config.json", &checkpoint.config()?)?;
    let weights = checkpoint.weights()?;
    let model = M::prepare(&config, &weights, device);
    // A tower's checkpoint may hold more; what it is shows in the report.
    let allow = match M::PART {
        true => Allow::nothing().unused(),
        false => Allow::nothing(),
    };
    Ok(check(&model, &weights, &M::key_map(&config), &allow)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn complaint(folder: &Path) -> String {
        let checkpoint = Checkpoint::folder(folder);
        fit(&checkpoint, &Device::flex()).unwrap_err().to_string()
    }

    #[test]
    fn models_that_read_text_with_images_in_it_fit_with_both_halves() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        for name in ["idefics3", "smolvlm", "llava", "qwen2-5-vl"] {
            let checkpoint = Checkpoint::folder(&fixtures.join(name));
            let report = fit(&checkpoint, &Device::flex()).unwrap();
            assert_eq!(report.unused, [""; 0], "{name}");
            let there = checkpoint.weights().unwrap().len();
            assert_eq!(report.loaded, there, "{name}");
        }
    }

    #[test]
    fn a_sentence_encoder_fits_with_all_its_modules_or_not_at_all() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sentence");
        let (folder, device) = (tempfile::tempdir().unwrap(), Device::flex());
        let original = Checkpoint::folder(&fixture);
        let (encoder, config) = SentenceEncoder::load(&original, &device).unwrap();
        encoder.save(&config, &original, folder.path()).unwrap();
        let report = fit(&Checkpoint::folder(folder.path()), &device).unwrap();
        assert_eq!(report.unused, [""; 0]);

        let dense = folder.path().join("2_Dense/config.json");
        let text = std::fs::read_to_string(&dense).unwrap();
        std::fs::write(
            &dense,
            text.replace("\"out_features\": 5", "\"out_features\": 6"),
        )
        .unwrap();
        let message = complaint(folder.path());
        assert!(message.contains("linear.weight"), "{message}");
        std::fs::write(
            &dense,
            text.replace("\"in_features\": 48", "\"in_features\": 47"),
        )
        .unwrap();
        let message = complaint(folder.path());
        assert!(
            message.contains("2_Dense/config.json: in_features"),
            "{message}"
        );
        std::fs::remove_file(folder.path().join("1_Pooling/config.json")).unwrap();
        let message = complaint(folder.path());
        assert!(
            message.contains("1_Pooling/config.json: is missing"),
            "{message}"
        );
    }
}
