//! Published settings give Transformers' features, on fixtures made by tools/parity/audio/features.py.

use std::path::Path;

use burn::tensor::Device;
use proptest::prelude::*;
use sensorium_core::{Processor, Source};
use sensorium_testkit::{bools, devices, floats};

use super::{SoundFeatures, SoundProcessor, SoundSample};
use crate::features::tests::{Case, cases, sound};
use crate::tests::float_wav;
use crate::{AudioBatch, Error};

const FILE: &str = "model/preprocessor_config.json";

fn processor(case: &Case) -> SoundProcessor {
    let json = case.about["json"].to_string();
    let processor = SoundProcessor::published(FILE, &json).expect("a published file");
    assert_eq!(processor.source(), json);
    assert_eq!(
        u64::from(processor.sample_rate_hz()),
        case.about["rate"].as_u64().unwrap_or(16_000)
    );
    processor
}

/// The frames that a case kept.
fn kept(case: &Case, features: &[f32], width: usize) -> Vec<f32> {
    let frames = case.about["frames"].as_array().expect("frames");
    let row = |frame: usize| &features[frame * width..(frame + 1) * width];
    assert_eq!(features.len(), case.whole("total") * width, "{}", case.name);
    let frames = frames.iter().map(|f| f.as_u64().expect("a frame") as usize);
    frames.flat_map(row).copied().collect()
}

/// The features of a case; where the reference drew, from the same places.
fn features(case: &Case, processor: &SoundProcessor) -> Vec<f32> {
    let samples = case.sound();
    let starts: Vec<usize> = case.about["starts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|start| start.as_u64().expect("a place") as usize)
        .collect();
    match (processor.features(), starts.as_slice()) {
        (SoundFeatures::Clap(mel), [start]) if samples.len() > mel.config().n_samples() => {
            match mel.config().views() {
                1 => mel.crop(&samples, *start).features,
                // A draw of which sound to mark.
                _ => processor.prepare(&samples).features,
            }
        }
        (SoundFeatures::Clap(mel), [front, middle, back]) => {
            let starts = [*front, *middle, *back];
            mel.fuse(&mel.decibels(&samples), starts).features
        }
        (SoundFeatures::Whisper(mel), _) if case.name == "whisper-whole" => mel.whole(&samples),
        _ => processor.prepare(&samples).features,
    }
}

#[test]
fn features_are_those_of_transformers() {
    let mut count = 0;
    for start in ["whisper", "ast", "clap", "wave"] {
        for case in cases(start).iter().filter(|c| c.name != "wave-pair") {
            let processor = processor(case);
            let features = features(case, &processor);
            case.equals(&kept(case, &features, processor.width()));
            if let Some(longer) = case.about["longer"].as_bool() {
                let sample = processor.prepare(&case.sound());
                assert_eq!(sample.longer, longer, "{}", case.name);
            }
            count += 1;
        }
    }
    assert_eq!(count, 22);
}

#[test]
fn waves_of_a_batch_are_normalised_alone_and_filled() {
    let case = &cases("wave-pair")[0];
    let processor = processor(case);
    assert!(processor.return_attention_mask());
    let shifted: Vec<f32> = sound(16_000, 211).iter().map(|s| s + 0.1).collect();
    let samples = [sound(16_000, 300), shifted].map(|s| processor.prepare(&s));
    let [long, short] = &samples;
    for device in devices() {
        let batch = processor.collate(&[Some(long), Some(short), None], &device);
        assert_eq!(batch.features.dims(), [3, 300, 1]);
        case.equals(&floats(&batch.features)[..600]);
        let pad = bools(&batch.pad);
        let heard = pad.chunks(300).map(|p| p.iter().filter(|p| !**p).count());
        assert_eq!(heard.collect::<Vec<_>>(), [300, 211, 0]);
        assert!(!pad[300 + 210] && pad[300 + 211]);
    }
}

/// A file of one extractor with more keys.
fn file(kind: &str, more: &str) -> String {
    format!(r#"{{"feature_extractor_type": "{kind}FeatureExtractor"{more}}}"#)
}

fn made(kind: &str, more: &str) -> SoundProcessor {
    SoundProcessor::published(FILE, &file(kind, more)).expect("can work")
}

fn batch(processor: &SoundProcessor, samples: &[Option<&SoundSample>]) -> AudioBatch {
    let device: &Device = &devices()[0];
    processor.collate(samples, device).into()
}

#[test]
fn what_holds_sound_is_told() {
    let samples = sound(16_000, 12_100);
    for (kind, more, frames, heard) in [
        ("Whisper", r#", "chunk_length": 1"#, 100, 76),
        ("AST", r#", "max_length": 90"#, 90, 74),
        ("AST", r#", "max_length": 50"#, 50, 50),
        ("Clap", r#", "truncation": "rand_trunc""#, 1001, 1001),
        ("Wav2Vec2", "", 12_100, 12_100),
    ] {
        let processor = made(kind, more);
        let sample = processor.prepare(&samples);
        assert_eq!((sample.frames, sample.heard), (frames, heard), "{kind}");
        let AudioBatch { features, pad } = batch(&processor, &[Some(&sample), None]);
        assert_eq!(features.dims(), [2, frames, processor.width()]);
        let pad = bools(&pad);
        assert_eq!(pad.iter().position(|p| *p), Some(heard), "{kind}");
        assert!(pad[heard..].iter().all(|p| *p), "{kind}");
    }
}

#[test]
fn a_file_of_any_rate_is_prepared_from_its_start() {
    let json = file("Whisper", r#", "chunk_length": 1, "feature_size": 4"#);
    let processor = SoundProcessor::published(FILE, &json).expect("can work");
    let wav = |seconds: usize| {
        let samples = sound(8000, 8000 * seconds);
        Source::bytes("a.wav", float_wav(&samples, 8000))
    };
    let (short, long) = (wav(3), wav(30));
    let found = processor.process(&short).expect("a sound");
    assert_eq!((found.frames, found.heard), (100, 100));
    let samples = processor.samples(&long).expect("a sound");
    assert_eq!(samples.len(), 30 * 16_000);
    assert_eq!(processor.prepare(&samples), found);
    let error = processor.process(&Source::text("hello")).unwrap_err();
    assert!(matches!(error, Error::Text { .. }), "{error}");
}

#[test]
fn a_sound_is_cropped_the_same_way_each_time_and_in_any_batch() {
    let clap = made(
        "Clap",
        r#", "sampling_rate": 8000, "max_length_s": 1, "frequency_max": 4000"#,
    );
    let (long, short) = (sound(8000, 30_000), sound(8000, 4000));
    let sample = clap.prepare(&long);
    assert_eq!(sample, clap.prepare(&long));
    let other: Vec<f32> = long.iter().map(|s| s * 0.5).collect();
    // Half as loud is 6 dB less everywhere, if the crops were the same.
    let apart: Vec<f32> = sample
        .features
        .iter()
        .zip(&clap.prepare(&other).features)
        .map(|(a, b)| a - b)
        .collect();
    assert!(apart.iter().any(|d| (d - apart[0]).abs() > 1.0));
    let short = clap.prepare(&short);
    let device = &devices()[0];
    let batch = clap.collate(&[Some(&sample), None, Some(&short)], device);
    assert_eq!(batch.longer, [true, false, true]);
}

#[test]
fn files_of_whole_processors_and_old_ones_are_read() {
    let nested = format!(r#"{{"feature_extractor": {}}}"#, file("Whisper", ""));
    let old = r#"{"processor_class": "Wav2Vec2Processor", "do_normalize": false}"#;
    // What other tools wrote beside the settings; the filters are those that are computed.
    let more = r#", "mel_filters": [[0.1]], "n_samples": 480000, "nb_max_frames": 3000, "dither": 0.0,
        "hop_length": 160.0, "padding_side": "right", "return_attention_mask": null"#;
    for (json, rate, width) in [
        (nested, 16_000, 80),
        (old.to_owned(), 16_000, 1),
        (file("Whisper", more), 16_000, 80),
        (file("Clap", r#", "top_db": null"#), 48_000, 64),
    ] {
        let processor = SoundProcessor::published(FILE, &json).expect("can work");
        assert_eq!(processor.sample_rate_hz(), rate);
        assert_eq!(processor.width(), width);
        assert!(!processor.return_attention_mask());
    }
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

#[test]
fn the_reference_recording_has_the_frames_of_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tone.wav");
    let processor = made("Whisper", "");
    let sample = processor
        .process(&Source::path(Path::new(path)))
        .expect("a sound");
    assert_eq!((sample.frames, sample.heard), (3000, 25));
}
