//! Whether a WAV or MP4 holds as many bytes of sound as it says, which their demuxers do not tell.

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

/// A length of all ones or zero is what a program writes that does not know it yet, and is taken for "to the end".
fn in_riff(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut at = 12usize;
    loop {
        let header = bytes.get(at..at.checked_add(8)?)?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let found = (bytes.len() - at - 8) as u64;
        if header.starts_with(b"data") {
            let open = length == u32::MAX || length == 0;
            return (!open).then_some((u64::from(length), found));
        }
        let padded = length as usize + (length as usize & 1);
        at = at.checked_add(8)?.checked_add(padded)?;
    }
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
