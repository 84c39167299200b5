//! An input's bytes, and the extension of a file that holds them.

use std::path::Path;
use std::sync::Arc;

use sensorium_core::Source;

use crate::open::kind;
use crate::{Error, Row};

/// The largest input that is written, in bytes.
const LARGEST: u64 = 1 << 30;

/// Reads an input.
pub(super) fn read(row: &Row, source: &Source) -> Result<Arc<[u8]>, Error> {
    let bytes = source.read(LARGEST);
    bytes.map_err(|error| Error::broken(Path::new(&row.place.to_string()), None, error.to_string()))
}

/// Reads an input that is a text.
pub(super) fn text(row: &Row, source: &Source) -> Result<String, Error> {
    let bytes = read(row, source)?;
    let text = String::from_utf8(bytes.to_vec());
    text.map_err(|_| {
        let reason = format!("{} is not UTF-8", source.describe());
        Error::broken(Path::new(&row.place.to_string()), None, reason)
    })
}

/// The extension of an input's file: its own, or by its first bytes.
pub(super) fn extension(source: &Source, bytes: &[u8]) -> String {
    let plain = |e: &String| e.len() <= 8 && e.chars().all(|c| c.is_ascii_alphanumeric());
    match source {
        Source::Text(_) => "txt".to_owned(),
        _ => source
            .extension()
            .filter(plain)
            .unwrap_or_else(|| by_bytes(bytes).to_owned()),
    }
}

/// The extension by which a reader knows the modality: a usual one, or one that begins with the modality's name.
pub(super) fn telling(modality: &str, source: &Source, bytes: &[u8]) -> String {
    let extension = extension(source, bytes);
    match kind(Path::new(&format!("x.{extension}"))) == Some(modality) {
        true => extension,
        false => format!("{modality}.{extension}"),
    }
}

fn by_bytes(bytes: &[u8]) -> &'static str {
    const KINDS: [(usize, &[u8], &str); 12] = [
        (0, b"\x89PNG", "png"),
        (0, b"\xff\xd8\xff", "jpg"),
        (0, b"GIF8", "gif"),
        (8, b"WEBP", "webp"),
        (0, b"BM", "bmp"),
        (0, b"II*\0", "tif"),
        (0, b"MM\0*", "tif"),
        (8, b"WAVE", "wav"),
        (0, b"fLaC", "flac"),
        (0, b"OggS", "ogg"),
        (0, b"ID3", "mp3"),
        (4, b"ftyp", "m4a"),
    ];
    let found = KINDS
        .iter()
        .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(magic)));
    found.map_or("bin", |(_, _, extension)| extension)
}
