//! `generate` and `chat` on checkpoints of random weights: what is printed, and what is told of what cannot be.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use command::sensorium;
use serde_json::{Value, json};

fn model(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensorium-models/tests/fixtures");
    fixtures.join(name)
}

/// What the reference made of it.
fn case(name: &str, index: usize) -> Value {
    let text = std::fs::read_to_string(model(name).join("texts.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    cases[index].clone()
}

fn run(command: &str, name: &str, args: &[&str], input: &str) -> (String, String, i32) {
    let dir = tempfile::tempdir().unwrap();
    let mut sensorium = sensorium(dir.path());
    sensorium
        .arg(command)
        .arg("--model")
        .arg(model(name))
        .args(args);
    let out = sensorium.write_stdin(input).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let code = out.status.code().unwrap();
    (text(out.stdout), text(out.stderr), code)
}

fn printed(command: &str, name: &str, args: &[&str], input: &str) -> String {
    let (out, err, code) = run(command, name, args, input);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    out
}

fn complaint(command: &str, name: &str, args: &[&str], expected_code: i32) -> String {
    let (out, err, code) = run(command, name, args, "");
    assert_eq!((code, out.as_str()), (expected_code, ""), "{err}");
    assert_eq!(err.trim_end().lines().count(), 1, "{err}");
    err
}

#[test]
fn a_prompt_is_gone_on_with_as_the_reference_does() {
    let case = case("ready-llama", 8);
    let prompt = case["text"].as_str().unwrap();
    let args = ["--prompt", prompt, "--max-new-tokens", "12"];
    let out = printed("generate", "ready-llama", &args, "");
    assert_eq!(out, format!("{}\n", case["expected"].as_str().unwrap()));
    let json = printed(
        "generate",
        "ready-llama",
        &[&args[..], &["--json"]].concat(),
        "",
    );
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["tokens"], case["tokens"]);
    assert_eq!(document["text"], case["expected"]);
    assert_eq!(document["finish_reason"], "length");
    assert_eq!(
        document["prompt_tokens"],
        case["prompt"].as_array().unwrap().len()
    );
    assert_eq!(document["log_probabilities"].as_array().unwrap().len(), 12);
}

#[test]
fn several_prompts_are_each_named_and_may_come_by_a_pipe() {
    let [a, b] = [0, 4].map(|index| case("ready-gpt2", index));
    let text = |case: &Value| case["text"].as_str().unwrap().to_owned();
    let input = format!("{}\n\n{}\n", text(&a), text(&b));
    let args = ["--prompt", "-", "--max-new-tokens", "12", "--json"];
    let json = printed("generate", "ready-gpt2", &args, &input);
    let document: Value = serde_json::from_str(&json).unwrap();
    for (found, expected) in document["results"].as_array().unwrap().iter().zip([&a, &b]) {
        assert_eq!(found["prompt"], expected["text"]);
        assert_eq!(found["tokens"], expected["tokens"]);
    }
    let out = printed("generate", "ready-gpt2", &args[..4], &input);
    let first = format!(
        "{}:\n{}\n",
        text(&a),
        a["expected"].as_str().unwrap().trim_end()
    );
    assert!(out.starts_with(&first), "{out}");
}

#[test]
fn what_is_drawn_depends_on_the_seed_alone() {
    let drawn = |seed: &str| {
        let args = [
            "--prompt",
            "one",
            "--temperature",
            "0.9",
            "--top-k",
            "0",
            "--seed",
            seed,
        ];
        printed("generate", "ready-gpt2", &args, "")
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
}

#[test]
fn a_talk_goes_on_with_what_was_said_before() {
    // The last of the reference's talks has a word to the model, and two turns.
    let case = case("ready-llama", 12);
    let asked = case["messages"][0]["content"].as_str().unwrap();
    let args = ["--max-new-tokens", "12"];
    let out = printed("chat", "ready-llama", &args, asked);
    assert_eq!(out, format!("{}\n", case["expected"].as_str().unwrap()));
    let answered = printed(
        "generate",
        "ready-llama",
        &[&args[..], &["--chat", "--prompt", asked]].concat(),
        "",
    );
    assert_eq!(answered, out, "one turn is what generate answers");

    let lines =
        "one\n\n/system be brief\ntwo \\\nthree\n/nothing\n/clear\n漢字\n/quit\nnever said\n";
    let (out, err, code) = run(
        "chat",
        "ready-llama",
        &[&args[..], &["--json"]].concat(),
        lines,
    );
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("/nothing is no command"), "{err}");
    let document: Value = serde_json::from_str(&out).unwrap();
    let turns = document["messages"].as_array().unwrap();
    let roles: Vec<&Value> = turns.iter().map(|turn| &turn["role"]).collect();
    assert_eq!(roles, ["system", "user", "assistant"]);
    assert_eq!(turns[0], json!({"role": "system", "content": "be brief"}));
    assert_eq!(turns[1]["content"], "漢字");
}

#[test]
fn what_cannot_be_is_told_in_one_line() {
    let long = "漢字".repeat(40);
    for (command, name, args, code, said) in [
        (
            "generate",
            "ready-gpt2",
            vec!["--prompt", &long],
            1,
            "the model reads 64 at the most: shorten it",
        ),
        (
            "generate",
            "ready-gpt2",
            vec!["--prompt", ""],
            1,
            "prompt 0 has no token",
        ),
        (
            "generate",
            "ready-gpt2",
            vec!["--prompt", "a", "--chat"],
            2,
            "has no chat template",
        ),
        ("chat", "ready-gpt2", vec![], 2, "has no chat template"),
        (
            "generate",
            "bert",
            vec!["--prompt", "a"],
            2,
            "BERT does not go on with texts",
        ),
        (
            "generate",
            "ready-gpt2",
            vec!["--prompt", "a", "--top-p", "2"],
            1,
            "top_p = 2: it must be above 0 and at most 1",
        ),
        (
            "generate",
            "ready-gpt2",
            vec!["--prompt", "a", "--beam", "0"],
            1,
            "num_beams = 0",
        ),
        (
            "generate",
            "ready-gpt2",
            vec!["--prompt", "-"],
            2,
            "standard input holds no prompt",
        ),
    ] {
        let error = complaint(command, name, &args, code);
        assert!(error.contains(said), "{args:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_stops_the_answer_and_not_the_talk() {
    let args = ["--max-new-tokens", "60"];
    let whole = printed("chat", "ready-llama", &args, "a\n");
    // Whoever is slow to interrupt comes after the answer: then the program leaves, and another try is made.
    let stopped = (0..20).any(|_| {
        let (first, second, code) = interrupted(&args);
        match code {
            Some(0) => {
                // A character that was not whole when it was stopped is none.
                let said = first.trim_end();
                let said = said.trim_end_matches(char::REPLACEMENT_CHARACTER);
                assert!(whole.starts_with(said), "{first:?} of {whole:?}");
                assert!(!second.trim().is_empty(), "the talk goes on");
                first.len() < whole.len()
            }
            code => {
                assert_eq!(code, Some(130), "as a shell knows it");
                false
            }
        }
    });
    assert!(stopped, "no answer was stopped");
}

/// A talk whose first answer is interrupted after its first piece, and which then goes on: both answers, and how it ended.
#[cfg(unix)]
fn interrupted(args: &[&str]) -> (String, String, Option<i32>) {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Command, Stdio};

    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("sensorium"))
        .current_dir(dir.path())
        .args(["--backend", "flex", "--quiet", "chat", "--model"])
        .arg(model("ready-llama"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    writeln!(input, "a").unwrap();
    let mut piece = [0; 1];
    output.read_exact(&mut piece).unwrap();
    let pid = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status();
    assert!(killed.unwrap().success());
    let mut first = piece.to_vec();
    output.read_until(b'\n', &mut first).unwrap();
    // It may have left already.
    let _ = writeln!(input, "/clear\nb");
    drop(input);
    let mut second = String::new();
    output.read_to_string(&mut second).unwrap();
    let first = String::from_utf8_lossy(&first).into_owned();
    (first, second, child.wait().unwrap().code())
}
