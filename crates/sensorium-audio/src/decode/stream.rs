//! A container opened, and its sound taken out packet by packet.

use std::io::{Cursor, ErrorKind};
use std::sync::Arc;

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MP3};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::mix::{Mix, check_channels};
use crate::Error;

/// Packets in a row that may give no sound before a file is given up: no decoder may loop for ever.
const EMPTY_PACKETS: usize = 10_000;
/// Frames of a packet that memory is taken for before they are seen. No codec that is read packs as many; a header
/// of MP4 can say four billion.
const MOST_FRAMES: u64 = 1 << 20;
/// Frames that an MP3 may lack of its tag's length: encoders differ in whether the tag's own counts, and the last is
/// often cut by those who count bytes.
const MP3_SLACK: u64 = 2;

/// A file being decoded.
pub(super) struct Stream<'a> {
    name: &'a str,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    length: Length,
    empty: usize,
}

/// What a container says of its length.
#[derive(Clone, Copy, Default)]
struct Length {
    /// Samples of a channel that must be there; 0 if it does not say.
    frames: u64,
    /// In seconds, for messages.
    seconds: Option<f64>,
}

impl<'a> Stream<'a> {
    /// Finds the format by its content and the first sound in it.
    pub(super) fn open(
        name: &'a str,
        bytes: Arc<[u8]>,
        extension: Option<&str>,
    ) -> Result<Self, Error> {
        let known = is_known(&bytes);
        let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let format = symphonia::default::get_probe()
            .probe(
                &hint,
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .map_err(|fault| match fault {
                Fault::IoError(error) if known && error.kind() == ErrorKind::UnexpectedEof => {
                    Error::EndsEarly {
                        name: name.to_owned(),
                        found_s: 0.0,
                        announced_s: None,
                    }
                }
                fault if known => broken(name, fault),
                _ => Error::Format {
                    name: name.to_owned(),
                },
            })?;
        let (track, decoder, length) = choose(name, format.as_ref())?;
        Ok(Self {
            name,
            format,
            decoder,
            track,
            length,
            empty: 0,
        })
    }

    /// Hands one packet's sound over, which may be none; false at the end.
    pub(super) fn step(&mut self, mix: &mut Mix) -> Result<bool, Error> {
        let packet = match self.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) if mix.frames() < self.length.frames => return Err(self.cut_off(mix)),
            Ok(None) => return Ok(false),
            Err(Fault::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(self.cut_off(mix));
            }
            // The next part of a chained Ogg, with headers of its own.
            Err(Fault::ResetRequired) => {
                self.count_empty()?;
                (self.track, self.decoder, self.length) = choose(self.name, self.format.as_ref())?;
                return Ok(true);
            }
            Err(fault) => return Err(broken(self.name, fault)),
        };
        self.count_empty()?;
        if packet.track_id != self.track {
            return Ok(true);
        }
        let buffer = match self.decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(fault) => return Err(broken(self.name, fault)),
        };
        if buffer.frames() > 0 {
            self.empty = 0;
            let channels = buffer.spec().channels().count();
            mix.take(channels, buffer.spec().rate(), |samples| {
                buffer.copy_to_vec_interleaved(samples)
            })?;
        }
        Ok(true)
    }

    fn count_empty(&mut self) -> Result<(), Error> {
        self.empty += 1;
        if self.empty <= EMPTY_PACKETS {
            return Ok(());
        }
        Err(Error::Broken {
            name: self.name.to_owned(),
            reason: format!("{EMPTY_PACKETS} packets in a row hold no sound"),
        })
    }

    fn cut_off(&self, mix: &Mix) -> Error {
        Error::EndsEarly {
            name: self.name.to_owned(),
            found_s: mix.seconds(),
            announced_s: self.length.seconds,
        }
    }
}

type Chosen = (u32, Box<dyn AudioDecoder>, Length);

/// The track that is heard, with its decoder and its length.
fn choose(name: &str, format: &dyn FormatReader) -> Result<Chosen, Error> {
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Error::Silent {
            name: name.to_owned(),
        })?;
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .ok_or_else(|| Error::Format {
            name: name.to_owned(),
        })?;
    let params = checked(name, params)?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&params, &AudioDecoderOptions::default())
        .map_err(|fault| broken(name, fault))?;
    Ok((track.id, decoder, length(format, track)))
}

/// What a decoder may be made with: it takes memory for what these say, before it sees a packet.
fn checked(name: &str, params: &AudioCodecParameters) -> Result<AudioCodecParameters, Error> {
    if let Some(channels) = &params.channels {
        check_channels(name, channels.count())?;
    }
    let mut params = params.clone();
    // Without it, memory grows with what is there.
    params.max_frames_per_packet = params.max_frames_per_packet.filter(|n| *n <= MOST_FRAMES);
    Ok(params)
}

fn length(format: &dyn FormatReader, track: &Track) -> Length {
    let seconds = || {
        let time = track.duration?.timestamp_from(Default::default())?;
        Some(track.time_base?.calc_time(time)?.as_secs_f64())
    };
    match format.format_info().format {
        FORMAT_ID_FLAC => Length {
            frames: track.num_frames.unwrap_or(0),
            seconds: seconds(),
        },
        // Without an encoder's tag, which tells the delay as well, it is a guess by the file's size.
        FORMAT_ID_MP3 if track.delay.is_some() => Length {
            frames: track
                .num_frames
                .unwrap_or(0)
                .saturating_sub(mp3_slack(track)),
            seconds: seconds(),
        },
        // Its reader misses samples by itself, and durations may have gaps.
        FORMAT_ID_ISOMP4 => Length {
            frames: 0,
            seconds: seconds(),
        },
        _ => Length::default(),
    }
}

/// In samples: MPEG-1 has 1152 a frame, MPEG-2, with its lower rates, half.
fn mp3_slack(track: &Track) -> u64 {
    let params = track.codec_params.as_ref().and_then(|p| p.audio());
    let rate_hz = params.and_then(|p| p.sample_rate).unwrap_or(0);
    MP3_SLACK * if rate_hz > 24_000 { 1152 } else { 576 }
}

/// Whether a file begins like one of the containers that have a header to be cut off in.
fn is_known(bytes: &[u8]) -> bool {
    bytes.starts_with(b"fLaC") || bytes.starts_with(b"OggS") || bytes.get(4..8) == Some(b"ftyp")
}

fn broken(name: &str, fault: Fault) -> Error {
    let reason = match fault {
        Fault::DecodeError(reason) => reason.to_owned(),
        other => other.to_string(),
    };
    Error::Broken {
        name: name.to_owned(),
        reason,
    }
}
