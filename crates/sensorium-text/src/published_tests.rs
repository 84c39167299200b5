//! Published settings give Transformers' ids and masks, on fixtures made by tools/parity/processors.py.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_core::{Misfit, Processor, Source};
use serde_json::Value;

use crate::{Error, Side, TextBatch, TextProcessor, TextSample, TextSettings, Tokenizer, runtime};

fn device() -> Device {
    runtime::open("flex".parse().expect("a backend")).expect("a device")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published")
}

fn settings(case: &Path) -> TextSettings {
    let read = |name: &'static str| {
        let text = std::fs::read_to_string(case.join(name)).ok()?;
        Some((name, text))
    };
    let config = read("tokenizer_config.json");
    let special = read("special_tokens_map.json");
    TextSettings::from_json(
        config.as_ref().map(|(name, text)| (*name, text.as_str())),
        special.as_ref().map(|(name, text)| (*name, text.as_str())),
    )
    .expect("published settings")
}

fn numbers(value: &Value) -> Vec<i64> {
    let rows = value.as_array().expect("rows").iter();
    rows.flat_map(|row| row.as_array().expect("a row"))
        .map(|number| number.as_i64().expect("a number"))
        .collect()
}

fn batch(processor: &TextProcessor, texts: &[&str]) -> TextBatch {
    let samples: Vec<TextSample> = texts
        .iter()
        .map(|text| processor.process(&Source::text(*text)).expect("a text"))
        .collect();
    let samples: Vec<Option<&TextSample>> = samples.iter().map(Some).collect();
    processor.collate(&samples, &device())
}

fn ids(batch: &TextBatch) -> Vec<i64> {
    batch.ids.to_data().iter::<i64>().collect()
}

fn masked(batch: &TextBatch) -> Vec<bool> {
    batch.pad.to_data().iter::<bool>().collect()
}

fn equals_the_reference(case: &Path) {
    let name = case.display();
    let expected = std::fs::read(case.join("expected.json")).expect("a fixture");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let tokenizer = Tokenizer::open(&case.join("tokenizer.json")).expect("a tokenizer");
    let positions = expected["positions"].as_u64().expect("positions") as usize;
    let mut processor =
        TextProcessor::published(tokenizer, &settings(case), positions).expect("can work");
    if let Some(length) = expected["fixed"].as_u64() {
        processor = processor.with_fixed_length(length as usize);
    }
    let pad_id = u64::from(processor.tokenizer().pad_id());
    assert_eq!(Some(pad_id), expected["pad_id"].as_u64(), "{name}");
    let texts: Vec<&str> = expected["texts"]
        .as_array()
        .expect("texts")
        .iter()
        .map(|text| text.as_str().expect("a text"))
        .collect();
    let batch = batch(&processor, &texts);
    assert_eq!(ids(&batch), numbers(&expected["ids"]), "{name}");
    let mask = numbers(&expected["mask"]).into_iter();
    let mask: Vec<bool> = mask.map(|seen| seen == 0).collect();
    assert_eq!(masked(&batch), mask, "{name}");
}

#[test]
fn parity_with_transformers_of_every_setting() {
    let mut cases = 0;
    for entry in std::fs::read_dir(folder()).expect("fixtures") {
        equals_the_reference(&entry.expect("an entry").path());
        cases += 1;
    }
    assert_eq!(cases, 10);
}

fn bert() -> Tokenizer {
    Tokenizer::open(&folder().join("bert/tokenizer.json")).expect("a tokenizer")
}

#[test]
fn an_absent_text_is_masked_at_a_fixed_length_too() {
    let processor = TextProcessor::published(bert(), &TextSettings::default(), 512)
        .expect("can work")
        .with_fixed_length(6);
    assert_eq!(
        (processor.max_tokens(), processor.fixed_length()),
        (6, Some(6))
    );
    let cat = processor.process(&Source::text("the cat")).expect("a text");
    let batch = processor.collate(&[Some(&cat), None], &device());
    assert_eq!(batch.ids.dims(), [2, 6]);
    assert_eq!(
        masked(&batch),
        [[false; 6], [true; 6]].concat(),
        "nothing of a text, and all of none"
    );
}

#[test]
fn a_text_that_is_too_long_keeps_its_frame() {
    let tokenizer = bert();
    let long = "the cat sat on the mat";
    let whole = tokenizer.encode("text", long, 100).expect("a text");
    let last = whole.len() - 1;
    for length in 3..=whole.len() {
        for (side, content) in [
            (Side::Right, &whole[1..length - 1]),
            (Side::Left, &whole[whole.len() - length + 1..last]),
        ] {
            let found = tokenizer.encode_cut("text", long, length, side);
            let expected = [&whole[..1], content, &whole[last..]].concat();
            assert_eq!(found.expect("a text"), expected, "{length} {side:?}");
        }
    }
    // Where not even the frame fits, its end stays.
    for side in [Side::Left, Side::Right] {
        let cut = |length| {
            tokenizer
                .encode_cut("text", long, length, side)
                .expect("a text")
        };
        assert_eq!(cut(2), [whole[0], whole[last]]);
        assert_eq!(cut(1), [whole[last]]);
        assert!(cut(0).is_empty());
    }
}

#[test]
fn saving_keeps_the_files_own_padding_and_truncation() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = folder().join("only-tokenizer/tokenizer.json");
    let tokenizer = Tokenizer::open(&path).expect("a tokenizer");
    tokenizer.save(dir.path()).expect("can be written");
    let again = Tokenizer::open(&dir.path().join("tokenizer.json")).expect("a tokenizer");
    assert_eq!(again.file_settings(), tokenizer.file_settings());
    assert_eq!(again.file_settings().max_tokens, Some(9));
    assert_eq!(again.pad_id(), 4);
    // A length that leaves no room for the special tokens is none.
    let text = std::fs::read_to_string(&path).expect("a file");
    let text = text.replace("\"max_length\": 9", "\"max_length\": 1");
    let hostile = Tokenizer::from_bytes("hostile", text.as_bytes()).expect("a tokenizer");
    assert_eq!(hostile.file_settings().max_tokens, None);
    hostile.save(dir.path()).expect("can be written");
}

#[test]
fn special_tokens_are_told_before_texts_are_lower_cased() {
    let lower = bert().with_lower_case(true).expect("can work");
    let mask = lower.id("[MASK]").expect("a token");
    let found = lower.encode("text", "THE [MASK]", 10).expect("a text");
    assert!(found.contains(&mask), "{found:?}");
    let cased = bert().with_lower_case(false).expect("can work");
    assert_ne!(
        cased.encode("text", "THE [MASK]", 10).expect("a text"),
        found
    );
}

#[test]
fn what_cannot_work_is_refused_by_file_and_key() {
    for (json, key) in [
        ("", "the file"),
        ("[]", "the file"),
        (r#"{"model_max_length": 0}"#, "model_max_length"),
        (r#"{"model_max_length": -7}"#, "model_max_length"),
        (r#"{"model_max_length": 7.5}"#, "model_max_length"),
        (r#"{"model_max_length": "77"}"#, "model_max_length"),
        (r#"{"padding_side": "top"}"#, "padding_side"),
        (r#"{"truncation_side": 1}"#, "truncation_side"),
        (r#"{"pad_token": 0}"#, "pad_token"),
        (r#"{"pad_token": {"token": "x"}}"#, "pad_token"),
        (r#"{"do_lower_case": "no"}"#, "do_lower_case"),
        (r#"{"tokenizer_class": []}"#, "tokenizer_class"),
    ] {
        let error = TextSettings::from_json(Some(("m/tokenizer_config.json", json)), None);
        let error = error.expect_err("must be refused").to_string();
        let start = format!("m/tokenizer_config.json: {key}: ");
        assert!(error.starts_with(&start), "{error}");
    }
    let error = TextSettings::from_json(None, Some(("m/special.json", r#"{"pad_token": []}"#)));
    let error = error.expect_err("must be refused").to_string();
    assert!(error.starts_with("m/special.json: pad_token: "), "{error}");

    let strange = TextSettings {
        pad_token: Some("<nowhere>".to_owned()),
        ..TextSettings::default()
    };
    let error = TextProcessor::published(bert(), &strange, 512).expect_err("must be refused");
    assert!(matches!(
        error,
        Error::Config(Misfit {
            key: "pad_token",
            ..
        })
    ));
    let error = TextProcessor::published(bert(), &TextSettings::default(), 0);
    let error = error.expect_err("must be refused");
    assert!(matches!(
        error,
        Error::Config(Misfit {
            key: "model_max_length",
            ..
        })
    ));
}

#[test]
fn old_and_new_files_differ_in_which_pad_token_wins() {
    let special = Some(("special_tokens_map.json", r#"{"pad_token": "[MASK]"}"#));
    for (config, token) in [
        (r#"{"pad_token": "[PAD]"}"#, "[MASK]"),
        (
            r#"{"pad_token": "[PAD]", "added_tokens_decoder": {}}"#,
            "[PAD]",
        ),
        (
            r#"{"pad_token": null, "added_tokens_decoder": {}}"#,
            "[MASK]",
        ),
    ] {
        let found = TextSettings::from_json(Some(("tokenizer_config.json", config)), special);
        let found = found.expect("can work").pad_token;
        assert_eq!(found.as_deref(), Some(token), "{config}");
    }
    let endless = r#"{"model_max_length": 1000000000000000019884624838656, "tokenizer_class": "Siglip2TokenizerFast"}"#;
    let found = TextSettings::from_json(Some(("tokenizer_config.json", endless)), None);
    let expected = TextSettings {
        padding_side: Some(Side::Left),
        lower_case: Some(true),
        ..TextSettings::default()
    };
    assert_eq!(found.expect("can work"), expected);
}

#[test]
fn only_some_classes_of_tokenizers_go_by_their_file_s_case() {
    for (class, expected) in [
        ("null", Some(true)),
        (r#""BertTokenizer""#, Some(true)),
        (r#""BertTokenizerFast""#, Some(true)),
        (r#""SiglipTokenizer""#, Some(true)),
        (r#""RobertaTokenizerFast""#, None),
        (r#""CLIPTokenizer""#, None),
    ] {
        let json = format!(r#"{{"do_lower_case": true, "tokenizer_class": {class}}}"#);
        let found = TextSettings::from_json(Some(("tokenizer_config.json", &json)), None);
        assert_eq!(found.expect("can work").lower_case, expected, "{class}");
    }
}
