//! Settings that cannot work are refused in one line that names file, key and what is right.

use proptest::prelude::*;

use super::SoundProcessor;
use crate::Error;

pub(super) const FILE: &str = "model/preprocessor_config.json";

/// A file of one extractor with more keys.
pub(super) fn file(kind: &str, more: &str) -> String {
    format!(r#"{{"feature_extractor_type": "{kind}FeatureExtractor"{more}}}"#)
}

fn fails(json: &str) -> String {
    match SoundProcessor::published(FILE, json) {
        Err(error @ Error::Published { .. }) => error.to_string(),
        other => panic!("{json} gives {other:?}"),
    }
}

#[test]
fn an_extractor_that_is_not_known_is_told_the_nearest() {
    let known = "WhisperFeatureExtractor, ASTFeatureExtractor, ClapFeatureExtractor, Wav2Vec2FeatureExtractor";
    for (name, nearest) in [
        ("WisperFeatureExtractor", "WhisperFeatureExtractor"),
        ("CLAPFeatureExtractor", "ClapFeatureExtractor"),
        ("Wav2VecFeatureExtractor", "Wav2Vec2FeatureExtractor"),
        ("ASTExtractor", "ASTFeatureExtractor"),
    ] {
        let message = fails(&format!(r#"{{"feature_extractor_type": "{name}"}}"#));
        let expected = format!(
            "{FILE}: feature_extractor_type: {name:?} is not known; the nearest is {nearest} (of {known})"
        );
        assert_eq!(message, expected);
    }
    assert_eq!(
        fails("{}"),
        format!("{FILE}: feature_extractor_type: is missing; write one of {known} into the file")
    );
    let long = fails(&format!(
        r#"{{"feature_extractor_type": "{}"}}"#,
        "x".repeat(1 << 20)
    ));
    assert!(long.len() < 400, "{long}");
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    let hostile = [
        "-1",
        "0",
        "1e300",
        "99999999999",
        "2.5",
        "true",
        r#""8""#,
        "[]",
        "{}",
    ];
    let keys: [(&str, &[&str]); 4] = [
        (
            "Whisper",
            &[
                "feature_size",
                "sampling_rate",
                "hop_length",
                "chunk_length",
                "n_fft",
            ],
        ),
        (
            "AST",
            &["num_mel_bins", "sampling_rate", "max_length", "std"],
        ),
        (
            "Clap",
            &[
                "feature_size",
                "sampling_rate",
                "hop_length",
                "max_length_s",
                "fft_window_size",
                "frequency_max",
            ],
        ),
        ("Wav2Vec2", &["feature_size", "sampling_rate"]),
    ];
    for (kind, keys) in keys {
        for key in keys {
            // Numbers need not be whole where they are no counts.
            let any = ["std", "frequency_max"].contains(key);
            for value in hostile.iter().filter(|v| !(any && **v == "2.5")) {
                refused(kind, key, value, key);
            }
        }
    }
}

fn refused(kind: &str, key: &str, value: &str, named: &str) {
    let message = fails(&file(kind, &format!(r#", "{key}": {value}"#)));
    let start = format!("{FILE}: {named}: ");
    assert!(
        message.starts_with(&start),
        "{kind} {key} {value}: {message}"
    );
    assert!(message.len() < 300 && !message.contains('\n'), "{message}");
}

#[test]
fn words_and_numbers_that_mean_nothing_are_refused() {
    for (kind, key, value) in [
        ("Whisper", "dither", "-0.1"),
        ("Whisper", "dither", "1e300"),
        ("Whisper", "dither", r#""none""#),
        ("Whisper", "padding_value", "1e60"),
        ("Whisper", "padding_side", r#""left""#),
        ("Whisper", "hop_length", "401"),
        ("Whisper", "hop_length", "15"),
        ("Whisper", "chunk_length", "3600"),
        ("Whisper", "return_attention_mask", "3"),
        ("AST", "mean", "1e60"),
        ("AST", "mean", "null1"),
        ("AST", "std", "-4.5"),
        ("AST", "do_normalize", "1"),
        ("Clap", "truncation", r#""fused""#),
        ("Clap", "truncation", "3"),
        ("Clap", "padding", r#""repeated""#),
        ("Clap", "fft_window_size", "1023"),
        ("Clap", "frequency_min", "14000"),
        ("Clap", "frequency_min", "-1"),
        ("Wav2Vec2", "padding_side", r#""left""#),
        ("Wav2Vec2", "padding_value", "-1e30"),
        ("Wav2Vec2", "do_normalize", r#""yes""#),
        ("Wav2Vec2", "feature_size", "2"),
    ] {
        let named = if value == "null1" { "the file" } else { key };
        refused(kind, key, value, named);
    }
    assert_eq!(
        fails(&file("Clap", r#", "truncation": "fused""#)),
        format!(r#"{FILE}: truncation: is "fused"; use "fusion" or "rand_trunc""#)
    );
    assert_eq!(
        fails(&file("Whisper", r#", "hop_length": 401"#)),
        format!("{FILE}: hop_length: 401 must be 16 to n_fft = 400")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_numbers_make_a_processor_or_an_error_that_names_its_key(
        which in 0usize..4, key in 0usize..20, value in prop_oneof![
            any::<i64>().prop_map(|v| v.to_string()),
            any::<f64>().prop_filter("JSON", |v| v.is_finite()).prop_map(|v| format!("{v:e}")),
            (0u32..70_000).prop_map(|v| v.to_string()),
        ],
    ) {
        const KEYS: [&str; 20] = [
            "feature_size", "sampling_rate", "hop_length", "chunk_length", "n_fft", "padding_value", "dither",
            "num_mel_bins", "max_length", "mean", "std", "do_normalize", "max_length_s", "fft_window_size",
            "frequency_min", "frequency_max", "truncation", "padding", "padding_side", "return_attention_mask",
        ];
        let kind = ["Whisper", "AST", "Clap", "Wav2Vec2"][which];
        let json = file(kind, &format!(r#", "{}": {value}"#, KEYS[key]));
        if let Err(error) = SoundProcessor::published(FILE, &json) {
            let message = error.to_string();
            // What is wrong may be what the value makes of another.
            let named = KEYS.iter().any(|key| message.starts_with(&format!("{FILE}: {key}: ")));
            prop_assert!(named && message.len() < 300, "{}", message);
        }
    }
}

#[test]
fn what_is_no_file_of_settings_is_refused() {
    for (json, key) in [
        ("", "the file"),
        ("[1]", "the file"),
        (&"[".repeat(100_000), "the file"),
        (r#"{"std": NaN}"#, "the file"),
        (r#"{"feature_extractor": 3}"#, "feature_extractor"),
        (r#"{"feature_extractor_type": 3}"#, "feature_extractor_type"),
        (r#"{"processor_class": []}"#, "processor_class"),
    ] {
        let message = fails(json);
        assert!(
            message.starts_with(&format!("{FILE}: {key}: ")),
            "{message}"
        );
    }
}
