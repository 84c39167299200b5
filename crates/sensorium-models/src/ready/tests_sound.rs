//! From recordings to what Transformers makes of them.

use std::path::Path;

use burn::tensor::Tensor;
use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{Reference, assert_close, devices};

use super::{Classifier, Scoring, SoundEmbedder, TextEmbedder, ZeroShot};

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn recordings() -> Vec<Source> {
    let folder = fixtures().join("ready-sounds");
    let names = ["rising.wav", "noise.wav"];
    names.map(|name| Source::path(folder.join(name))).to_vec()
}

#[test]
fn recordings_are_embedded_as_by_the_reference() {
    for device in devices() {
        for name in ["ready-ast", "ready-hears"] {
            let folder = fixtures().join(name);
            let model = SoundEmbedder::open(&Checkpoint::folder(&folder), &device).expect(name);
            let prepare = |sound| model.prepare(sound).expect("a recording");
            let sounds: Vec<_> = recordings().iter().map(prepare).collect();
            let together = model.embed(&sounds);
            Reference::open(&folder).check("audio_embeds", &together);
            let alone: Vec<Tensor<2>> = sounds.chunks(1).map(|one| model.embed(one)).collect();
            assert_close(&together, &Tensor::cat(alone, 0), 1e-5);
        }
    }
}

#[test]
fn recordings_are_classified_as_by_the_reference() {
    let folder = fixtures().join("ready-ast");
    for device in devices() {
        let model = Classifier::open(&Checkpoint::folder(&folder), &device).expect("an AST");
        assert_eq!(model.labels(), ["rain", "wind", "birds"]);
        assert_eq!(model.takes().name(), "audio");
        let prepare = |sound| model.prepare(sound).expect("a recording");
        let sounds: Vec<_> = recordings().iter().map(prepare).collect();
        Reference::open(&folder).check("probabilities", &model.scores(&sounds));
    }
}

/// The texts of a fixture, which `tools/parity/models/ready.py` chose.
fn texts(folder: &Path) -> Vec<String> {
    let file = std::fs::read(folder.join("inputs.json")).expect("a fixture");
    let inputs: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let texts = inputs["texts"].as_array().expect("texts").iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn clap_embeds_recordings_and_texts_and_scores_labels_as_the_reference_does() {
    for device in devices() {
        for (name, count) in [("ready-clap", 2), ("ready-clap-fused", 3)] {
            let folder = fixtures().join(name);
            let (checkpoint, labels) = (Checkpoint::folder(&folder), texts(&folder));
            let reference = Reference::open(&folder);
            let texts = TextEmbedder::open(&checkpoint, &device).expect("a text tower");
            let prepare = |text: &String| texts.prepare(&Source::text(text.as_str())).unwrap();
            let read: Vec<_> = labels.iter().map(prepare).collect();
            reference.check("text_embeds", &texts.embed(&read));

            // The last one is too long, and heard whole and in crops.
            let both = Source::path(fixtures().join("ready-sounds/both.wav"));
            let files: Vec<Source> = recordings().into_iter().chain([both]).take(count).collect();
            let model = SoundEmbedder::open(&checkpoint, &device).expect("an audio tower");
            let prepare = |sound| model.prepare(sound).expect("a recording");
            let sounds: Vec<_> = files.iter().map(prepare).collect();
            let together = model.embed(&sounds);
            reference.check("audio_embeds", &together);
            let alone: Vec<Tensor<2>> = sounds.chunks(1).map(|one| model.embed(one)).collect();
            assert_close(&together, &Tensor::cat(alone, 0), 1e-5);

            let model = ZeroShot::open(&checkpoint, &labels, "{}", &device).expect("a CLAP");
            assert_eq!(model.scoring(), Scoring::Softmax);
            assert_eq!(model.takes().name(), "audio");
            let prepare = |sound| model.prepare(sound).expect("a recording");
            let asked: Vec<_> = files.iter().map(prepare).collect();
            reference.check("probabilities", &model.scores(&asked));
        }
    }
}

#[test]
fn what_clap_cannot_do_is_said() {
    let device = &devices()[0];
    let checkpoint = Checkpoint::folder(&fixtures().join("ready-clap"));
    let told = Classifier::open(&checkpoint, device).unwrap_err();
    let expected = "CLAP has no classes of its own: give it labels";
    assert!(told.to_string().contains(expected), "{told}");

    let folder = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        let from = fixtures().join("ready-clap").join(name);
        std::fs::copy(from, folder.path().join(name)).expect("a file");
    }
    let from = fixtures().join("ready-clap/preprocessor_config.json");
    let settings = std::fs::read_to_string(from).expect("a file");
    let complaint = |from: &str, to: &str| {
        let file = folder.path().join("preprocessor_config.json");
        std::fs::write(file, settings.replace(from, to)).expect("a file");
        let checkpoint = Checkpoint::folder(folder.path());
        let error = SoundEmbedder::open(&checkpoint, device).expect_err("a complaint");
        error.to_string()
    };
    for (from, to, expected) in [
        (
            "rand_trunc",
            "fusion",
            "makes 4 views of a sound (truncation), but config.json says enable_fusion = false, which takes 1",
        ),
        (
            "\"max_length_s\": 1",
            "\"max_length_s\": 9",
            "makes 451 frames of 64 bands, but config.json says 256 of 64",
        ),
        (
            "\"feature_size\": 64",
            "\"feature_size\": 40",
            "makes 51 frames of 40 bands, but config.json says 51 of 64",
        ),
        (
            "ClapFeatureExtractor",
            "WhisperFeatureExtractor",
            "is another model's: ClapFeatureExtractor is needed",
        ),
    ] {
        let told = complaint(from, to);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_preparation_that_is_not_the_models_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        let from = fixtures().join("ready-ast").join(name);
        std::fs::copy(from, folder.path().join(name)).expect("a file");
    }
    let device = &devices()[0];
    let complaint = |settings: &str| {
        let file = folder.path().join("preprocessor_config.json");
        std::fs::write(file, settings).expect("a file");
        let checkpoint = Checkpoint::folder(folder.path());
        let error = SoundEmbedder::open(&checkpoint, device).expect_err("a complaint");
        error.to_string()
    };
    let told = complaint(r#"{"feature_extractor_type": "ASTFeatureExtractor"}"#);
    let expected = "makes 1024 frames of 128 bands, but config.json says 40 of 24";
    assert!(told.contains(expected), "{told}");
    let told = complaint(r#"{"feature_extractor_type": "WhisperFeatureExtractor"}"#);
    let expected = "is another model's: ASTFeatureExtractor is needed";
    assert!(told.contains(expected), "{told}");
}
