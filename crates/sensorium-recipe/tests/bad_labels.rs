//! Labels that cannot be learned from, and what a recipe may not ask of them: each is one line, before anything is learned.

#[allow(dead_code, reason = "each test takes what it needs")]
mod told;
#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use burn::tensor::Device;
use sensorium_data::OnError;
use sensorium_recipe::{Options, Recipe, SavedModel, Silent, leave_out};
use told::{Told, manifest, skies, sums};
use toy::{recipe, run};

#[test]
fn what_cannot_be_is_refused_in_a_line() {
    let refused = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let error = Recipe::parse("toy.toml", toy::RECIPE, &sets).unwrap_err();
        error.to_string()
    };
    let [ordinal, several, numbers] = ["ordinal", "multi-label", "regression"]
        .map(|kind| format!("objective={{ kind = {kind:?} }}"));
    for (sets, expected) in [
        (
            [&numbers, "data.labels=[\"1\"]"],
            "data.labels has no effect with objective.kind = \"regression\", whose labels are numbers: remove it",
        ),
        (
            [&numbers, "objective.label_smoothing=0.1"],
            "objective.label_smoothing has no effect with objective.kind = \"regression\": remove it, or use cross-entropy",
        ),
        (
            [&several, "data.labels_per_class=2"],
            "data.labels_per_class has no effect with objective.kind = \"multi-label\", whose rows are not of one class each: remove it",
        ),
        (
            [&ordinal, "data.columns.label_separator=\";\""],
            "data.columns.label_separator has no effect with objective.kind = \"ordinal\", which reads one class a cell: remove it",
        ),
        (
            [&several, "data.columns.label_separator=\" \""],
            "data.columns.label_separator = \" \" parts nothing: use a sign such as \";\"",
        ),
        (
            [&several, "train.metric=micro-f1"],
            "train.metric = \"micro-f1\": validation measures map, macro_f1, micro_f1, loss; did you mean \"micro_f1\"?",
        ),
        (
            [&numbers, "objective.loss=quartic"],
            "unknown value `quartic`; choose from squared, absolute, huber",
        ),
    ] {
        let told = refused(&sets);
        assert!(told.contains(expected), "{sets:?}: {told}");
    }
}

#[test]
fn a_bad_label_is_told_before_anything_is_learned() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, labels, expected) in [
        (
            "regression",
            ["1", "two", "3"],
            "m.csv:3, column label: \"two\" is not a number such as 3, -0.5 or 2e3",
        ),
        (
            "regression",
            ["1", "inf", "3"],
            "m.csv:3, column label: \"inf\" is not finite: a number is needed",
        ),
        (
            "regression",
            ["1;2", "1;2;3", "3;4"],
            "m.csv:3, column label: the row has 3 numbers, and the first row with a label, DIR/m.csv:2, has 2: all rows need as many",
        ),
        (
            "regression",
            ["1", "", "3"],
            "m.csv:3, column label: the row has no label",
        ),
        (
            "regression",
            ["one", "two", "three"],
            "m.csv:2, column label: \"one\" is not a number such as 3, -0.5 or 2e3",
        ),
        (
            "ordinal",
            ["a", "a", "a"],
            "there is one class, \"a\", and nothing to put in order: objective.kind = \"ordinal\" needs two at least",
        ),
        ("multi-label", ["", ";", ""], "no row has a label"),
    ] {
        let rows: Vec<Told> = labels
            .iter()
            .enumerate()
            .map(|(i, label)| (format!("text {i}"), (*label).to_owned()))
            .collect();
        let path = manifest(dir.path(), &rows);
        let kind = format!("objective.kind={kind}");
        let out = dir.path().join("run");
        let error = run(recipe(&path, &[&kind]), &out, &mut Silent).unwrap_err();
        let error = error
            .to_string()
            .replace(&dir.path().display().to_string(), "DIR");
        assert!(error.contains(expected), "{kind} {labels:?}: {error}");
        assert!(!out.exists(), "nothing is left behind");
    }
    // Of a class that a recipe does not name, the nearest is told; and a bad row can be left out.
    let path = manifest(dir.path(), &skies());
    let out = dir.path().join("run");
    let sets = [
        "objective.kind=multi-label",
        "data.labels=[\"sun\", \"rains\", \"wind\", \"fog\"]",
    ];
    let error = run(recipe(&path, &sets), &out, &mut Silent).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("\"rain\" is none of the 4 classes; did you mean \"rains\"?"),
        "{error}"
    );
    let mut recipe = recipe(&path, &sets);
    recipe.data.on_error = OnError::Skip;
    let done = run(recipe, &out, &mut Silent).unwrap();
    assert!(done.metrics.skipped_rows > 10);
    let listed = std::fs::read_to_string(out.join("skipped.jsonl")).unwrap();
    assert!(listed.contains("none of the 4 classes"));
}

#[test]
fn groups_are_not_left_out_where_there_is_no_share_of_right_answers() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &skies());
    let device = Device::flex();
    let options = Options::new(&device, "flex");
    let recipe = recipe(&data, &["objective.kind=multi-label"]);
    let out = dir.path().join("runs");
    let error = leave_out(recipe, "split", Some(&out), &options, &mut Silent).unwrap_err();
    let expected = "--leave-out split: compares shares of right answers, and objective.kind = \"multi-label\" has none";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn a_model_s_targets_are_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &sums(|a, b| (a + b).to_string()));
    let out = dir.path().join("run");
    let sets = ["objective.kind=regression", "train.epochs=1"];
    run(recipe(&data, &sets), &out, &mut Silent).unwrap();
    let path = out.join("model/config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let scale = |deviation: f64| serde_json::json!({"mean": 0.0, "deviation": deviation});
    for targets in [
        serde_json::json!([]),
        serde_json::json!([scale(0.0)]),
        serde_json::json!([scale(-1.0)]),
        serde_json::json!([scale(1.0), scale(1.0)]),
    ] {
        let mut other = config.clone();
        other["targets"] = targets;
        std::fs::write(&path, other.to_string()).unwrap();
        let error = SavedModel::open(&out, &Device::flex())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("targets") || error.contains("head.output"),
            "{error}"
        );
    }
}
