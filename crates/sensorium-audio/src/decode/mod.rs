//! From a file to samples: any format, down-mixed to one channel, within bounds.

mod announced;
mod mix;
mod stream;
#[cfg(test)]
mod tests;

use sensorium_core::{Source, quietly};

use crate::Error;
use mix::Mix;
use stream::Stream;

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 512 << 20;
/// The longest sound that is decoded, in seconds: three hours.
pub const LONGEST_S: u64 = 3 * 3600;

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

/// Decodes a file or bytes by their content, and down-mixes to the mean of the channels. What a header says
/// of length or channels is never trusted for memory. The parts of a chained Ogg follow each other.
///
/// # Errors
/// If it is no sound, cut off, broken, empty, too long, or holds samples that are not numbers.
///
/// Whether a file is cut off is told by its header (WAV, FLAC, MP4), by a mark at its end (Ogg), by its encoder's
/// tag (MP3 as LAME and FFmpeg write it) or by half a packet (AAC without a container). An MP3 without that tag says
/// nothing of its length, and a fragmented MP4 that ends between two fragments little: these give what is there.
pub fn decode(source: &Source) -> Result<Sound, Error> {
    decode_start(source, |_| u64::MAX)
}

/// [`decode`], but of a long sound only the start: at least the samples that are `enough` at its rate in Hz. What
/// follows is not looked at, and may be cut off or broken.
pub(crate) fn decode_start(source: &Source, enough: impl Fn(u32) -> u64) -> Result<Sound, Error> {
    let name = source.describe();
    if matches!(source, Source::Text(_)) {
        return Err(Error::Text { name });
    }
    let bytes = source.read(LARGEST)?;
    if bytes.is_empty() {
        return Err(Error::Empty { name });
    }
    announced::check(&name, &bytes)?;
    let extension = source.extension();
    // Demuxers meet hostile bytes; a panic in one of them is this file's error, nobody else's.
    let decoded = quietly(|| {
        let mut stream = Stream::open(&name, bytes, extension.as_deref())?;
        let mut mix = Mix::new(&name);
        while !mix.has(&enough) && stream.step(&mut mix)? {}
        mix.finish()
    });
    decoded.unwrap_or_else(|_| {
        Err(Error::Broken {
            name,
            reason: "the decoder gave up on it".to_owned(),
        })
    })
}
