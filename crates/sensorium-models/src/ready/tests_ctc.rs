//! From recordings to what Transformers' pipeline writes down of them with wav2vec 2.0.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{Reference, assert_close, devices};
use serde::Deserialize;

use super::{Classifier, CtcToText, Said, SoundEmbedder, SpeechToText, Windows};
use crate::ctc::Search;
use crate::whisper::generate::{Task, Transcribe};

/// What `tools/parity/models/wav2vec2.py` wrote of a file, heard whole or in windows.
#[derive(Deserialize)]
struct Written {
    /// 0 for the whole.
    window_s: f64,
    shares_s: [f64; 2],
    text: String,
    words: Vec<(String, f64, f64)>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn checkpoint() -> Checkpoint {
    Checkpoint::folder(&fixtures().join("ready-wav2vec2"))
}

fn recording(name: &str) -> Source {
    Source::path(fixtures().join("ready-wav2vec2").join(name))
}

fn written() -> BTreeMap<String, Vec<Written>> {
    let file = fixtures().join("ready-wav2vec2/recordings.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// Words and times, as they are written down.
fn check_words(found: &[Said], expected: &[(String, f64, f64)]) {
    let texts: Vec<&str> = found.iter().map(|said| said.text.as_str()).collect();
    let words: Vec<&str> = expected.iter().map(|(word, _, _)| word.as_str()).collect();
    assert_eq!(texts, words);
    for (said, (word, start_s, end_s)) in found.iter().zip(expected) {
        let segment = &said.segment;
        assert!((segment.start_s - start_s).abs() < 1e-9, "{word}");
        assert!((segment.end_s - end_s).abs() < 1e-9, "{word}");
        assert_eq!(segment.tokens.len(), word.chars().count());
        assert!(segment.log_probability < 0.0 && segment.no_speech.is_none());
    }
}

#[test]
fn parity_of_recordings_heard_whole_and_in_windows() {
    let cases = written();
    assert_eq!(cases.values().map(Vec::len).sum::<usize>(), 8);
    for device in devices() {
        for (name, ways) in &cases {
            for way in ways {
                let mut model = CtcToText::open(&checkpoint(), &device).unwrap();
                if way.window_s > 0.0 {
                    let windows = Windows {
                        length_s: way.window_s,
                        shared_s: way.shares_s,
                    };
                    model = model.with_windows(windows).unwrap();
                }
                let speech = model.prepare(&recording(name)).unwrap();
                let mut shown = Vec::new();
                let said = model.transcribe(&speech, Search::Greedy, |said, seconds| {
                    assert!(seconds <= speech.seconds());
                    shown.push((said.clone(), seconds));
                });
                assert_eq!(said.text, way.text, "{name}, {} s", way.window_s);
                check_words(&said.segments, &way.words);
                // Each is shown once, in order; those of a long recording before all is heard.
                let told: Vec<&Said> = shown.iter().map(|(said, _)| said).collect();
                assert_eq!(told, said.segments.iter().collect::<Vec<_>>());
                let early = shown.iter().filter(|(_, s)| *s < speech.seconds()).count();
                assert_eq!(early > 0, way.window_s > 0.0 && name == "long.wav");
            }
        }
    }
}

#[test]
fn beams_find_another_text_and_when_each_of_its_words_is_said() {
    for device in devices() {
        let model = SpeechToText::open(&checkpoint(), &device).unwrap();
        let speech = model.prepare(&recording("long.wav")).unwrap();
        let said = |beams| {
            let how = Transcribe {
                beams,
                ..Transcribe::default()
            };
            model.accepts(&how).unwrap();
            let mut shown = 0;
            let said = model.transcribe(&speech, &how, |_, _| shown += 1).unwrap();
            assert_eq!(shown, said.segments.len());
            said
        };
        let greedy = said(None);
        assert_eq!(greedy, said(Some(1)));
        assert_eq!(greedy.text, written()["long.wav"][0].text);
        let beams = said(Some(16));
        assert_ne!(beams.text, greedy.text);
        let words: Vec<&str> = beams
            .segments
            .iter()
            .map(|said| said.text.as_str())
            .collect();
        let spoken: Vec<&str> = beams.text.split_whitespace().collect();
        assert_eq!(words, spoken);
        let times = beams
            .segments
            .iter()
            .flat_map(|said| [said.segment.start_s, said.segment.end_s]);
        assert!(times.collect::<Vec<_>>().is_sorted());
    }
}

#[test]
fn what_a_model_of_characters_cannot_do_is_one_line() {
    let device = Device::flex();
    let model = SpeechToText::open(&checkpoint(), &device).unwrap();
    let speech = model.prepare(&recording("short.wav")).unwrap();
    let language = Transcribe {
        language: Some("en".to_owned()),
        ..Transcribe::default()
    };
    let task = Transcribe {
        task: Task::Translate,
        ..Transcribe::default()
    };
    let previous = Transcribe {
        on_previous: true,
        ..Transcribe::default()
    };
    for (how, expected) in [
        (language, "cannot be asked for a language; Whisper can"),
        (task, "cannot be asked for a translation; Whisper can"),
        (previous, "cannot be asked for what was said before"),
    ] {
        let told = model.accepts(&how).unwrap_err().to_string();
        assert!(
            told.contains(expected) && told.contains("ready-wav2vec2"),
            "{told}"
        );
        assert!(model.transcribe(&speech, &how, |_, _| ()).is_err());
    }
    let headless = Checkpoint::folder(&fixtures().join("hubert"));
    let told = SpeechToText::open(&headless, &device)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("this HuBERT has no characters; one of a class ForCTC has"),
        "{told}"
    );
    for (length_s, shared_s) in [
        (0.5, [0.3, 0.2]),
        (1e9, [0.0; 2]),
        (f64::NAN, [0.0; 2]),
        (0.0, [0.0; 2]),
    ] {
        let model = CtcToText::open(&checkpoint(), &device).unwrap();
        let told = model
            .with_windows(Windows { length_s, shared_s })
            .unwrap_err();
        assert!(told.to_string().contains("windows: length_s:"), "{told}");
    }
}

#[test]
fn silence_and_nothing_are_written_down_as_something_or_nothing_but_never_fail() {
    let model = CtcToText::open(&checkpoint(), &Device::flex()).unwrap();
    for samples in [0, 1, 29, 30, 2000, 50_000] {
        let speech = super::PreparedSpeech::of_samples(vec![0.0; samples], 2000);
        let said = model.transcribe(&speech, Search::Greedy, |_, _| ());
        assert_eq!(said.segments.is_empty(), said.text.is_empty());
        if samples < 30 {
            assert_eq!(said.text, "");
        }
    }
}

#[test]
fn files_that_do_not_belong_to_the_model_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures().join("ready-wav2vec2")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let complaint = || {
        let checkpoint = Checkpoint::folder(folder.path());
        SpeechToText::open(&checkpoint, &Device::flex())
            .unwrap_err()
            .to_string()
    };
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "preprocessor_config.json",
        r#"{"feature_extractor_type": "WhisperFeatureExtractor"}"#,
    );
    assert!(complaint().contains("is another model's: Wav2Vec2FeatureExtractor is needed"));
    write("vocab.json", r#"{"a": 0}"#);
    assert!(complaint().contains("vocab.json: pad_token: `<pad>`, which stands for no character"));
    std::fs::remove_file(folder.path().join("vocab.json")).unwrap();
    assert!(complaint().contains("vocab.json"));
}

#[test]
fn recordings_are_embedded_and_classified_as_by_the_reference() {
    let reference = Reference::open(&fixtures().join("ready-wav2vec2"));
    let recordings = ["short.wav", "long.wav"].map(recording);
    let folder = tempfile::tempdir().unwrap();
    for (from, name) in [
        ("wav2vec2-classification", "config.json"),
        ("wav2vec2-classification", "model.safetensors"),
        ("ready-wav2vec2", "preprocessor_config.json"),
    ] {
        std::fs::copy(fixtures().join(from).join(name), folder.path().join(name)).unwrap();
    }
    for device in devices() {
        let model = SoundEmbedder::open(&checkpoint(), &device).unwrap();
        let sounds = recordings
            .each_ref()
            .map(|sound| model.prepare(sound).unwrap());
        let together = model.embed(&sounds);
        reference.check("audio_embeds", &together);
        let alone: Vec<Tensor<2>> = sounds.chunks(1).map(|one| model.embed(one)).collect();
        assert_close(&together, &Tensor::cat(alone, 0), 1e-5);

        let model = Classifier::open(&Checkpoint::folder(folder.path()), &device).unwrap();
        assert_eq!(model.labels(), ["rain", "wind", "birds"]);
        let sounds = recordings
            .each_ref()
            .map(|sound| model.prepare(sound).unwrap());
        reference.check("probabilities", &model.scores(&sounds));
    }
}
