//! Labels of every kind: an order, several classes, numbers. Each is learned from a relation that is there, measured in the run as by hand,
//! and again from the exported model.

#[allow(dead_code, reason = "each test takes what it needs")]
mod told;
#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_recipe::{Finished, Options, Part, Prediction, SavedModel, Silent, resume};
use told::{Told, manifest, skies, sums};
use toy::{Seen, recipe, run};

/// The test rows, as they stand in it.
fn tested(manifest: &Path) -> Vec<Told> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rows = text.lines().map(cells).filter(|cells| cells[2] == "test");
    rows.map(|cells| (cells[0].clone(), cells[1].trim_matches('"').to_owned()))
        .collect()
}

fn learned(manifest: &Path, out: &Path, sets: &[&str]) -> (Finished, SavedModel) {
    let all = [
        "batch.size=8",
        "encoders.text.d_model=16",
        "encoders.text.vocab_size=80",
    ];
    let sets = [&all, sets].concat();
    let done = run(recipe(manifest, &sets), out, &mut Silent).unwrap();
    let model = SavedModel::open(out, &Device::flex()).unwrap();
    let again = model.measure(None, None, &[], None, &mut Silent).unwrap();
    assert_eq!(again.part, Part::Test);
    assert_eq!(again.test, done.metrics.test);
    assert_eq!(again.multi_label, done.metrics.multi_label);
    assert_eq!(again.regression, done.metrics.regression);
    assert_eq!(Some(again.ablation), done.metrics.ablation);
    let text = std::fs::read_to_string(out.join("metrics.json")).unwrap();
    let read: sensorium_recipe::RunMetrics = serde_json::from_str(&text).unwrap();
    let [read, own] = [&read, &done.metrics].map(|metrics| metrics.summary().unwrap());
    assert_eq!((read.metric, read.n), (own.metric, own.n));
    assert!((read.value.unwrap() - own.value.unwrap()).abs() < 1e-12);
    (done, model)
}

fn ask(model: &SavedModel, text: &str) -> Prediction {
    let input = [("text".to_owned(), Source::text(text))];
    model.predict(&input).unwrap()
}

fn report(out: &Path) -> String {
    std::fs::read_to_string(out.join("report.html")).unwrap()
}

#[test]
fn classes_with_an_order_are_learned() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path(), dir.path().join("run"));
    let names = ["low", "middle", "high"];
    let data = manifest(data, &sums(|a, b| names[(a + b) / 4].to_owned()));
    let sets = [
        "objective.kind=ordinal",
        "train.epochs=60",
        "data.labels=[\"low\", \"middle\", \"high\"]",
    ];
    let (done, model) = learned(&data, &out, &sets);
    let test = done.metrics.test.as_ref().unwrap();
    let order = test.order.unwrap();
    assert!(test.accuracy.unwrap() > 0.7, "{test:?}");
    assert!(order.weighted_kappa.unwrap() > 0.6, "{test:?}");
    let place = |name: &str| names.iter().position(|n| *n == name).unwrap();
    let rows = tested(&data);
    let off = rows.iter().map(|(text, label)| {
        let answer = ask(&model, text);
        let sum: f32 = answer.scores.iter().map(|s| s.score).sum();
        assert!((sum - 1.0).abs() < 1e-5 && answer.given.is_none());
        place(&answer.scores[0].label).abs_diff(place(label)) as f64
    });
    let by_hand = off.sum::<f64>() / rows.len() as f64;
    assert!((order.rank_error.unwrap() - by_hand).abs() < 1e-12);
    assert_eq!(
        model.labels.width(),
        2,
        "one logit less than there are classes"
    );
    assert!(report(&out).contains("Weighted kappa"));
}

#[test]
fn several_classes_are_learned() {
    let dir = tempfile::tempdir().unwrap();
    let rows = skies();
    let data = manifest(dir.path(), &rows);
    for kind in ["multi-label", "multi-label-focal"] {
        let out = dir.path().join(kind);
        let kind = format!("objective.kind={kind}");
        let sets = [kind.as_str(), "train.metric=macro_f1", "train.epochs=60"];
        let (done, model) = learned(&data, &out, &sets);
        let test = done.metrics.multi_label.as_ref().unwrap();
        let names: Vec<&str> = test.labels.iter().map(|l| l.label.as_str()).collect();
        assert_eq!(names, ["fog", "rain", "sun", "wind"]);
        assert!(
            test.mean_average_precision.unwrap() > 0.9,
            "{kind}: {test:?}"
        );
        let (mut whole, mut hits, mut given, mut there) = (0, 0, 0, 0);
        let rows = tested(&data);
        assert!(rows.iter().any(|(_, label)| label.is_empty()), "{rows:?}");
        for (text, label) in &rows {
            let mut answer = ask(&model, text).given.unwrap();
            let mut truth: Vec<&str> = label.split(';').filter(|l| !l.is_empty()).collect();
            answer.sort();
            truth.sort_unstable();
            whole += usize::from(answer == truth);
            hits += answer
                .iter()
                .filter(|a| truth.contains(&a.as_str()))
                .count();
            given += answer.len();
            there += truth.len();
        }
        let share = whole as f64 / rows.len() as f64;
        assert!((test.subset_accuracy.unwrap() - share).abs() < 1e-12);
        let micro = 2.0 * hits as f64 / (given + there) as f64;
        assert!((test.micro.unwrap().f1 - micro).abs() < 1e-12);
        assert!(report(&out).contains("Per label"));
    }

    // Lists of a JSON manifest are the same labels; `null` is nobody's.
    let text = std::fs::read_to_string(&data).unwrap();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let names = cells[1].trim_matches('"').split(';');
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        serde_json::json!({"text": cells[0], "label": names, "split": cells[2]}).to_string()
    };
    let lines: Vec<String> = text.lines().skip(1).map(line).collect();
    let jsonl = dir.path().join("m.jsonl");
    std::fs::write(&jsonl, lines.join("\n")).unwrap();
    let model = SavedModel::open(&dir.path().join("multi-label"), &Device::flex()).unwrap();
    let of = |path: Option<&Path>| {
        let measured = model.measure(path, None, &[], None, &mut Silent).unwrap();
        measured.multi_label.unwrap()
    };
    assert_eq!(of(Some(&jsonl)), of(None));
    let unknown = format!(
        "{}\n{{\"text\": \"sun\", \"label\": null, \"split\": \"test\"}}",
        lines[0]
    );
    std::fs::write(&jsonl, unknown).unwrap();
    let error = model.measure(Some(&jsonl), None, &[], None, &mut Silent);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("m.jsonl:2, column label: the row has no label"),
        "{error}"
    );
}

#[test]
fn numbers_are_learned_in_their_own_scale() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(
        dir.path(),
        &sums(|a, b| format!("{};{}", 1000 + 10 * (a + b), b)),
    );
    for loss in ["squared", "absolute", "huber"] {
        let out = dir.path().join(loss);
        let loss = format!("objective.loss={loss}");
        let (done, model) = learned(
            &data,
            &out,
            &["objective.kind=regression", "train.epochs=60", &loss],
        );
        let test = done.metrics.regression.as_ref().unwrap();
        assert!(test.r2.unwrap() > 0.6, "{loss}: {test:?}");
        assert_eq!(test.outputs.len(), 2);
        let rows = tested(&data);
        for (i, output) in test.outputs.iter().enumerate() {
            let off = rows.iter().map(|(text, label)| {
                let truth: f64 = label.split(';').nth(i).unwrap().parse().unwrap();
                (ask(&model, text).numbers[i] - truth).abs()
            });
            let by_hand = off.sum::<f64>() / rows.len() as f64;
            assert!((output.mae.unwrap() - by_hand).abs() < 1e-3, "{loss}");
        }
        let ablation = done.metrics.ablation.unwrap();
        assert_eq!(ablation.rows[0].r2, test.r2);
        assert!(report(&out).contains("Truth and answer"));
    }
    let config = std::fs::read_to_string(dir.path().join("huber/model/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let mean = config["targets"][0]["mean"].as_f64().unwrap();
    assert!((1020.0..1080.0).contains(&mean), "{mean}");
    let resolved = std::fs::read_to_string(dir.path().join("huber/recipe.toml")).unwrap();
    assert!(resolved.contains("delta = 1.0") && resolved.contains("label_separator = \";\""));
}

#[test]
fn a_target_that_never_changes_is_learned_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &sums(|_, _| "42".to_owned()));
    let out = dir.path().join("run");
    let sets = ["objective.kind=regression", "train.epochs=3"];
    let done = run(recipe(&data, &sets), &out, &mut Silent).unwrap();
    let test = done.metrics.regression.unwrap();
    assert_eq!(test.r2, None, "there is no variance to explain");
    assert!(test.mae.unwrap() < 2.0);
    assert!(report(&out).contains("Nothing was measured"));
}

#[test]
fn a_run_on_numbers_that_is_stopped_ends_in_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &sums(|a, b| (a * b).to_string()));
    let sets = ["objective.kind=regression", "objective.loss=huber"];
    let weights = |out: &Path| std::fs::read(out.join("model/model.safetensors")).unwrap();
    let whole = dir.path().join("whole");
    run(recipe(&data, &sets), &whole, &mut Silent).unwrap();
    let out = dir.path().join("stopped");
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut seen = Seen {
            at_step: Some(Box::new(|step| assert!(step < 5, "stopped"))),
            ..Seen::default()
        };
        drop(run(recipe(&data, &sets), &out, &mut seen));
    }));
    assert!(stopped.is_err());
    let device = Device::flex();
    let options = Options::new(&device, "flex");
    let done = resume(&out, &options, &mut Silent).unwrap();
    assert_eq!(weights(&out), weights(&whole));
    assert!(done.metrics.summary().unwrap().mae.is_some());
}

#[test]
fn what_is_beside_is_told_by_the_metric_of_the_kind() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), &sums(|a, b| (a + b).to_string()));
    let out = dir.path().join("run");
    let sets = [
        "objective.kind=regression",
        "beside={ absolute = [\"objective.loss=absolute\"], classes = [\"objective.kind=ordinal\"] }",
    ];
    let done = run(recipe(&data, &sets), &out, &mut Silent).unwrap();
    let [absolute, classes] = &done.metrics.beside[..] else {
        panic!("{:?}", done.metrics.beside);
    };
    assert!(absolute.r2.is_some() && absolute.mae.is_some() && absolute.accuracy.is_none());
    assert!(classes.accuracy.is_some() && classes.r2.is_none());
    let html = report(&out);
    let beside = html.find("Beside it").unwrap();
    assert!(html[beside..].contains("absolute") && !html[beside..][..2000].contains("Accuracy"));
}
