//! A container opened, and its sound taken out packet by packet.

use std::io::{Cursor, ErrorKind};
use std::sync::Arc;

use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

use super::matroska::{self, Prepared};
use super::mix::Mix;
use super::track::{Heard, broken};
use crate::Error;

/// Packets in a row that may give no sound before a file is given up: no decoder may loop for ever.
const EMPTY_PACKETS: usize = 10_000;

/// A file being decoded.
pub(super) struct Stream<'a> {
    name: &'a str,
    bytes: Arc<[u8]>,
    format: Box<dyn FormatReader>,
    matroska: Option<Prepared>,
    track: Heard,
    empty: usize,
    /// Whether packets were passed over since the last was decoded.
    skipped: bool,
}

impl<'a> Stream<'a> {
    /// Finds the format by its content and the first sound in it.
    pub(super) fn open(
        name: &'a str,
        bytes: Arc<[u8]>,
        extension: Option<&str>,
    ) -> Result<Self, Error> {
        let known = is_known(&bytes);
        let (source, matroska): (Box<dyn MediaSource>, _) = if matroska::is(&bytes) {
            let (source, file) = matroska::prepare(name, &bytes)?;
            (Box::new(source), Some(file))
        } else {
            (Box::new(Cursor::new(bytes.clone())), None)
        };
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let format = symphonia::default::get_probe()
            .probe(
                &hint,
                MediaSourceStream::new(source, Default::default()),
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
        let track = Heard::choose(name, format.as_ref(), &bytes, matroska.as_ref())?;
        Ok(Self {
            name,
            bytes,
            format,
            matroska,
            track,
            empty: 0,
            skipped: false,
        })
    }

    /// Takes out what is asked for; with `skip`, what lies before it is not decoded where the format allows.
    pub(super) fn run(&mut self, mix: &mut Mix, skip: bool) -> Result<(), Error> {
        mix.describe(self.track.trim, self.track.layout_known);
        if skip && let Some(rate_hz) = self.track.rate_hz() {
            let begins = mix.begins(rate_hz)?;
            if self.track.seeks {
                mix.skip_to(self.seek(begins)?);
            } else {
                while self.step(mix, begins)? && mix.at() < begins {}
            }
        }
        while !mix.is_full() && self.step(mix, 0)? {}
        Ok(())
    }

    /// Moves to a sample, or the start of the packet that holds it.
    fn seek(&mut self, at: u64) -> Result<u64, Error> {
        let unseekable = || Error::Broken {
            name: self.name.to_owned(),
            reason: format!("sample {at} cannot be found"),
        };
        let to = SeekTo::Timestamp {
            ts: Timestamp::from(i64::try_from(at).map_err(|_| unseekable())?),
            track_id: self.track.id,
        };
        let found = self.format.seek(SeekMode::Accurate, to);
        let found = found.map_err(|fault| broken(self.name, fault))?;
        let found = u64::try_from(found.actual_ts.get()).map_err(|_| unseekable())?;
        if found > at {
            return Err(unseekable());
        }
        self.track.begin_anew(self.name)?;
        Ok(found)
    }

    /// Hands one packet's sound over, which may be none, and passes those over that end by sample `begins`; false at
    /// the end.
    fn step(&mut self, mix: &mut Mix, begins: u64) -> Result<bool, Error> {
        let packet = match self.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) if mix.at() < self.track.length.frames => return Err(self.cut_off(mix)),
            Ok(None) => return Ok(false),
            Err(Fault::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                let open = self.matroska.as_ref().is_some_and(|file| file.open_ended);
                return if open {
                    Ok(false)
                } else {
                    Err(self.cut_off(mix))
                };
            }
            // The next part of a chained Ogg, with headers of its own.
            Err(Fault::ResetRequired) => {
                self.count_empty()?;
                let format = self.format.as_ref();
                self.track = Heard::choose(self.name, format, &self.bytes, self.matroska.as_ref())?;
                self.skipped = false;
                return Ok(true);
            }
            Err(fault) => return Err(broken(self.name, fault)),
        };
        self.count_empty()?;
        if packet.track_id != self.track.id {
            return Ok(true);
        }
        if let Some(frames) = self.track.lead.frames(&packet).filter(|_| begins > 0) {
            let after = mix.at().saturating_add(frames);
            if after <= begins {
                if frames > 0 {
                    self.empty = 0;
                }
                self.skipped = true;
                mix.skip_to(after);
                self.track.lead.note(packet);
                return Ok(true);
            }
        }
        self.prime()?;
        self.decode(packet, mix)?;
        Ok(true)
    }

    /// Brings the decoder into the state that it has at this place of the whole.
    fn prime(&mut self) -> Result<(), Error> {
        let prime = self.track.lead.prime(std::mem::take(&mut self.skipped));
        if prime.anew {
            self.track.begin_anew(self.name)?;
        }
        for packet in prime.packets {
            // The first may point at what is not there; those that matter do not.
            let _ = self.track.decoder.decode(&packet);
        }
        Ok(())
    }

    fn decode(&mut self, packet: Packet, mix: &mut Mix) -> Result<(), Error> {
        let buffer = match self.track.decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(fault) => return Err(broken(self.name, fault)),
        };
        if buffer.frames() > 0 {
            self.empty = 0;
            let (channels, rate_hz) = (buffer.spec().channels(), buffer.spec().rate());
            let padding = self.track.lead.padding();
            mix.take(channels, rate_hz, padding, |samples| {
                buffer.copy_to_vec_interleaved(samples)
            })?;
        }
        self.track.lead.note(packet);
        Ok(())
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
            announced_s: self.track.length.seconds,
        }
    }
}

/// Whether a file begins like one of the containers that have a header to be cut off in.
fn is_known(bytes: &[u8]) -> bool {
    bytes.starts_with(b"fLaC")
        || bytes.starts_with(b"OggS")
        || bytes.get(4..8) == Some(b"ftyp")
        || matroska::is(bytes)
}
