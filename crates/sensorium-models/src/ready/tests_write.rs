//! Prompts and talks are gone on with as Transformers goes on with them, from files to text.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_decode::{Chat, Finish, Generation, Message};
use sensorium_hub::Checkpoint;
use sensorium_testkit::devices;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Memory, Writer, Written};

fn folder(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(name)
}

fn open(name: &str, device: &Device) -> Writer {
    Writer::open(&Checkpoint::folder(&folder(name)), device).unwrap()
}

#[derive(Deserialize)]
struct Case {
    text: Option<String>,
    #[serde(default)]
    messages: Vec<Map<String, Value>>,
    settings: Value,
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    expected: String,
}

impl Case {
    /// What the reference was asked for.
    fn how(&self, writer: &Writer) -> Generation {
        let how = Generation::from_json(&self.settings.to_string()).unwrap();
        Generation {
            eos_token_id: writer.generation().eos_token_id.clone(),
            ..how
        }
    }

    fn read(&self, writer: &Writer) -> Vec<u32> {
        if let Some(text) = &self.text {
            return writer.prompt(text).unwrap();
        }
        let messages: Vec<Message> = self
            .messages
            .iter()
            .map(|m| Message::new(m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
            .collect();
        writer.talk(&Chat::of(&messages)).unwrap()
    }
}

fn cases(name: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(folder(name).join("texts.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn parity_of_texts_from_files_on() {
    for device in devices() {
        for (name, count) in [("ready-llama", 20), ("ready-gpt2", 12)] {
            let writer = open(name, &device);
            let cases = cases(name);
            assert_eq!(cases.len(), count);
            for case in cases {
                let prompt = case.read(&writer);
                assert_eq!(prompt, case.prompt, "{name}: {:?}", case.text);
                let how = case.how(&writer);
                let mut pieces = String::new();
                let written = writer.write(&[prompt], &how, 0, |_, piece| {
                    pieces.push_str(piece);
                    ControlFlow::Continue(())
                });
                let written = written.unwrap().remove(0);
                assert_eq!(written.tokens, case.tokens, "{name}: {}", case.settings);
                assert_eq!(written.text, case.expected);
                assert_eq!(written.text, pieces, "what comes is what there is");
            }
        }
    }
}

#[test]
fn side_by_side_is_each_alone_drawn_or_not() {
    for device in devices() {
        let writer = open("ready-llama", &device);
        let texts = ["the red cat", "one", "漢字 and a rocket flies over the mat"];
        let prompts = texts.map(|text| writer.prompt(text).unwrap());
        for how in [Generation::sampled(0.9), Generation::default()] {
            let how = Generation {
                max_new_tokens: Some(10),
                eos_token_id: writer.generation().eos_token_id.clone(),
                ..how
            };
            let run = |prompts: &[Vec<u32>], seed| {
                let go_on = |_, _: &str| ControlFlow::Continue(());
                writer.write(prompts, &how, seed, go_on).unwrap()
            };
            let together = run(&prompts, 4);
            for (prompt, together) in prompts.iter().zip(&together) {
                let alone = run(std::slice::from_ref(prompt), 4).remove(0);
                assert_eq!(alone.tokens, together.tokens);
                assert_eq!(alone.text, together.text);
            }
            if how.sample {
                assert_ne!(run(&prompts, 5), together, "another seed");
            }
        }
    }
}

#[test]
fn a_short_prompt_has_its_room_beside_one_that_almost_fills_the_model() {
    for device in devices() {
        for name in ["ready-llama", "ready-gpt2"] {
            let writer = open(name, &device);
            let how = Generation {
                max_new_tokens: Some(50),
                ..Generation::default()
            };
            let long = writer.prompt("one two three ").unwrap();
            let long: Vec<u32> = long
                .into_iter()
                .cycle()
                .take(writer.max_tokens() - 3)
                .collect();
            let short = writer.prompt("the red cat").unwrap();
            let run = |prompts: &[Vec<u32>]| {
                let go_on = |_, _: &str| ControlFlow::Continue(());
                let written = writer.write(prompts, &how, 0, go_on).unwrap();
                written
                    .into_iter()
                    .map(|one| one.tokens)
                    .collect::<Vec<_>>()
            };
            let together = run(&[long, short.clone()]);
            assert_eq!(together[0].len(), 3, "{name}");
            assert_eq!(together[1..], run(&[short]), "{name}");
            assert_eq!(together[1].len(), 50, "{name}");
        }
    }
}

#[test]
fn a_text_stops_where_it_is_asked_to() {
    let device = devices().remove(0);
    let writer = open("ready-gpt2", &device);
    let case = &cases("ready-gpt2")[0];
    let how = case.how(&writer);
    let chars: Vec<char> = case.expected.chars().collect();
    let stop: String = chars[3..5].iter().collect();
    let before = case.expected.split(&stop).next().unwrap();
    let stopping = Generation {
        stop_strings: vec![stop],
        ..how.clone()
    };
    let go_on = |_, _: &str| ControlFlow::Continue(());
    let prompts = [case.prompt.clone()];
    let written = writer
        .write(&prompts, &stopping, 0, go_on)
        .unwrap()
        .remove(0);
    assert_eq!(
        (written.text.as_str(), written.finish),
        (before, Finish::Stopped)
    );
    assert!(written.tokens.len() < case.tokens.len());
    let enough = |_, _: &str| ControlFlow::Break(());
    let written = writer.write(&prompts, &how, 0, enough).unwrap().remove(0);
    assert_eq!((written.tokens.len(), written.finish), (1, Finish::Stopped));
}

#[test]
fn what_cannot_be_written_is_told_in_one_line() {
    let device = devices().remove(0);
    let said = |result: Result<String, crate::Error>| result.unwrap_err().to_string();
    let gpt2 = open("ready-gpt2", &device);
    assert!(!gpt2.talks());
    let turns = [Message::new("user", "hello")];
    let error = said(gpt2.talk(&Chat::of(&turns)).map(|_| String::new()));
    assert!(error.contains("has no chat template"), "{error}");
    let long = vec![5; gpt2.max_tokens() + 1];
    let go_on = |_, _: &str| ControlFlow::Continue(());
    let how = Generation::default();
    let error = said(
        gpt2.write(&[vec![5], long], &how, 0, go_on)
            .map(|_| String::new()),
    );
    let expected = "prompt 1 has 65 tokens, and the model reads 64 at the most: shorten it";
    assert_eq!(error, expected);
    let bert = Checkpoint::folder(&folder("bert"));
    let error = said(Writer::open(&bert, &device).map(|_| String::new()));
    assert!(error.contains("BERT does not go on with texts"), "{error}");
}

#[test]
fn files_that_are_broken_are_named() {
    let device = devices().remove(0);
    let broken = |name: &str, text: &str| {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder("ready-llama")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        std::fs::write(copy.path().join(name), text).unwrap();
        let error = Writer::open(&Checkpoint::folder(copy.path()), &device).unwrap_err();
        error.to_string()
    };
    let error = broken("chat_template.jinja", "{% for m in %}");
    assert!(
        error.contains("chat template: ") && error.contains("default:1"),
        "{error}"
    );
    let error = broken("generation_config.json", "{\"penalty_alpha\": 0.6}");
    assert!(error.contains("penalty_alpha"), "{error}");
    let error = broken("generation_config.json", "{");
    assert!(error.contains("generation_config.json"), "{error}");
    let error = broken("tokenizer_config.json", "[");
    assert!(error.contains("tokenizer_config.json"), "{error}");
}

/// What was said after each of some prompts of one talk, and how many tokens had to be read, is held against reading all of each.
fn assert_read_on(
    writer: &Writer,
    memory: &mut Memory,
    prompt: &[u32],
    how: &Generation,
) -> Written {
    let expected = writer.write(&[prompt.to_vec()], how, 0, |_, _| ControlFlow::Continue(()));
    let expected = expected.unwrap().remove(0);
    let go_on = |_: &str| ControlFlow::Continue(());
    let found = writer.write_on(memory, prompt, how, 0, go_on).unwrap();
    assert_eq!(
        (&found.tokens, &found.text),
        (&expected.tokens, &expected.text)
    );
    let (found_p, expected_p) = (&found.log_probabilities, &expected.log_probabilities);
    for (found, expected) in found_p.iter().zip(expected_p) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    found
}

#[test]
fn a_talk_is_gone_on_with_from_what_was_said() {
    for device in devices() {
        for name in ["ready-llama", "ready-gpt2"] {
            let writer = open(name, &device);
            let how = Generation {
                max_new_tokens: Some(6),
                eos_token_id: Vec::new(),
                ..Generation::default()
            };
            let mut memory = Memory::default();
            let first = writer.prompt("two of them went up the hill").unwrap();
            let said = assert_read_on(&writer, &mut memory, &first, &how);
            assert_eq!(memory.read(), first.len(), "nothing was kept");
            // The last token that was said has not been read.
            let more = writer.prompt("and down").unwrap();
            let second = [&first[..], &said.tokens, &more].concat();
            let said = assert_read_on(&writer, &mut memory, &second, &how);
            assert_eq!(memory.read(), 1 + more.len());
            // What was said before is told otherwise.
            let other = [&first[..], &said.tokens[..1], &more, &first].concat();
            let alike = second
                .iter()
                .zip(&other)
                .take_while(|(a, b)| a == b)
                .count();
            assert_read_on(&writer, &mut memory, &other, &how);
            assert_eq!(memory.read(), other.len() - alike);
            // The same again: what is next has to be asked.
            assert_read_on(&writer, &mut memory, &other, &how);
            assert_eq!(memory.read(), 1);
            // Beams go several ways; the prompt is kept.
            let beams = Generation {
                num_beams: 3,
                ..how.clone()
            };
            assert_read_on(&writer, &mut memory, &other, &beams);
            let last = [&other[..], &more].concat();
            assert_read_on(&writer, &mut memory, &last, &how);
            assert_eq!(memory.read(), more.len());
            // An answer that is stopped.
            let stop = |_: &str| ControlFlow::Break(());
            let stopped = writer.write_on(&mut memory, &last, &how, 0, stop).unwrap();
            assert_eq!(stopped.tokens.len(), 1);
            let on = [&last[..], &stopped.tokens, &more].concat();
            assert_read_on(&writer, &mut memory, &on, &how);
            assert_eq!(memory.read(), 1 + more.len());
            // What cannot be read leaves what was kept.
            let long = vec![1; writer.max_tokens() + 1];
            let go_on = |_: &str| ControlFlow::Continue(());
            let error = writer
                .write_on(&mut memory, &long, &how, 0, go_on)
                .unwrap_err();
            assert!(error.to_string().contains("at the most"), "{error}");
            assert_read_on(&writer, &mut memory, &on, &how);
            assert_eq!(memory.read(), 1);
        }
    }
}
