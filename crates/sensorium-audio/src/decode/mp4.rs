//! What an MP4 says that its demuxer passes over: which part of what its decoder gives is the sound (encoders put
//! silence before and after it), and the order of a number's bytes.

/// A point in time, in whole ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time {
    pub(super) ticks: u64,
    pub(super) per_second: u64,
}

impl Time {
    /// Samples at a rate, to the nearest.
    pub(super) fn frames(self, rate_hz: u32) -> u64 {
        let per_second = u128::from(self.per_second.max(1));
        let frames = (u128::from(self.ticks) * u128::from(rate_hz) + per_second / 2) / per_second;
        u64::try_from(frames).unwrap_or(u64::MAX)
    }
}

/// The part that is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Trim {
    pub(super) start: Option<Time>,
    pub(super) end: Option<Time>,
}

/// Reads it of the track `id`: its edit list, or what iTunes writes instead of one. A list of several pieces is not
/// applied: what it leaves out is heard. `length` is how long all samples of the track last, in the track's ticks.
pub(super) fn trim(bytes: &[u8], id: u32, length: Option<u64>) -> Trim {
    find(bytes, id, length).unwrap_or_default()
}

fn find(bytes: &[u8], id: u32, length: Option<u64>) -> Option<Trim> {
    let (movie, track) = movie_and_track(bytes, id)?;
    let per_second = timescale(path(track, &[b"mdia", b"mdhd"])?)?;
    match path(track, &[b"edts", b"elst"]) {
        Some(list) => {
            let movie_scale = timescale(child(movie, b"mvhd")?)?;
            edited(list, per_second, movie_scale, length)
        }
        None => itunes(movie, per_second),
    }
}

/// Whether the track's uncompressed numbers begin with their highest byte though the demuxer takes them for the other
/// order: QuickTime's formats that only `enda` turns round.
pub(super) fn is_big_endian(bytes: &[u8], id: u32) -> bool {
    let entry = || {
        let (_, track) = movie_and_track(bytes, id)?;
        let table = path(track, &[b"mdia", b"minf", b"stbl", b"stsd"])?;
        children(table.get(8..)?).next()
    };
    let Some((name, entry)) = entry() else {
        return false;
    };
    let turned = entry.windows(6).any(|part| part == b"enda\0\x01");
    [b"in24", b"in32", b"fl32", b"fl64"].contains(&&name) && !turned
}

fn movie_and_track(bytes: &[u8], id: u32) -> Option<(&[u8], &[u8])> {
    let movie = child(bytes, b"moov")?;
    let track = children(movie)
        .filter(|(name, _)| name == b"trak")
        .map(|(_, content)| content)
        .find(|track| track_id(track) == Some(id))?;
    Some((movie, track))
}

/// The one piece of an edit list; a leading gap is passed over.
fn edited(list: &[u8], per_second: u64, movie_scale: u64, length: Option<u64>) -> Option<Trim> {
    let wide = *list.first()? == 1;
    let count = be(list, 4, 4)?;
    let size = if wide { 20 } else { 12 };
    let mut piece = None;
    for entry in list
        .get(8..)?
        .chunks_exact(size)
        .take(usize::try_from(count).ok()?)
    {
        let (duration, media_time) = if wide {
            (be(entry, 0, 8)?, be(entry, 8, 8)? as i64)
        } else {
            (be(entry, 0, 4)?, i64::from(be(entry, 4, 4)? as u32 as i32))
        };
        if media_time < 0 {
            continue;
        }
        if piece.replace((duration, media_time as u64)).is_some() {
            return None;
        }
    }
    let (duration, start) = piece?;
    let time = |ticks| Time { ticks, per_second };
    // The film's ticks are coarse, often of a millisecond: within one, the samples' own end is meant.
    let in_track = |ticks: u64| {
        let ticks = u128::from(ticks) * u128::from(per_second);
        u64::try_from(ticks.div_ceil(u128::from(movie_scale))).ok()
    };
    let end = start.checked_add(in_track(duration)?)?;
    let end = length
        .filter(|length| end.abs_diff(*length) <= in_track(1).unwrap_or(0))
        .unwrap_or(end);
    Some(Trim {
        start: Some(time(start)),
        // No duration is "all there is".
        end: (duration > 0).then_some(time(end)),
    })
}

/// `iTunSMPB`: numbers in hexadecimal, the second the samples before the sound, the fourth those of it.
fn itunes(movie: &[u8], per_second: u64) -> Option<Trim> {
    let after = |bytes: &[u8], name: &[u8]| {
        let at = bytes.windows(name.len()).position(|part| part == name)?;
        Some(at + name.len())
    };
    let tag = &movie[after(movie, b"iTunSMPB")?..];
    let text = &tag[after(tag.get(..32)?, b"data")?..];
    // Its kind and language stand before the text.
    let text = std::str::from_utf8(text.get(8..8 + 54)?).ok()?;
    let mut numbers = text
        .split_ascii_whitespace()
        .map(|n| u64::from_str_radix(n, 16).ok());
    let (start, count) = (numbers.nth(1)??, numbers.nth(1)??);
    let time = |ticks| Time { ticks, per_second };
    Some(Trim {
        start: Some(time(start)),
        end: (count > 0).then_some(time(start.checked_add(count)?)),
    })
}

fn track_id(track: &[u8]) -> Option<u32> {
    let header = child(track, b"tkhd")?;
    let at = if *header.first()? == 1 { 20 } else { 12 };
    Some(be(header, at, 4)? as u32)
}

/// Ticks a second, by `mvhd` or `mdhd`.
fn timescale(header: &[u8]) -> Option<u64> {
    let at = if *header.first()? == 1 { 20 } else { 12 };
    be(header, at, 4).filter(|scale| *scale > 0)
}

fn be(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

fn path<'a>(bytes: &'a [u8], names: &[&[u8; 4]]) -> Option<&'a [u8]> {
    names
        .iter()
        .try_fold(bytes, |bytes, name| child(bytes, name))
}

fn child<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes)
        .find(|(found, _)| found == name)
        .map(|(_, content)| content)
}

/// The boxes that follow each other, with their content; up to one that does not fit.
fn children(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let name: [u8; 4] = rest.get(4..8)?.try_into().ok()?;
        let (header, length) = match be(rest, 0, 4)? {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(be(rest, 8, 8)?).ok()?),
            length => (8, length as usize),
        };
        let content = rest.get(header..length)?;
        rest = &rest[length..];
        Some((name, content))
    })
}
