//! A Matroska or WebM file reduced to what its sound needs, before a demuxer trusts any of it.
//!
//! The demuxer reads tags, chapters, attachments, tables of cues, and whatever a table of contents points at, as
//! often as it points at it: a small file could fill any memory. It is handed another file: a header made anew, the
//! file's own `Info` and `Tracks`, both of bounded size, and the clusters as they are.

use std::io::{Read, Result as IoResult, Seek, SeekFrom};
use std::sync::Arc;

use symphonia::core::io::MediaSource;

use super::mp4::{Time, Trim};
use crate::Error;

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const CODEC_DELAY: u32 = 0x56AA;
const CONTENT_ENCODINGS: u32 = 0x6D80;
/// The most bytes of `Info` and `Tracks`: a codec's tables take tens of kilobytes.
const MOST_HEADER: usize = 1 << 20;

/// What the demuxer does not tell of a file.
pub(super) struct Prepared {
    /// Whether the file leaves open where it ends, as one written into a pipe does.
    pub(super) open_ended: bool,
    tracks: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    number: u64,
    delay_ns: u64,
    encoded: bool,
}

/// Whether a file begins like Matroska.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(&EBML.to_be_bytes())
}

/// Reads a file's header, and gives the demuxer a file without what is not sound.
pub(super) fn prepare(name: &str, bytes: &Arc<[u8]>) -> Result<(Spliced, Prepared), Error> {
    let broken = |reason: &str| Error::Broken {
        name: name.to_owned(),
        reason: reason.to_owned(),
    };
    let early = || Error::EndsEarly {
        name: name.to_owned(),
        found_s: 0.0,
        announced_s: None,
    };
    let cut_off = |announced: usize, found: usize| Error::CutOff {
        name: name.to_owned(),
        announced: announced as u64,
        found: found as u64,
    };
    let header = Element::read(bytes, 0).ok_or_else(early)?;
    let segment_at = header
        .end()
        .ok_or_else(|| broken("its header has no length"))?;
    let segment = Element::read(bytes, segment_at).ok_or_else(early)?;
    if segment.id != SEGMENT {
        return Err(broken("no segment follows its header"));
    }
    if let Some(end) = segment.end().filter(|end| *end > bytes.len()) {
        return Err(cut_off(end - segment.data, bytes.len() - segment.data));
    }
    let end = segment.end().unwrap_or(bytes.len());
    let content = &bytes[..end];
    let (mut info, mut tracks, mut clusters) = (None, None, None);
    let mut at = segment.data;
    while let Some(element) = Element::read(content, at) {
        match element.id {
            INFO => info = info.or(Some(element)),
            TRACKS => tracks = tracks.or(Some(element)),
            CLUSTER => clusters = clusters.or(Some(at)),
            _ => {}
        }
        let Some(next) = element.end() else { break };
        if element.id == CLUSTER && next > end {
            return Err(cut_off(next - element.data, end - element.data));
        }
        at = next;
    }
    let missing = |what: &str| match segment.size {
        Some(_) => broken(&format!("holds no {what}")),
        None => early(),
    };
    let info = info
        .and_then(|e| e.whole(content))
        .ok_or_else(|| missing("description"))?;
    let tracks = tracks
        .and_then(|e| e.whole(content))
        .ok_or_else(|| missing("tracks"))?;
    let clusters = clusters.ok_or_else(|| Error::Silent {
        name: name.to_owned(),
    })?;
    if info.len() + tracks.len() > MOST_HEADER {
        return Err(broken("its header is larger than one megabyte"));
    }
    let file = Prepared {
        tracks: entries(tracks),
        open_ended: segment.size.is_none(),
    };
    let head = head(info, tracks, end - clusters);
    Ok((Spliced::new(head, bytes.clone(), clusters..end), file))
}

impl Prepared {
    /// What stands before a track's sound.
    pub(super) fn trim(&self, track: u32) -> Trim {
        let delay = |entry: &Entry| Time {
            ticks: entry.delay_ns,
            per_second: 1_000_000_000,
        };
        Trim {
            start: self.entry(track).map(delay),
            end: None,
        }
    }

    /// Whether a track is packed or encrypted around its codec, which is not undone.
    pub(super) fn is_encoded(&self, track: u32) -> bool {
        self.entry(track).is_some_and(|entry| entry.encoded)
    }

    fn entry(&self, track: u32) -> Option<&Entry> {
        self.tracks
            .iter()
            .find(|entry| entry.number == u64::from(track))
    }
}

/// A header for `clusters` bytes of clusters.
fn head(info: &[u8], tracks: &[u8], clusters: usize) -> Vec<u8> {
    let mut head = EBML.to_be_bytes().to_vec();
    // Eleven bytes: that it is Matroska.
    head.extend(b"\x8B\x42\x82\x88matroska");
    head.extend(SEGMENT.to_be_bytes());
    // A length of eight bytes, the first of which says so.
    let length = (info.len() + tracks.len() + clusters) as u64;
    head.extend((length | 1 << 56).to_be_bytes());
    head.extend(info);
    head.extend(tracks);
    head
}

fn entries(tracks: &[u8]) -> Vec<Entry> {
    let Some(element) = Element::read(tracks, 0) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    for (id, track) in children(&tracks[element.data..]) {
        if id != TRACK_ENTRY {
            continue;
        }
        let mut entry = Entry::default();
        for (id, content) in children(track) {
            let number = || content.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
            match id {
                TRACK_NUMBER => entry.number = number(),
                CODEC_DELAY => entry.delay_ns = number(),
                CONTENT_ENCODINGS => entry.encoded = true,
                _ => {}
            }
        }
        entries.push(entry);
    }
    entries
}

fn children(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let element = Element::read(bytes, at)?;
        let end = element.end()?;
        let content = bytes.get(element.data..end)?;
        at = end;
        Some((element.id, content))
    })
}

/// An element of EBML (RFC 8794): an identifier, a length that may be unknown, content.
#[derive(Clone, Copy)]
struct Element {
    id: u32,
    at: usize,
    data: usize,
    size: Option<u64>,
}

impl Element {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let first = *bytes.get(at)?;
        let id_length = first.leading_zeros() as usize + 1;
        let id = bytes.get(at..at + id_length).filter(|id| id.len() <= 4)?;
        let id = id.iter().fold(0u32, |n, b| n << 8 | u32::from(*b));
        let size_at = at + id_length;
        let first = *bytes.get(size_at)?;
        let size_length = first.leading_zeros() as usize + 1;
        let size = bytes
            .get(size_at..size_at + size_length)
            .filter(|size| size.len() <= 8)?;
        let bits = 7 * size_length as u32;
        let size = size.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)) & ((1 << bits) - 1);
        Some(Self {
            id,
            at,
            data: size_at + size_length,
            // All ones is unknown.
            size: (size != (1 << bits) - 1).then_some(size),
        })
    }

    fn end(&self) -> Option<usize> {
        self.data.checked_add(usize::try_from(self.size?).ok()?)
    }

    /// With its header, if all of it is there.
    fn whole<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(self.at..self.end()?)
    }
}

/// Bytes of our own, and a part of a file after them.
pub(super) struct Spliced {
    head: Vec<u8>,
    file: Arc<[u8]>,
    part: std::ops::Range<usize>,
    at: u64,
}

impl Spliced {
    fn new(head: Vec<u8>, file: Arc<[u8]>, part: std::ops::Range<usize>) -> Self {
        Self {
            head,
            file,
            part,
            at: 0,
        }
    }

    fn len(&self) -> u64 {
        (self.head.len() + self.part.len()) as u64
    }
}

impl Read for Spliced {
    fn read(&mut self, to: &mut [u8]) -> IoResult<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        let from = match self.head.get(at..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => self.file[self.part.clone()]
                .get(at - self.head.len()..)
                .unwrap_or(&[]),
        };
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Spliced {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| std::io::Error::other("before the start"))?;
        Ok(self.at)
    }
}

impl MediaSource for Spliced {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}
