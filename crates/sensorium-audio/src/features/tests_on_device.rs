//! Features on a device are the host's, alone and in a batch, and have gradients back to the samples.

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_testkit::{assert_close, bools, devices, floats};

use super::tests::sound;
use crate::*;

/// Equal to the host's so far.
const TOLERANCE: f32 = 1e-4;

/// Features of samples on the host.
type Host = Box<dyn Fn(&[f32]) -> Vec<f32>>;

/// What is computed on the host, and what on a device.
struct Case {
    name: &'static str,
    host: Host,
    on: Box<dyn Fn(&Device) -> DeviceMel>,
    n_mels: usize,
}

fn cases() -> Vec<Case> {
    let plain = MelConfig::new(16_000, 40);
    let whisper = WhisperConfig::new(80);
    vec![
        log_mel("plain", plain),
        log_mel(
            "odd",
            MelConfig {
                n_fft: 333,
                hop: 111,
                n_mels: 17,
                f_min: 60.0,
                f_max: 7000.0,
                scale: MelScale::Htk,
                ..plain
            },
        ),
        log_mel(
            "a hop that divides nothing",
            MelConfig {
                n_fft: 400,
                hop: 173,
                ..plain
            },
        ),
        of_whisper("whisper", whisper),
        of_whisper(
            "an odd whisper",
            WhisperConfig {
                n_fft: 301,
                hop_length: 100,
                ..whisper
            },
        ),
    ]
}

fn log_mel(name: &'static str, config: MelConfig) -> Case {
    let mel = LogMel::new(config).unwrap();
    let again = mel.clone();
    Case {
        name,
        host: Box::new(move |samples| mel.compute(samples)),
        on: Box::new(move |device| again.on(device).unwrap()),
        n_mels: config.n_mels,
    }
}

fn of_whisper(name: &'static str, config: WhisperConfig) -> Case {
    let mel = WhisperMel::new(config).unwrap();
    let again = mel.clone();
    Case {
        name,
        host: Box::new(move |samples| mel.whole(samples)),
        on: Box::new(move |device| again.on(device).unwrap()),
        n_mels: config.feature_size,
    }
}

/// Sounds in rows, with noise behind those that are shorter.
fn rows(sounds: &[Vec<f32>], device: &Device) -> Tensor<2> {
    let longest = sounds.iter().map(Vec::len).max().unwrap();
    let filled = sounds.iter().flat_map(|sound| {
        let noise = (sound.len()..longest).map(|i| (i as f32 * 78.233).sin() * 0.9);
        sound.iter().copied().chain(noise)
    });
    let filled = TensorData::new(filled.collect::<Vec<f32>>(), [sounds.len(), longest]);
    Tensor::from_data(filled, device)
}

#[track_caller]
fn equal(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() < TOLERANCE, "{name}, {i}: {f} is not {e}");
    }
}

#[test]
fn features_are_the_hosts() {
    for device in devices() {
        for case in cases() {
            // Shorter than a window, whole hops, and a sample more.
            for count in [161, 1600, 1601, 8000] {
                let samples = sound(16_000, count);
                let expected = (case.host)(&samples);
                let mel = (case.on)(&device);
                let found = mel.forward(rows(&[samples], &device));
                assert_eq!(found.dims(), [1, mel.n_frames(count), case.n_mels]);
                equal(case.name, &floats(&found), &expected);
            }
        }
    }
}

#[test]
fn a_batch_is_its_sounds_alone_whatever_stands_behind_them() {
    for device in devices() {
        for case in cases() {
            let mut sounds = [900, 3000, 0, 2401].map(|count| sound(16_000, count));
            for sample in &mut sounds[1] {
                *sample *= 3.0; // so that the loudest of all is not each one's
            }
            let lengths = sounds.each_ref().map(Vec::len);
            let mel = (case.on)(&device);
            let batch = mel.batch(rows(&sounds, &device), &lengths);
            let frames = mel.n_frames(3000);
            assert_eq!(batch.features.dims(), [4, frames, case.n_mels]);
            for (i, sound) in sounds.iter().enumerate() {
                let own = if sound.is_empty() {
                    0
                } else {
                    mel.n_frames(sound.len())
                };
                let pad: Vec<bool> = (0..frames).map(|frame| frame >= own).collect();
                assert_eq!(bools(&batch.pad.clone().narrow(0, i, 1)), pad);
                let row = floats(&batch.features.clone().narrow(0, i, 1));
                let (heard, rest) = row.split_at(own * case.n_mels);
                assert!(rest.iter().all(|value| *value == 0.0));
                if own > 0 {
                    equal(case.name, heard, &(case.host)(sound));
                }
            }
        }
    }
}

#[test]
fn silence_is_the_floor_and_its_gradient_a_number() {
    for device in devices().into_iter().map(Device::autodiff) {
        for case in cases() {
            let samples = Tensor::<2>::zeros([1, 1600], &device).require_grad();
            let found = (case.on)(&device).forward(samples.clone());
            equal(case.name, &floats(&found), &(case.host)(&[0.0; 1600]));
            let gradients = found.sum().backward();
            let gradient = samples.grad(&gradients).unwrap();
            assert!(floats(&gradient).iter().all(|value| *value == 0.0));
        }
    }
}

#[test]
fn gradients_reach_the_samples_and_are_those_of_small_steps() {
    for device in devices().into_iter().map(Device::autodiff) {
        for case in cases() {
            let mel = (case.on)(&device);
            let sounds = [sound(16_000, 700), sound(16_000, 500)];
            let samples = rows(&sounds, &device).require_grad();
            let features = mel.batch(samples.clone(), &[700, 500]).features;
            let gradient = floats(&samples.grad(&features.mean().backward()).unwrap());
            assert!(gradient.iter().all(|value| value.is_finite()));
            // All that the last frame hears; nothing of what stands behind the shorter sound.
            assert!(gradient[..600].iter().all(|value| *value != 0.0));
            assert!(gradient[1200..].iter().all(|value| *value == 0.0));

            // Along its gradient the mean rises by its length times the step.
            let length: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum();
            let step = 1e-4 / length.sqrt();
            let mean = |sign: f64| {
                let moved = sounds
                    .iter()
                    .zip(gradient.chunks(700))
                    .map(|(sound, pull)| {
                        let step = |(s, g): (&f32, &f32)| {
                            (f64::from(*s) + sign * step * f64::from(*g)) as f32
                        };
                        sound.iter().zip(pull).map(step).collect::<Vec<f32>>()
                    });
                let host: Vec<f32> = moved.flat_map(|sound| (case.host)(&sound)).collect();
                let numbers = 2 * mel.n_frames(700) * case.n_mels;
                host.iter().map(|v| f64::from(*v)).sum::<f64>() / numbers as f64
            };
            let rise = (mean(1.0) - mean(-1.0)) / 2.0;
            let expected = 1e-4 * length.sqrt();
            assert!(
                (rise - expected).abs() < 0.02 * expected,
                "{}: {rise} is not {expected}",
                case.name
            );
        }
    }
}

#[test]
fn a_dense_batch_and_one_of_lengths_are_alike() {
    for device in devices() {
        for case in cases() {
            let mel = (case.on)(&device);
            let samples = rows(&[sound(16_000, 1000), sound(8000, 1000)], &device);
            let dense = mel.forward(samples.clone());
            assert_close(&dense, &mel.batch(samples, &[1000; 2]).features, 1e-6);
        }
    }
}

#[test]
fn what_a_device_cannot_do_is_refused_by_key() {
    let device = &devices()[0];
    let wide = MelConfig {
        n_fft: 5794,
        ..MelConfig::new(44_100, 40)
    };
    let error = LogMel::new(wide).unwrap().on(device).unwrap_err();
    assert!(
        error.to_string().contains("n_fft: 5794 is too large"),
        "{error}"
    );
    let noisy = WhisperConfig {
        dither: 0.1,
        ..WhisperConfig::new(80)
    };
    let error = WhisperMel::new(noisy).unwrap().on(device).unwrap_err();
    assert!(
        error.to_string().contains("dither: 0.1 is noise"),
        "{error}"
    );
}
