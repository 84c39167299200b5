//! The main job as a user does it: train, evaluate, predict, and go on after a kill.

mod common;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
    let run = dir.path().join("runs/tiny");
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
    sensorium(dir.path())
        .args(train)
        .arg("whole")
        .assert()
        .success();
    let weights =
        |run: &str| std::fs::read(dir.path().join(run).join("model/model.safetensors")).unwrap();

    let binary = assert_cmd::cargo::cargo_bin("sensorium");
    let mut kills = 0;
    for attempt in 0..40u32 {
        // A kill after the last file leaves a run that is complete.
        if dir.path().join("killed/metrics.json").exists() {
            break;
        }
        let mut command = Command::new(&binary);
        command
            .current_dir(dir.path())
            .args(["--backend", "flex", "--quiet"])
            .stdout(Stdio::null());
        match dir.path().join("killed/recipe.toml").exists() {
            true => command.args(["train", "--resume", "killed"]),
            false => command.args(train).arg("killed"),
        };
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // A little later each time, so that runs are cut in preparing, in steps and in checkpoints.
        let deadline = Instant::now() + Duration::from_millis(60 + u64::from(attempt) * 45);
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > deadline {
                child.kill().unwrap(); // SIGKILL
                child.wait().unwrap();
                kills += 1;
                break None;
            }
            std::thread::yield_now();
        };
        if let Some(status) = ended {
            let mut said = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut said)
                .unwrap();
            assert!(status.success(), "attempt {attempt} failed: {said}");
            break;
        }
    }
    assert!(kills > 0);
    assert!(
        dir.path().join("killed/metrics.json").exists(),
        "the run never ended"
    );
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
