//! A published tower of sounds in the place of an encoder: trained as its table says, changed sounds included, saved with
//! what it needs, and opened again.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_recipe::{Options, Recipe, SavedModel, Silent, Source, train};
use sensorium_testkit::devices;

const RECIPE: &str = r#"
name = "sounds"
[batch]
size = 4
[encoders.audio]
[encoders.audio.augment]
speed = 0.1
mask_frames = 4
[fusion]
kind = "concat"
d_model = 8
[train]
epochs = 2
lr = 1e-2
"#;

fn fixture(name: &str) -> PathBuf {
    let fixtures = "../sensorium-models/tests/fixtures";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(fixtures)
        .join(name)
}

fn recipe(dir: &Path, from: &str, sets: &[&str]) -> Recipe {
    let from = format!(
        "encoders.audio.from={:?}",
        fixture(from).display().to_string()
    );
    let sets = [&[from.as_str()], sets].concat();
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let mut recipe = Recipe::parse("sounds.toml", RECIPE, &sets).expect("a recipe");
    let manifest = dir.join("m.csv");
    let rows: String = (0..16)
        .map(|i| {
            let sound = ["rising.wav", "noise.wav"][i % 2];
            let split = ["train", "train", "train", "test"][i / 2 % 4];
            let sound = fixture("ready-sounds").join(sound);
            format!("{},{},{split}\n", sound.display(), i % 2)
        })
        .collect();
    std::fs::write(&manifest, format!("audio,label,split\n{rows}")).expect("a manifest");
    recipe.data.path = Some(manifest);
    recipe
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).expect("weights")
}

#[test]
fn a_tower_of_sounds_is_trained_and_opened_again() {
    for device in devices() {
        for from in ["ready-ast", "ready-hears", "ready-clap-fused"] {
            let dir = tempfile::tempdir().expect("a folder");
            let run = |name: &str, sets: &[&str]| {
                let out = dir.path().join(name);
                let options = Options::new(&device, "test");
                let recipe = recipe(dir.path(), from, sets);
                train(recipe, Some(&out), &options, &mut Silent).expect("a run");
                out
            };
            let frozen = run("frozen", &[]);
            let lora = run(
                "lora",
                &[
                    "encoders.audio.tune=lora",
                    "encoders.audio.output=embedding",
                ],
            );
            assert_ne!(weights(&frozen), weights(&lora));
            for run in [&frozen, &lora] {
                for file in ["audio/preprocessor_config.json", "audio/config.json"] {
                    assert!(run.join("model").join(file).is_file(), "{file}");
                }
                assert!(!run.join("model/audio/model.safetensors").exists());
                answers(run, &device);
            }
        }
    }
}

/// What is saved stands alone, and answers.
fn answers(run: &Path, device: &Device) {
    let model = SavedModel::open(run, device).expect("a model");
    let sound = Source::path(fixture("ready-sounds/noise.wav"));
    let scores = model.predict(&[("audio".to_owned(), sound)]);
    let sum: f32 = scores
        .expect("an answer")
        .scores
        .iter()
        .map(|s| s.score)
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}
