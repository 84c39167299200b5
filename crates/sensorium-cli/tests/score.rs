//! `transcribe --reference` and `--batch`: transcripts beside what should have been heard, and beside each other.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use command::sensorium;
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    let folder = "../sensorium-models/tests/fixtures/ready-whisper";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name)
}

/// A folder of recordings: in `chunk.wav`, "red" is heard seven times, and in `long.wav` nine times.
fn talks() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("talks")).unwrap();
    for name in ["chunk.wav", "long.wav"] {
        std::fs::copy(fixture(name), dir.path().join("talks").join(name)).unwrap();
    }
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// Runs `transcribe` greedily, and returns what it printed.
fn printed(dir: &Path, args: &[&str]) -> String {
    let mut command = sensorium(dir);
    command
        .args(["transcribe", "--greedy", "--model"])
        .arg(fixture(""));
    let out = command.args(args).assert().success();
    String::from_utf8(out.get_output().stdout.clone()).expect("text")
}

fn json(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&printed(dir, &[args, &["--json"]].concat())).unwrap()
}

fn complaint(dir: &Path, args: &[&str], code: i32) -> String {
    let mut command = sensorium(dir);
    command
        .args(["transcribe", "--greedy", "--model"])
        .arg(fixture(""));
    let out = command.args(args).assert().code(code);
    assert!(out.get_output().stdout.is_empty());
    String::from_utf8(out.get_output().stderr.clone()).expect("text")
}

const BOTH: [&str; 2] = ["talks/long.wav", "talks/chunk.wav"];

#[test]
fn errors_are_counted_by_a_manifest() {
    let dir = talks();
    // One left out of nine, and one of eight that was said otherwise.
    let long = "red ".repeat(10);
    let chunk = "red red red red red red red blue";
    let rows = format!(
        "id,file,text\na,talks/long.wav,{long}\nb,talks/chunk.wav,{chunk}\nc,gone.wav,lost\n"
    );
    write(dir.path(), "all.csv", &rows);
    let found = json(
        dir.path(),
        &[&BOTH[..], &["--reference", "all.csv"]].concat(),
    );
    let words = |value: &Value| {
        let counts = &value["scores"]["words"];
        ["hits", "substitutions", "deletions", "insertions"]
            .map(|key| counts[key].as_u64().unwrap())
    };
    assert_eq!(words(&found["transcripts"][0]), [9, 0, 1, 0]);
    assert_eq!(words(&found["transcripts"][1]), [7, 0, 1, 0]);
    assert_eq!(words(&found), [16, 0, 2, 0]);
    assert_eq!(found["transcripts"][0]["scores"]["reference"], long.trim());
    let rate = |value: &Value, key: &str| value["scores"][key].as_f64().unwrap();
    assert!((rate(&found, "wer") - 2.0 / 18.0).abs() < 1e-12);
    assert!((rate(&found["transcripts"][0], "wer") - 0.1).abs() < 1e-12);
    assert!((rate(&found, "cer") - 9.0 / 71.0).abs() < 1e-12);

    let table = printed(
        dir.path(),
        &[&BOTH[..], &["--reference", "all.csv", "--out", "texts"]].concat(),
    );
    let expected = "                 words  errors      WER      CER
talks/long.wav      10       1  10.00 %  10.26 %
talks/chunk.wav      8       1  12.50 %  15.62 %
all                 18       2  11.11 %  12.68 %
";
    assert_eq!(table, expected);
    let lines = r#"{"audio": "long.wav", "text": "red"}
{"audio": "chunk.wav"}
"#;
    write(&dir.path().join("talks"), "all.jsonl", lines);
    let found = json(
        dir.path(),
        &[&BOTH[..], &["--reference", "talks/all.jsonl"]].concat(),
    );
    assert_eq!(words(&found["transcripts"][0]), [1, 0, 0, 8]);
    assert_eq!(words(&found["transcripts"][1]), [0, 0, 0, 7]); // silence should be heard there
}

#[test]
fn errors_are_counted_by_texts_that_are_named_as_the_recordings() {
    let dir = talks();
    let talks = dir.path().join("talks");
    write(
        &talks,
        "long.txt",
        "RED, red; red red red red red red - red!\n",
    );
    write(&talks, "chunk.txt", "Red red red red red red red.");
    let wer = |args: &[&str]| {
        let found = json(dir.path(), args);
        found["scores"]["wer"].as_f64().unwrap()
    };
    for reference in ["talks", ".txt"] {
        let args = [&BOTH[..], &["--reference", reference]].concat();
        assert!(wer(&args) > 0.2);
        for form in ["basic", "english"] {
            let args = [&args[..], &["--normalise", form]].concat();
            assert!(wer(&args).abs() < 1e-12, "{reference}, {form}");
        }
    }
    let one = ["talks/chunk.wav", "--reference", "talks/chunk.txt"];
    assert!((wer(&one) - 2.0 / 7.0).abs() < 1e-12);
    let text = printed(dir.path(), &one);
    assert!(text.starts_with("red red red red red red red\n"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(
        last.contains("28.57 %") && !text.contains("\nall"),
        "{text}"
    );
}

#[test]
fn english_is_spelt_as_the_model_s_table_says() {
    let dir = talks();
    let model = dir.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    write(&model, "normalizer.json", r#"{"rouge": "red"}"#);
    write(dir.path(), "said.txt", &"rouge ".repeat(7));
    let model = model.display().to_string();
    let mut command = sensorium(dir.path());
    command.args([
        "transcribe",
        "--greedy",
        "--json",
        "--model",
        &model,
        "talks/chunk.wav",
    ]);
    command.args(["--reference", "said.txt", "--normalise", "english"]);
    let out = command.assert().success();
    let found: Value = serde_json::from_slice(&out.get_output().stdout).unwrap();
    assert_eq!(found["scores"]["words"]["hits"], 7);
}

#[test]
fn a_reference_that_misses_is_named_before_anything_is_heard() {
    let dir = talks();
    write(dir.path(), "one.csv", "audio,text\ntalks/long.wav,red\n");
    write(
        dir.path(),
        "twice.csv",
        "audio,text\ntalks/long.wav,red\ntalks/../talks/long.wav,blue\n",
    );
    write(
        dir.path(),
        "textless.csv",
        "audio,label\ntalks/long.wav,red\n",
    );
    write(
        dir.path(),
        "nameless.csv",
        "sound,text\ntalks/long.wav,red\n",
    );
    write(dir.path(), "said.txt", "red");
    let check = |reference: &str, code: i32, expected: &str| {
        let args = [&BOTH[..], &["--out", "texts", "--reference", reference]].concat();
        let told = complaint(dir.path(), &args, code);
        assert!(told.contains(expected), "{told}");
        assert!(!dir.path().join("texts").exists());
    };
    check(
        "one.csv",
        1,
        "talks/chunk.wav: no reference, for one.csv does not list it",
    );
    check(
        "twice.csv",
        1,
        "twice.csv: row 3 names talks/../talks/long.wav a second time",
    );
    check("textless.csv", 1, "has no column `text`");
    check("nameless.csv", 1, "has neither a column `audio` nor `file`");
    check(
        ".txt",
        1,
        "talks/long.wav: no reference: talks/long.txt: cannot be read",
    );
    check(
        "talks",
        1,
        "talks/long.wav: no reference: talks/long.txt: cannot be read",
    );
    check(
        "said.txt",
        2,
        "said.txt is one text, which is of one recording",
    );
    check("none.csv", 1, "none.csv");
    let subtitles = [
        "talks/long.wav",
        "--reference",
        "said.txt",
        "--format",
        "srt",
    ];
    let told = complaint(dir.path(), &subtitles, 2);
    assert!(told.contains("give --out DIR or --json"), "{told}");
}

#[test]
fn a_recording_without_a_reference_can_be_left_out() {
    let dir = talks();
    write(dir.path(), "one.csv", "audio,text\ntalks/long.wav,red\n");
    let skip = ["--reference", "one.csv", "--on-error", "skip"];
    let found = json(dir.path(), &[&BOTH[..], &skip].concat());
    assert_eq!(found["skipped"][0]["input"], "talks/chunk.wav");
    assert_eq!(found["scores"]["n"], 1);
}

#[test]
fn recordings_side_by_side_come_out_in_their_order_and_as_alone() {
    let dir = talks();
    write(dir.path(), "bad.wav", "RIFF");
    let files = [&BOTH[..], &["bad.wav"], &BOTH, &BOTH[..1]].concat();
    let options = ["--times", "--on-error", "skip"];
    let with = |batch: &str| {
        let beams = ["--batch", batch, "--beam", "3"];
        let plain = printed(dir.path(), &[&files[..], &options, &beams[..2]].concat());
        let beams = printed(dir.path(), &[&files[..], &options, &beams].concat());
        [plain, beams]
    };
    let alone = with("1");
    assert_ne!(alone[0], alone[1]);
    assert_eq!(alone[0].matches("talks/long.wav:").count(), 3);
    for batch in ["2", "4", "9"] {
        assert_eq!(alone, with(batch));
    }
    // What was begun before a recording that cannot be read is still put away.
    let mut command = sensorium(dir.path());
    command
        .args(["transcribe", "--greedy", "--model"])
        .arg(fixture(""));
    command.args([
        "talks/long.wav",
        "bad.wav",
        "talks/chunk.wav",
        "--out",
        "texts",
    ]);
    command.assert().code(1);
    let made = std::fs::read_dir(dir.path().join("texts")).unwrap();
    let made: Vec<_> = made.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["long.txt"]);
}

#[test]
fn beams_are_as_many_as_the_model_s_files_say_unless_asked_otherwise() {
    let dir = talks();
    let model = dir.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    let file = model.join("generation_config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen('{', "{\"num_beams\": 5,", 1)).unwrap();
    let tokens = |model: &Path, args: &[&str]| {
        let mut command = sensorium(dir.path());
        command
            .args(["transcribe", "--json", "--on-previous", "--model"])
            .arg(model);
        let out = command.args(args).arg("talks/long.wav").assert().success();
        let found: Value = serde_json::from_slice(&out.get_output().stdout).unwrap();
        found["transcripts"][0]["segments"].to_string()
    };
    let greedy = tokens(&fixture(""), &["--greedy"]);
    let beams = tokens(&fixture(""), &["--greedy", "--beam", "5"]);
    // Three of them say what one does, but for the last digit.
    assert_ne!(greedy, beams);
    assert_eq!(tokens(&model, &["--greedy"]), greedy);
    assert_eq!(tokens(&model, &["--greedy", "--beam", "5"]), beams);
    let fallen = tokens(&model, &["--seed", "3"]);
    assert_eq!(
        fallen,
        tokens(&fixture(""), &["--seed", "3", "--beam", "5"])
    );
    let told = complaint(dir.path(), &["talks/long.wav", "--beam", "65"], 2);
    assert!(
        told.contains("Whisper follows at most 64 texts, not 65"),
        "{told}"
    );
    for wrong in ["0", "-1", "many"] {
        let told = complaint(dir.path(), &["talks/long.wav", "--beam", wrong], 2);
        assert!(
            told.contains("1 to 1024") || told.contains("unexpected"),
            "{told}"
        );
    }
}
