//! A published tower in the place of an encoder: trained as its table says, saved with what it needs, and opened again.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_recipe::{
    Observer, Options, Recipe, SavedModel, Scored, Silent, Source, resume, train,
};
use sensorium_testkit::devices;
use sensorium_train::{StepLog, Watch, parameter_table};

const RECIPE: &str = r#"
name = "towers"
[batch]
size = 8
[encoders.image]
from = "tiny-clip"
[encoders.text]
from = "tiny-clip"
output = "embedding"
[fusion]
kind = "gated"
d_model = 8
[train]
epochs = 2
lr = 1e-2
checkpoint_every = 2
"#;

fn picture(name: &str) -> PathBuf {
    let ready = "../sensorium-models/tests/fixtures/ready";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(ready).join(name)
}

fn recipe(dir: &Path, sets: &[&str]) -> Recipe {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let mut recipe = Recipe::parse("towers.toml", RECIPE, &sets).expect("a recipe");
    let manifest = dir.join("m.csv");
    let rows: String = (0..32)
        .map(|i| {
            let (text, image) = [("it is odd", "wide.png"), ("it is even", "tall.png")][i % 2];
            let split = ["train", "train", "train", "test"][i / 2 % 4];
            format!(
                "{text} {i},{},{},{split}\n",
                picture(image).display(),
                i % 2
            )
        })
        .collect();
    std::fs::write(&manifest, format!("text,image,label,split\n{rows}")).expect("a manifest");
    recipe.data.path = Some(manifest);
    recipe
}

fn options(device: &Device) -> Options<'_> {
    Options::new(device, "test")
}

fn ask(model: &SavedModel) -> Vec<Scored> {
    let inputs = [
        ("text".to_owned(), Source::text("it is odd")),
        ("image".to_owned(), Source::path(picture("exact.png"))),
    ];
    model.predict(&inputs).expect("an answer").scores
}

/// How many of the encoders' parameters are unlike those of an untrained model's.
fn changed(run: &Path, untrained: &Path, device: &Device) -> usize {
    let weights = |run: &Path| {
        let model = SavedModel::open(run, device).expect("a model").model;
        let path = run.join("copy.safetensors");
        sensorium_train::export_weights(&model, &path).expect("weights");
        sensorium_hub::Weights::open(&path).expect("weights")
    };
    let (a, b) = (weights(run), weights(untrained));
    a.iter()
        .filter(|tensor| tensor.name.starts_with("encoders."))
        .filter(|tensor| b.get(tensor.name).expect(tensor.name).bytes != tensor.bytes)
        .count()
}

#[test]
fn a_tower_is_trained_as_its_table_says_and_saved_whole() {
    for device in devices() {
        let dir = tempfile::tempdir().expect("a folder");
        let run = |name: &str, sets: &[&str]| {
            let out = dir.path().join(name);
            let recipe = recipe(dir.path(), sets);
            train(recipe, Some(&out), &options(&device), &mut Silent).expect("a run");
            out
        };
        let frozen = run("frozen", &[]);
        let lora = run("lora", &["encoders.image.tune=lora"]);
        let whole = run(
            "whole",
            &["encoders.image.tune=whole", "encoders.text.tune=whole"],
        );

        assert_eq!(changed(&frozen, &frozen, &device), 0);
        // Six matrices in each of the two layers.
        assert_eq!(changed(&lora, &frozen, &device), 12);
        let model = SavedModel::open(&frozen, &device).expect("a model").model;
        let all = parameter_table(&model)
            .iter()
            .filter(|row| row.path.starts_with("encoders."))
            .count();
        assert_eq!(changed(&whole, &frozen, &device), all);

        // What is saved stands alone: the checkpoint's own weights are not read again.
        for run in [&frozen, &lora, &whole] {
            for file in [
                "image/preprocessor_config.json",
                "text/tokenizer.json",
                "text/config.json",
            ] {
                assert!(run.join("model").join(file).is_file(), "{file}");
            }
            assert!(!run.join("model/image/model.safetensors").exists());
            let scores = ask(&SavedModel::open(run, &device).expect("a model"));
            assert_eq!(scores.len(), 2);
        }
    }
}

/// Breaks a run off in the middle of it.
struct BreakOff;

impl Watch for BreakOff {
    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        assert!(step.step < 3, "broken off");
        ControlFlow::Continue(())
    }
}

impl Observer for BreakOff {}

#[test]
fn a_tuned_run_that_was_stopped_ends_in_the_same_weights() {
    let device = Device::flex();
    let dir = tempfile::tempdir().expect("a folder");
    let sets = [
        "encoders.image.tune=lora",
        "encoders.text.tune=lora",
        "train.ema_decay=0.5",
    ];
    let (through, stopped) = (dir.path().join("through"), dir.path().join("stopped"));
    let options = options(&device);
    train(
        recipe(dir.path(), &sets),
        Some(&through),
        &options,
        &mut Silent,
    )
    .expect("a run");
    let broken_off = catch_unwind(AssertUnwindSafe(|| {
        train(
            recipe(dir.path(), &sets),
            Some(&stopped),
            &options,
            &mut BreakOff,
        )
    }));
    assert!(broken_off.is_err() && !stopped.join("metrics.json").exists());
    resume(&stopped, &options, &mut Silent).expect("the rest");
    let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).expect("weights");
    assert_eq!(weights(&through), weights(&stopped));
}

#[test]
fn towers_learn_in_half_the_width_and_go_on_to_the_bit() {
    for device in devices() {
        if !device.supports_dtype(burn::tensor::FloatDType::BF16) {
            continue;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let sets = [
            "train.precision=bf16",
            "encoders.image.tune=lora",
            "encoders.text.tune=whole",
            "train.ema_decay=0.9",
            "batch.modality_dropout=0.3",
        ];
        let weights =
            |out: &Path| std::fs::read(out.join("model/model.safetensors")).expect("weights");
        let whole = dir.path().join("whole");
        let recipe_of = || recipe(dir.path(), &sets);
        train(recipe_of(), Some(&whole), &options(&device), &mut Silent).expect("a run");

        let broken = dir.path().join("broken-off");
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            let mut dies = BreakOff;
            train(recipe_of(), Some(&broken), &options(&device), &mut dies)
        }));
        assert!(stopped.is_err());
        resume(&broken, &options(&device), &mut Silent).expect("a run");
        assert!(weights(&whole) == weights(&broken));
        // What is saved is as wide as ever.
        let saved = weights(&whole);
        let saved = safetensors::SafeTensors::deserialize(&saved).expect("weights");
        for (name, tensor) in saved.iter() {
            assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
        }
    }
}

#[test]
fn additions_stand_in_a_published_tower_beside_what_it_is_tuned_by() {
    let device = Device::flex();
    let lora = "lora={ rank = 2, on = [\"encoders.image.*\", \"fusion.*\"] }";
    for (i, sets) in [
        vec![lora, "encoders.image.tune=whole"],
        vec![
            lora,
            "encoders.image.tune=whole",
            "encoders.text.tune=whole",
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let dir = tempfile::tempdir().expect("a folder");
        let run = |name: &str| dir.path().join(name);
        let (whole, stopped) = (run("whole"), run("stopped"));
        let done = train(
            recipe(dir.path(), &sets),
            Some(&whole),
            &options(&device),
            &mut Silent,
        );
        done.unwrap_or_else(|error| panic!("{i}: {error}"));
        let adapter = std::fs::read(whole.join("adapter/adapter_model.safetensors")).unwrap();
        let names = safetensors::SafeTensors::deserialize(&adapter).unwrap();
        let in_tower = |name: &&str| name.starts_with("base_model.model.encoders.image.");
        let of_tower = names.names();
        // Six matrices in each of two layers at least, two factors each.
        let count = of_tower.iter().map(|name| &**name).filter(in_tower).count();
        assert!(count >= 24, "{i}: {of_tower:?}");
        let broken_off = catch_unwind(AssertUnwindSafe(|| {
            train(
                recipe(dir.path(), &sets),
                Some(&stopped),
                &options(&device),
                &mut BreakOff,
            )
        }));
        assert!(broken_off.is_err());
        resume(&stopped, &options(&device), &mut Silent).expect("a run");
        let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&stopped), "{i}");
        assert_eq!(
            ask(&SavedModel::open(&whole, &device).expect("a model")).len(),
            2
        );
    }
    // A tower that stays as it is has nothing to be added to, and the way out is named.
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("frozen");
    let refused = train(
        recipe(dir.path(), &[lora]),
        Some(&out),
        &options(&device),
        &mut Silent,
    );
    let error = refused.expect_err("it is frozen").to_string();
    assert!(
        error.contains("all of which is frozen: wake it (see frozen, and tune"),
        "{error}"
    );
}
