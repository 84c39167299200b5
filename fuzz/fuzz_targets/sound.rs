//! Any bytes as a file of sound.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/sensorium-audio/tests/corpus/invariants.rs"]
mod invariants;

fuzz_target!(|file: &[u8]| {
    let _ = invariants::hear("sound", file);
});
