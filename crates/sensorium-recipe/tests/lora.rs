//! `[lora]`: additions to what a run before has come to, merged into the model and saved apart from it.

mod toy;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use sensorium_recipe::{Error, Options, Recipe, SavedModel, Silent, merge, rehearse};
use toy::{RECIPE, Seen, manifest, recipe, run};

const LORA: &str = "lora={ rank = 1, alpha = 2.0, on = [\"encoders.*blocks.*\", \"fusion.*\"] }";

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The tensors of a file.
fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |bytes: &[u8]| {
        let parts = bytes.chunks_exact(4);
        parts
            .map(|x| f32::from_le_bytes(x.try_into().unwrap()))
            .collect()
    };
    file.iter()
        .map(|(name, view)| {
            (
                name.to_owned(),
                (view.shape().to_vec(), numbers(view.data())),
            )
        })
        .collect()
}

fn model(run: &Path) -> Tensors {
    tensors(&run.join("model/model.safetensors"))
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A run, and one that adds to it.
fn two_runs(dir: &Path, sets: &[&str]) -> [std::path::PathBuf; 2] {
    let data = manifest(dir, "");
    let (base, out) = (dir.join("base"), dir.join("run"));
    run(recipe(&data, &[]), &base, &mut Silent).unwrap();
    let after = format!("after={}", base.display());
    let sets: Vec<&str> = [after.as_str(), LORA]
        .into_iter()
        .chain(sets.iter().copied())
        .collect();
    let mut seen = Seen::default();
    run(recipe(&data, &sets), &out, &mut seen).unwrap();
    assert!(seen.notes.is_empty(), "{:?}", seen.notes);
    [base, out]
}

/// The base with an adapter of rank 1 and an alpha of 2 added to it, and its head learned whole.
fn is_merged(before: &Tensors, merged: &Tensors, adapter: &Tensors) {
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        merged.keys().collect::<Vec<_>>()
    );
    for (name, (shape, numbers)) in merged {
        let (_, old) = &before[name];
        let module = name.strip_suffix(".weight").unwrap_or(name);
        let key = |factor: &str| format!("base_model.model.{module}.{factor}.weight");
        if name.starts_with("head.") {
            assert!(old != numbers, "{name} learns whole");
        } else if let Some((_, a)) = adapter.get(&key("lora_A")) {
            let (_, b) = &adapter[&key("lora_B")];
            assert!(old != numbers, "{name} is added to");
            let d_out = shape[1];
            for (at, (old, new)) in old.iter().zip(numbers).enumerate() {
                // Rank 1, alpha 2; our matrices are [in, out].
                let expected = old + 2.0 * b[at % d_out] * a[at / d_out];
                assert!((new - expected).abs() < 1e-5, "{name}: {new} {expected}");
            }
        } else {
            assert_eq!(old, numbers, "{name} is frozen");
        }
    }
}

#[test]
fn the_model_is_the_base_with_the_adapter_merged() {
    let dir = tempfile::tempdir().unwrap();
    let [base, out] = two_runs(dir.path(), &[]);
    let (before, merged) = (model(&base), model(&out));
    let adapter = tensors(&out.join("adapter/adapter_model.safetensors"));
    let config = json(&out.join("adapter/adapter_config.json"));
    let targets = config["target_modules"].as_array().unwrap();
    assert_eq!(
        targets.len(),
        4 + 2 + 1,
        "attention, feed-forward, fusion: {targets:?}"
    );
    assert_eq!(config["modules_to_save"], serde_json::json!(["head"]));
    let expected = base.canonicalize().unwrap().join("model");
    let found = Path::new(config["base_model_name_or_path"].as_str().unwrap());
    assert_eq!(found.canonicalize().unwrap(), expected);
    assert_eq!(
        json(&out.join("adapter/config.json")),
        json(&out.join("model/config.json"))
    );

    is_merged(&before, &merged, &adapter);
    assert!(!out.join("adapter.part").exists());
}

#[test]
fn a_run_that_is_stopped_anywhere_ends_in_the_same_model_and_adapter() {
    let dir = tempfile::tempdir().unwrap();
    let [base, whole] = two_runs(dir.path(), &["train.ema_decay=0.5"]);
    let after = format!("after={}", base.display());
    let data = dir.path().join("m.csv");
    for stop in 1..4usize {
        let out = dir.path().join(format!("stopped-{stop}"));
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = Seen {
                at_step: Some(Box::new(|step| assert!(step < stop, "the power is gone"))),
                ..Seen::default()
            };
            run(
                recipe(&data, &[&after, LORA, "train.ema_decay=0.5"]),
                &out,
                &mut seen,
            )
        }));
        assert!(stopped.is_err());
        let device = Device::flex();
        let options = Options::new(&device, "flex");
        sensorium_recipe::resume(&out, &options, &mut Silent).unwrap();
        assert_eq!(model(&out), model(&whole));
        let adapter = |run: &Path| tensors(&run.join("adapter/adapter_model.safetensors"));
        assert_eq!(adapter(&out), adapter(&whole));
    }
}

#[test]
fn a_stage_before_and_a_variation_beside_share_what_is_learned_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), "");
    let out = dir.path().join("run");
    let sets = [
        LORA,
        "stages=[{ name = \"base\", set = [\"lora=\", \"train.epochs=3\"] }]",
        "beside.whole=[\"lora=\"]",
    ];
    run(recipe(&data, &sets), &out, &mut Silent).unwrap();
    let [stage, whole] = [out.join("stages/base"), out.join("beside/whole")];
    assert!(!stage.join("adapter").exists() && !whole.join("adapter").exists());
    assert!(!whole.join("stages").exists(), "the stage is learned once");
    let began = Recipe::parse(
        "r",
        &std::fs::read_to_string(whole.join("recipe.toml")).unwrap(),
        &[],
    );
    assert_eq!(
        began.unwrap().after.unwrap().canonicalize().unwrap(),
        stage.canonicalize().unwrap()
    );
    let config = json(&out.join("adapter/adapter_config.json"));
    assert!(
        config["base_model_name_or_path"]
            .as_str()
            .unwrap()
            .ends_with("stages/base/model")
    );
}

#[test]
fn additions_to_a_model_that_is_saved_nowhere_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), "");
    let mut seen = Seen::default();
    run(recipe(&data, &[LORA]), &dir.path().join("run"), &mut seen).unwrap();
    assert!(
        seen.notes
            .iter()
            .any(|note| note.contains("a model that is saved nowhere"))
    );
}

#[test]
fn a_dry_run_counts_what_additions_leave_to_train() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), "");
    let device = Device::flex();
    let options = Options::new(&device, "flex");
    let count = |sets: &[&str]| {
        let tried = rehearse(recipe(&data, sets), &options, &mut Silent)
            .unwrap()
            .training;
        let trainable = tried
            .parameters
            .iter()
            .filter(|plan| plan.trains_from.is_some());
        (
            tried.sum(|plan| plan.numbers()),
            trainable.map(|plan| plan.numbers()).sum::<usize>(),
        )
    };
    let (all, trainable) = count(&[]);
    assert_eq!(all, trainable);
    let (more, few) = count(&[LORA]);
    // Four matrices of 8 by 8, two of 8 by 32, one of the fusion, of 8 by 8; and the head of 8 by 2.
    let added = 4 * 16 + 2 * 40 + 16;
    assert_eq!((more, few), (all + added, added + 18));
}

#[test]
fn what_cannot_be_is_refused_and_named() {
    let refused = |set: &str| match Recipe::parse("toy.toml", RECIPE, &[set.to_owned()]) {
        Err(Error::Recipe { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    for (set, said) in [
        ("lora.rank=0", "lora.rank is 0: it must be 1 to 1024"),
        ("lora.dropout=0.1", "unknown key `dropout`"),
        (
            "lora.on=encoders.txt.*",
            "lora.on = \"encoders.txt.*\" names no encoder of the recipe: it has text; did you mean \"text\"?",
        ),
    ] {
        let found = refused(set);
        assert!(found.contains(said), "{found}");
    }
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), "");
    let told = |sets: &[&str]| {
        let out = dir.path().join(sets.concat().replace('/', "-"));
        run(recipe(&data, sets), &out, &mut Silent)
            .unwrap_err()
            .to_string()
    };
    let found = told(&["lora.on=encoders.text.blocks.*"]);
    assert!(
        found.contains("no matrix of a linear layer matches; the nearest is"),
        "{found}"
    );
    let found = told(&["lora.rank=1", "frozen=[\"text\"]"]);
    assert!(
        found.contains("names no matrix that could learn"),
        "{found}"
    );
    let found = told(&["after=nowhere", "lora.rank=1"]);
    assert!(found.contains("nowhere: is not a folder"), "{found}");
}

#[test]
fn an_adapter_merged_into_the_base_is_the_runs_own_model() {
    let dir = tempfile::tempdir().unwrap();
    let [base, out] = two_runs(dir.path(), &[]);
    let (device, merged) = (Device::flex(), dir.path().join("merged"));
    merge(&base, &out.join("adapter"), &merged, &device).unwrap();
    let (found, expected) = (model(&merged), model(&out));
    assert!(found.keys().eq(expected.keys()));
    for (name, (shape, numbers)) in &expected {
        assert_eq!(&found[name].0, shape);
        for (found, expected) in found[name].1.iter().zip(numbers) {
            assert!((found - expected).abs() < 1e-5, "{name}");
        }
    }
    let answers = |run: &Path| {
        let model = SavedModel::open(run, &device).unwrap();
        model
            .measure(None, None, &[], None, &mut Silent)
            .unwrap()
            .test
            .unwrap()
            .accuracy
    };
    assert_eq!(answers(&merged), answers(&out));
    let options = Options::new(&device, "flex");
    let resumed = sensorium_recipe::resume(&merged, &options, &mut Silent).unwrap_err();
    assert!(
        resumed.to_string().contains("merged model and no run"),
        "{resumed}"
    );
    assert_eq!(answers(&merged), answers(&out));
    let again = merge(&base, &out.join("adapter"), &merged, &device).unwrap_err();
    assert!(again.to_string().contains("merged: exists"), "{again}");
}

#[test]
fn an_adapter_of_another_model_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let [_, out] = two_runs(dir.path(), &[]);
    let other = dir.path().join("other");
    let data = dir.path().join("m.csv");
    run(
        recipe(&data, &["encoders.text.d_ff=16"]),
        &other,
        &mut Silent,
    )
    .unwrap();
    let merged = dir.path().join("merged");
    let refused = |adapter: &Path| {
        let told = merge(&other, adapter, &merged, &Device::flex())
            .unwrap_err()
            .to_string();
        assert!(
            !told.contains('\n') && !merged.exists() && !dir.path().join("merged.part").exists(),
            "{told}"
        );
        told
    };
    let told = refused(&out.join("adapter"));
    assert!(
        told.contains("does not fit the model: missing: encoders.text"),
        "{told}"
    );
    // Without the word of what it becomes, it is held against the base as it is.
    let bare = dir.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(out.join("adapter").join(file), bare.join(file)).unwrap();
    }
    let told = refused(&bare);
    assert!(
        told.contains("lora_B has shape [32, 1] instead of [16, 1]"),
        "{told}"
    );
    assert!(refused(&dir.path().join("nowhere")).contains("adapter_config.json: cannot be read"));
}

#[test]
fn additions_learn_from_rows_without_labels() {
    for kind in ["pseudo-labels", "mean-teacher", "fix-match", "flex-match"] {
        let dir = tempfile::tempdir().unwrap();
        let kind_is = format!("objective.kind={kind}");
        let sets = [
            &kind_is,
            "batch.size=2",
            "data.labels_per_class=2",
            "objective.unlabelled=2",
        ];
        let data = manifest(dir.path(), "u1,it purrs,,,train\nu2,it barks,,,train\n");
        let (base, out) = (dir.path().join("base"), dir.path().join("run"));
        run(recipe(&data, &sets), &base, &mut Silent).unwrap();
        let after = format!("after={}", base.display());
        let with = || recipe(&data, &[&sets[..], &[after.as_str(), LORA]].concat());
        run(with(), &out, &mut Silent).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let adapter = |run: &Path| tensors(&run.join("adapter/adapter_model.safetensors"));
        is_merged(&model(&base), &model(&out), &adapter(&out));

        let stopped = dir.path().join("stopped");
        let broken_off = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = Seen {
                at_step: Some(Box::new(|step| assert!(step < 3, "broken off"))),
                ..Seen::default()
            };
            run(with(), &stopped, &mut seen)
        }));
        assert!(broken_off.is_err());
        let device = Device::flex();
        sensorium_recipe::resume(&stopped, &Options::new(&device, "flex"), &mut Silent).unwrap();
        assert_eq!(model(&stopped), model(&out), "{kind}");
        assert_eq!(adapter(&stopped), adapter(&out), "{kind}");
    }
}
