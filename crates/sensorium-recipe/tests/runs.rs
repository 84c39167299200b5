//! A run's folder: one process's at a time, the same run when it goes on, and not trusted when it is opened.

mod toy;

use std::path::Path;

use burn::tensor::Device;
use proptest::prelude::*;
use sensorium_recipe::{Error, Finished, Options, Recipe, SavedModel, Silent, resume};
use serde_json::Value;
use toy::{Seen, manifest, recipe, run};

fn go_on(out: &Path) -> Result<Finished, Error> {
    let device = Device::flex();
    let options = Options::new(&device, "flex");
    resume(out, &options, &mut Silent)
}

/// Starts a run and breaks it off at its third step.
fn broken_off(recipe: Recipe, out: &Path) {
    let mut seen = Seen {
        at_step: Some(Box::new(|step| assert!(step < 3, "broken off"))),
        ..Seen::default()
    };
    let unwind = std::panic::AssertUnwindSafe(|| run(recipe, out, &mut seen));
    assert!(std::panic::catch_unwind(unwind).is_err());
}

#[test]
fn a_folder_is_locked_from_the_first_phase_to_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let out = dir.path().join("run");
    let mut refused = Vec::new();
    let mut seen = Seen {
        at_phase: Some(Box::new(|phase| {
            let again = run(recipe(&manifest, &[]), &out, &mut Silent).map(drop);
            let error = match phase {
                "preparing" => again,
                _ => go_on(&out).map(drop),
            };
            refused.push((phase.to_owned(), error.unwrap_err().to_string()));
        })),
        ..Seen::default()
    };
    run(recipe(&manifest, &[]), &out, &mut seen).unwrap();
    drop(seen);
    assert!(
        refused
            .iter()
            .any(|(phase, _)| phase.starts_with("testing"))
    );
    for (phase, error) in refused {
        assert!(error.contains("another trainer"), "{phase}: {error}");
    }
    assert!(go_on(&out).unwrap_err().to_string().contains("is complete"));
}

#[test]
fn a_folder_that_cannot_be_used_is_told_before_the_data_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Seen::default();
    let error = run(recipe(Path::new("none.csv"), &[]), dir.path(), &mut seen).unwrap_err();
    assert!(error.to_string().contains("none.csv"), "{error}");
    std::fs::write(dir.path().join("notes"), "").unwrap();
    let error = run(recipe(Path::new("none.csv"), &[]), dir.path(), &mut seen).unwrap_err();
    assert!(
        error.to_string().contains("exists and is not empty"),
        "{error}"
    );
    assert!(seen.phases.is_empty());
}

#[test]
fn another_recipe_or_other_data_is_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("0.txt");
    std::fs::write(&text, "it purrs").unwrap();
    let rows: String = (0..12)
        .map(|i| format!("0.txt,{},{}\n", i % 2, ["train", "test"][i / 10]))
        .collect();
    let data = dir.path().join("m.csv");
    std::fs::write(&data, format!("file,label,split\n{rows}")).unwrap();
    let column = r#"data.columns.inputs.text={ column = "file" }"#;
    let out = dir.path().join("run");
    broken_off(recipe(&data, &[column]), &out);

    let path = out.join("recipe.toml");
    let resolved = std::fs::read_to_string(&path).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(resolved.contains(from), "{resolved}");
        std::fs::write(&path, resolved.replace(from, to)).unwrap();
        go_on(&out).unwrap_err().to_string()
    };
    let error = edited("label_smoothing = 0.0", "label_smoothing = 0.1");
    let expected = "other settings (objective.label_smoothing was 0.0, is 0.1)";
    assert!(error.contains(expected), "{error}");
    let error = edited("epochs = 2", "epochs = 3");
    assert!(error.contains("(train.epochs was 2, is 3)"), "{error}");

    std::fs::write(&path, &resolved).unwrap();
    std::fs::write(&text, "it purrz").unwrap();
    let error = go_on(&out).unwrap_err().to_string();
    assert!(error.contains("was made with other"), "{error}");

    // What changes no number may change.
    std::fs::write(&text, "it purrs").unwrap();
    let free = resolved.replace("cache_rows = 20000", "cache_rows = 3");
    assert_ne!(free, resolved);
    std::fs::write(
        &path,
        free.replace("checkpoint_every = 1", "checkpoint_every = 2"),
    )
    .unwrap();
    assert_eq!(go_on(&out).unwrap().metrics.steps, 6);
}

#[test]
fn an_empty_validation_part_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..8)
        .map(|i| format!("it purrs {i},{},{}\n", i % 2, ["train", "test"][i / 6]))
        .collect();
    let data = dir.path().join("m.csv");
    std::fs::write(&data, format!("text,label,split\n{rows}")).unwrap();
    let mut seen = Seen::default();
    let sets = ["train.early_stop={ patience = 1 }"];
    run(recipe(&data, &sets), &dir.path().join("a"), &mut seen).unwrap();
    let expected =
        "has no rows, so that train.early_stop and train.weights = \"best\" have no effect";
    assert!(
        seen.notes.iter().any(|n| n.contains(expected)),
        "{:?}",
        seen.notes
    );
    let mut seen = Seen::default();
    let sets = ["train.weights=last"];
    run(recipe(&data, &sets), &dir.path().join("b"), &mut seen).unwrap();
    assert_eq!(seen.notes, Vec::<String>::new());
}

/// Every value of a JSON tree, by its path.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| paths(value, &format!("{path}/{key}"), found)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, value)| paths(value, &format!("{path}/{i}"), found)),
        _ => {}
    }
}

#[test]
fn a_models_configuration_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    run(recipe(&manifest(dir.path(), ""), &[]), &out, &mut Silent).unwrap();
    let path = out.join("model/config.json");
    let good: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let open = |config: &Value| {
        std::fs::write(&path, config.to_string()).unwrap();
        SavedModel::open(&out, &Device::flex()).map(drop)
    };
    open(&good).unwrap();
    let mut places = Vec::new();
    paths(&good, "", &mut places);
    // Sizes stay small: a table that can be built is built, and then does not fit the weights.
    let values = prop_oneof![
        Just(Value::Null),
        Just(Value::from("x")),
        Just(Value::from("transformer")),
        Just(serde_json::json!([])),
        Just(serde_json::json!(["0"])),
        Just(serde_json::json!(["0", "0"])),
        Just(serde_json::json!({})),
        (-2i64..24).prop_map(Value::from),
        (-1.5f64..1.5).prop_map(Value::from),
        Just(Value::from(u64::MAX)),
    ];
    let mutation = (0..places.len(), values);
    proptest!(ProptestConfig::with_cases(300), |((at, value) in mutation)| {
        let mut config = good.clone();
        *config.pointer_mut(&places[at]).expect("a place of the tree") = value;
        let _ = open(&config);
    });
    let check = |at: &str, value: Value, expected: &str| {
        let mut config = good.clone();
        *config.pointer_mut(at).expect(at) = value;
        let error = open(&config).unwrap_err().to_string();
        assert!(
            error.contains("config.json") && error.contains(expected),
            "{error}"
        );
    };
    let table = "/recipe/encoders/text";
    check("/labels", serde_json::json!([]), "labels: ");
    check(
        &format!("{table}/d_model"),
        9.into(),
        "recipe: encoders.text: d_model: 9",
    );
    check(
        &format!("{table}/n_heads"),
        0.into(),
        "recipe: encoders.text: n_heads: 0",
    );
    check("/model_type", "bert".into(), "model_type is \"bert\"");
    std::fs::write(&path, vec![b' '; 2 << 20]).unwrap();
    let error = SavedModel::open(&out, &Device::flex())
        .unwrap_err()
        .to_string();
    assert!(error.contains("bytes are more than"), "{error}");
}
