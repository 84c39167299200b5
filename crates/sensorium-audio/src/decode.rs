//! From a file to samples: any format, down-mixed to one channel, within bounds.

use std::io::Cursor;
use std::sync::Arc;

use sensorium_core::{Source, quietly};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use crate::Error;

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 512 << 20;
/// The longest sound that is decoded, in seconds: three hours.
pub const LONGEST_S: u64 = 3 * 3600;
/// The most samples that are kept, two gigabytes: the same three hours at 48 kHz. Silence packs so well that
/// a small file could else fill any memory.
const MOST_SAMPLES: u64 = LONGEST_S * 48_000;
/// Telephone speech has 8,000 samples a second, the finest recorders 768,000.
const RATES_HZ: (u32, u32) = (1_000, 768_000);
/// The most channels: 7.1 has eight, ambisonics of the third order sixteen.
const MOST_CHANNELS: usize = 64;
/// Packets in a row that may give no sound before a file is given up: no decoder may loop for ever.
const EMPTY_PACKETS: usize = 10_000;

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
/// of length or channels is never trusted for memory.
///
/// # Errors
/// If it is no sound, cut off, broken, empty, too long, or holds samples that are not numbers.
pub fn decode(source: &Source) -> Result<Sound, Error> {
    let name = source.describe();
    if matches!(source, Source::Text(_)) {
        return Err(Error::Text { name });
    }
    let bytes = source.read(LARGEST)?;
    if bytes.is_empty() {
        return Err(Error::Empty { name });
    }
    check_riff(&name, &bytes)?;
    let extension = source.extension();
    // Demuxers meet hostile bytes; a panic in one of them is this file's error, nobody else's.
    let decoded = quietly(|| run(&name, bytes, extension.as_deref()));
    decoded.unwrap_or_else(|_| {
        Err(Error::Broken {
            name,
            reason: "the decoder gave up on it".to_owned(),
        })
    })
}

fn run(name: &str, bytes: Arc<[u8]>, extension: Option<&str>) -> Result<Sound, Error> {
    let broken = |fault: Fault| Error::Broken {
        name: name.to_owned(),
        reason: fault.to_string(),
    };
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut hint = Hint::new();
    if let Some(extension) = extension {
        hint.with_extension(extension);
    }
    let mut format = symphonia::default::get_probe()
        .probe(
            &hint,
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|_| Error::Format {
            name: name.to_owned(),
        })?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Error::Silent {
            name: name.to_owned(),
        })?;
    let id = track.id;
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .ok_or_else(|| Error::Format {
            name: name.to_owned(),
        })?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(broken)?;
    let mut mix = Mix::new(name);
    let mut empty = 0;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A stream cut off in a packet: what came before is sound.
            Err(Fault::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                break;
            }
            Err(Fault::ResetRequired) => break,
            Err(fault) => return Err(broken(fault)),
        };
        empty += 1;
        if empty > EMPTY_PACKETS {
            return Err(Error::Broken {
                name: name.to_owned(),
                reason: format!("{EMPTY_PACKETS} packets in a row hold no sound"),
            });
        }
        if packet.track_id != id {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                let channels = buffer.spec().channels().count();
                let rate = buffer.spec().rate();
                if buffer.frames() > 0 {
                    empty = 0;
                    mix.take(channels, rate, |samples| {
                        buffer.copy_to_vec_interleaved(samples)
                    })?;
                }
            }
            Err(Fault::DecodeError(reason)) => {
                return Err(Error::Broken {
                    name: name.to_owned(),
                    reason: reason.to_owned(),
                });
            }
            Err(Fault::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                break;
            }
            Err(fault) => return Err(broken(fault)),
        }
    }
    mix.finish()
}

/// Collects packets as one channel.
struct Mix<'a> {
    name: &'a str,
    rate_hz: u32,
    interleaved: Vec<f32>,
    seen: usize,
    mono: Vec<f32>,
}

impl<'a> Mix<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            rate_hz: 0,
            interleaved: Vec::new(),
            seen: 0,
            mono: Vec::new(),
        }
    }

    fn take(
        &mut self,
        channels: usize,
        rate_hz: u32,
        copy: impl FnOnce(&mut Vec<f32>),
    ) -> Result<(), Error> {
        let name = || self.name.to_owned();
        let broken = |reason: String| Error::Broken {
            name: name(),
            reason,
        };
        if channels == 0 || channels > MOST_CHANNELS {
            return Err(broken(format!(
                "has {channels} channels; 1 to {MOST_CHANNELS} are read"
            )));
        }
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
            return Err(broken("its sample rate changes half-way".to_owned()));
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

    fn finish(self) -> Result<Sound, Error> {
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

/// Refuses a WAV whose data chunk is longer than the file, which decoders pass over in silence. A length of
/// all ones or zero is what a program writes that does not know it yet, and is taken for "to the end".
fn check_riff(name: &str, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Ok(());
    }
    let mut at = 12usize;
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let found = (bytes.len() - at - 8) as u64;
        if &header[..4] == b"data" {
            let announced = u64::from(length);
            let open = length == u32::MAX || length == 0;
            if !open && announced > found {
                return Err(Error::CutOff {
                    name: name.to_owned(),
                    announced,
                    found,
                });
            }
            return Ok(());
        }
        at = at
            .saturating_add(8)
            .saturating_add(length as usize + (length as usize & 1));
    }
    Ok(())
}
