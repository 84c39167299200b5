//! From files and sentences to what Transformers makes of them, with the checkpoint of the recipe clip-digits.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{Reference, devices, floats};
use serde::Deserialize;

use super::{Classifier, ImageEmbedder, Prepared, Scoring, SpeechToText, TextEmbedder, ZeroShot};
use crate::whisper::generate::{Fallback, Transcribe};

/// What `tools/parity/models/tiny_clip.py` wrote.
#[derive(Deserialize)]
struct Inputs {
    images: Vec<String>,
    texts: Vec<String>,
}

/// What `tools/parity/models/ready.py` wrote.
#[derive(Deserialize)]
struct Texts {
    texts: Vec<String>,
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn checkpoint() -> Checkpoint {
    Checkpoint::folder(&here("../../recipes/tiny-clip"))
}

/// A whole checkpoint among the fixtures.
fn fixture(name: &str) -> Checkpoint {
    Checkpoint::folder(&here("tests/fixtures").join(name))
}

/// The texts of a fixture.
fn texts(name: &str) -> Vec<String> {
    let file = here("tests/fixtures").join(name).join("inputs.json");
    let inputs: Texts = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    inputs.texts
}

/// The pictures that all fixtures share.
fn pictures() -> Vec<Source> {
    let file = |name: &String| Source::path(here("tests/fixtures/ready").join(name));
    inputs().0.images.iter().map(file).collect()
}

fn inputs() -> (Inputs, Reference) {
    let case = here("tests/fixtures/ready");
    let text = std::fs::read(case.join("inputs.json")).expect("a fixture");
    let inputs = serde_json::from_slice(&text).expect("JSON");
    (inputs, Reference::open(&case))
}

#[test]
fn files_and_sentences_are_embedded_and_scored_as_by_the_reference() {
    let (inputs, reference) = inputs();
    for device in devices() {
        let texts = TextEmbedder::open(&checkpoint(), &device).expect("a text tower");
        let prepare = |text: &String| texts.prepare(&Source::text(text.as_str())).unwrap();
        let samples: Vec<_> = inputs.texts.iter().map(prepare).collect();
        reference.check("text_embeds", &texts.embed(&samples));

        let labels = ZeroShot::open(&checkpoint(), &inputs.texts, "{}", &device).expect("a CLIP");
        assert_eq!(labels.scoring(), Scoring::Softmax);
        assert_eq!(labels.takes().name(), "image");
        let images = ImageEmbedder::open(&checkpoint(), &device).expect("a vision tower");
        reference.check("image_embeds", &images.embed(&prepared(&images)));
        reference.check("probabilities", &labels.scores(&asked(&labels)));
    }
}

fn prepared(images: &ImageEmbedder) -> Vec<sensorium_vision::ImageSample> {
    let prepare = |picture| images.prepare(picture).expect("a picture");
    pictures().iter().map(prepare).collect()
}

fn asked(labels: &ZeroShot) -> Vec<Prepared> {
    let prepare = |picture| labels.prepare(picture).expect("a picture");
    pictures().iter().map(prepare).collect()
}

#[test]
fn siglip_embeds_and_scores_as_the_reference_does() {
    let (checkpoint, texts) = (fixture("ready-siglip"), texts("ready-siglip"));
    let reference = Reference::open(&here("tests/fixtures/ready-siglip"));
    for device in devices() {
        let embedder = TextEmbedder::open(&checkpoint, &device).expect("a text tower");
        let prepare = |text: &String| embedder.prepare(&Source::text(text.as_str())).unwrap();
        let samples: Vec<_> = texts.iter().map(prepare).collect();
        reference.check("text_embeds", &embedder.embed(&samples));
        let labels = ZeroShot::open(&checkpoint, &texts, "{}", &device).expect("a SigLIP");
        assert_eq!(labels.scoring(), Scoring::Sigmoid);
        let images = ImageEmbedder::open(&checkpoint, &device).expect("a vision tower");
        reference.check("image_embeds", &images.embed(&prepared(&images)));
        reference.check("probabilities", &labels.scores(&asked(&labels)));
    }
}

#[test]
fn dinov2_embeds_as_the_reference_does() {
    let reference = Reference::open(&here("tests/fixtures/ready-dinov2"));
    for device in devices() {
        let embedder = ImageEmbedder::open(&fixture("ready-dinov2"), &device).unwrap();
        reference.check("image_embeds", &embedder.embed(&prepared(&embedder)));
    }
}

#[test]
fn bert_classifies_as_the_reference_does() {
    let reference = Reference::open(&here("tests/fixtures/ready-bert"));
    for device in devices() {
        let model = Classifier::open(&fixture("ready-bert"), &device).unwrap();
        assert_eq!(model.labels(), ["calm", "glad", "cross"]);
        assert_eq!(model.takes().name(), "text");
        let prepare = |text: &String| model.prepare(&Source::text(text.as_str())).unwrap();
        let samples: Vec<_> = texts("ready-bert").iter().map(prepare).collect();
        reference.check("probabilities", &model.scores(&samples));
    }
}

#[test]
fn a_batch_gives_what_its_inputs_give_alone() {
    let (inputs, _) = inputs();
    for device in devices() {
        let texts = TextEmbedder::open(&checkpoint(), &device).unwrap();
        let prepare = |text: &String| texts.prepare(&Source::text(text.as_str())).unwrap();
        let samples: Vec<_> = inputs.texts.iter().map(prepare).collect();
        let alone: Vec<Tensor<2>> = samples.chunks(1).map(|one| texts.embed(one)).collect();
        let together = texts.embed(&samples);
        sensorium_testkit::assert_close(&together, &Tensor::cat(alone, 0), 1e-5);
    }
}

#[test]
fn what_a_model_cannot_do_is_said() {
    let device = Device::flex();
    let check = |error: crate::Error, expected: &str| {
        assert!(error.to_string().contains(expected), "{error}");
    };
    let labels = ["a".to_owned()];
    check(
        ZeroShot::open(&fixture("vit"), &labels, "{}", &device).unwrap_err(),
        "ViT does not score labels in words; CLIP, SigLIP and CLAP do",
    );
    check(
        ZeroShot::open(&checkpoint(), &[], "{}", &device).unwrap_err(),
        "there is no label to choose",
    );
    check(
        Classifier::open(&checkpoint(), &device).unwrap_err(),
        "CLIP has no classes of its own: give it labels",
    );
    check(
        Classifier::open(&fixture("vit"), &device).unwrap_err(),
        "this ViT has no head of classes",
    );
    check(
        TextEmbedder::open(&fixture("vit"), &device).unwrap_err(),
        "ViT takes images, not texts",
    );
    check(
        ImageEmbedder::open(&fixture("vit"), &device).unwrap_err(),
        "preprocessor_config.json",
    );
}

#[test]
fn a_classifier_answers_with_the_models_own_classes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        let from = here("tests/fixtures/vit-classification").join(name);
        std::fs::copy(from, folder.path().join(name)).unwrap();
    }
    let settings =
        r#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}}"#;
    std::fs::write(folder.path().join("preprocessor_config.json"), settings).unwrap();
    let image = Source::path(here("tests/fixtures/ready/wide.png"));
    for device in devices() {
        let model = Classifier::open(&Checkpoint::folder(folder.path()), &device).unwrap();
        assert_eq!(model.labels(), ["cat", "dog", "bird"]);
        assert_eq!(model.takes().name(), "image");
        let prepared = model.prepare(&image).unwrap();
        let scores = floats(&model.scores(&[prepared.clone(), prepared]));
        assert_eq!(scores.len(), 6);
        assert!((scores[..3].iter().sum::<f32>() - 1.0).abs() < 1e-5);
        // Rows of one batch may be added up in another order, which shows in the last digit.
        let pairs = scores[..3].iter().zip(&scores[3..]);
        assert!(
            pairs.clone().all(|(a, b)| (a - b).abs() < 1e-6),
            "{scores:?}"
        );
    }
    // The images that its file makes must be the model's.
    let settings = settings.replace('8', "12");
    std::fs::write(folder.path().join("preprocessor_config.json"), settings).unwrap();
    let error = Classifier::open(&Checkpoint::folder(folder.path()), &Device::flex()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("12 x 12 pixels, but config.json says 8 x 8"),
        "{error}"
    );
}

/// A sentence encoder whose tower stands in a folder of its own, with a tokenizer of at most `vocab_size` ids.
fn sentence_encoder(folder: &Path, vocab_size: usize) {
    let fixture = here("tests/fixtures/sentence");
    let tower = folder.join("0_Transformer");
    for name in ["0_Transformer", "1_Pooling", "2_Dense"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    for (from, to) in [
        ("config.json", "0_Transformer/config.json"),
        ("model.safetensors", "0_Transformer/model.safetensors"),
        ("1_Pooling/config.json", "1_Pooling/config.json"),
        ("2_Dense/config.json", "2_Dense/config.json"),
        ("2_Dense/model.safetensors", "2_Dense/model.safetensors"),
    ] {
        std::fs::copy(fixture.join(from), folder.join(to)).unwrap();
    }
    let modules = std::fs::read_to_string(fixture.join("modules.json")).unwrap();
    let modules = modules.replacen(r#""path": """#, r#""path": "0_Transformer""#, 1);
    std::fs::write(folder.join("modules.json"), modules).unwrap();
    let texts = ["a cat sat on a mat", "the quick brown fox jumps over it"];
    let tokenizer = sensorium_text::Tokenizer::fit(texts.into_iter(), vocab_size).unwrap();
    tokenizer.save(&tower).unwrap();
}

#[test]
fn a_sentence_encoder_with_its_tower_in_a_folder_embeds() {
    let folder = tempfile::tempdir().unwrap();
    // More ids than the tower has words are refused, before one of them is looked up.
    sentence_encoder(folder.path(), 60);
    let checkpoint = Checkpoint::folder(folder.path());
    let error = TextEmbedder::open(&checkpoint, &Device::flex()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("0_Transformer/tokenizer.json has "),
        "{message}"
    );
    assert!(
        message.contains("config.json says vocab_size = 30"),
        "{message}"
    );

    let path = folder.path().join("0_Transformer/tokenizer.json");
    let texts = ["abcd", "bcda"];
    let small = sensorium_text::Tokenizer::fit(texts.into_iter(), 16).unwrap();
    small.save(path.parent().unwrap()).unwrap();
    for device in devices() {
        let model = TextEmbedder::open(&checkpoint, &device).unwrap();
        let sample = model.prepare(&Source::text("abcd a")).unwrap();
        let vector = floats(&model.embed(&[sample]));
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert_eq!(vector.len(), 5);
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

/// What Transformers wrote down of a file.
#[derive(Deserialize)]
struct Written {
    ids: Vec<u32>,
    text: String,
    segments: Vec<String>,
}

#[test]
fn speech_is_written_down_as_by_the_reference() {
    let folder = here("tests/fixtures/ready-whisper");
    let text = std::fs::read(folder.join("recordings.json")).unwrap();
    let cases: std::collections::BTreeMap<String, Written> = serde_json::from_slice(&text).unwrap();
    assert_eq!(cases.len(), 2);
    let how = Transcribe {
        timestamps: true,
        fallback: Fallback::none(),
        ..Transcribe::default()
    };
    for device in devices() {
        let model = SpeechToText::open(&fixture("ready-whisper"), &device).unwrap();
        for (name, written) in &cases {
            let speech = model.prepare(&Source::path(folder.join(name))).unwrap();
            let mut heard_s = 0.0;
            let said = model.transcribe(&speech, &how, |_, s| heard_s = s).unwrap();
            let segments = said.segments.iter();
            let ids = segments.flat_map(|said| said.segment.tokens.clone());
            assert_eq!(ids.collect::<Vec<_>>(), written.ids, "{name}");
            assert_eq!(said.text, written.text.trim());
            let texts: Vec<&str> = said.segments.iter().map(|s| s.text.as_str()).collect();
            let expected: Vec<&str> = written.segments.iter().map(|s| s.trim()).collect();
            assert_eq!(texts, expected);
            assert!((heard_s - speech.seconds()).abs() < 1e-6, "{heard_s}");
            assert_eq!(said.language.as_deref().map(str::len), Some(2));
        }
    }
}

#[test]
fn files_that_do_not_belong_to_the_model_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let original = here("tests/fixtures/ready-whisper");
    for entry in std::fs::read_dir(&original).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let complaint = || {
        let checkpoint = Checkpoint::folder(folder.path());
        let error = SpeechToText::open(&checkpoint, &Device::flex()).unwrap_err();
        error.to_string()
    };
    let file = folder.path().join("preprocessor_config.json");
    let json = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        json.replace("\"feature_size\": 6", "\"feature_size\": 8"),
    )
    .unwrap();
    let told = complaint();
    assert!(
        told.contains("24 frames of 8 bands, but config.json says 24 of 6"),
        "{told}"
    );
    std::fs::write(
        &file,
        r#"{"feature_extractor_type": "ASTFeatureExtractor"}"#,
    )
    .unwrap();
    assert!(complaint().contains("is another model's"));
    std::fs::remove_file(folder.path().join("generation_config.json")).unwrap();
    assert!(complaint().contains("generation_config.json"));
    let error = SpeechToText::open(&fixture("ready-bert"), &Device::flex()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("BERT does not write down speech; Whisper, wav2vec 2.0 and HuBERT do")
    );
}
