//! Replays what fuzzing begins with and what it found: each file is read or refused as its row says, and what is left of
//! it when it is cut anywhere breaks no promise either.
//!
//! `tools/fuzz/corpus.py` makes the files.

mod expected;
mod invariants;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sensorium_hub::{Error, Weights};

/// The files of one target, by name without extension. What a fuzzer of this machine left there has none.
fn corpus(target: &str, extension: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let folder = folder.join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

/// Opens each file and all its beginnings.
fn replay(
    corpus: &BTreeMap<String, Vec<u8>>,
    expected: &[(&str, &str)],
    open: impl Fn(&[u8]) -> Result<Weights, Error>,
) {
    let rows: BTreeMap<&str, &str> = expected.iter().copied().collect();
    let rowless: Vec<_> = corpus
        .keys()
        .filter(|n| !rows.contains_key(&***n))
        .collect();
    assert!(rowless.is_empty(), "files without a row: {rowless:?}");
    for (name, problem) in rows {
        let file = corpus
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        println!("{name}"); // seen where a promise is broken
        let valid = name.starts_with("valid-");
        match open(file) {
            Ok(_) => assert!(valid, "{name} is read"),
            Err(error) => {
                let message = error.to_string();
                assert!(!valid && message.contains(problem), "{name}: {message}");
            }
        }
        for end in 0..file.len() {
            let opened = open(&file[..end]);
            assert!(!valid || opened.is_err(), "{name}, cut at {end}, is read");
        }
    }
}

#[test]
fn files_are_read_or_refused_as_expected() {
    let corpus = corpus("safetensors", "safetensors");
    replay(&corpus, expected::FILES, invariants::open_file);
}

#[test]
fn indexes_are_read_or_refused_as_expected() {
    let shards = invariants::Shards::new();
    let corpus = corpus("index", "json");
    replay(&corpus, expected::INDEXES, |index| shards.open(index));
}
