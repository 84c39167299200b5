//! Checkpoints of published size, too large to be committed: `cargo xtask parity --full` makes them with
//! `tools/parity/models/full.py` in a folder that it names in `SENSORIUM_PARITY`, and has Python read what is saved here.

use std::path::Path;

use sensorium_testkit::devices;

use super::{Case, compare};

/// Where a case is saved to, for Python.
const SAVED: &str = "saved";

#[test]
fn parity_at_published_size() {
    let Some(folder) = std::env::var_os("SENSORIUM_PARITY") else {
        eprintln!("skipped: `cargo xtask parity --full` makes checkpoints of published size");
        return;
    };
    let entries = std::fs::read_dir(Path::new(&folder)).expect("the folder in SENSORIUM_PARITY");
    let mut folders: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.retain(|folder| folder.join("config.json").exists());
    folders.sort();
    assert!(!folders.is_empty(), "SENSORIUM_PARITY holds no checkpoint");
    for folder in folders {
        let case = Case::open(folder.clone());
        for device in devices() {
            compare(&case, &device, &folder.join(SAVED));
        }
        println!("{}: equal on {} devices", folder.display(), devices().len());
    }
}
