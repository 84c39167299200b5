//! From recordings to what Transformers makes of them.

use std::path::Path;

use burn::tensor::Tensor;
use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{Reference, assert_close, devices};

use super::{Classifier, SoundEmbedder};

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
