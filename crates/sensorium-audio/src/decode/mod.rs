//! From a file to samples: any format, down-mixed to one channel, within bounds.

mod announced;
mod downmix;
mod ebml;
mod lead;
mod matroska;
mod mix;
mod mp4;
mod spliced;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_formats;
#[cfg(test)]
mod tests_hostile;
#[cfg(test)]
mod tests_mix;
#[cfg(test)]
mod tests_window;
mod track;

use std::ops::Range;
use std::sync::Arc;

use sensorium_core::{Source, need, quietly};

use crate::Error;
use mix::{Mix, Want};
use stream::Stream;

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 512 << 20;
/// The longest sound that is decoded, in seconds: three hours.
pub const LONGEST_S: u64 = 3 * 3600;
/// The latest that a window may end, in seconds: a thousand hours. A file can announce any number of empty packets.
const LATEST_S: f64 = 3_600_000.0;

/// One channel of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Between -1 and 1.
    pub samples: Vec<f32>,
    /// Samples a second.
    pub sample_rate_hz: u32,
}

impl Sound {
    /// How long it lasts, in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate_hz)
    }
}

/// Decodes a file or bytes by their content to one channel. What a header says of length or channels is never trusted
/// for memory. The parts of a chained Ogg follow each other.
///
/// Read are WAV (integers, floats, A-law and µ-law), FLAC, MP3, Ogg Vorbis, AAC-LC as a bare stream, and the first sound
/// track of MP4 and QuickTime (AAC-LC, ALAC, FLAC, MP3, uncompressed), Matroska and WebM (the same and Vorbis).
///
/// Silence that an encoder adds before and after is cut off where the file tells how much: MP3 with the encoder's tag,
/// Ogg, the edit list or iTunes' tag of an MP4, the delay of a Matroska track and the padding of its last packet.
///
/// Channels are down-mixed by the places that the file gives them, with the weights of ITU-R BS.775 made to add up to
/// one: left and right 0.7071, centre 1, surrounds 0.5, low-frequency effects 0. Where no places are given, and for
/// stereo, that is their mean.
///
/// # Errors
/// If it is no sound, cut off, broken, empty, too long, or holds samples that are not numbers.
///
/// Whether a file is cut off is told by its header (WAV, FLAC, MP4, Matroska), by a mark at its end (Ogg), by its
/// encoder's tag (MP3 as LAME and FFmpeg write it) or by half a packet (AAC without a container). An MP3 without that
/// tag says nothing of its length, and a fragmented MP4 that ends between two fragments or a Matroska file that was
/// written into a pipe little: these give what is there.
pub fn decode(source: &Source) -> Result<Sound, Error> {
    decode_within(source, &|_| 0..u64::MAX)
}

/// [`decode`], but only `duration_s` seconds from `start_s` on, or less if the sound ends before: the samples that
/// decoding everything and cutting gives, from `start_s` to `start_s + duration_s` times the rate, rounded to whole
/// samples. Windows that follow each other miss and repeat none.
///
/// What lies before the window is not decoded, except in Matroska for Vorbis and FLAC, whose packets do not tell their
/// length there; it is not looked at closely, and what lies after it not at all: either may be broken.
///
/// # Errors
/// As [`decode`]; if the sound ends before `start_s`; if `start_s` is below 0, `duration_s` not above 0, or their sum
/// above a thousand hours.
pub fn decode_window(source: &Source, start_s: f64, duration_s: f64) -> Result<Sound, Error> {
    need((0.0..=LATEST_S).contains(&start_s), "start_s", || {
        format!("{start_s} must be 0 to {LATEST_S}")
    })?;
    let longest = LATEST_S - start_s;
    need(
        duration_s > 0.0 && duration_s <= longest,
        "duration_s",
        || format!("{duration_s} must be above 0 and at most {longest}"),
    )?;
    decode_within(source, &|rate_hz| {
        let at = |seconds: f64| (seconds * f64::from(rate_hz)).round() as u64;
        let start = at(start_s);
        start..at(start_s + duration_s).max(start + 1)
    })
}

/// [`decode`], but of a long sound only the start: the samples that are `enough` at its rate in Hz. What follows is not
/// looked at, and may be cut off or broken.
pub(crate) fn decode_start(source: &Source, enough: impl Fn(u32) -> u64) -> Result<Sound, Error> {
    decode_within(source, &|rate_hz| 0..enough(rate_hz))
}

fn decode_within(source: &Source, want: Want) -> Result<Sound, Error> {
    let name = source.describe();
    if matches!(source, Source::Text(_)) {
        return Err(Error::Text { name });
    }
    let bytes = source.read(LARGEST)?;
    if bytes.is_empty() {
        return Err(Error::Empty { name });
    }
    announced::check(&name, &bytes)?;
    let bytes = announced::with_length(bytes);
    let extension = source.extension();
    // Demuxers meet hostile bytes; a panic in one of them is this file's error, nobody else's.
    let guarded = |skip: bool| {
        let tried = quietly(|| attempt(&name, &bytes, extension.as_deref(), want, skip));
        let tried = tried.unwrap_or_else(|_| {
            Err(Error::Broken {
                name: name.clone(),
                reason: "the decoder gave up on it".to_owned(),
            })
        });
        tried.map(|(sound, _)| sound)
    };
    let late = |Range { start, .. }: Range<u64>| start > 0;
    if !late(want(1_000_000)) {
        return guarded(false);
    }
    match guarded(true) {
        // Not every file can be looked up in; decoding it from its start finds out what is wrong, if anything.
        Err(error) if !matches!(error, Error::Beyond { .. }) => guarded(false),
        found => found,
    }
}

/// What is wanted, and how many samples were decoded for it; with `skip`, as few as the format allows.
fn attempt(
    name: &str,
    bytes: &Arc<[u8]>,
    extension: Option<&str>,
    want: Want,
    skip: bool,
) -> Result<(Sound, u64), Error> {
    let mut stream = Stream::open(name, bytes.clone(), extension)?;
    let mut mix = Mix::new(name, want);
    stream.run(&mut mix, skip)?;
    let decoded = mix.decoded();
    Ok((mix.finish()?, decoded))
}
