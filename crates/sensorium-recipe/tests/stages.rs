//! Recipes of several stages, each of which goes on from the one before.

mod toy;

use std::path::Path;

use sensorium_recipe::{Error, Recipe, Silent};
use toy::{RECIPE, Seen, manifest, recipe, run};

/// Words guessed first, then the head alone, then all.
const STAGES: &str = r#"stages=[
    { name = "words", set = ["objective.kind=\"masked-language\"", "train.epochs=1"] },
    { name = "head", set = ["frozen=[\"text\"]", "train.epochs=1"] },
]"#;

/// One line of it, as `--set` takes one.
fn stages() -> String {
    STAGES.replace('\n', " ").replace(", ]", " ]")
}

/// The numbers of a run's model of one part, or those that its first checkpoint has.
fn part(run: &Path, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(run.join("model/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, view)| (name.to_owned(), view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

#[test]
fn each_stage_goes_on_from_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), "");
    let out = dir.path().join("run");
    // Nothing moves in the last, so that what it began with can be seen in what it ends with.
    let still = ["train.epochs=1", "train.lr=1e-30", "train.weight_decay=0"];
    let sets = [stages()];
    let sets: Vec<&str> = sets.iter().map(String::as_str).chain(still).collect();
    let mut seen = Seen::default();
    // The stages learn at a rate of their own.
    let mut recipe = recipe(&data, &sets);
    for stage in &mut recipe.stages {
        stage.set.push("train.lr=1e-2".to_owned());
    }
    run(recipe, &out, &mut seen).unwrap();
    assert!(
        seen.notes.iter().any(|note| note == "before: stage words"),
        "{:?}",
        seen.notes
    );
    let [words, head] = ["words", "head"].map(|name| out.join("stages").join(name));
    assert!(words.join("report.html").is_file());
    // Frozen, the encoder is handed on as it was; the head has learned, and is handed on too.
    assert_eq!(part(&words, "encoders."), part(&head, "encoders."));
    for prefix in ["encoders.", "fusion.", "head."] {
        assert!(!part(&out, prefix).is_empty());
        assert_eq!(part(&out, prefix), part(&head, prefix), "{prefix}");
    }
}

#[test]
fn a_run_of_stages_that_is_stopped_anywhere_ends_in_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path(), "");
    let whole = dir.path().join("whole");
    run(recipe(&data, &[&stages()]), &whole, &mut Silent).unwrap();
    // 8 training rows by 4, of 1, 1 and 2 epochs: eight steps over all stages.
    for stop in 1..8usize {
        let out = dir.path().join(format!("stopped-{stop}"));
        let mut count = 0;
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = Seen {
                at_step: Some(Box::new(|_| {
                    count += 1;
                    assert!(count < stop, "the power is gone");
                })),
                ..Seen::default()
            };
            run(recipe(&data, &[&stages()]), &out, &mut seen)
        }));
        assert!(stopped.is_err());
        let device = burn::tensor::Device::flex();
        let options = sensorium_recipe::Options::new(&device, "flex");
        sensorium_recipe::resume(&out, &options, &mut Silent).unwrap();
        assert_eq!(part(&out, ""), part(&whole, ""), "stopped at step {stop}");
    }
}

#[test]
fn stages_that_cannot_be_are_refused_and_named() {
    let refused = |stages: &str| match Recipe::parse("toy.toml", RECIPE, &[stages.to_owned()]) {
        Err(Error::Recipe { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    for (stages, said) in [
        (
            r#"stages=[{ name = "a b" }]"#,
            "stages.a b becomes a folder's name",
        ),
        (
            r#"stages=[{ name = "a" }, { name = "a" }]"#,
            "stages.a is there twice",
        ),
        (
            r#"stages=[{ name = "a", set = ["train.epochs=0"] }]"#,
            "stages.a: --set train.epochs=0: train.epochs is 0",
        ),
        (
            r#"stages=[{ name = "a", set = ["encoders.text.d_model=16"] }]"#,
            "stages.a: encoders.text.d_model = 16, and 8 in the recipe",
        ),
    ] {
        let found = refused(stages);
        assert!(found.contains(said), "{found}");
    }
}
