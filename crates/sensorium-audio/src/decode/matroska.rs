//! A Matroska or WebM file reduced to what its sound needs, before a demuxer trusts any of it.
//!
//! The demuxer reads tags, chapters, attachments, tables of cues, and whatever a table of contents points at, as
//! often as it points at it: a small file could fill any memory. It is handed another file: a header made anew, the
//! file's own `Info` and `Tracks`, both of bounded size, and the clusters as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ebml::{Element, children};
use super::mp4::{Time, Trim};
use super::spliced::Spliced;
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
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const DISCARD_PADDING: u32 = 0x75A2;
/// The most bytes of `Info` and `Tracks`: a codec's tables take tens of kilobytes.
const MOST_HEADER: usize = 1 << 20;

/// What the demuxer does not tell of a file.
pub(super) struct Prepared {
    /// Whether the file leaves open where it ends, as one written into a pipe does.
    pub(super) open_ended: bool,
    tracks: BTreeMap<u64, Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    delay_ns: u64,
    encoded: bool,
    packets: u64,
    /// What the last packet has too much at its end.
    padding_ns: u64,
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
    let segment = segment(name, bytes)?;
    let end = segment.end().unwrap_or(bytes.len());
    let content = &bytes[..end];
    let parts = Parts::find(name, content, segment.data)?;
    // Of a file without a length, what is missing was cut off.
    let missing = |what: &str| match segment.size {
        Some(_) => broken(&format!("holds no {what}")),
        None => early(name),
    };
    let info = parts.info.and_then(|e| e.whole(content));
    let info = info.ok_or_else(|| missing("description"))?;
    let tracks = parts.tracks.and_then(|e| e.whole(content));
    let tracks = tracks.ok_or_else(|| missing("tracks"))?;
    let clusters = parts.clusters.first().ok_or_else(|| Error::Silent {
        name: name.to_owned(),
    })?;
    if info.len() + tracks.len() > MOST_HEADER {
        return Err(broken("its header is larger than one megabyte"));
    }
    let mut tracks_by_number = entries(tracks);
    for cluster in parts.clusters.iter().filter_map(|e| e.whole(content)) {
        for (_, cluster) in children(cluster) {
            count(cluster, &mut tracks_by_number);
        }
    }
    let file = Prepared {
        tracks: tracks_by_number,
        open_ended: segment.size.is_none(),
    };
    let head = head(info, tracks, end - clusters.at);
    Ok((Spliced::new(head, bytes.clone(), clusters.at..end), file))
}

/// The element that holds all others.
fn segment(name: &str, bytes: &[u8]) -> Result<Element, Error> {
    let broken = |reason: &str| Error::Broken {
        name: name.to_owned(),
        reason: reason.to_owned(),
    };
    let header = Element::read(bytes, 0).ok_or_else(|| early(name))?;
    let at = header
        .end()
        .ok_or_else(|| broken("its header has no length"))?;
    let segment = Element::read(bytes, at).ok_or_else(|| early(name))?;
    if segment.id != SEGMENT {
        return Err(broken("no segment follows its header"));
    }
    match segment.end().filter(|end| *end > bytes.len()) {
        Some(end) => Err(cut_off(
            name,
            end - segment.data,
            bytes.len() - segment.data,
        )),
        None => Ok(segment),
    }
}

/// What is needed of a segment.
#[derive(Default)]
struct Parts {
    info: Option<Element>,
    tracks: Option<Element>,
    clusters: Vec<Element>,
}

impl Parts {
    fn find(name: &str, content: &[u8], mut at: usize) -> Result<Self, Error> {
        let mut parts = Self::default();
        while let Some(element) = Element::read(content, at) {
            match element.id {
                INFO => parts.info = parts.info.or(Some(element)),
                TRACKS => parts.tracks = parts.tracks.or(Some(element)),
                CLUSTER => parts.clusters.push(element),
                _ => {}
            }
            let Some(next) = element.end() else { break };
            if element.id == CLUSTER && next > content.len() {
                return Err(cut_off(
                    name,
                    next - element.data,
                    content.len() - element.data,
                ));
            }
            at = next;
        }
        Ok(parts)
    }
}

fn early(name: &str) -> Error {
    Error::EndsEarly {
        name: name.to_owned(),
        found_s: 0.0,
        announced_s: None,
    }
}

fn cut_off(name: &str, announced: usize, found: usize) -> Error {
    Error::CutOff {
        name: name.to_owned(),
        announced: announced as u64,
        found: found as u64,
    }
}

impl Prepared {
    /// What stands before a track's sound.
    pub(super) fn trim(&self, track: u32) -> Trim {
        let start = self.entry(track).map(|entry| nanoseconds(entry.delay_ns));
        Trim { start, end: None }
    }

    /// How many packets a track has, and what the last one has too much at its end.
    pub(super) fn padding(&self, track: u32) -> Option<(u64, Time)> {
        let entry = self.entry(track).filter(|entry| entry.padding_ns > 0)?;
        Some((entry.packets, nanoseconds(entry.padding_ns)))
    }

    /// Whether a track is packed or encrypted around its codec, which is not undone.
    pub(super) fn is_encoded(&self, track: u32) -> bool {
        self.entry(track).is_some_and(|entry| entry.encoded)
    }

    fn entry(&self, track: u32) -> Option<&Entry> {
        self.tracks.get(&u64::from(track))
    }
}

fn nanoseconds(ticks: u64) -> Time {
    let per_second = 1_000_000_000;
    Time { ticks, per_second }
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

/// The tracks by their numbers.
fn entries(tracks: &[u8]) -> BTreeMap<u64, Entry> {
    let mut entries = BTreeMap::new();
    for (_, track) in children(tracks)
        .flat_map(|(_, tracks)| children(tracks))
        .filter(|(id, _)| *id == TRACK_ENTRY)
    {
        let (mut number, mut entry) = (0, Entry::default());
        for (id, content) in children(track) {
            match id {
                TRACK_NUMBER => number = be(content),
                CODEC_DELAY => entry.delay_ns = be(content),
                CONTENT_ENCODINGS => entry.encoded = true,
                _ => {}
            }
        }
        entries.insert(number, entry);
    }
    entries
}

fn be(content: &[u8]) -> u64 {
    content.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// Counts a cluster's packets, and keeps what the last one of each track has too much.
fn count(cluster: &[u8], entries: &mut BTreeMap<u64, Entry>) {
    for (id, content) in children(cluster) {
        let (block, padding) = match id {
            SIMPLE_BLOCK => (Some(content), None),
            BLOCK_GROUP => {
                let child = |name| children(content).find(|(id, _)| *id == name);
                let content = |(_, content)| content;
                // Below zero it is at the start, which nobody writes.
                let padding = child(DISCARD_PADDING).map(content);
                let padding = padding
                    .filter(|content| content.first() < Some(&0x80))
                    .map(be);
                (child(BLOCK).map(content), padding)
            }
            _ => continue,
        };
        // The track's number in one byte or two, two bytes of time, flags, and with them the number of packets.
        let Some([first, second, ..]) = block else {
            continue;
        };
        let (width, number) = match first {
            0x80.. => (1, u64::from(first & 0x7F)),
            0x40.. => (2, u64::from(first & 0x3F) << 8 | u64::from(*second)),
            _ => continue,
        };
        let (Some(entry), Some(flags)) = (
            entries.get_mut(&number),
            block.and_then(|block| block.get(width + 2)),
        ) else {
            continue;
        };
        let more = block.and_then(|block| block.get(width + 3)).unwrap_or(&0);
        entry.packets += if flags & 6 == 0 {
            1
        } else {
            u64::from(*more) + 1
        };
        entry.padding_ns = padding.unwrap_or(0);
    }
}
