//! A run for each group that is left out: each tested on its own rows alone, all of them gone on with after a stop.

#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_recipe::{
    Error, LeftOut, Observer, Options, Silent, holds_left_out, leave_out, resume, resume_left_out,
};
use sensorium_train::in_threads;
use toy::{Seen, recipe};

/// 18 rows of three speakers and two classes.
fn manifest(dir: &Path) -> PathBuf {
    let row = |i: usize| {
        let (text, speaker) = (
            ["it purrs", "it barks"][i % 2],
            ["ann", "b/c", "di"][i / 2 % 3],
        );
        format!("{text} {i},{},{speaker}\n", i % 2)
    };
    let rows: String = (0..18).map(row).collect();
    let path = dir.join("m.csv");
    std::fs::write(&path, format!("text,label,speaker\n{rows}")).unwrap();
    path
}

fn options(device: &Device) -> Options<'_> {
    Options::new(device, "flex")
}

fn start(
    data: &Path,
    sets: &[&str],
    out: &Path,
    seen: &mut dyn Observer,
) -> Result<LeftOut, Error> {
    let device = Device::flex();
    leave_out(
        recipe(data, sets),
        "speaker",
        Some(out),
        &options(&device),
        seen,
    )
}

fn go_on(out: &Path, seen: &mut dyn Observer) -> Result<LeftOut, Error> {
    resume_left_out(out, &options(&Device::flex()), seen)
}

const SETS: [&str; 2] = ["data.split.valid=0", "train.weights=last"];

#[test]
fn each_group_is_tested_on_by_a_model_that_never_saw_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("runs");
    let mut seen = Seen::default();
    let done = start(&manifest(dir.path()), &SETS, &out, &mut seen).unwrap();
    let told = [
        "1 of 3: without speaker ann",
        "2 of 3: without speaker b/c",
        "3 of 3: without speaker di",
    ];
    assert_eq!(seen.notes, told);
    for (run, folder) in done.runs.iter().zip(["ann", "b_c", "di"]) {
        assert_eq!(run.folder.path(), out.join(folder));
        assert_eq!(
            (run.metrics.test.as_ref().unwrap().n, run.metrics.steps),
            (6, 6)
        );
        let recipe = run.folder.recipe().unwrap().to_toml();
        let expected = format!(
            "by = \"speaker\"\nvalid = 0.0\ntest = [\"{}\"]",
            run.left_out
        );
        assert!(recipe.contains(&expected), "{recipe}");
        assert!(out.join(folder).join("report.html").is_file());
    }
    let accuracies = done.runs.iter().map(|run| run.metrics.accuracy().unwrap());
    let mean = accuracies.sum::<f64>() / 3.0;
    assert!((done.mean_accuracy().unwrap() - mean).abs() < 1e-12);
    let text = std::fs::read_to_string(out.join("metrics.json")).unwrap();
    let written: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(written["groups"][1]["left_out"], "b/c");
    assert_eq!(written["groups"].as_array().unwrap().len(), 3);
    assert!((written["mean_accuracy"].as_f64().unwrap() - mean).abs() < 1e-12);

    let error = go_on(&out, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("is complete"), "{error}");
    let whole = resume(&out, &options(&Device::flex()), &mut Silent).unwrap_err();
    assert!(
        whole.to_string().contains("name one of the folders in it"),
        "{whole}"
    );
}

#[test]
fn several_processes_train_one_after_another_together() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path());
    let alone = start(&data, &SETS, &dir.path().join("alone"), &mut Silent).unwrap();
    let out = dir.path().join("together");
    let each = |stop_at: Option<usize>| {
        in_threads(2, |ranks| {
            let device = Device::flex();
            let mut steps = 0;
            let mut seen = Seen {
                at_step: Some(Box::new(|_| {
                    steps += 1;
                    assert!(Some(steps) != stop_at, "broken off");
                })),
                ..Seen::default()
            };
            let options = Options {
                ranks,
                ..options(&device)
            };
            let go = || match holds_left_out(&out) {
                true => resume_left_out(&out, &options, &mut seen),
                false => {
                    let recipe = recipe(&data, &SETS);
                    leave_out(recipe, "speaker", Some(&out), &options, &mut seen)
                }
            };
            // The ranks see the same of the folder.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(go))
        })
    };
    assert!(each(Some(9)).iter().all(Result::is_err));
    assert!(out.join("ann/metrics.json").exists() && !out.join("metrics.json").exists());
    for done in each(None) {
        let done = done.unwrap().unwrap();
        for (found, expected) in done.runs.iter().zip(&alone.runs) {
            assert_eq!(found.left_out, expected.left_out);
            assert_eq!(found.metrics.accuracy(), expected.metrics.accuracy());
        }
    }
    let summary = |root: &Path| {
        let text = std::fs::read_to_string(root.join("metrics.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["mean_accuracy"].clone()
    };
    assert_eq!(summary(&out), summary(&alone.root));

    // What is refused leaves nothing.
    let small = in_threads(2, |ranks| {
        let device = Device::flex();
        let options = Options {
            ranks,
            ..options(&device)
        };
        let small = recipe(&data, &["batch.size=1", "data.split.valid=0"]);
        let out = dir.path().join("small");
        let ended = leave_out(small, "speaker", Some(&out), &options, &mut Silent);
        assert!(!out.exists());
        ended.unwrap_err().to_string()
    });
    let told = |error: &String| error.contains("is shared by 2 processes");
    assert!(small.iter().all(told), "{small:?}");

    // What is wrong is told to all.
    let refused = in_threads(2, |ranks| {
        let device = Device::flex();
        let options = Options {
            ranks,
            ..options(&device)
        };
        let ended = resume_left_out(&out, &options, &mut Silent);
        ended.unwrap_err().to_string()
    });
    let told = |error: &String| error.contains("is complete");
    assert!(refused.iter().all(told), "{refused:?}");
}

#[test]
fn stopped_anywhere_they_end_in_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path());
    let (whole, broken) = (dir.path().join("whole"), dir.path().join("broken"));
    start(&data, &SETS, &whole, &mut Silent).unwrap();
    // In the second run's third step, and again in that of the third.
    let mut steps = 0;
    let mut breaking = Seen {
        at_step: Some(Box::new(|_| {
            steps += 1;
            assert!(steps < 9, "broken off");
        })),
        ..Seen::default()
    };
    let unwind = std::panic::AssertUnwindSafe(|| start(&data, &SETS, &broken, &mut breaking));
    assert!(std::panic::catch_unwind(unwind).is_err());
    drop(breaking);
    assert!(holds_left_out(&broken) && !broken.join("metrics.json").exists());
    assert!(broken.join("ann/metrics.json").exists() && !broken.join("di").exists());

    let mut seen = Seen::default();
    let done = go_on(&broken, &mut seen).unwrap();
    assert_eq!(done.runs.len(), 3);
    for folder in ["ann", "b_c", "di"] {
        let weights =
            |root: &Path| std::fs::read(root.join(folder).join("model/model.safetensors"));
        assert!(
            weights(&broken).unwrap() == weights(&whole).unwrap(),
            "{folder}"
        );
    }
}

#[test]
fn what_cannot_be_left_out_says_why_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = manifest(dir.path());
    let out = dir.path().join("runs");
    let check = |column: &str, sets: &[&str], expected: &str| {
        let device = Device::flex();
        let recipe = recipe(&data, sets);
        let done = leave_out(recipe, column, Some(&out), &options(&device), &mut Silent);
        let error = done.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!out.exists());
    };
    check(
        "speakers",
        &SETS,
        "nothing in column speakers; it has speaker; did you mean \"speaker\"?",
    );
    check(
        "speaker",
        &[r#"data.split.valid=["ann"]"#],
        "make it a share, such as 0",
    );
    std::fs::write(&data, "text,label,speaker\na,0,ann\nb,1,ann\n").unwrap();
    check(
        "speaker",
        &SETS,
        "--leave-out speaker: there is one group alone",
    );
    // The manifest's own column of groups, by its name.
    std::fs::write(&data, "text,label,group\na,0,ann\nb,1,ann\n").unwrap();
    check(
        "group",
        &SETS,
        "--leave-out group: there is one group alone",
    );
}

#[test]
fn a_folder_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("runs");
    start(&manifest(dir.path()), &SETS, &out, &mut Silent).unwrap();
    std::fs::remove_file(out.join("metrics.json")).unwrap();
    let path = out.join("folds.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        (
            "\"b_c\"",
            "\"../../elsewhere\"",
            "folders are not named after their groups",
        ),
        (
            "\"b_c\"",
            "\"ann\"",
            "folders are not named after their groups",
        ),
        ("\"size\": 4", "\"size\": 0", "recipe: batch.size = 0"),
        ("\"folds\"", "\"fords\"", "missing field `folds`"),
    ] {
        assert!(good.contains(from), "{good}");
        std::fs::write(&path, good.replace(from, to)).unwrap();
        let error = go_on(&out, &mut Silent).unwrap_err().to_string();
        assert!(
            error.contains("folds.json") && error.contains(expected),
            "{error}"
        );
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(go_on(&out, &mut Silent).unwrap().runs.len(), 3);
}
