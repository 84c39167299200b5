//! The track that is heard: its decoder, its length, and where its sound begins.

use symphonia::core::codecs::audio::well_known as codecs;
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::well_known::{
    FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MKV, FORMAT_ID_MP3, FORMAT_ID_WAVE,
};
use symphonia::core::formats::{FormatReader, Track, TrackType};

use super::downmix::is_wave_without_layout;
use super::lead::{Lead, Timing};
use super::matroska::Prepared;
use super::mix::check_channels;
use super::mp4::{self, Trim};
use crate::Error;

/// Frames of a packet that memory is taken for before they are seen. No codec that is read packs as many; a header
/// of MP4 can say four billion.
const MOST_FRAMES: u64 = 1 << 20;
/// Frames that an MP3 may lack of its tag's length: encoders differ in whether the tag's own counts, and the last is
/// often cut by those who count bytes.
const MP3_SLACK: u64 = 2;

/// What a container says of its length.
#[derive(Clone, Copy, Default)]
pub(super) struct Length {
    /// Samples of a channel that must be there; 0 if it does not say.
    pub(super) frames: u64,
    /// In seconds, for messages.
    pub(super) seconds: Option<f64>,
}

/// The track that is heard.
pub(super) struct Heard {
    pub(super) id: u32,
    pub(super) decoder: Box<dyn AudioDecoder>,
    params: AudioCodecParameters,
    pub(super) length: Length,
    pub(super) trim: Trim,
    pub(super) lead: Lead,
    /// Whether the file says where its channels are heard from.
    pub(super) layout_known: bool,
    /// Whether the container finds a sample without reading what lies before it.
    pub(super) seeks: bool,
}

impl Heard {
    /// Of a container's tracks.
    pub(super) fn choose(
        name: &str,
        format: &dyn FormatReader,
        bytes: &[u8],
        matroska: Option<&Prepared>,
    ) -> Result<Self, Error> {
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| no_sound(name, format))?;
        let params = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio())
            .ok_or_else(|| Error::Format {
                name: name.to_owned(),
            })?;
        if matroska.is_some_and(|file| file.is_encoded(track.id)) {
            return Err(Error::Broken {
                name: name.to_owned(),
                reason: "its sound is compressed or encrypted around its codec".to_owned(),
            });
        }
        let id = format.format_info().format;
        let mut params = checked(name, params)?;
        if id == FORMAT_ID_ISOMP4 && mp4::is_big_endian(bytes, track.id) {
            params.codec = turned_round(params.codec);
        }
        let decoder = make(name, &params)?;
        let rate_hz = decoder.codec_params().sample_rate;
        let layout_known = match id {
            FORMAT_ID_WAVE => !is_wave_without_layout(bytes),
            // QuickTime's uncompressed channels are numbered, not placed.
            FORMAT_ID_ISOMP4 => width(params.codec).is_none(),
            _ => true,
        };
        let trim = match (id, matroska) {
            (FORMAT_ID_ISOMP4, _) => mp4::trim(bytes, track.id, track.duration.map(|d| d.get())),
            (_, Some(file)) => file.trim(track.id),
            _ => Trim::default(),
        };
        let padding = matroska.and_then(|file| file.padding(track.id));
        let padding = padding.zip(rate_hz);
        let padding = padding.map(|((count, time), rate_hz)| (count, time.frames(rate_hz)));
        let channels = params.channels.as_ref().map(|channels| channels.count());
        let timing = match width(params.codec).zip(channels) {
            Some((width, channels)) => Timing::Bytes(width * channels),
            None if id != FORMAT_ID_MKV && counts(track, rate_hz) => Timing::Durations,
            None => Timing::Unknown,
        };
        Ok(Self {
            id: track.id,
            lead: Lead::new(params.codec, timing, padding),
            length: length(format, track),
            seeks: matches!(id, FORMAT_ID_FLAC | FORMAT_ID_WAVE),
            decoder,
            params,
            trim,
            layout_known,
        })
    }

    /// Samples a second, if its header says.
    pub(super) fn rate_hz(&self) -> Option<u32> {
        self.decoder.codec_params().sample_rate
    }

    /// Makes a decoder that has heard nothing.
    pub(super) fn begin_anew(&mut self, name: &str) -> Result<(), Error> {
        self.decoder = make(name, &self.params)?;
        Ok(())
    }
}

/// Whether a track's time is counted in samples.
fn counts(track: &Track, rate_hz: Option<u32>) -> bool {
    let base = track.time_base;
    base.is_some_and(|base| base.numer.get() == 1 && Some(base.denom.get()) == rate_hz)
}

fn make(name: &str, params: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>, Error> {
    symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|fault| match (&fault, codec_name(params.codec)) {
            (Fault::Unsupported(_), Some(codec)) => Error::Broken {
                name: name.to_owned(),
                reason: format!("its sound is {codec}, which is not read"),
            },
            _ => broken(name, fault),
        })
}

/// Of what people meet and is not read.
fn codec_name(codec: AudioCodecId) -> Option<&'static str> {
    Some(match codec {
        // Of the kind that is read, only what is beyond it fails.
        codecs::CODEC_ID_AAC => "AAC of high efficiency or many channels",
        codecs::CODEC_ID_OPUS => "Opus",
        codecs::CODEC_ID_AC3 | codecs::CODEC_ID_EAC3 => "Dolby Digital",
        codecs::CODEC_ID_DCA => "DTS",
        codecs::CODEC_ID_MP1 | codecs::CODEC_ID_MP2 => "MPEG layer 1 or 2",
        _ => return None,
    })
}

/// Without a track that can be heard: pictures alone, or what may be sound of a codec that nobody here knows.
fn no_sound(name: &str, format: &dyn FormatReader) -> Error {
    let name = name.to_owned();
    let is_other = |track: &Track| {
        let params = track.codec_params.as_ref();
        params.is_some_and(|params| params.audio().is_none())
    };
    if format.tracks().iter().all(is_other) {
        return Error::Silent { name };
    }
    let reason = "none of its tracks is sound of a kind that is read".to_owned();
    Error::Broken { name, reason }
}

/// The codec of the same numbers, highest byte first.
fn turned_round(codec: AudioCodecId) -> AudioCodecId {
    match codec {
        codecs::CODEC_ID_PCM_S24LE => codecs::CODEC_ID_PCM_S24BE,
        codecs::CODEC_ID_PCM_S32LE => codecs::CODEC_ID_PCM_S32BE,
        codecs::CODEC_ID_PCM_F32LE => codecs::CODEC_ID_PCM_F32BE,
        codecs::CODEC_ID_PCM_F64LE => codecs::CODEC_ID_PCM_F64BE,
        other => other,
    }
}

/// The bytes of an uncompressed number; none for other codecs.
fn width(codec: AudioCodecId) -> Option<usize> {
    Some(match codec {
        codecs::CODEC_ID_PCM_S8
        | codecs::CODEC_ID_PCM_U8
        | codecs::CODEC_ID_PCM_ALAW
        | codecs::CODEC_ID_PCM_MULAW => 1,
        codecs::CODEC_ID_PCM_S16LE
        | codecs::CODEC_ID_PCM_S16BE
        | codecs::CODEC_ID_PCM_U16LE
        | codecs::CODEC_ID_PCM_U16BE => 2,
        codecs::CODEC_ID_PCM_S24LE
        | codecs::CODEC_ID_PCM_S24BE
        | codecs::CODEC_ID_PCM_U24LE
        | codecs::CODEC_ID_PCM_U24BE => 3,
        codecs::CODEC_ID_PCM_S32LE
        | codecs::CODEC_ID_PCM_S32BE
        | codecs::CODEC_ID_PCM_U32LE
        | codecs::CODEC_ID_PCM_U32BE
        | codecs::CODEC_ID_PCM_F32LE
        | codecs::CODEC_ID_PCM_F32BE => 4,
        codecs::CODEC_ID_PCM_F64LE | codecs::CODEC_ID_PCM_F64BE => 8,
        _ => return None,
    })
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

/// A decoder's complaint as ours.
pub(super) fn broken(name: &str, fault: Fault) -> Error {
    let reason = match fault {
        Fault::DecodeError(reason) => reason.to_owned(),
        other => other.to_string(),
    };
    Error::Broken {
        name: name.to_owned(),
        reason,
    }
}
