//! Published settings give Transformers' features, on fixtures made by tools/parity/audio/features.py.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Processor, Source};
use sensorium_testkit::{bools, devices, floats};

use super::tests_refused::{FILE, file};
use super::{SoundFeatures, SoundProcessor, SoundSample};
use crate::features::tests::{Case, cases, sound};
use crate::tests::float_wav;
use crate::{AudioBatch, Error};

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
fn parity_of_features_with_transformers() {
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
fn parity_of_waves_of_a_batch_with_transformers() {
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

#[test]
fn a_file_is_filled_to_a_chunk() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tone.wav");
    let processor = made("Whisper", "");
    let sample = processor
        .process(&Source::path(Path::new(path)))
        .expect("a sound");
    assert_eq!((sample.frames, sample.heard), (3000, 25));
}
