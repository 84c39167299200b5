//! Packets become one channel, within bounds, whatever a file says.

use super::{LONGEST_S, Sound};
use crate::Error;

/// The most samples that are kept, two gigabytes: the same three hours at 48 kHz. Silence packs so well that
/// a small file could else fill any memory.
const MOST_SAMPLES: u64 = LONGEST_S * 48_000;
/// Telephone speech has 8,000 samples a second, the finest recorders 768,000.
const RATES_HZ: (u32, u32) = (1_000, 768_000);
/// The most channels: 7.1 has eight, ambisonics of the third order sixteen.
const MOST_CHANNELS: usize = 64;

/// Collects packets as one channel.
pub(super) struct Mix<'a> {
    name: &'a str,
    rate_hz: u32,
    interleaved: Vec<f32>,
    seen: usize,
    mono: Vec<f32>,
}

impl<'a> Mix<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self {
            name,
            rate_hz: 0,
            interleaved: Vec::new(),
            seen: 0,
            mono: Vec::new(),
        }
    }

    /// Samples of the one channel so far.
    pub(super) fn frames(&self) -> u64 {
        self.mono.len() as u64
    }

    /// How long the sound is so far.
    pub(super) fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.rate_hz.max(1))
    }

    /// Whether there is as much as is wanted at this rate.
    pub(super) fn has(&self, enough: impl Fn(u32) -> u64) -> bool {
        !self.mono.is_empty() && self.frames() >= enough(self.rate_hz)
    }

    /// Adds a packet's interleaved samples, once its channels and rate are found to be right.
    pub(super) fn take(
        &mut self,
        channels: usize,
        rate_hz: u32,
        copy: impl FnOnce(&mut Vec<f32>),
    ) -> Result<(), Error> {
        let name = || self.name.to_owned();
        check_channels(self.name, channels)?;
        let (min_hz, max_hz) = RATES_HZ;
        if !(min_hz..=max_hz).contains(&rate_hz) {
            return Err(Error::Rate {
                name: name(),
                rate_hz,
                min_hz,
                max_hz,
            });
        }
        if self.rate_hz != 0 && self.rate_hz != rate_hz {
            return Err(Error::Broken {
                name: name(),
                reason: "its sample rate changes half-way".to_owned(),
            });
        }
        self.rate_hz = rate_hz;
        self.interleaved.clear();
        copy(&mut self.interleaved);
        if let Some(at) = self.interleaved.iter().position(|s| !s.is_finite()) {
            return Err(Error::NotFinite {
                name: name(),
                index: self.seen + at,
            });
        }
        self.seen += self.interleaved.len();
        let share = 1.0 / channels as f32;
        let frames = self.interleaved.chunks_exact(channels);
        self.mono
            .extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
        let most = (LONGEST_S * u64::from(rate_hz)).min(MOST_SAMPLES);
        if self.mono.len() as u64 > most {
            return Err(Error::TooLong {
                name: name(),
                max_s: most / u64::from(rate_hz),
            });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Sound, Error> {
        if self.mono.is_empty() {
            return Err(Error::Silent {
                name: self.name.to_owned(),
            });
        }
        Ok(Sound {
            samples: self.mono,
            sample_rate_hz: self.rate_hz,
        })
    }
}

/// Refuses a number of channels that nothing is recorded with.
pub(super) fn check_channels(name: &str, channels: usize) -> Result<(), Error> {
    if (1..=MOST_CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(Error::Broken {
        name: name.to_owned(),
        reason: format!("has {channels} channels; 1 to {MOST_CHANNELS} are read"),
    })
}
