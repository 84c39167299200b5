//! How far before a window decoding must begin, and what packets hold without being decoded.

use std::collections::VecDeque;

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia::core::packet::Packet;

/// Packets of AAC after which its decoder is made anew. It fills some bands with noise from a generator that runs on
/// from packet to packet: only one that begins again at known places gives a window the noise of the whole.
const AAC_SECTION: u64 = 128;
/// Samples of an AAC packet.
const AAC_FRAMES: u64 = 1024;
/// Bytes of main data before an MP3 frame that its decoder may need: it can point 511 back; the frame before it,
/// which overlaps, can as well, and the one before that fills the filter bank.
const MP3_BYTES: usize = 2048;
/// Frames in any case.
const MP3_PACKETS: usize = 10;
/// An MP3 frame's header and side information, at most.
const MP3_HEADER: usize = 38;

/// What a packet depends on.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Nothing before it (PCM, FLAC, ALAC).
    Alone,
    /// The one before it.
    Vorbis,
    Mp3,
    Aac,
}

/// What tells a packet's number of samples, where its codec does not.
#[derive(Clone, Copy)]
pub(super) enum Timing {
    /// Its size: a sample of all channels has this many bytes.
    Bytes(usize),
    /// The duration that the container gives it.
    Durations,
    Unknown,
}

/// The packets before the next one, as many as its decoder may need to have seen.
pub(super) struct Lead {
    kind: Kind,
    timing: Timing,
    packets: VecDeque<Packet>,
    /// How many packets came before the next one.
    count: u64,
    /// How many packets there are, and the samples that the last one has too much.
    padding: Option<(u64, u64)>,
}

/// What is to be done before the next packet is decoded.
#[derive(Default)]
pub(super) struct Prime {
    /// Whether its decoder begins anew.
    pub(super) anew: bool,
    /// What is decoded first, and not heard.
    pub(super) packets: Vec<Packet>,
}

impl Lead {
    /// `padding` is how many packets there are, and the samples that the last one has too much.
    pub(super) fn new(codec: AudioCodecId, timing: Timing, padding: Option<(u64, u64)>) -> Self {
        let kind = match codec {
            CODEC_ID_AAC => Kind::Aac,
            CODEC_ID_MP3 => Kind::Mp3,
            CODEC_ID_VORBIS => Kind::Vorbis,
            _ => Kind::Alone,
        };
        Self {
            kind,
            timing,
            packets: VecDeque::new(),
            count: 0,
            padding,
        }
    }

    /// The samples that the next packet has too much at its end.
    pub(super) fn padding(&self) -> u64 {
        let last = self.padding.filter(|(count, _)| self.count + 1 == *count);
        last.map_or(0, |(_, padding)| padding)
    }

    /// The samples that a packet will give; none if only decoding tells.
    pub(super) fn frames(&self, packet: &Packet) -> Option<u64> {
        let frames = self.decoded(packet)?;
        Some(frames.saturating_sub(self.padding()))
    }

    fn decoded(&self, packet: &Packet) -> Option<u64> {
        match self.kind {
            Kind::Aac => Some(AAC_FRAMES),
            Kind::Mp3 => {
                // MPEG-1 has twice the samples of MPEG-2. The packet's duration does not lack what is trimmed.
                let frames = if packet.data.get(1)? >> 3 & 3 == 3 {
                    1152u64
                } else {
                    576
                };
                let trimmed = packet
                    .trim_start
                    .get()
                    .saturating_add(packet.trim_end.get());
                Some(frames.saturating_sub(trimmed))
            }
            _ => match self.timing {
                Timing::Bytes(0) | Timing::Unknown => None,
                Timing::Bytes(bytes) => Some((packet.data.len() / bytes) as u64),
                Timing::Durations => Some(packet.dur.get()),
            },
        }
    }

    /// What has to happen before a packet is decoded, the first time after packets were passed over, or in any case.
    pub(super) fn prime(&mut self, skipped: bool) -> Prime {
        let section =
            self.kind == Kind::Aac && self.count > 0 && self.count.is_multiple_of(AAC_SECTION);
        if section && !skipped {
            return Prime {
                anew: true,
                packets: self.packets.back().cloned().into_iter().collect(),
            };
        }
        if !skipped {
            return Prime::default();
        }
        if section {
            while self.packets.len() > 1 {
                self.packets.pop_front();
            }
        }
        Prime {
            anew: true,
            packets: self.packets.iter().cloned().collect(),
        }
    }

    /// Remembers a packet as the one before the next.
    pub(super) fn note(&mut self, packet: Packet) {
        match self.kind {
            Kind::Alone => {}
            Kind::Vorbis => {
                self.packets.clear();
                self.packets.push_back(packet);
            }
            Kind::Aac => {
                // Of the section before, its last packet, which overlaps.
                if self.count.is_multiple_of(AAC_SECTION) {
                    while self.packets.len() > 1 {
                        self.packets.pop_front();
                    }
                }
                self.packets.push_back(packet);
            }
            Kind::Mp3 => {
                self.packets.push_back(packet);
                self.trim_mp3();
            }
        }
        self.count += 1;
    }

    fn trim_mp3(&mut self) {
        let main = |packet: &Packet| packet.data.len().saturating_sub(MP3_HEADER);
        let mut bytes: usize = self.packets.iter().map(main).sum();
        while let Some(first) = self.packets.front() {
            bytes -= main(first);
            if bytes < MP3_BYTES || self.packets.len() <= MP3_PACKETS {
                return;
            }
            self.packets.pop_front();
        }
    }
}
