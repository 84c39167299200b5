//! Every family and head gives what the reference gives, layer by layer, and is saved as it was read.
//!
//! The tiny checkpoints under `tests/fixtures` are compared in every test run; `cargo xtask parity --full` brings
//! checkpoints of published size, and real weights.

mod ast;
mod bert;
mod causal;
mod clap;
mod clip;
mod dino;
mod full;
mod minilm;
mod siglip;
mod vit;
mod wav2vec2;
mod whisper;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_hub::{Checkpoint, Weights};
use sensorium_testkit::{Reference, devices};
use sensorium_text::TextBatch;
use sensorium_vision::ImageBatch;
use serde_json::Value;

use crate::{Family, Loaded, Published};

/// A checkpoint that the reference wrote, and what it computed with it.
pub(crate) struct Case {
    pub(crate) config: Value,
    folder: PathBuf,
    reference: Reference,
}

impl Case {
    pub(crate) fn open(folder: PathBuf) -> Self {
        let config = Checkpoint::folder(&folder).config();
        Self {
            config: config.expect("a case has a config.json"),
            reference: Reference::open(&folder),
            folder,
        }
    }

    /// One of the tiny ones.
    pub(crate) fn fixture(name: &str) -> Self {
        Self::open(fixtures().join(name))
    }

    /// The class that wrote it.
    fn class(&self) -> &str {
        let class = self.config["architectures"][0].as_str();
        class.expect("a case names its architecture")
    }

    pub(crate) fn images(&self, device: &Device) -> ImageBatch {
        ImageBatch::dense(self.reference.tensor("input.pixels", device))
    }

    /// Whether the images have another size than the model.
    fn is_resized(&self) -> bool {
        let config = match &self.config["vision_config"] {
            Value::Null => &self.config,
            vision => vision,
        };
        let sides = match &config["image_size"] {
            Value::Array(sides) => [&sides[0], &sides[1]].map(Value::as_u64),
            side => [side.as_u64(); 2],
        };
        let (shape, _) = self.reference.floats("input.pixels");
        sides != [shape[2], shape[3]].map(|side| Some(side as u64))
    }

    pub(crate) fn texts(&self, device: &Device) -> TextBatch {
        TextBatch {
            ids: self.reference.ids("input.ids", device),
            pad: self.reference.pad("input.mask", device),
        }
    }

    /// The model with the checkpoint's weights: all of its parameters, and all of the checkpoint's tensors. It is saved as it
    /// was read.
    fn load<M: Published>(&self, device: &Device, saved: &Path) -> Loaded<M> {
        let checkpoint = Checkpoint::folder(&self.folder);
        let loaded = M::load(&checkpoint, device).expect("a checkpoint that fits");
        assert_eq!(loaded.report.unused, [""; 0], "tensors are left over");
        self.check_saving(&loaded, saved);
        loaded
    }

    /// Panics unless what is saved is what was there.
    fn check_saving<M: Published>(&self, loaded: &Loaded<M>, folder: &Path) {
        let checkpoint = Checkpoint::folder(&self.folder);
        loaded.save(&checkpoint, folder).expect("saved");
        self.check_saved(folder, "");
    }

    /// Panics unless the weights that were saved in one of a model's folders are those that were there.
    fn check_saved(&self, folder: &Path, part: &str) {
        let saved = Weights::open(&folder.join(part)).expect("weights");
        let original = Weights::open(&self.folder.join(part)).expect("weights");
        for tensor in original.iter() {
            let name = tensor.name;
            let same = saved.get(name).expect(name);
            assert_eq!(same.shape, tensor.shape, "{name}");
            assert!(same.bytes == tensor.bytes, "{name} has other numbers");
        }
        assert_eq!(saved.len(), original.len());
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Compares a case with the reference on a device, and saves it to `saved`.
///
/// # Panics
/// If anything differs, naming it.
fn compare(case: &Case, device: &Device, saved: &Path) {
    let how = match case.class() {
        "BertModel" | "RobertaModel" if case.folder.join("modules.json").exists() => bert::sentence,
        "BertModel" | "RobertaModel" => bert::tower,
        "BertForMaskedLM" | "RobertaForMaskedLM" => bert::masked_lm,
        "BertForSequenceClassification" | "RobertaForSequenceClassification" => {
            bert::classification
        }
        "ViTModel" => vit::tower,
        "ViTForImageClassification" => vit::classification,
        "Dinov2Model" | "Dinov2WithRegistersModel" => dino::tower,
        "Dinov2ForImageClassification" | "Dinov2WithRegistersForImageClassification" => {
            dino::classification
        }
        "LlamaForCausalLM" | "Qwen2ForCausalLM" | "Qwen3ForCausalLM" | "GPT2LMHeadModel" => {
            causal::lm
        }
        "LlamaModel" | "GPT2Model" => causal::headless,
        "CLIPModel" => clip::whole,
        "CLIPTextModel" => clip::text,
        "CLIPTextModelWithProjection" => clip::text_projection,
        "CLIPVisionModel" => clip::vision,
        "CLIPVisionModelWithProjection" => clip::vision_projection,
        "SiglipModel" => siglip::whole,
        "SiglipTextModel" => siglip::text,
        "SiglipVisionModel" => siglip::vision,
        "WhisperForConditionalGeneration" => whisper::generation,
        "WhisperModel" => whisper::headless,
        "ASTModel" => ast::tower,
        "ASTForAudioClassification" => ast::classification,
        "Wav2Vec2Model" | "HubertModel" => wav2vec2::tower,
        "Wav2Vec2ForCTC" | "HubertForCTC" => wav2vec2::ctc,
        "Wav2Vec2ForSequenceClassification" | "HubertForSequenceClassification" => {
            wav2vec2::classification
        }
        "ClapModel" => clap::whole,
        "ClapTextModel" => clap::text,
        "ClapTextModelWithProjection" => clap::text_projection,
        "ClapAudioModel" => clap::audio,
        "ClapAudioModelWithProjection" => clap::audio_projection,
        class => panic!("there is no comparison for {class}"),
    };
    how(case, device, saved);
}

/// Compares all tiny cases of some families on every device.
fn check(families: &[Family], expected: usize) {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(fixtures()).expect("fixtures") {
        let folder = entry.expect("an entry").path();
        // Those from files and texts on have tests of their own.
        let ready = folder
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("ready"));
        if !ready && folder.join("config.json").exists() {
            let family = Family::of_checkpoint(&Checkpoint::folder(&folder)).expect("a family");
            cases.extend(families.contains(&family).then_some(folder));
        }
    }
    assert_eq!(cases.len(), expected, "{cases:?}");
    for folder in cases {
        let case = Case::open(folder);
        for device in devices() {
            let saved = tempfile::tempdir().expect("a folder");
            compare(&case, &device, saved.path());
        }
    }
}

#[test]
fn parity_of_bert_roberta_and_sentence_encoders() {
    check(&[Family::Bert], 9);
}

#[test]
fn parity_of_vit() {
    check(&[Family::Vit], 4);
}

#[test]
fn parity_of_dinov2() {
    check(&[Family::Dinov2], 6);
}

#[test]
fn parity_of_clip() {
    let families = [Family::Clip, Family::ClipText, Family::ClipVision];
    check(&families, 7);
}

#[test]
fn parity_of_siglip() {
    let families = [Family::Siglip, Family::SiglipText, Family::SiglipVision];
    check(&families, 5);
}

#[test]
fn parity_of_ast() {
    check(&[Family::Ast], 3);
}

#[test]
fn parity_of_wav2vec2_and_hubert() {
    check(&[Family::Wav2Vec2], 6);
}

#[test]
fn parity_of_clap() {
    let families = [Family::Clap, Family::ClapText, Family::ClapAudio];
    check(&families, 8);
}

#[test]
fn parity_of_whisper() {
    check(&[Family::Whisper], 3);
}

#[test]
fn parity_of_causal_language_models() {
    let families = [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gpt2];
    check(&families, 10);
}
