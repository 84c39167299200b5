//! `embed` and `classify` on recordings, with an audio spectrogram transformer.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use command::sensorium;
use serde_json::Value;

fn fixture(name: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = here.join("../sensorium-models/tests/fixtures").join(name);
    path.display().to_string()
}

fn recordings() -> [String; 2] {
    ["ready-sounds/rising.wav", "ready-sounds/noise.wav"].map(fixture)
}

/// Runs a command with the model; what it prints, and what it complains of.
fn run(args: &[&str], stdin: &str) -> (String, String, bool) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = sensorium(dir.path());
    let (name, rest) = args.split_first().unwrap();
    command
        .args([name, "--model", &fixture("ready-ast")])
        .args(rest);
    let out = command.write_stdin(stdin.to_owned()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.success())
}

fn json(args: &[&str], stdin: &str) -> Value {
    let (out, err, fine) = run(args, stdin);
    assert!(fine, "{err}");
    serde_json::from_str(&out).expect("one JSON document")
}

#[test]
fn recordings_are_embedded_in_order_and_one_broken_is_left_out() {
    let [a, b] = recordings();
    let broken = fixture("ready-ast/config.json");
    let lines = [a.as_str(), &broken, &b].join("\n");
    let args = ["embed", "--audio", "-", "--on-error", "skip", "--json"];
    let found = json(&args, &lines);
    let rows = found["embeddings"].as_array().unwrap();
    let inputs: Vec<&str> = rows
        .iter()
        .map(|row| row["input"].as_str().unwrap())
        .collect();
    assert_eq!(inputs, [&a, &b]);
    for row in rows {
        assert_eq!(row["modality"], "audio");
        let numbers = row["vector"].as_array().unwrap().iter();
        let squares: f64 = numbers.map(|x| x.as_f64().unwrap().powi(2)).sum();
        assert!((squares - 1.0).abs() < 1e-5, "{squares}");
    }
    assert_eq!(found["skipped"][0]["input"], broken.as_str());
}

#[test]
fn recordings_are_classified_by_the_models_own_classes() {
    let [a, b] = recordings();
    let found = json(&["classify", "--audio", &a, &b, "--json"], "");
    for result in found["results"].as_array().unwrap() {
        let scores = result["scores"].as_array().unwrap();
        let sum: f64 = scores.iter().map(|s| s["score"].as_f64().unwrap()).sum();
        assert!(scores.len() == 3 && (sum - 1.0).abs() < 1e-5, "{scores:?}");
    }
    let (out, ..) = run(&["classify", "--audio", &a, "--top-k", "1"], "");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(
        ["rain", "wind", "birds"]
            .iter()
            .any(|class| out.contains(class))
    );
}

#[test]
fn what_the_model_does_not_take_is_said_in_a_line() {
    let [a, _] = recordings();
    for (args, expected) in [
        (
            ["classify", "--image", a.as_str()],
            "the model classifies --audio, not --image",
        ),
        (["embed", "--text", "rain"], "AST takes sounds, not texts"),
        (["embed", "--image", &a], "AST takes sounds, not images"),
        (["embed", "--audio", "no.wav"], "no.wav"),
    ] {
        let (out, err, fine) = run(&args, "");
        assert!(!fine && out.is_empty());
        assert!(
            err.contains(expected) && err.trim_end().lines().count() == 1,
            "{err}"
        );
    }
    let (_, err, _) = run(&["embed", "--audio", "-", "--text", "-"], "");
    let expected = "standard input can be read once: give one `-` to --text, --image or --audio";
    assert!(err.contains(expected), "{err}");
}
