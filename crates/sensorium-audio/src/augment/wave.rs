//! Changes of the waveform: speed, place, loudness and noise.

use std::borrow::Cow;

use rand::RngExt;
use sensorium_core::SampleRng;

use super::{AugmentConfig, NoiseColour, shift};
use crate::features::add_noise;
use crate::{Sound, resample};

/// All that is drawn for one sound but its noise: always the same numbers in the same order, so that one setting does not
/// alter what another draws. -1..1 each; the last 0..1.
struct Draw {
    speed: f32,
    shift: f32,
    gain: f32,
    snr: f32,
}

impl Draw {
    fn new(rng: &mut SampleRng) -> Self {
        let mut share = || rng.random_range(0.0..1.0f32);
        Self {
            speed: share() * 2.0 - 1.0,
            shift: share() * 2.0 - 1.0,
            gain: share() * 2.0 - 1.0,
            snr: share(),
        }
    }
}

/// The loudest sample that is changed; full scale is 1. What a file of floating-point numbers may hold besides is no sound, and
/// its squares no numbers.
const LOUDEST: f32 = 1e6;

/// Changes a sound, unless it is none.
pub(super) fn change(
    config: &AugmentConfig,
    samples: &[f32],
    rate_hz: u32,
    rng: &mut SampleRng,
) -> Vec<f32> {
    if samples.iter().any(|s| s.abs() > LOUDEST) {
        return samples.to_vec();
    }
    let draw = Draw::new(rng);
    let percent = 100 + (100.0 * config.speed * draw.speed).round() as i32;
    let mut changed = play(samples, percent.max(1) as u32);
    if config.shift_s > 0.0 {
        let by = config.shift_s * draw.shift * rate_hz as f32;
        shift(&mut changed, by.round() as isize);
    }
    if config.gain_db > 0.0 {
        let gain = 10f32.powf(config.gain_db * draw.gain / 20.0);
        changed.iter_mut().for_each(|s| *s *= gain);
    }
    if let Some([least, most]) = config.snr_db {
        let snr_db = least + (most - least) * draw.snr;
        add(&mut changed, config.noise_colour, snr_db, rng);
    }
    changed
}

/// The sound at so many per cent of its speed: `ceil(n * 100 / percent)` samples.
pub(super) fn play(samples: &[f32], percent: u32) -> Vec<f32> {
    // As if it had been recorded at this rate, and is now wanted at 100: only the ratio counts.
    let sound = Sound {
        samples: samples.to_vec(),
        sample_rate_hz: percent,
    };
    resample(&sound, 100).map_or_else(|_| samples.to_vec(), Cow::into_owned)
}

/// Adds noise whose power is `snr_db` decibels below that of the samples. Where these are silent, no noise is.
pub(super) fn add(samples: &mut [f32], colour: NoiseColour, snr_db: f32, rng: &mut SampleRng) {
    let mut noise = vec![0.0; samples.len()];
    add_noise(&mut noise, 1.0, rng);
    if colour == NoiseColour::Pink {
        pinken(&mut noise);
    }
    // By the power that this very noise has, so that the ratio is met however short the sound is.
    let ratio = power(samples) / power(&noise).max(f64::MIN_POSITIVE);
    let scale = (ratio * 10f64.powf(-f64::from(snr_db) / 10.0)).sqrt() as f32;
    let pairs = samples.iter_mut().zip(&noise);
    pairs.for_each(|(sample, noise)| *sample += scale * noise);
}

/// The mean square.
pub(super) fn power(samples: &[f32]) -> f64 {
    let squares = samples.iter().map(|s| f64::from(*s).powi(2));
    squares.sum::<f64>() / samples.len().max(1) as f64
}

/// White noise to pink: 3 dB less an octave, within half a decibel down to a thousandth of the rate, by Paul Kellet's sum of
/// first-order filters (<https://www.firstpr.com.au/dsp/pink-noise/>, "pk3").
fn pinken(noise: &mut [f32]) {
    /// Pole and gain of each.
    const FILTERS: [(f32, f32); 6] = [
        (0.998_86, 0.055_517_9),
        (0.993_32, 0.075_075_9),
        (0.969_00, 0.153_852),
        (0.866_50, 0.310_485_6),
        (0.550_00, 0.532_952_2),
        (-0.761_6, -0.016_898),
    ];
    let mut states = [0f32; FILTERS.len()];
    let mut before = 0.0;
    for sample in noise {
        let white = *sample;
        for (state, (pole, gain)) in states.iter_mut().zip(FILTERS) {
            *state = pole * *state + gain * white;
        }
        *sample = states.iter().sum::<f32>() + before + 0.536_2 * white;
        before = 0.115_926 * white;
    }
}
