//! Any bytes as an index of shards, `model.safetensors.index.json`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/sensorium-hub/tests/corpus/invariants.rs"]
#[allow(dead_code)] // the other target uses the rest
mod invariants;

/// One folder for the whole run: each input only replaces the index.
static SHARDS: LazyLock<invariants::Shards> = LazyLock::new(invariants::Shards::new);

fuzz_target!(|index: &[u8]| {
    let _ = SHARDS.open(index);
});
