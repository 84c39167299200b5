//! Replays what fuzzing begins with: each file is heard or refused as its row says, and what is left of it when it is cut
//! anywhere breaks no promise either.
//!
//! `tools/fuzz/sounds.py` makes the files.

mod expected;
mod invariants;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files, by name. What a fuzzer of this machine left there has no extension.
fn corpus() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/sound");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn files_are_heard_or_refused_as_expected() {
    let corpus = corpus();
    let rows: BTreeMap<&str, &str> = expected::EXPECTED.iter().copied().collect();
    let rowless: Vec<_> = corpus
        .keys()
        .filter(|n| !rows.contains_key(&***n))
        .collect();
    assert!(rowless.is_empty(), "files without a row: {rowless:?}");
    for (name, problem) in rows {
        let file = corpus.get(name);
        let file = file.unwrap_or_else(|| panic!("{name} is missing"));
        println!("{name}"); // seen where a promise is broken
        let valid = name.starts_with("valid-");
        match invariants::hear(name, file) {
            Ok(_) => assert!(valid, "{name} is heard"),
            Err(error) => {
                let message = error.to_string();
                assert!(!valid && message.contains(problem), "{message}");
            }
        }
        for end in 0..file.len() {
            let _ = invariants::hear(name, &file[..end]);
        }
    }
}
