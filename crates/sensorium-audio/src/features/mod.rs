//! From samples to features: the short-time Fourier transform, and all that stands on it.
//!
//! Everything is computed in double precision on the host, planned once, cheap to clone and shared between threads; what
//! has a gradient back to its samples is computed where they are.

mod ast_mel;
mod clap;
mod filters;
mod kaldi;
mod log_mel;
mod mfcc;
mod on_device;
mod seeded;
mod spectrum;
mod stft;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod tests_on_device;
#[cfg(test)]
mod tests_refused;
mod transform;
mod views;
mod waveform;
mod whisper;
mod window;

use std::fmt::Debug;
use std::ops::RangeInclusive;

use sensorium_core::{Misfit, need};

pub use ast_mel::{AstMel, AstMelConfig};
pub use clap::{ClapConfig, ClapFeatures, ClapMel, ClapPadding, ClapTruncation};
pub use filters::MelScale;
pub use kaldi::{KaldiConfig, KaldiMel};
pub use log_mel::{LogMel, MelConfig};
pub use mfcc::{Mfcc, MfccConfig};
pub use on_device::DeviceMel;
pub(crate) use seeded::{add_noise, rng_of};
pub use spectrum::Spectrum;
pub use stft::{Edges, Stft, StftConfig};
pub use waveform::{Waveform, WaveformConfig};
pub use whisper::{WhisperConfig, WhisperMel};
pub use window::Window;

/// A number of a spectrum.
pub use realfft::num_complex::Complex32;

/// Numbers of the features of one sound at most, where a configuration fixes how many: 128 MiB.
const MOST_NUMBERS: usize = 1 << 25;

/// Refuses a step between frames out of proportion: memory and time for a sound of any length grow as it shrinks.
fn hop_fits(hop: usize, n_fft_key: &str, n_fft: usize) -> Result<(), Misfit> {
    let least = (n_fft / 32).max(16);
    need((least..=n_fft).contains(&hop), "hop_length", || {
        format!("{hop} must be {least} to {n_fft_key} = {n_fft}")
    })
}

/// Refuses a value outside a range; not a number is outside of every one.
fn within<T: Debug + PartialOrd>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Misfit> {
    need(range.contains(&value), key, || {
        // With all digits of one that is large a message would be lines long.
        format!("{value:?} must be {:?} to {:?}", range.start(), range.end())
    })
}
