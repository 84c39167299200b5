//! `data make av-digits`: the embedded data set as files, and the same out of handwriting and recordings of one's own.

#[path = "common/command.rs"]
mod command;

use std::collections::BTreeSet;
use std::path::Path;

use command::sensorium;
use serde_json::{Value, json};

/// Makes the data set `out` and returns what the command says of it.
fn make(dir: &Path, rest: &[&str]) -> Value {
    let done = sensorium(dir)
        .args(["data", "make", "av-digits", "--out", "out", "--json"])
        .args(rest)
        .assert()
        .success();
    serde_json::from_slice(&done.get_output().stdout).unwrap()
}

/// The rows of `out`, whose files are all there.
fn rows(dir: &Path) -> Vec<Value> {
    let out = dir.join("out");
    let manifest = std::fs::read_to_string(out.join("manifest.jsonl")).unwrap();
    let rows: Vec<Value> = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for row in &rows {
        for key in ["image", "audio"] {
            assert!(out.join(row[key].as_str().unwrap()).is_file(), "{row}");
        }
        assert!(!row["text"].as_str().unwrap().is_empty(), "{row}");
    }
    rows
}

/// Who is heard in a part.
fn voices(rows: &[Value], split: &str) -> BTreeSet<String> {
    let own = rows.iter().filter(|row| row["split"] == split);
    own.map(|row| row["group"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_embedded_data_is_written_once_and_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let told = make(dir, &[]);
    assert_eq!(told, json!({ "train": 3600, "valid": 400, "test": 800 }));
    assert_eq!(rows(dir).len(), 4800);
    assert!(dir.join("out/ATTRIBUTION.md").is_file());

    // What is there is not written over.
    sensorium(dir)
        .args(["data", "make", "av-digits", "--out", "out"])
        .assert()
        .code(1)
        .stdout("")
        .stderr("error: out: exists and is not empty: choose another --out\n");

    let train = ["train", "--data", "out", "--out", "run", "--json"];
    let short = ["--set", "train.steps=2", "--set", "batch.eval_size=400"];
    let done = sensorium(dir).args(train).args(short).assert().success();
    let told: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(told["metrics"]["test"]["n"], 800);
}

#[test]
fn recordings_of_one_s_own_are_told_apart_by_speaker() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("speech")).unwrap();
    for (voice, speaker) in ["ann", "ben", "cy"].iter().enumerate() {
        for digit in 0..10 {
            let name = format!("speech/{digit}_{speaker}_0.wav");
            tone(
                &dir.join(name),
                200.0 + 40.0 * digit as f32 + 9.0 * voice as f32,
            );
        }
    }
    let line = |i: usize| {
        let ink = (0..64).map(|p| ((p * (1 + i % 10) + i) % 17).to_string());
        format!("{},{}\n", ink.collect::<Vec<_>>().join(","), i % 10)
    };
    let lines: String = (0..120).map(line).collect();
    std::fs::write(dir.join("digits.csv"), lines).unwrap();

    let told = make(dir, &["--digits", "digits.csv", "--speech", "speech"]);
    check(dir, &told);

    // One without the other makes no data set.
    sensorium(dir)
        .args([
            "data",
            "make",
            "av-digits",
            "--out",
            "b",
            "--digits",
            "digits.csv",
        ])
        .assert()
        .code(2);
    assert!(!dir.join("b").exists());
}

#[test]
fn human_recordings_are_made_into_a_data_set_where_they_lie_beside_the_repository() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let (digits, speech) = (shared.join("digits/digits.csv.gz"), shared.join("fsdd"));
    if !digits.is_file() || !speech.is_dir() {
        return; // the made-up ones above take the same way
    }
    let dir = tempfile::tempdir().unwrap();
    let (digits, speech) = (digits.display().to_string(), speech.display().to_string());
    let told = make(dir.path(), &["--digits", &digits, "--speech", &speech]);
    check(dir.path(), &told);
}

/// Nobody is heard in two parts, and each digit stands in each.
fn check(dir: &Path, told: &Value) {
    let rows = rows(dir);
    assert_eq!(rows.len(), 4800);
    let (valid, test) = (voices(&rows, "valid"), voices(&rows, "test"));
    assert_eq!(
        valid,
        [told["valid_speaker"].as_str().unwrap().to_owned()].into()
    );
    assert_eq!(
        test,
        [told["test_speaker"].as_str().unwrap().to_owned()].into()
    );
    let train = voices(&rows, "train");
    assert!(!train.is_empty() && train.is_disjoint(&valid) && train.is_disjoint(&test));
    let labels = rows
        .iter()
        .map(|row| (row["split"].to_string(), row["label"].to_string()));
    assert_eq!(labels.collect::<BTreeSet<_>>().len(), 3 * 10);
}

/// Half a second of a tone, at the rate of the recordings.
fn tone(path: &Path, hertz: f32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for i in 0..4000 {
        let angle = i as f32 / 8000.0 * hertz * std::f32::consts::TAU;
        writer.write_sample((angle.sin() * 9000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
}
