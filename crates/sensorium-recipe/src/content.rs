//! What a row's inputs are, and numbers for what they contain.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use sensorium_core::{Modality, Source, seed};
use sensorium_data::Row;
use sha2::{Digest, Sha256};

use crate::modalities::KNOWN;

/// A row's inputs by modality; columns of no known modality are not inputs.
pub(crate) fn inputs_of(row: &Row) -> BTreeMap<Modality, Source> {
    KNOWN
        .iter()
        .filter_map(|m| Some((*m, row.inputs.get(m.name())?.clone())))
        .collect()
}

/// A number for the content of a row's inputs. What is in memory came with the program: its name and size tell it.
pub(crate) fn content_of(inputs: &BTreeMap<Modality, Source>) -> u64 {
    inputs.iter().fold(0, |number, (modality, source)| {
        let content = match source {
            Source::Text(text) => [seed::of_name(text), text.len() as u64],
            Source::Bytes { name, data } => [seed::of_name(name), data.len() as u64],
            Source::Path(path) => file_content(path).unwrap_or_default(),
            Source::Stored { .. } => match source.read(u64::MAX) {
                Ok(bytes) => [first_of(&Sha256::digest(&bytes[..])), bytes.len() as u64],
                Err(_) => [0; 2],
            },
        };
        seed::derive(
            number,
            &[seed::of_name(modality.name()), content[0], content[1]],
        )
    })
}

/// A number for a file's content, and its size.
pub(crate) fn file_content(path: &Path) -> std::io::Result<[u64; 2]> {
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
    Ok([first_of(&hash.finalize()), size])
}

/// The first eight bytes of a digest.
fn first_of(digest: &[u8]) -> u64 {
    let first = digest.iter().take(8);
    first.fold(0, |n, byte| n << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_other_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let of = |source: Source| content_of(&BTreeMap::from([(sensorium_text::TEXT, source)]));
        let file = |content: &str| {
            std::fs::write(&path, content).unwrap();
            of(Source::path(&path))
        };
        assert_eq!(file("one"), file("one"));
        assert_ne!(file("one"), file("two"));
        assert_ne!(of(Source::text("one")), of(Source::text("two")));
    }
}
