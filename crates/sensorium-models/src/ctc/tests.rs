//! Greedy text, beams and vocabularies against the reference, and beams against all ways there are.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rand::RngExt;
use sensorium_core::seed;
use sensorium_testkit::Reference;
use serde::Deserialize;
use serde_json::{Value, json};

use super::greedy::collapse;
use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ctc")
}

/// What `tools/parity/models/ctc.py` wrote of one tokenizer.
#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, Value>,
    n_ids: usize,
    ids: Vec<Vec<u32>>,
    texts: Vec<String>,
    characters: Vec<Vec<(String, usize, usize)>>,
    words: Vec<Vec<(String, usize, usize)>>,
}

impl Case {
    fn files(&self) -> CtcFiles {
        let file = |name: &str| self.files.get(name).cloned();
        CtcFiles {
            vocab: file("vocab.json").unwrap(),
            config: file("tokenizer_config.json"),
            special: file("special_tokens_map.json"),
            added: file("added_tokens.json"),
        }
    }
}

#[test]
fn parity_of_texts_and_offsets_of_characters_and_words() {
    let json = std::fs::read(fixture().join("texts.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&json).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let vocabulary = CtcVocabulary::parse(&case.files(), case.n_ids).unwrap();
        // Where letters are made small, ours are in the pieces as well.
        let lower = case.name.starts_with("lower");
        let spans = |pieces: Vec<Piece>| -> Vec<(String, usize, usize)> {
            let span = |p: Piece| (p.text, p.frames.start, p.frames.end);
            pieces.into_iter().map(span).collect()
        };
        let cased = |pieces: &[(String, usize, usize)]| -> Vec<(String, usize, usize)> {
            let case = |text: &String| {
                if lower {
                    text.to_lowercase()
                } else {
                    text.clone()
                }
            };
            pieces.iter().map(|(t, a, b)| (case(t), *a, *b)).collect()
        };
        for (i, ids) in case.ids.iter().enumerate() {
            let name = format!("{}, {i}", case.name);
            let labels = collapse(ids.iter().copied(), &vocabulary);
            assert_eq!(vocabulary.text(&labels), case.texts[i], "{name}");
            let found = spans(vocabulary.characters(&labels));
            assert_eq!(found, cased(&case.characters[i]), "{name}");
            let words = vocabulary.words(&labels);
            for word in &words {
                let said: String = vocabulary
                    .characters(&labels[word.labels.clone()])
                    .into_iter()
                    .map(|piece| piece.text)
                    .collect();
                assert_eq!(said, word.text, "{name}");
            }
            assert_eq!(spans(words), cased(&case.words[i]), "{name}");
        }
    }
}

#[test]
fn parity_of_beams_of_every_width() {
    let reference = Reference::open(&fixture());
    for case in 0..5 {
        let (shape, logits) = reference.floats(&format!("logits.{case}"));
        let mut scores = FrameScores::new(shape[1]);
        scores.push(logits);
        for width in [1, 2, 5, 16, 64] {
            let found = beam_search(&scores, 0, width);
            let ids = found[0].labels.iter().map(|label| i64::from(label.id));
            let (_, expected) = reference.ints(&format!("beam.{case}.{width}"));
            assert_eq!(ids.collect::<Vec<_>>(), expected, "{case}, {width} beams");
            assert!(found.len() <= width);
            let likely = found.iter().map(|found| found.log_probability);
            assert!(likely.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
        }
    }
}

/// Logits of so many frames and ids, drawn.
fn drawn(frames: usize, n_ids: usize, seed: u64) -> FrameScores {
    let mut rng = seed::rng(seed, &[]);
    let mut scores = FrameScores::new(n_ids);
    for _ in 0..frames {
        let logits: Vec<f32> = (0..n_ids).map(|_| rng.random_range(-2.0..2.0)).collect();
        scores.push(&logits);
    }
    scores
}

/// A way to say a text: how likely it is, and its characters with their frames.
type OneWay = (f64, Vec<Label>);

/// Every text there is, with how likely all ways to say it are together, and the likeliest of them.
fn all_texts(scores: &FrameScores, blank: u32) -> HashMap<Vec<u32>, (f64, OneWay)> {
    let (frames, n_ids) = (scores.frames(), scores.n_ids());
    let mut texts: HashMap<Vec<u32>, (f64, OneWay)> = HashMap::new();
    for number in 0..n_ids.pow(frames as u32) {
        let ids: Vec<u32> = (0..frames)
            .map(|t| (number / n_ids.pow(t as u32) % n_ids) as u32)
            .collect();
        let likely = ids
            .iter()
            .enumerate()
            .map(|(t, id)| scores.log_probability(t, *id));
        let likely = likely.sum::<f64>().exp();
        let mut labels: Vec<Label> = Vec::new();
        for (t, id) in ids.iter().enumerate().filter(|(_, id)| **id != blank) {
            match labels.last_mut() {
                Some(last) if last.id == *id && last.frames.end == t => last.frames.end = t + 1,
                _ => labels.push(Label {
                    id: *id,
                    frames: t..t + 1,
                }),
            }
        }
        let text = labels.iter().map(|label| label.id).collect();
        let all = texts.entry(text).or_insert((0.0, (0.0, Vec::new())));
        all.0 += likely;
        if likely > all.1.0 {
            all.1 = (likely, labels);
        }
    }
    texts
}

#[test]
fn wide_beams_add_up_all_ways_to_say_a_text_and_know_the_likeliest() {
    for (frames, n_ids, blank) in [(1, 2, 0), (4, 3, 0), (5, 4, 2), (7, 3, 2), (6, 2, 1)] {
        for seed in 0..5 {
            let scores = drawn(frames, n_ids, seed);
            let texts = all_texts(&scores, blank);
            let total: f64 = texts.values().map(|(likely, _)| likely).sum();
            assert!((total - 1.0).abs() < 1e-9, "{total}");
            let found = beam_search(&scores, blank, MOST_BEAMS);
            // Texts that cannot be said in so many frames are never found.
            assert_eq!(found.len(), texts.len());
            for text in &found {
                let ids: Vec<u32> = text.labels.iter().map(|label| label.id).collect();
                let (likely, (_, labels)) = &texts[&ids];
                assert!(
                    (text.log_probability.exp() - likely).abs() < 1e-12,
                    "{ids:?}"
                );
                assert_eq!(text.labels, *labels);
            }
            let best = texts
                .values()
                .map(|(likely, _)| *likely)
                .fold(0.0, f64::max);
            assert!((found[0].log_probability.exp() - best).abs() < 1e-12);
        }
    }
}

#[test]
fn what_is_likeliest_together_need_not_be_likeliest_frame_by_frame() {
    // The blank is likeliest in both frames, and yet `a` is likelier than silence: .4·.4 + 2·.4·.6 > .6·.6
    let mut scores = FrameScores::new(2);
    scores.push(&[0.6_f32.ln(), 0.4_f32.ln(), 0.6_f32.ln(), 0.4_f32.ln()]);
    let vocabulary =
        CtcVocabulary::parse(&CtcFiles::of_vocab(json!({"<pad>": 0, "a": 1})), 2).unwrap();
    assert_eq!(
        vocabulary.text(&Search::Greedy.decode(&scores, &vocabulary)),
        ""
    );
    let labels = Search::Beams(4).decode(&scores, &vocabulary);
    assert_eq!(vocabulary.text(&labels), "a");
    let found = beam_search(&scores, 0, 4);
    assert!((found[0].log_probability.exp() - 0.64).abs() < 1e-6);
    assert!((found[1].log_probability.exp() - 0.36).abs() < 1e-6);
}

#[test]
fn no_frames_say_nothing_and_what_is_impossible_is_never_said() {
    let vocabulary =
        CtcVocabulary::parse(&CtcFiles::of_vocab(json!({"<pad>": 0, "a": 1, "b": 2})), 3).unwrap();
    let mut scores = FrameScores::new(3);
    for search in [Search::Greedy, Search::Beams(0), Search::Beams(5)] {
        assert_eq!(search.decode(&scores, &vocabulary), []);
    }
    let never = f32::NEG_INFINITY;
    scores.push(&[never, 0.0, never, 0.0, never, never, never, 1.0, never]);
    for search in [Search::Greedy, Search::Beams(1), Search::Beams(5)] {
        let labels = search.decode(&scores, &vocabulary);
        assert_eq!(vocabulary.text(&labels), "aa");
        assert_eq!(labels[1].frames, 2..3);
    }
    // Logits of any size, of which a naive sum would be infinite.
    let mut scores = FrameScores::new(3);
    scores.push(&[3e38, -3e38, 1e38]);
    let found = beam_search(&scores, 0, 4);
    assert_eq!((found[0].labels.len(), found[0].log_probability), (0, 0.0));
}

/// A `vocab.json`, a `tokenizer_config.json`, and what is said of them.
#[rustfmt::skip]
const CANNOT_WORK: [(&str, &str, &str); 12] = [
    ("[1]", "{}", "vocab.json: the file: is [1]; it must be a table"),
    (r#"{"a": -1}"#, "{}", "vocab.json: \"a\": -1 must be an id"),
    (r#"{"a": 0, "b": 1}"#, "{}", "vocab.json: pad_token: `<pad>`, which"),
    (r#"{"<pad>": 7, "b": 1}"#, "{}", "is none of the model's 2 ids"),
    (PLAIN, r#"{"pad_token": 3}"#, "tokenizer_config.json: pad_token: is 3; it must be a token"),
    (PLAIN, r#"{"do_lower_case": "yes"}"#, "do_lower_case: is \"yes\"; it must be true or"),
    (PLAIN, r#"{"replace_word_delimiter_char": 1}"#, "char: is 1; it must be a text"),
    (PLAIN, r#"{"added_tokens_decoder": {"x": {"content": "a"}}}"#, "added_tokens_decoder: is"),
    (PLAIN, r#"{"added_tokens_decoder": 5}"#, "must be a table of tokens by their ids"),
    (NESTED, "{}", "target_lang: is missing; vocab.json has a table for each of de, en"),
    (NESTED, r#"{"target_lang": "fr"}"#, "target_lang: vocab.json has no table for `fr`"),
    (PLAIN, r#"{"target_lang": 1}"#, "target_lang: is 1; it must be a language's name"),
];
const PLAIN: &str = r#"{"<pad>": 0, "a": 1}"#;
const NESTED: &str = r#"{"de": {"<pad>": 0}, "en": {"<pad>": 1}}"#;

#[test]
fn a_vocabulary_that_cannot_work_is_refused_by_file_and_key() {
    for (vocab, config, expected) in CANNOT_WORK {
        let parse = |text| serde_json::from_str::<Value>(text).unwrap();
        let files = CtcFiles {
            config: Some(parse(config)),
            ..CtcFiles::of_vocab(parse(vocab))
        };
        let error = CtcVocabulary::parse(&files, 2).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // An id beyond the model's is passed over, not made room for.
    let far = CtcFiles::of_vocab(json!({"<pad>": 0, "a": u64::MAX}));
    assert_eq!(CtcVocabulary::parse(&far, 3).unwrap().n_ids(), 3);
}
