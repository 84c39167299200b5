//! Texts are normalised as Transformers normalises them for Whisper.

use proptest::prelude::*;
use sensorium_eval::normalise::{BasicNormalizer, EnglishNormalizer};
use serde_json::Value;

const FIXTURE: &str = include_str!("fixtures/normalise.json");

/// Compares rows of a text and what becomes of it, with all that differ in one message.
fn compare(rows: &Value, least: usize, normalisers: &[&dyn Fn(&str) -> String]) {
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= least);
    let mut faults = Vec::new();
    for row in rows {
        let text = row[0].as_str().unwrap();
        for (i, normalise) in normalisers.iter().enumerate() {
            let (ours, theirs) = (normalise(text), row[i + 1].as_str().unwrap());
            if ours != theirs {
                faults.push(format!("{i}: {text:?} became {ours:?}, not {theirs:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn english_equals_the_reference() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let spelling = fixture["spelling"].to_string();
    let normaliser = EnglishNormalizer::from_json(&spelling).unwrap();
    compare(
        &fixture["english"],
        800,
        &[&|text| normaliser.normalise(text)],
    );
    let without = EnglishNormalizer::default();
    compare(
        &fixture["without_spelling"],
        5,
        &[&|text| without.normalise(text)],
    );
}

#[test]
fn basic_equals_the_reference() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let basic = BasicNormalizer::new();
    let normaliser = |diacritics, letters| {
        move |text: &str| {
            basic
                .with_remove_diacritics(diacritics)
                .with_split_letters(letters)
                .normalise(text)
        }
    };
    compare(
        &fixture["basic"],
        150,
        &[
            &normaliser(false, false),
            &normaliser(false, true),
            &normaliser(true, false),
            &normaliser(true, true),
        ],
    );
}

#[test]
fn a_table_of_spellings_must_be_one() {
    let message = EnglishNormalizer::from_json(r#"{"colour": 1}"#).unwrap_err();
    assert_eq!(
        message.to_string(),
        "a table of spellings is a JSON object of words to words, as in a Whisper's `normalizer.json`: \
         invalid type: integer `1`, expected a string at line 1 column 12"
    );
    let (from, to) = ("colour".to_owned(), "color".to_owned());
    assert_eq!(
        EnglishNormalizer::new([(from, to)]),
        EnglishNormalizer::from_json(r#"{"colour": "color"}"#).unwrap()
    );
}

proptest! {
    #[test]
    fn no_text_breaks_a_normaliser(text in "\\PC{0,40}|[0-9$¢.% ,a1s'()\\[\\]x€£٣]{0,30}") {
        let english = EnglishNormalizer::default().normalise(&text);
        prop_assert!(!english.contains("  ") && !english.contains([',', '(', '\'']));
        let basic = BasicNormalizer::new().with_split_letters(true).normalise(&text);
        prop_assert!(!basic.contains("  ") && !basic.contains([',', '.', '(']));
    }

    #[test]
    fn whole_numbers_are_read_as_they_are_spelled(thousands in 1_u32..10, hundreds in 1_u32..10, ones in 1_u32..10) {
        let word = |n: u32| ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][n as usize - 1];
        let text = format!("{} thousand {} hundred and {}", word(thousands), word(hundreds), word(ones));
        let number = (thousands * 1000 + hundreds * 100 + ones).to_string();
        prop_assert_eq!(EnglishNormalizer::default().normalise(&text), number);
    }
}
