//! Models that learn from another run's model.

mod toy;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_recipe::{Finished, SavedModel, Silent, resume};
use toy::{Seen, manifest, recipe};

/// A teacher, and the keys that name it.
fn teacher(dir: &Path, manifest: &Path, sets: &[&str]) -> (PathBuf, String) {
    let out = dir.join("teacher");
    let sets = [&["train.epochs=40"], sets].concat();
    run(manifest, &out, &sets);
    let sets = format!(
        "objective={{ kind = \"distillation\", teacher = {:?}, truth = 0.0 }}",
        out.display().to_string()
    );
    (out, sets)
}

fn run(manifest: &Path, out: &Path, sets: &[&str]) -> Finished {
    toy::run(recipe(manifest, sets), out, &mut Silent).expect("a run")
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn a_model_comes_to_say_what_its_teacher_says() {
    let dir = tempfile::tempdir().unwrap();
    // Two rows that nobody labelled.
    let manifest = manifest(dir.path(), "u1,it purrs,,,train\nu2,it barks,,,train\n");
    let (teacher, sets) = teacher(dir.path(), &manifest, &["data.labels_per_class=9"]);
    let out = dir.path().join("taught");
    let smaller = [
        "encoders.text.d_model=4",
        "fusion.d_model=4",
        "batch.size=2",
    ];
    let sets = [&[sets.as_str(), "train.epochs=60"][..], &smaller].concat();
    let done = run(&manifest, &out, &sets);
    // Ten rows, two at once.
    assert_eq!(done.metrics.steps, 300);
    let beside = &done.metrics.beside[0];
    assert_eq!(beside.name, "labels-alone");
    assert!(beside.accuracy.is_some());

    let last = |name: &str| {
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let steps: Vec<f64> = lines
            .filter(|line: &serde_json::Value| line["kind"] == "step")
            .map(|line| line["terms"][name].as_f64().unwrap())
            .collect();
        (steps[0], steps[steps.len() - 1])
    };
    let (first, end) = last("soft");
    assert!(end < 0.2 * first, "{first} {end}");

    // It answers as the teacher does, and the teacher is no part of it.
    let device = Device::flex();
    let models = [&teacher, &out].map(|run| SavedModel::open(run, &device).unwrap());
    let input = [(
        "text".to_owned(),
        sensorium_recipe::Source::text("it barks 3"),
    )];
    let [theirs, ours] = models.map(|model| model.predict(&input).unwrap());
    assert_eq!(theirs.scores[0].label, ours.scores[0].label);
    assert!(weights(&out).len() < weights(&teacher).len());
}

#[test]
fn a_teacher_may_have_its_classes_in_another_order_but_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let (path, sets) = teacher(dir.path(), &manifest, &["data.labels=[\"1\", \"0\"]"]);
    let done = run(
        &manifest,
        &dir.path().join("taught"),
        &[&sets, "train.epochs=60", "batch.size=2"],
    );
    let theirs = SavedModel::open(&path, &Device::flex()).unwrap();
    assert_eq!(theirs.config.labels, ["1", "0"]);
    // Were they mixed up, it would say the contrary of the teacher, who is right.
    assert!(done.metrics.accuracy().unwrap() > 0.9);

    let other = dir.path().join("other.csv");
    let rows = "id,text,image,label,split\na,x,,cat,train\nb,y,,dog,train\nc,z,,cat,test\n";
    std::fs::write(&other, rows).unwrap();
    let out = dir.path().join("none");
    let error = toy::run(recipe(&other, &[&sets]), &out, &mut Silent).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("objective.teacher: "), "{error}");
    let end = "answers with the classes 1, 0, and the data has cat, dog: they must be the same";
    assert!(error.ends_with(end), "{error}");
}

#[test]
fn who_cannot_teach_is_refused_before_any_data_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let out = dir.path().join("masked");
    run(&manifest, &out, &["objective.kind=masked-language"]);
    let teacher = |path: &Path| {
        let path = path.display().to_string();
        format!("objective={{ kind = \"distillation\", teacher = {path:?} }}")
    };
    for (path, expected) in [
        (
            out.as_path(),
            "does not answer with one class of many (its objective.kind = \"masked-language\")",
        ),
        (Path::new("no/such/run"), "no/such/run"),
    ] {
        let missing = dir.path().join("no.csv");
        let taught = recipe(&missing, &[&teacher(path)]);
        let error = toy::run(taught, &dir.path().join("x"), &mut Silent).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let sets = ["objective.kind=distillation".to_owned()];
    let error = sensorium_recipe::Recipe::parse("toy.toml", toy::RECIPE, &sets).unwrap_err();
    let expected = "needs a run that teaches: name its folder in objective.teacher";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_run_that_is_stopped_goes_on_to_the_same_weights_by_the_same_teacher_alone() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let (teacher, sets) = teacher(dir.path(), &manifest, &[]);
    let whole = dir.path().join("whole");
    run(&manifest, &whole, &[&sets]);
    let device = Device::flex();
    let options = sensorium_recipe::Options::new(&device, "flex");
    let stopped = |out: &Path| {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = Seen {
                at_step: Some(Box::new(|step| assert!(step != 3, "stopped"))),
                ..Seen::default()
            };
            drop(toy::run(recipe(&manifest, &[&sets]), out, &mut seen));
        }));
        assert!(ended.is_err());
    };
    let out = dir.path().join("stopped");
    stopped(&out);
    resume(&out, &options, &mut Silent).unwrap();
    assert_eq!(weights(&out), weights(&whole));

    let out = dir.path().join("other");
    stopped(&out);
    let path = teacher.join("model/model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(
        resume(&out, &options, &mut Silent).is_err(),
        "another teacher"
    );
}
