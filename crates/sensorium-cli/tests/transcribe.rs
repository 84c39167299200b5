//! `transcribe` on a checkpoint of random weights, with recordings of a second and more.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use command::sensorium;
use serde_json::Value;

fn fixture(name: &str) -> String {
    of_model("ready-whisper", name)
}

/// A file of a model that tells characters apart.
fn characters(name: &str) -> String {
    of_model("ready-wav2vec2", name)
}

fn of_model(model: &str, name: &str) -> String {
    let folder = Path::new("../sensorium-models/tests/fixtures").join(model);
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name);
    path.display().to_string()
}

/// Runs `transcribe` and returns what it printed.
fn printed(dir: &Path, args: &[&str]) -> String {
    let model = fixture("");
    let mut command = sensorium(dir);
    command.args(["transcribe", "--model", &model, "--greedy", "--quiet"]);
    let out = command.args(args).assert().success();
    String::from_utf8(out.get_output().stdout.clone()).expect("text")
}

/// The same of what fails.
fn complaint(dir: &Path, args: &[&str], code: i32) -> String {
    let mut command = sensorium(dir);
    let out = command.arg("transcribe").args(args).assert().code(code);
    String::from_utf8(out.get_output().stderr.clone()).expect("text")
}

#[test]
fn a_recording_is_written_down_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let long = fixture("long.wav");
    let said = "red red red red red red red red red\n";
    assert_eq!(printed(dir.path(), &[&long]), said);
    let timed = printed(dir.path(), &[&long, "--times"]);
    let first = "[00:00:00.040 --> 00:00:00.160] red red red red red red";
    assert_eq!(timed.lines().next(), Some(first));
    let srt = printed(dir.path(), &[&long, "--format", "srt"]);
    let first = "1\n00:00:00,040 --> 00:00:00,160\nred red red red red red\n\n2\n";
    assert!(srt.starts_with(first), "{srt}");
    let vtt = printed(dir.path(), &[&long, "--format", "vtt"]);
    assert!(vtt.starts_with("WEBVTT\n\n00:00:00.040 -->"), "{vtt}");
    let json: Value = serde_json::from_str(&printed(dir.path(), &[&long, "--json"])).unwrap();
    let transcript = &json["transcripts"][0];
    assert_eq!(transcript["input"], *long);
    assert_eq!(transcript["text"], said.trim());
    assert_eq!(transcript["segments"].as_array().unwrap().len(), 4);
    assert!(
        transcript["segments"][0]["log_probability"]
            .as_f64()
            .unwrap()
            < 0.0
    );
    assert!(["en", "de"].contains(&transcript["language"].as_str().unwrap()));
}

#[test]
fn several_recordings_become_files_and_a_broken_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (chunk, long) = (fixture("chunk.wav"), fixture("long.wav"));
    std::fs::write(dir.path().join("bad.wav"), b"RIFF").unwrap();
    let files = [chunk.as_str(), "bad.wav", &long];
    let options = [
        "--format",
        "srt",
        "--out",
        "subs",
        "--on-error",
        "skip",
        "--json",
    ];
    let json = printed(dir.path(), &[&files[..], &options].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["transcripts"].as_array().unwrap().len(), 2);
    assert_eq!(json["skipped"][0]["input"], "bad.wav");
    for name in ["chunk.srt", "long.srt"] {
        let text = std::fs::read_to_string(dir.path().join("subs").join(name)).unwrap();
        assert!(text.starts_with("1\n00:00:00,040 --> "), "{text}");
    }
    assert_eq!(
        std::fs::read_dir(dir.path().join("subs")).unwrap().count(),
        2
    );
    // Without a folder, each stands under its name.
    let text = printed(dir.path(), &[&chunk, &long]);
    assert!(text.contains(&format!("{long}:\nred red")), "{text}");
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (model, chunk) = (fixture(""), fixture("chunk.wav"));
    let options = ["--model", &model];
    let check = |args: &[&str], code: i32, expected: &str| {
        let told = complaint(dir.path(), &[&options[..], args].concat(), code);
        let last = told.lines().last().unwrap();
        assert!(
            last.starts_with("error: ") && last.contains(expected),
            "{told}"
        );
    };
    check(&["missing.wav"], 1, "missing.wav");
    check(
        &[&chunk, "--language", "fr"],
        1,
        "`fr` is none of the model's languages: de, en",
    );
    check(&[&chunk, &chunk, "--format", "srt"], 2, "give --out DIR");
    let twice = "chunk.txt is another recording's already";
    check(&[&chunk, &chunk, "--out", "here"], 1, twice);
    std::fs::write(dir.path().join("taken"), "").unwrap();
    check(&[&chunk, "--out", "taken"], 1, "taken: cannot be made");
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny-clip");
    let clip = clip.display().to_string();
    let told = complaint(dir.path(), &["--model", &clip, &chunk], 2);
    assert!(
        told.contains("CLIP does not write down speech; Whisper, wav2vec 2.0 and HuBERT do"),
        "{told}"
    );
}

#[test]
fn a_model_of_characters_writes_down_words_with_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let (model, short, long) = (
        characters(""),
        characters("short.wav"),
        characters("long.wav"),
    );
    let run = |args: &[&str]| {
        let mut command = sensorium(dir.path());
        command
            .args(["transcribe", "--model", &model, "--quiet"])
            .args(args);
        let out = command.assert().success();
        String::from_utf8(out.get_output().stdout.clone()).expect("text")
    };
    let said = "A'AI''I'EIININ'N'ATA'I";
    assert_eq!(run(&[&short]), format!("{said}\n"));
    let timed = run(&[&short, "--times", "--greedy"]);
    assert_eq!(timed, format!("[00:00:00.020 --> 00:00:00.390] {said}\n"));
    let srt = run(&[&long, "--format", "srt"]);
    let first = "1\n00:00:00,020 --> 00:00:00,200\nA'A'T''I'EII\n\n2\n00:00:00,210 -->";
    assert!(srt.starts_with(first), "{srt}");
    let json = |args: &[&str]| -> Value { serde_json::from_str(&run(args)).unwrap() };
    let greedy = json(&[&long, "--json"]);
    let transcript = &greedy["transcripts"][0];
    let words = transcript["segments"].as_array().unwrap();
    let text = transcript["text"].as_str().unwrap();
    assert_eq!(words.len(), text.split_whitespace().count());
    assert!(words[0]["log_probability"].as_f64().unwrap() < 0.0);
    assert!(words[0]["no_speech"].is_null() && transcript["language"].is_null());
    let beams = json(&[&long, "--json", "--beam", "16"]);
    assert_ne!(beams["transcripts"][0]["text"], text);

    let check = |args: &[&str], code: i32, expected: &str| {
        let told = complaint(
            dir.path(),
            &[&["--model", &model, &short], args].concat(),
            code,
        );
        assert!(told.contains(expected), "{told}");
    };
    check(
        &["--language", "de"],
        2,
        "cannot be asked for a language; Whisper can",
    );
    check(
        &["--task", "translate"],
        2,
        "cannot be asked for a translation",
    );
    check(
        &["--on-previous"],
        2,
        "cannot be asked for what was said before",
    );
    check(&["--beam", "0"], 2, "is not 1 to 1024");
}
