//! Whole transcripts, as the reference makes them; and what is refused.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{Reference, devices};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::Published;
use crate::whisper::WhisperConfig;

/// What `tools/parity/models/whisper.py` wrote.
#[derive(Deserialize)]
struct Case {
    features: String,
    language: Option<String>,
    task: String,
    timestamps: bool,
    on_previous: bool,
    log_probability: f32,
    no_speech: Option<f32>,
    /// Start, end, ids.
    segments: Vec<(f64, f64, Vec<u32>)>,
    beams: Option<usize>,
    #[serde(default)]
    length_penalty: Value,
    #[serde(default)]
    early_stopping: Value,
    /// Of each segment's half minute, the mean of the logarithms of its probabilities.
    #[serde(default)]
    means: Vec<f32>,
}

impl Case {
    fn how(&self) -> Transcribe {
        Transcribe {
            language: self.language.clone(),
            task: match self.task.as_str() {
                "translate" => Task::Translate,
                _ => Task::Transcribe,
            },
            timestamps: self.timestamps,
            on_previous: self.on_previous,
            beams: self.beams,
            fallback: Fallback {
                log_probability: Some(self.log_probability),
                no_speech: self.no_speech,
                ..Fallback::none()
            },
            seed: 0,
        }
    }

    fn settings(&self) -> WhisperGeneration {
        let mut json = settings_json();
        json["length_penalty"] = self.length_penalty.clone();
        json["early_stopping"] = self.early_stopping.clone();
        WhisperGeneration::parse(&json, 44).unwrap()
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn folder() -> PathBuf {
    fixture("ready-whisper")
}

fn transcripts() -> PathBuf {
    fixture("whisper-transcripts")
}

fn settings_json() -> Value {
    let text = std::fs::read(folder().join("generation_config.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn settings() -> WhisperGeneration {
    WhisperGeneration::parse(&settings_json(), 44).unwrap()
}

fn model(device: &Device) -> WhisperForConditionalGeneration {
    let checkpoint = Checkpoint::folder(&folder());
    let loaded = WhisperForConditionalGeneration::load(&checkpoint, device);
    loaded.expect("a checkpoint").model
}

/// Of how many cases one is asked of a device that is not the first: words are chosen on the host, and what a device gives
/// for it is compared layer by layer elsewhere.
const SOME: usize = 6;

/// Compares what is made of every case of a file with what the reference made of it; says how many there are.
fn check_transcripts(file: &str) -> usize {
    let text = std::fs::read(transcripts().join(file)).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&text).unwrap();
    let reference = Reference::open(&transcripts());
    for (place, device) in devices().into_iter().enumerate() {
        let model = model(&device);
        let every = if place == 0 { 1 } else { SOME };
        for (i, case) in cases.iter().enumerate().skip(place).step_by(every) {
            let settings = case.settings();
            let transcriber = Transcriber::new(&model, &settings);
            let (shape, features) = reference.floats(&case.features);
            let recording = Recording::new(features, shape[1]);
            let mut seen = Vec::new();
            let transcript = transcriber
                .transcribe(recording, &case.how(), |segment, _| {
                    seen.push(segment.clone());
                })
                .unwrap();
            assert_eq!(transcript.segments, seen);
            let ids = seen.iter().map(|s| &s.tokens).collect::<Vec<_>>();
            let expected = case.segments.iter().map(|(_, _, t)| t).collect::<Vec<_>>();
            assert_eq!(ids, expected, "case {i}");
            for (segment, (start_s, end_s, _)) in seen.iter().zip(&case.segments) {
                assert!((segment.start_s - start_s).abs() < 1e-6, "case {i}");
                assert!((segment.end_s - end_s).abs() < 1e-6, "case {i}");
            }
            for (segment, mean) in seen.iter().zip(&case.means) {
                assert!((segment.log_probability - mean).abs() < 1e-4, "case {i}");
            }
        }
    }
    cases.len()
}

#[test]
fn parity_of_whole_transcripts() {
    assert_eq!(check_transcripts("transcripts.json"), 48);
}

#[test]
fn parity_of_whole_transcripts_by_beam_search() {
    assert_eq!(check_transcripts("beams.json"), 36);
}

fn noise(frames: usize) -> Vec<f32> {
    (0..frames * 6)
        .map(|i| ((i * i) as f32 * 0.7).sin() * 2.0)
        .collect()
}

#[test]
fn what_is_unlikely_is_drawn_again_and_the_same_from_the_same_seed() {
    let (settings, device) = (settings(), devices().remove(0));
    let model = model(&device);
    let transcriber = Transcriber::new(&model, &settings);
    let features = noise(48);
    let drawn = |seed: u64| {
        let how = Transcribe {
            seed,
            language: Some("en".to_owned()),
            fallback: Fallback {
                temperatures: vec![0.0, 0.5, 1.0],
                log_probability: Some(0.0), // nothing is so likely
                ..Fallback::none()
            },
            ..Transcribe::default()
        };
        let recording = Recording::new(&features, 6);
        transcriber.transcribe(recording, &how, |_, _| {}).unwrap()
    };
    let once = drawn(1);
    assert!(
        once.segments
            .iter()
            .all(|s| (s.temperature - 1.0).abs() < 1e-6)
    );
    assert_eq!(once, drawn(1));
    assert!((2..9).any(|seed| drawn(seed).tokens() != once.tokens()));
}

/// Ways in which recordings are transcribed side by side: the likeliest words, beams that read what was said before, and
/// tries at higher temperatures, which some half minutes need and others do not.
fn ways() -> [Transcribe; 3] {
    let plain = Transcribe {
        timestamps: true,
        fallback: Fallback::none(),
        ..Transcribe::default()
    };
    let beams = Transcribe {
        beams: Some(3),
        on_previous: true,
        ..plain.clone()
    };
    let again = Transcribe {
        fallback: Fallback {
            temperatures: vec![0.0, 0.5, 1.0],
            log_probability: Some(-1.2),
            compression_ratio: Some(1.0),
            ..Fallback::none()
        },
        ..plain.clone()
    };
    [plain, beams, again]
}

#[test]
fn recordings_side_by_side_are_as_each_alone() {
    let (reference, settings) = (Reference::open(&transcripts()), settings());
    for (place, device) in devices().into_iter().enumerate() {
        let model = model(&device);
        let transcriber = Transcriber::new(&model, &settings);
        let names = (0..4).map(|i| format!("features.{i}"));
        let features: Vec<&[f32]> = names.map(|name| reference.floats(&name).1).collect();
        let recordings = features.iter().map(|features| Recording::new(features, 6));
        let short = Recording::new(features[3], 6).with_frames(11);
        let recordings: Vec<Recording<'_>> = recordings.chain([short]).collect();
        // All ways on the first device, one on each other.
        let ways = ways().into_iter().enumerate();
        for (_, how) in ways.filter(|(way, _)| place == 0 || *way == place) {
            let alone = |recording: &Recording<'_>| {
                transcriber.transcribe(*recording, &how, |_, _| {}).unwrap()
            };
            let alone: Vec<Transcript> = recordings.iter().map(alone).collect();
            let start = |recording: &Recording<'_>| transcriber.start(*recording, &how).unwrap();
            let mut courses: Vec<Course> = recordings.iter().map(start).collect();
            let mut shown = vec![0; courses.len()];
            while courses.iter().any(|course| !course.is_done()) {
                let rows = recordings.iter().copied().zip(&mut courses).enumerate();
                let going = rows.filter(|(_, (_, course))| !course.is_done());
                let (places, mut rows): (Vec<usize>, Vec<_>) = going.unzip();
                let round = transcriber.round(&mut rows, &how, |row, _, _| shown[places[row]] += 1);
                round.unwrap();
            }
            for (i, (course, alone)) in courses.iter().zip(&alone).enumerate() {
                let found = course.transcript();
                assert_eq!(found.language, alone.language);
                assert_eq!(found.tokens(), alone.tokens(), "recording {i}, {how:?}");
                assert_eq!(shown[i], alone.segments.len());
                for (found, alone) in found.segments.iter().zip(&alone.segments) {
                    assert!((found.log_probability - alone.log_probability).abs() < 1e-4);
                    let silence = [found, alone].map(|segment| segment.no_speech.unwrap());
                    assert!((silence[0] - silence[1]).abs() < 1e-4);
                    let (times, expected) =
                        ((found.start_s, found.end_s), (alone.start_s, alone.end_s));
                    assert_eq!(times, expected);
                    assert!((found.temperature - alone.temperature).abs() < 1e-6);
                }
            }
            let temperatures = alone.iter().flat_map(|one| &one.segments);
            let again = temperatures.filter(|s| s.temperature > 0.0).count();
            assert_eq!(again > 0, how.fallback != Fallback::none());
        }
    }
}

#[test]
fn silence_after_a_recording_is_not_transcribed() {
    let (settings, device) = (settings(), devices().remove(0));
    let model = model(&device);
    let transcriber = Transcriber::new(&model, &settings);
    let features = noise(96);
    let how = Transcribe {
        timestamps: true,
        fallback: Fallback::none(),
        ..Transcribe::default()
    };
    let mut last = 0;
    let recording = Recording::new(&features, 6).with_frames(30);
    assert_eq!(recording.frames(), 30);
    let said = transcriber.transcribe(recording, &how, |_, frames| last = frames);
    assert!(!said.unwrap().segments.is_empty());
    assert_eq!(last, 30);
}

#[test]
fn what_a_model_cannot_do_is_said_before_it_is_tried() {
    let device = devices().remove(0);
    let model = model(&device);
    let features = noise(48);
    let check = |change: fn(&mut Value), how: Transcribe, frames: usize, expected: &str| {
        let mut json = settings_json();
        change(&mut json);
        let settings = WhisperGeneration::parse(&json, 44).unwrap();
        let recording = Recording::new(&features[..frames * 6], 6);
        let transcriber = Transcriber::new(&model, &settings);
        let error = transcriber
            .transcribe(recording, &how, |_, _| {})
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    let spoken = |language: &str| Transcribe {
        language: Some(language.to_owned()),
        ..Transcribe::default()
    };
    check(
        |_| {},
        spoken("fr"),
        24,
        "lang_to_id: `fr` is none of the model's languages: de, en",
    );
    let english = |json: &mut Value| json["is_multilingual"] = json!(false);
    check(
        english,
        spoken("de"),
        24,
        "the model knows English alone, not `de`",
    );
    let translate = Transcribe {
        task: Task::Translate,
        ..Transcribe::default()
    };
    check(english, translate.clone(), 24, "it does not translate");
    let no_task = |json: &mut Value| json["task_to_id"] = json!({});
    check(no_task, translate, 24, "task_to_id: has no `translate`");
    let timeless = |json: &mut Value| json["no_timestamps_token_id"] = json!(null);
    check(
        timeless,
        spoken("en"),
        48,
        "without times only half a minute can be transcribed",
    );
}

#[test]
fn a_model_without_room_for_a_text_is_refused() {
    let (settings, device) = (settings(), devices().remove(0));
    let config = |positions| WhisperConfig {
        vocab_size: 44,
        max_target_positions: positions,
        ..WhisperConfig::debug()
    };
    let features = noise(60);
    let how = Transcribe {
        on_previous: true,
        fallback: Fallback::none(),
        ..Transcribe::default()
    };
    let transcribe = |positions| {
        let model = config(positions).init_generation(&device);
        let transcriber = Transcriber::new(&model, &settings);
        transcriber.transcribe(Recording::new(&features, 6), &how, |_, _| {})
    };
    let told = transcribe(6).unwrap_err().to_string();
    assert!(
        told.contains("max_target_positions: 6 must be at least 7"),
        "{told}"
    );
    assert!(transcribe(7).is_ok());
}

#[test]
fn settings_that_name_ids_that_are_none_are_refused_by_key() {
    for (key, value) in [
        ("decoder_start_token_id", json!(44)),
        ("eos_token_id", json!([20, 99])),
        ("eos_token_id", json!([])),
        ("eos_token_id", json!(vec![20; 100_000])),
        ("suppress_tokens", json!([-1])),
        ("begin_suppress_tokens", json!([1 << 20])),
        ("no_timestamps_token_id", json!(0)),
        ("no_timestamps_token_id", json!(44)),
        ("lang_to_id", json!({"<|en|>": 50})),
        ("task_to_id", json!({"transcribe": 50})),
        ("prev_sot_token_id", json!(50)),
        ("max_length", json!("long")),
        ("num_beams", json!(0)),
        ("num_beams", json!(1_000_000_000)),
        ("length_penalty", json!(1e300)),
        ("early_stopping", json!("soon")),
    ] {
        let mut json = settings_json();
        json[key] = value;
        let error = WhisperGeneration::parse(&json, 44).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("generation_config.json: {key}")),
            "{error}"
        );
    }
    let spoken = settings();
    assert_eq!(spoken.language("EN").unwrap(), 22);
    assert_eq!(spoken.language_name(23), Some("de"));
}
