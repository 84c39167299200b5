//! The main job as a user does it: train, evaluate, predict, and go on after a kill.

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{prepare, sensorium};
use serde_json::Value;

fn json(output: &[u8]) -> Value {
    serde_json::from_slice(output)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(output)))
}

#[test]
fn a_run_can_be_trained_evaluated_and_asked() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let out = sensorium(dir.path())
        .args(["train", "tiny.toml", "--data", "pets.csv", "--json"])
        .assert()
        .success();
    let trained = json(&out.get_output().stdout);
    assert_eq!(trained["run"], "runs/tiny");
    assert_eq!(
        trained["metrics"]["test"]["accuracy"], 1.0,
        "two easy classes"
    );
    // Two classes that are never confused are ranked without fault too.
    assert_eq!(trained["metrics"]["test"]["auroc"], 1.0);
    let calibration = &trained["metrics"]["test"]["calibration"];
    assert_eq!(calibration["bins"].as_array().unwrap().len(), 16);
    let run = dir.path().join("runs/tiny");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("Reliability"));
    for file in [
        "recipe.toml",
        "metrics.jsonl",
        "metrics.json",
        "report.html",
        "checkpoints",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
    ] {
        assert!(run.join(file).exists(), "{file} is missing");
    }
    let rows = trained["metrics"]["ablation"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "text, image, both");

    let out = sensorium(dir.path())
        .args(["eval", "runs/tiny", "--drop", "text", "--json"])
        .assert()
        .success();
    let measured = json(&out.get_output().stdout);
    assert_eq!(measured["dropped"][0], "text");
    assert_eq!(measured["test"]["n"], 12);
    assert_eq!(measured["test"]["calibration"]["n"], 12);

    let out = sensorium(dir.path())
        .args([
            "predict",
            "runs/tiny",
            "--text",
            "it barks",
            "--image",
            "1.png",
            "--json",
        ])
        .assert()
        .success();
    assert_eq!(
        json(&out.get_output().stdout)["results"][0]["scores"][0]["label"],
        "dog"
    );

    // A second run of the name gets a folder of its own; a folder that exists is not written into.
    sensorium(dir.path())
        .args(["train", "tiny.toml", "--data", "pets.csv"])
        .assert()
        .success();
    assert!(dir.path().join("runs/tiny-2/report.html").exists());
    sensorium(dir.path())
        .args(["train", "tiny.toml", "--data", "pets.csv", "--out", "runs/tiny"])
        .assert()
        .code(1)
        .stderr("error: runs/tiny: exists and is not empty: choose another --out, or go on with --resume\n");
    sensorium(dir.path())
        .args(["train", "--resume", "runs/tiny"])
        .assert()
        .code(1)
        .stderr(
            "error: runs/tiny: is complete: there is nothing to resume (see its report.html)\n",
        );
}

/// Starts the command and kills it once `kill` says so; what it said, and whether it ended by itself.
fn run_until(dir: &Path, args: &[&str], mut kill: impl FnMut() -> bool) -> (String, bool) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("sensorium"))
        .current_dir(dir)
        .args(["--backend", "flex"])
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if kill() {
            child.kill().unwrap(); // SIGKILL
            child.wait().unwrap();
            break None;
        }
        std::thread::yield_now();
    };
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert!(ended.is_none_or(|status| status.success()), "{said}");
    (said, ended.is_some())
}

/// The steps of a run's checkpoints.
fn checkpoints(run: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(run.join("checkpoints"));
    entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("step-"))
        .collect()
}

#[test]
fn killed_at_any_moment_a_run_ends_in_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let train = [
        "train",
        "tiny.toml",
        "--data",
        "pets.csv",
        "--set",
        "train.epochs=6",
        "--out",
    ];
    let begun = Instant::now();
    run_until(dir.path(), &[&train[..], &["whole"]].concat(), || false);
    let whole = begun.elapsed();
    let killed = dir.path().join("killed");
    let (mut kills, mut went_on, mut ended) = (0, 0, false);
    for attempt in 0..20u32 {
        let args = match killed.join("recipe.toml").exists() {
            true => vec!["train", "--resume", "killed"],
            false => [&train[..], &["killed"]].concat(),
        };
        // By turns at some moment of what an undisturbed run takes, be it in preparing, in a step or in a file, and
        // right behind a checkpoint, so that there is always one to go on from.
        let begun = Instant::now();
        let before = checkpoints(&killed);
        let moment = whole * (attempt + 1) / 24;
        let kill = || match attempt % 2 {
            0 => begun.elapsed() > moment,
            _ => !checkpoints(&killed).is_subset(&before),
        };
        let (said, by_itself) = run_until(dir.path(), &args, kill);
        went_on += usize::from(said.contains("going on from step"));
        kills += usize::from(!by_itself);
        // A kill behind the last file leaves a run that is complete.
        ended = by_itself || killed.join("metrics.json").exists();
        if ended {
            break;
        }
    }
    if !ended {
        let (said, _) = run_until(dir.path(), &["train", "--resume", "killed"], || false);
        went_on += usize::from(said.contains("going on from step"));
    }
    assert!(
        kills > 0 && went_on > 0,
        "{kills} kills, went on {went_on} times"
    );
    let weights =
        |run: &str| std::fs::read(dir.path().join(run).join("model/model.safetensors")).unwrap();
    assert!(
        weights("killed") == weights("whole"),
        "weights differ after {kills} kills"
    );
}

#[test]
fn the_devices_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let out = sensorium(dir.path())
        .args(["devices", "--json"])
        .assert()
        .success();
    let listing = json(&out.get_output().stdout);
    let text = sensorium(dir.path()).arg("devices").assert().success();
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    let of = |list: &str, backend: &str| {
        let rows = listing[list].as_array().unwrap().iter();
        rows.filter(|row| row["backend"] == backend)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(of("devices", "flex").len(), 1);
    for backend in ["flex", "wgpu", "libtorch", "cuda"] {
        let (found, missing) = (of("devices", backend), of("missing", backend));
        assert_ne!(found.is_empty(), missing.is_empty(), "{backend}");
        for device in found {
            assert!(text.contains(device["name"].as_str().unwrap()), "{text}");
        }
        for missing in missing {
            let add = missing["add"].as_str().unwrap();
            let command = format!("`cargo xtask train --backend {backend}`");
            assert!(
                missing["compiled"] == true || add.contains(&command),
                "{add}"
            );
            let why = match missing["compiled"] == true {
                true => "compiled in, but finds no device",
                false => "not compiled in",
            };
            assert!(text.contains(&format!("{why}: {add}")), "{text}");
        }
    }
}

#[test]
fn a_recipe_is_tried_out_and_swept() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let before = std::fs::read_dir(dir.path()).unwrap().count();
    let tiny = ["tiny.toml", "--data", "pets.csv"];
    let out = sensorium(dir.path())
        .arg("train")
        .args(tiny)
        .arg("--dry-run")
        .assert()
        .success();
    let text = String::from_utf8_lossy(&out.get_output().stdout).into_owned();
    for told in ["encoders.text", "100.0 % train", "optimizer", "a step"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let out = sensorium(dir.path())
        .arg("train")
        .args(tiny)
        .args(["--dry-run", "--json"])
        .assert()
        .success();
    let tried = json(&out.get_output().stdout);
    assert!(tried["training"]["parameters"][0]["path"].is_string());
    let stage = "stages=[{ name = \"base\", set = [\"train.epochs=1\"] }]";
    let out = sensorium(dir.path())
        .arg("train")
        .args(tiny)
        .args(["--set", stage, "--set", "train.precision=bf16", "--dry-run"])
        .assert()
        .success();
    let text = String::from_utf8_lossy(&out.get_output().stdout).into_owned();
    for told in [
        "before: stages.base, by ",
        "\nthen: ",
        " copies in bf16",
        " with what comes before",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let after = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(before, after, "nothing stays");

    for _ in 0..2 {
        let out = sensorium(dir.path())
            .arg("sweep")
            .args(tiny)
            .args(["--grid", "train.optimizer=adamw,lion", "--out", "swept"])
            .args(["--set", "train.epochs=1", "--json"])
            .assert()
            .success();
        let swept = json(&out.get_output().stdout);
        assert_eq!(swept["runs"].as_array().unwrap().len(), 2);
        assert_eq!(swept["runs"][0]["validation"]["name"], "accuracy");
    }
    let wrong = ["--grid", "train.optimiser=lion"];
    let refused = sensorium(dir.path())
        .arg("sweep")
        .args(tiny)
        .args(wrong)
        .assert();
    let refused = refused.code(2);
    let error = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(error.contains("did you mean `optimizer`?"), "{error}");
}
