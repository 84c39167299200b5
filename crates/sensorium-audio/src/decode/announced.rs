//! Whether a WAV or MP4 holds as many bytes of sound as it says, which their demuxers do not tell.

use std::sync::Arc;

use crate::Error;

/// Refuses a file whose sound is announced to be longer than the file.
pub(super) fn check(name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (announced, found) = match sound(bytes) {
        Some((announced, found)) if announced > found => (announced, found),
        _ => return Ok(()),
    };
    Err(Error::CutOff {
        name: name.to_owned(),
        announced,
        found,
    })
}

/// The bytes that the sound should have, and those from its start to the end of the file.
fn sound(bytes: &[u8]) -> Option<(u64, u64)> {
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WAVE" {
        return in_riff(bytes);
    }
    if bytes.get(4..8)? == b"ftyp" {
        return in_mp4(bytes);
    }
    None
}

fn in_riff(bytes: &[u8]) -> Option<(u64, u64)> {
    let (_, length, found) = data_of(bytes)?;
    (!is_open(bytes, length)).then_some((u64::from(length), found as u64))
}

/// A WAV's `data`: where it begins, how many bytes it says it has, and how many there are to the end of the file.
fn data_of(bytes: &[u8]) -> Option<(usize, u32, usize)> {
    let mut at = 12usize;
    loop {
        let header = bytes.get(at..at.checked_add(8)?)?;
        let length = u32_at(header, 4)?;
        at = at.checked_add(8)?;
        if header.starts_with(b"data") {
            return Some((at, length, bytes.len() - at));
        }
        let padded = length as usize + (length as usize & 1);
        at = at.checked_add(padded)?;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// Whether a length is what a program writes that does not know it, as it writes into a pipe or was killed: FFmpeg's, SoX's,
/// or nothing in a file that says nothing of its own length either.
fn is_open(bytes: &[u8], length: u32) -> bool {
    let whole = u32_at(bytes, 4).map_or(0, u64::from);
    match length {
        u32::MAX | 0x7FFF_F000 => true,
        0 => whole + 8 != bytes.len() as u64,
        _ => false,
    }
}

/// A WAV that does not know how long it is, with lengths that go to its end, which its demuxer needs; others as they are.
pub(super) fn with_length(bytes: Arc<[u8]>) -> Arc<[u8]> {
    let is_wav = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE");
    let Some((at, length, found)) = data_of(&bytes).filter(|_| is_wav) else {
        return bytes;
    };
    if !is_open(&bytes, length) {
        return bytes;
    }
    // Half a sample at the end is none.
    let align = format_of(&bytes).and_then(|at| bytes.get(at + 12..at + 14));
    let align = align.map_or(1, |two| usize::from(u16::from_le_bytes([two[0], two[1]])));
    let whole = found - found % align.max(1);
    let mut bytes = bytes[..at + whole].to_vec();
    let lengths = [(4, bytes.len() - 8), (at - 4, whole)];
    for (at, length) in lengths {
        // Files are at most half a gigabyte.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
    bytes.into()
}

/// Where the content of a WAV's `fmt ` begins, if it is the first chunk, as in all that is written into a pipe.
fn format_of(bytes: &[u8]) -> Option<usize> {
    (bytes.get(12..16)? == b"fmt ").then_some(20)
}

/// The first `mdat` that is longer than the file; a length of zero is "to the end".
fn in_mp4(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut at = 0usize;
    loop {
        let header = bytes.get(at..at.checked_add(8)?)?;
        let short = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let length = match short {
            0 => return None,
            1 => u64::from_be_bytes(bytes.get(at + 8..at.checked_add(16)?)?.try_into().ok()?),
            short => u64::from(short),
        };
        let found = (bytes.len() - at) as u64;
        if length > found {
            let is_sound = &header[4..] == b"mdat";
            return is_sound.then_some((length, found));
        }
        // A box is at least its own header long; a shorter one would be read for ever.
        at = at.checked_add(usize::try_from(length.max(8)).ok()?)?;
    }
}
