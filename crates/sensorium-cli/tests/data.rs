//! `data make av-digits`: the embedded data set as files, and the same out of handwriting and recordings of one's own; `data
//! manifest`: recordings listed by their names, and each speaker left out in turn.

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
fn scenes_are_written_as_files_and_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let done = sensorium(dir)
        .args(["data", "make", "scenes-qa", "--out", "out", "--json"])
        .assert()
        .success();
    let told: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(told, json!({ "train": 12_000, "valid": 400, "test": 800 }));
    let manifest = std::fs::read_to_string(dir.join("out/manifest.jsonl")).unwrap();
    assert_eq!(manifest.lines().count(), 13_200);
    for line in manifest.lines().step_by(500) {
        let row: Value = serde_json::from_str(line).unwrap();
        assert!(
            dir.join("out")
                .join(row["image"].as_str().unwrap())
                .is_file()
        );
        assert!(row["text"].as_str().unwrap().ends_with('?'), "{row}");
        assert!(row["label"].is_string() && row["kind"].is_string(), "{row}");
    }

    let set = |key: &'static str| ["--set", key];
    let short = [set("train.steps=2"), set("batch.eval_size=400")].concat();
    let by_name = set("data.set=scenes-qa");
    for data in [vec!["--data", "out"], by_name.to_vec()] {
        let done = sensorium(dir)
            .args(["train", "clip-digits", "--json"])
            .args(&data)
            .args(&short)
            .assert()
            .success();
        let told: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
        assert_eq!(told["metrics"]["test"]["n"], 800);
    }
    let wrong = ["train", "--set", "data.set=scene"];
    let refused = sensorium(dir).args(wrong).assert().code(2);
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(told.contains("did you mean \"scenes\"?"), "{told}");
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

#[test]
fn recordings_are_listed_by_their_names_and_each_speaker_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("speech")).unwrap();
    for (voice, speaker) in ["ann", "ben", "cy"].iter().enumerate() {
        for take in 0..4 {
            let name = format!("speech/{}_{speaker}_{take}.wav", take % 2);
            let hertz = 300.0 + 900.0 * (take % 2) as f32 + 30.0 * voice as f32;
            tone(&dir.join(name), hertz);
        }
    }
    std::fs::write(dir.join("speech/LICENCE"), "free").unwrap();
    let list = |rest: &[&str]| {
        let pattern = ["--pattern", "{label}_{speaker}_{take}.wav"];
        let mut command = sensorium(dir);
        command.args(["data", "manifest", "speech", "--out", "s.csv"]);
        command.args(pattern).args(rest).assert()
    };
    list(&[]).code(1).stdout("").stderr(
        "error: speech: 1 of its files do not fit {label}_{speaker}_{take}.wav: LICENCE: does not fit \
         (use --on-error skip to leave them out)\n",
    );
    list(&["--on-error", "skip"]).success().stdout(
        "s.csv: 12 rows, 1 files left out\nlabel: 2 values (0, 1)\nspeaker: 3 values (ann, ben, cy)\n\
         take: 4 values (0, 1, 2, 3)\n",
    );
    list(&[]).code(1);

    let train = [
        "train",
        "spoken-digits",
        "--data",
        "s.csv",
        "--leave-out",
        "speaker",
        "--out",
        "runs",
    ];
    let short = [
        "--set",
        "train.steps=20",
        "--set",
        "batch.size=8",
        "--set",
        "encoders.audio.d_model=16",
    ];
    let done = sensorium(dir).args(train).args(short).assert().success();
    let told = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    let firsts: Vec<&str> = told.lines().filter_map(|l| l.split("  ").next()).collect();
    assert_eq!(
        firsts[..5],
        ["speaker", "ann", "ben", "cy", "mean"],
        "{told}"
    );
    assert!(told.contains("3 runs, trained in ") && told.trim_end().ends_with(": runs"));
    let metrics = std::fs::read_to_string(dir.join("runs/metrics.json")).unwrap();
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!(metrics["groups"][2]["left_out"], "cy");
    assert_eq!(metrics["groups"][2]["n"], 4);
    for folder in ["ann", "ben", "cy"] {
        assert!(dir.join("runs").join(folder).join("report.html").is_file());
    }

    // One that is missing is made anew, and the rest left as it is.
    std::fs::remove_file(dir.join("runs/metrics.json")).unwrap();
    std::fs::remove_dir_all(dir.join("runs/ben")).unwrap();
    let done = sensorium(dir)
        .args(["train", "--resume", "runs", "--json"])
        .assert()
        .success();
    let told: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(told["groups"], metrics["groups"]);
    assert_eq!(told["run"], "runs");
}

#[test]
fn human_recordings_are_listed_where_they_lie_beside_the_repository() {
    let speech = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fsdd");
    if !speech.is_dir() {
        return; // the made-up ones above take the same way
    }
    let dir = tempfile::tempdir().unwrap();
    let speech = speech.display().to_string();
    let done = sensorium(dir.path())
        .args(["data", "manifest", &speech, "--out", "fsdd.csv", "--json"])
        .args(["--pattern", "{label}_{speaker}_{index}.wav"])
        .assert()
        .success();
    let told: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    let values = |i: usize| told["columns"][i]["values"].as_u64();
    assert_eq!(told["rows"], 2000);
    assert_eq!(
        [values(0), values(1), values(2)],
        [Some(10), Some(4), Some(50)]
    );
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

#[test]
fn a_data_set_is_written_anew_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let convert = |from: &str, out: &str, more: &[&str]| {
        let done = sensorium(dir)
            .args(["data", "convert", from, out])
            .args(more)
            .assert();
        let output = done.get_output();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, told, _) = convert("riddles", "shards", &["--to", "shards", "--quiet"]);
    assert_eq!(
        (code, told.as_str()),
        (Some(0), "shards: 4080 rows in 3 files\n")
    );
    let (code, _, error) = convert("shards", "other", &[]);
    assert!(
        code == Some(2)
            && error.starts_with("error: other: say what the folder is to hold, with --to"),
        "{error}"
    );
    let (code, _, error) = convert("shards", "a.csv", &["--to", "shards"]);
    let expected = "error: a.csv: its name ends like a file of another kind than --to says\n";
    assert_eq!((code, error.as_str()), (Some(2), expected));
    let (code, ..) = convert("shards/{train,test}-000000.tar", "two.parquet", &[]);
    assert_eq!(code, Some(0));

    let check = |data: &str| {
        let done = sensorium(dir)
            .args(["data", "check", data, "--json"])
            .assert();
        let output = done.get_output();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), found)
    };
    let (code, found) = check("two.parquet");
    assert_eq!((code, &found["rows"]), (Some(0), &json!(3840)));
    assert_eq!(found["parts"][0]["name"], "train");
    assert_eq!(found["broken"], json!([]));
    let whole = std::fs::read(dir.join("shards/test-000000.tar")).unwrap();
    std::fs::write(dir.join("cut.tar"), &whole[..5000]).unwrap();
    let (code, found) = check("cut.tar");
    // Two are whole, and of a third the text: what is behind it nobody knows.
    assert_eq!((code, &found["rows"]), (Some(1), &json!(3)));
    let reason = found["broken"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("is cut off"), "{reason}");
    // Nothing is trained on what is cut off, even where bad rows are skipped.
    let done = sensorium(dir)
        .args(["train", "mlm", "--data", "cut.tar", "--on-error", "skip"])
        .assert();
    done.code(1).stderr(predicates::str::contains("cut.tar: "));
}
