//! `embed` and `classify` on recordings, with an audio spectrogram transformer, and by labels with a CLAP.

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
    run_with("ready-ast", args, stdin)
}

fn run_with(model: &str, args: &[&str], stdin: &str) -> (String, String, bool) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = sensorium(dir.path());
    let (name, rest) = args.split_first().unwrap();
    command.args([name, "--model", &fixture(model)]).args(rest);
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

#[test]
fn labels_in_words_are_chosen_for_recordings() {
    let [a, b] = recordings();
    let clap = |args: &[&str]| {
        let (out, err, fine) = run_with("ready-clap", args, "");
        assert!(fine, "{err}");
        serde_json::from_str::<Value>(&out).expect("one JSON document")
    };
    let labels = [
        "classify",
        "--labels",
        "dog barking,rain",
        "--json",
        "--audio",
    ];
    let found = clap(&[&labels[..], &[&a, &b]].concat());
    let results = found["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let scores = result["scores"].as_array().unwrap();
        let sum: f64 = scores.iter().map(|s| s["score"].as_f64().unwrap()).sum();
        assert!(scores.len() == 2 && (sum - 1.0).abs() < 1e-5, "{scores:?}");
    }
    // Labels are put into a sentence about sounds, unless another is given.
    let given = ["--template", "This is a sound of {}."];
    let same = clap(&[&labels[..], &[&a, &b], &given].concat());
    assert_eq!(same, found);
    let other = clap(&[&labels[..], &[&a, &b], &["--template", "{}"]].concat());
    assert_ne!(other, found);

    // Sounds and texts in one space.
    let found = clap(&["embed", "--audio", &a, "--text", "rain", "--json"]);
    let rows = found["embeddings"].as_array().unwrap();
    let lengths: Vec<usize> = rows
        .iter()
        .map(|row| row["vector"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [12, 12]);
}

#[test]
fn what_labels_need_is_said() {
    let [a, _] = recordings();
    for (args, expected) in [
        (
            vec!["classify", "--audio", &a],
            "CLAP has no classes of its own: give it labels",
        ),
        (
            vec!["classify", "--labels", "rain", "--image", &a],
            "the model classifies --audio, not --image",
        ),
        (
            vec![
                "classify",
                "--labels",
                "rain",
                "--audio",
                &a,
                "--template",
                "x",
            ],
            "--template \"x\": has no {} for the label",
        ),
    ] {
        let (_, err, fine) = run_with("ready-clap", &args, "");
        assert!(!fine && err.contains(expected), "{err}");
    }
}
