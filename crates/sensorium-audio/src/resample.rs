//! From one sample rate to another, by way of the spectrum (`rubato`).

use std::borrow::Cow;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use crate::{Error, Sound};

/// Samples that are transformed at a time, about: long enough for a steep filter, short enough for the cache.
const BLOCK: usize = 1024;

/// The sound at `rate_hz`: `ceil(n * rate_hz / rate)` samples, in phase with the original.
///
/// # Errors
/// If a rate is zero.
pub fn resample(sound: &Sound, rate_hz: u32) -> Result<Cow<'_, [f32]>, Error> {
    if sound.sample_rate_hz == rate_hz {
        return Ok(Cow::Borrowed(&sound.samples));
    }
    let failed = |reason: String| Error::Broken {
        name: format!("sound of {} Hz", sound.sample_rate_hz),
        reason: format!("cannot be resampled to {rate_hz} Hz: {reason}"),
    };
    if rate_hz == 0 || sound.sample_rate_hz == 0 {
        return Err(failed("a rate must be 1 Hz or more".to_owned()));
    }
    let (from, to) = (sound.sample_rate_hz as usize, rate_hz as usize);
    let block = block(from, to);
    let window = WindowFunction::BlackmanHarris2;
    let mut resampler = Fft::<f32>::new_custom(from, to, block, 1, 1, window, FixedSync::Input)
        .map_err(|error| failed(error.to_string()))?;
    let frames = sound.samples.len();
    let input = InterleavedSlice::new(&sound.samples, 1, frames)
        .map_err(|error| failed(error.to_string()))?;
    let output = resampler
        .process_all(&input, frames, None)
        .map_err(|error| failed(error.to_string()))?;
    let mut samples = output.take_data();
    // In integers: rubato multiplies by a rounded ratio, which can be one off where the division is even.
    let expected = (frames as u64 * to as u64).div_ceil(from as u64) as usize;
    samples.resize(expected, 0.0);
    Ok(Cow::Owned(samples))
}

/// Samples at the rate `from_hz` after which the first `count` at `to_hz` no longer change.
///
/// # Panics
/// If a rate is zero.
pub(crate) fn needed(from_hz: u32, to_hz: u32, count: usize) -> u64 {
    if from_hz == to_hz {
        return count as u64;
    }
    let heard = (count as u64).saturating_mul(u64::from(from_hz)) / u64::from(to_hz);
    // The last one's own block, and the one after it, which the filter's delay reaches into.
    let margin = 2 * block(from_hz as usize, to_hz as usize) as u64;
    heard.saturating_add(margin)
}

/// Samples that are transformed at a time. The filter's delay is half a block. An even block makes that whole samples
/// at both rates, so that it can be cut off without a shift in phase.
fn block(from: usize, to: usize) -> usize {
    let least = from / gcd(from, to);
    2 * least * (BLOCK / 2).div_ceil(least)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate_hz: u32, hz: f64, seconds: f64) -> Sound {
        let count = (f64::from(rate_hz) * seconds) as usize;
        let at =
            |i: usize| (std::f64::consts::TAU * hz * i as f64 / f64::from(rate_hz)).sin() as f32;
        Sound {
            samples: (0..count).map(at).collect(),
            sample_rate_hz: rate_hz,
        }
    }

    #[test]
    fn a_tone_stays_the_tone() {
        for (from, to) in [
            (44_100, 16_000),
            (8_000, 16_000),
            (48_000, 8_000),
            (22_050, 16_000),
        ] {
            let sound = sine(from, 440.0, 1.0);
            let found = resample(&sound, to).unwrap();
            let expected = sine(to, 440.0, 1.0).samples;
            assert_eq!(found.len(), expected.len(), "{from} to {to}");
            // The edges ring: the tone begins and ends at once.
            let middle = to as usize / 8..to as usize * 7 / 8;
            for i in middle {
                let difference = (found[i] - expected[i]).abs();
                assert!(difference < 0.01, "{from} to {to}: {difference} at {i}");
            }
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        let sound = sine(44_100, 10_000.0, 1.0);
        let found = resample(&sound, 16_000).unwrap();
        let loudest = found[2_000..14_000]
            .iter()
            .fold(0f32, |m, s| m.max(s.abs()));
        assert!(
            loudest < 0.01,
            "a tone above half the rate comes back at {loudest}"
        );
    }

    #[test]
    fn no_rate_is_an_error_and_not_a_panic() {
        let at = |sample_rate_hz| Sound {
            samples: vec![0.5; 10],
            sample_rate_hz,
        };
        for (from, to) in [(0, 16_000), (16_000, 0)] {
            let error = resample(&at(from), to).unwrap_err().to_string();
            let expected = format!(
                "sound of {from} Hz: cannot be decoded: cannot be resampled to {to} Hz: a rate must be 1 Hz or more"
            );
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_same_rate_changes_nothing() {
        let sound = sine(8_000, 440.0, 0.1);
        assert!(matches!(resample(&sound, 8_000).unwrap(), Cow::Borrowed(_)));
    }
}
