//! Whisper tiny, timed part by part on each device: the features of 11 s, the encoder's half minute, and words a second.
//!
//! `tools/peer/whisper.py` runs it beside PyTorch: `whisper FOLDER RECORDING` loads a checkpoint instead of drawing one,
//! writes the recording down, likeliest words first, and prints a line of JSON. Results are read back inside the timed
//! region, so that no device is still at work when the clock stops.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_audio::{AudioBatch, WhisperConfig as MelConfig, WhisperMel};
use sensorium_core::{Encoder, Source};
use sensorium_hub::Checkpoint;
use sensorium_models::Published;
use sensorium_models::ready::SpeechToText;
use sensorium_models::whisper::generate::{Fallback, Transcribe};
use sensorium_models::whisper::{WhisperConfig, WhisperForConditionalGeneration};

/// Of each part; the median counts.
const ROUNDS: usize = 5;
/// Steps of one token each, after the prompt.
const STEPS: usize = 100;
const PROMPT: [i32; 4] = [50258, 50259, 50359, 50363];

/// The median time of a job that was done once before, in seconds.
fn median_s(mut job: impl FnMut()) -> f64 {
    job();
    let mut times = [0.0; ROUNDS];
    for time in &mut times {
        let start = Instant::now();
        job();
        *time = start.elapsed().as_secs_f64();
    }
    times.sort_unstable_by(f64::total_cmp);
    times[ROUNDS / 2]
}

/// Eleven seconds of something like speech.
fn sound() -> Vec<f32> {
    let sample = |i: u32| {
        let t = f64::from(i) / 16_000.0;
        (0.3 * (t * 900.0).sin() * (t * 11.0).sin() + 0.1 * (t * 5000.0).cos()) as f32
    };
    (0..11 * 16_000).map(sample).collect()
}

fn features_s(mel: &WhisperMel) -> f64 {
    let sound = sound();
    median_s(|| {
        black_box(mel.compute(&sound));
    })
}

/// Seconds for the encoder, and for a step of the decoder.
fn model_s(model: &WhisperForConditionalGeneration, mel: &WhisperMel, device: &Device) -> [f64; 2] {
    let encoder = &model.model.encoder;
    let shape = [1, encoder.n_frames(), mel.config().feature_size];
    let features = TensorData::new(mel.compute(&sound()), shape);
    let batch = AudioBatch::dense(Tensor::from_data(features, device));
    let encode_s = median_s(|| {
        black_box(encoder.encode(batch.clone()).embeds.into_data());
    });
    let heard = encoder.encode(batch).embeds;
    let decode_s = median_s(|| {
        let mut cache = model.begin(&heard);
        let mut ids: Tensor<2, Int> = Tensor::from_data([PROMPT], device);
        for _ in 0..STEPS {
            let likeliest = model.next(ids, &mut cache).argmax(1).into_data();
            ids = Tensor::from_data(likeliest, device);
        }
    });
    [encode_s, decode_s / STEPS as f64]
}

fn drawn(device: &Device) {
    let mel = WhisperMel::new(MelConfig::new(80)).expect("it is sound");
    let model = WhisperConfig::tiny().init_generation(device);
    let [encode_s, step_s] = model_s(&model, &mel, device);
    println!(
        "whisper-tiny/{device:?}: features of 11 s {:.1} ms, encoder {:.0} ms, {:.0} words/s",
        1e3 * features_s(&mel),
        1e3 * encode_s,
        1.0 / step_s
    );
}

fn loaded(folder: &Path, recording: &Path, device: &Device) {
    let checkpoint = Checkpoint::folder(folder);
    let model = WhisperForConditionalGeneration::load(&checkpoint, device).expect("a Whisper");
    let mel = WhisperMel::new(MelConfig::new(model.config.n_mels)).expect("it is sound");
    let [encode_s, step_s] = model_s(&model.model, &mel, device);
    drop(model);

    let speech = SpeechToText::open(&checkpoint, device).expect("a whole checkpoint");
    let prepared = speech.prepare(&Source::path(recording));
    let prepared = prepared.expect("a recording");
    let how = Transcribe {
        language: Some("en".to_owned()),
        fallback: Fallback::none(),
        ..Transcribe::default()
    };
    let mut ids = Vec::new();
    let transcribe_s = median_s(|| {
        let said = speech.transcribe(&prepared, &how, |_, _| {});
        let said = said.expect("a transcript").segments;
        ids = said.into_iter().flat_map(|s| s.segment.tokens).collect();
    });
    let found = serde_json::json!({
        "device": format!("{device:?}"),
        "features_s": features_s(&mel),
        "encode_s": encode_s,
        "step_s": step_s,
        "transcribe_s": transcribe_s,
        "ids": ids,
    });
    println!("{found}");
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let paths: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    for device in sensorium_testkit::devices() {
        match paths[..] {
            [folder, recording] => loaded(folder.as_ref(), recording.as_ref(), &device),
            _ => drawn(&device),
        }
    }
}
