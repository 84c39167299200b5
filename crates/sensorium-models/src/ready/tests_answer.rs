//! Talks about pictures are answered as Transformers answers them, from files to text.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_decode::{Chat, Generation, Message, Part};
use sensorium_hub::Checkpoint;
use sensorium_testkit::devices;
use serde::Deserialize;

use super::{Answerer, Memory, Question};

const NAMES: [&str; 3] = ["ready-idefics3", "ready-llava", "ready-qwen2-5-vl"];

fn folder(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(name)
}

fn open(name: &str, device: &Device) -> Answerer {
    Answerer::open(&Checkpoint::folder(&folder(name)), device).unwrap()
}

fn picture(name: &str) -> Source {
    let folder = folder("../../../sensorium-vision/tests/fixtures/published-cut/pictures");
    Source::path(folder.join(format!("{name}.png")))
}

#[derive(Deserialize)]
struct Case {
    pictures: Vec<String>,
    messages: Vec<Turn>,
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    expected: String,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Image,
    Text { text: String },
}

impl Case {
    fn question(&self, model: &Answerer) -> Question {
        let part = |said: &Said| match said {
            Said::Image => Part::Image,
            Said::Text { text } => Part::Text(text.clone()),
        };
        let turn = |turn: &Turn| {
            let parts = turn.content.iter().map(part).collect();
            Message::of_parts(&turn.role, parts)
        };
        let turns: Vec<Message> = self.messages.iter().map(turn).collect();
        let pictures = self
            .pictures
            .iter()
            .map(|name| model.picture(&picture(name)));
        let pictures = pictures.collect::<Result<_, _>>().unwrap();
        model.talk(&Chat::of(&turns), pictures).unwrap()
    }
}

fn cases(name: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(folder(name).join("talks.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn how(model: &Answerer) -> Generation {
    Generation {
        max_new_tokens: Some(12),
        ..model.generation().clone()
    }
}

#[test]
fn parity_of_talks_about_pictures_alone_and_side_by_side() {
    for device in devices() {
        for name in NAMES {
            let model = open(name, &device);
            assert!(model.talks());
            let cases = cases(name);
            assert_eq!(cases.len(), 3);
            let questions: Vec<Question> = cases.iter().map(|case| case.question(&model)).collect();
            for (case, question) in cases.iter().zip(&questions) {
                assert_eq!(question.tokens, case.prompt, "{name}");
            }
            let alone = questions.chunks(1);
            for group in alone.chain([questions.as_slice()]) {
                let mut heard = vec![String::new(); group.len()];
                let on_text = |i: usize, piece: &str| {
                    heard[i].push_str(piece);
                    ControlFlow::Continue(())
                };
                let answers = model.answer(group, &how(&model), 0, on_text).unwrap();
                for (i, (question, answer)) in group.iter().zip(&answers).enumerate() {
                    let case = cases.iter().find(|case| case.prompt == question.tokens);
                    let case = case.expect("a case");
                    assert_eq!(answer.tokens, case.tokens, "{name}");
                    assert_eq!(answer.text, case.expected, "{name}");
                    assert_eq!(heard[i], answer.text, "{name}");
                }
            }
        }
    }
}

#[test]
fn a_text_alone_is_a_part_and_a_prompt_has_placeholders() {
    let device = &devices()[0];
    for name in NAMES {
        let model = open(name, device);
        let text = Message::new("user", "what is it?");
        let part = Message::of_parts("user", vec![Part::Text("what is it?".to_owned())]);
        let [text, part] = [text, part].map(|turn| model.talk(&Chat::of(&[turn]), vec![]).unwrap());
        assert_eq!(text, part);
        let picture = model.picture(&picture("odd")).unwrap();
        let prompt = format!("{} what?", model.placeholder());
        let question = model.prompt(&prompt, vec![picture.clone()]).unwrap();
        let stop = |_, _: &str| ControlFlow::Break(());
        let answers = model.answer(&[question], &how(&model), 0, stop).unwrap();
        assert_eq!(answers[0].tokens.len(), 1);
        let error = model.prompt("none", vec![picture]).unwrap_err().to_string();
        let told = format!(
            "places for images in the prompt ({}): 0; images given: 1",
            model.placeholder()
        );
        assert!(error.contains(&told), "{error}");
    }
}

#[test]
fn other_models_and_those_that_do_not_talk_are_told_so() {
    let device = &devices()[0];
    let llama = Answerer::open(&Checkpoint::folder(&folder("ready-llama")), device);
    let message = llama.unwrap_err().to_string();
    assert!(
        message.ends_with(
            "Llama does not read text with images in it; Idefics3, SmolVLM, LLaVA and Qwen2.5-VL do"
        ),
        "{message}"
    );

    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder("ready-llava")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("chat_template.jinja") {
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let checkpoint = Checkpoint::folder(copy.path());
    let model = Answerer::open(&checkpoint, device).unwrap();
    assert!(!model.talks());
    let talk = [Message::new("user", "hello")];
    let message = model
        .talk(&Chat::of(&talk), vec![])
        .unwrap_err()
        .to_string();
    assert!(message.contains("has no chat template"), "{message}");
    // As older checkpoints have it.
    let template =
        r#"{"chat_template": "{% for m in messages %}{{ m.content[0].text }}{% endfor %}"}"#;
    std::fs::write(copy.path().join("chat_template.json"), template).unwrap();
    let model = Answerer::open(&checkpoint, device).unwrap();
    let question = model.talk(&Chat::of(&talk), vec![]).unwrap();
    assert_eq!(question, model.prompt("hello", vec![]).unwrap());
    std::fs::write(copy.path().join("chat_template.json"), "[1]").unwrap();
    let message = Answerer::open(&checkpoint, device).unwrap_err().to_string();
    assert!(message.contains("chat_template.json"), "{message}");
}

#[test]
fn a_talk_about_pictures_is_gone_on_with_from_what_was_seen() {
    for device in devices() {
        for name in NAMES {
            let model = open(name, &device);
            let how = Generation {
                eos_token_id: Vec::new(),
                ..how(&model)
            };
            let mut memory = Memory::default();
            let ask = |memory: &mut Memory, tokens: Vec<u32>, names: &[&str]| {
                let pictures = names.iter().map(|name| model.picture(&picture(name)));
                let pictures = pictures.collect::<Result<Vec<_>, _>>().unwrap();
                let question = Question { tokens, pictures };
                let listen = |_, _: &str| ControlFlow::Continue(());
                let expected = model.answer(std::slice::from_ref(&question), &how, 0, listen);
                let expected = expected.unwrap().remove(0);
                let listen = |_: &str| ControlFlow::Continue(());
                let found = model.answer_on(memory, question, &how, 0, listen).unwrap();
                assert_eq!(found.tokens, expected.tokens, "{name}");
                let pairs = found.log_probabilities.iter();
                for (found, expected) in pairs.zip(&expected.log_probabilities) {
                    assert!(
                        (found - expected).abs() < 1e-4,
                        "{name}: {found} {expected}"
                    );
                }
                found.tokens
            };
            let tokens = |text: &str, names: &[&str]| {
                let pictures = names.iter().map(|name| model.picture(&picture(name)));
                let pictures = pictures.collect::<Result<_, _>>().unwrap();
                model.prompt(text, pictures).unwrap().tokens
            };
            let place = model.placeholder();
            let first = tokens(&format!("look: {place} what is it?"), &["odd"]);
            let said = ask(&mut memory, first.clone(), &["odd"]);
            assert_eq!(memory.read(), first.len());
            // Words alone, and then another picture.
            let more = tokens(" where?", &[]);
            let second = [&first[..], &said, &more].concat();
            let said = ask(&mut memory, second.clone(), &["odd"]);
            assert_eq!(memory.read(), 1 + more.len(), "{name}");
            let shown = tokens(&format!(" and {place} this?"), &["square"]);
            let third = [&second[..], &said, &shown].concat();
            ask(&mut memory, third.clone(), &["odd", "square"]);
            assert_eq!(memory.read(), 1 + shown.len(), "{name}");
            // The second picture is another, so that all from its first place on is read anew.
            let other = tokens(&format!(" and {place} this?"), &["odd"]);
            let changed = [&second[..], &said, &other].concat();
            ask(&mut memory, changed.clone(), &["odd", "odd"]);
            let image = model.prompt(place, vec![model.picture(&picture("odd")).unwrap()]);
            let image = image.unwrap().tokens;
            assert!(memory.read() > 1 && memory.read() <= other.len(), "{name}");
            assert!(
                memory.read() >= image.len() / 2,
                "{name}: the picture is read"
            );
            // The first is another: from its first place on.
            let begun = tokens(&format!("look: {place} what is it?"), &["square"]);
            ask(&mut memory, begun.clone(), &["square"]);
            assert!(
                memory.read() > begun.len() / 2 && memory.read() < begun.len(),
                "{name}"
            );
        }
    }
}
