//! Packets become one channel, within bounds, whatever a file says.

use std::ops::Range;

use symphonia::core::audio::Channels;

use super::downmix::weights;
use super::mp4::Trim;
use super::{LONGEST_S, Sound};
use crate::Error;

/// The most samples that are kept, two gigabytes: the same three hours at 48 kHz. Silence packs so well that
/// a small file could else fill any memory.
const MOST_SAMPLES: u64 = LONGEST_S * 48_000;
/// Telephone speech has 8,000 samples a second, the finest recorders 768,000.
const RATES_HZ: (u32, u32) = (1_000, 768_000);
/// The most channels: 7.1 has eight, ambisonics of the third order sixteen.
const MOST_CHANNELS: usize = 64;

/// The samples that are asked for at a rate in Hz, counted from where the sound begins.
pub(super) type Want<'a> = &'a dyn Fn(u32) -> Range<u64>;

/// Collects the part of packets that is asked for as one channel.
pub(super) struct Mix<'a> {
    name: &'a str,
    want: Want<'a>,
    trim: Trim,
    layout_known: bool,
    rate_hz: u32,
    /// Of the decoder's samples, those that are kept, and where no more are needed.
    keep: Range<u64>,
    enough: u64,
    /// The decoder's samples of a channel so far: passed over, and decoded.
    at: u64,
    decoded: u64,
    seen: usize,
    channels: Channels,
    weights: Vec<f32>,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
}

impl<'a> Mix<'a> {
    pub(super) fn new(name: &'a str, want: Want<'a>) -> Self {
        Self {
            name,
            want,
            trim: Trim::default(),
            layout_known: true,
            rate_hz: 0,
            keep: 0..u64::MAX,
            enough: u64::MAX,
            at: 0,
            decoded: 0,
            seen: 0,
            channels: Channels::None,
            weights: Vec::new(),
            interleaved: Vec::new(),
            mono: Vec::new(),
        }
    }

    /// What the file says of its sound.
    pub(super) fn describe(&mut self, trim: Trim, layout_known: bool) {
        (self.trim, self.layout_known) = (trim, layout_known);
    }

    /// The decoder's samples so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Of them, those that were decoded and not passed over.
    pub(super) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// How long the sound is so far.
    pub(super) fn seconds(&self) -> f64 {
        let heard = self.at.saturating_sub(self.heard().start);
        heard as f64 / f64::from(self.rate_hz.max(1))
    }

    /// Whether all that is asked for is there.
    pub(super) fn is_full(&self) -> bool {
        self.rate_hz != 0 && self.at >= self.enough
    }

    /// Where in the decoder's samples those that are asked for begin.
    pub(super) fn begins(&mut self, rate_hz: u32) -> Result<u64, Error> {
        self.set_rate(rate_hz)?;
        Ok(self.keep.start)
    }

    /// Passes samples over.
    pub(super) fn skip_to(&mut self, at: u64) {
        self.at = at;
    }

    /// Adds a packet's interleaved samples without the last `padding`, once its channels and rate are found to be right.
    pub(super) fn take(
        &mut self,
        channels: &Channels,
        rate_hz: u32,
        padding: u64,
        copy: impl FnOnce(&mut Vec<f32>),
    ) -> Result<(), Error> {
        let name = || self.name.to_owned();
        check_channels(self.name, channels.count())?;
        self.set_rate(rate_hz)?;
        if self.channels != *channels {
            self.weights = weights(channels, self.layout_known);
            self.channels = channels.clone();
        }
        self.interleaved.clear();
        copy(&mut self.interleaved);
        if let Some(at) = self.interleaved.iter().position(|s| !s.is_finite()) {
            return Err(Error::NotFinite {
                name: name(),
                index: self.seen + at,
            });
        }
        self.seen += self.interleaved.len();
        let count = self.weights.len();
        let frames = ((self.interleaved.len() / count) as u64).saturating_sub(padding);
        let within = |at: u64| (at.clamp(self.at, self.at + frames) - self.at) as usize;
        let kept = count * within(self.keep.start)..count * within(self.keep.end);
        let kept = self.interleaved.get(kept).unwrap_or(&[]);
        self.mono.extend(kept.chunks_exact(count).map(|frame| {
            let parts = frame.iter().zip(&self.weights);
            parts.map(|(sample, weight)| sample * weight).sum::<f32>()
        }));
        self.at += frames;
        self.decoded += frames;
        let most = (LONGEST_S * u64::from(rate_hz)).min(MOST_SAMPLES);
        if self.decoded > most {
            return Err(Error::TooLong {
                name: name(),
                max_s: most / u64::from(rate_hz),
            });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Sound, Error> {
        let length = self
            .heard()
            .end
            .min(self.at)
            .saturating_sub(self.heard().start);
        let rate_hz = f64::from(self.rate_hz.max(1));
        if !self.mono.is_empty() {
            return Ok(Sound {
                samples: self.mono,
                sample_rate_hz: self.rate_hz,
            });
        }
        // Without a packet there is no rate at which anything could be asked for.
        let start = match length {
            0 => 0,
            _ => (self.want)(self.rate_hz).start,
        };
        if length > 0 && start >= length {
            return Err(Error::Beyond {
                name: self.name.to_owned(),
                start_s: start as f64 / rate_hz,
                length_s: length as f64 / rate_hz,
            });
        }
        Err(Error::Silent {
            name: self.name.to_owned(),
        })
    }

    fn set_rate(&mut self, rate_hz: u32) -> Result<(), Error> {
        let (min_hz, max_hz) = RATES_HZ;
        if !(min_hz..=max_hz).contains(&rate_hz) {
            return Err(Error::Rate {
                name: self.name.to_owned(),
                rate_hz,
                min_hz,
                max_hz,
            });
        }
        if self.rate_hz == rate_hz {
            return Ok(());
        }
        if self.rate_hz != 0 {
            return Err(Error::Broken {
                name: self.name.to_owned(),
                reason: "its sample rate changes half-way".to_owned(),
            });
        }
        self.rate_hz = rate_hz;
        let (heard, want) = (self.heard(), (self.want)(rate_hz));
        let start = heard.start.saturating_add(want.start);
        self.enough = heard.start.saturating_add(want.end);
        self.keep = start..self.enough.min(heard.end).max(start);
        Ok(())
    }

    /// Of the decoder's samples, those that the file says are the sound.
    fn heard(&self) -> Range<u64> {
        let frames = |time: super::mp4::Time| time.frames(self.rate_hz);
        let start = self.trim.start.map_or(0, frames);
        start..self.trim.end.map_or(u64::MAX, frames).max(start)
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
