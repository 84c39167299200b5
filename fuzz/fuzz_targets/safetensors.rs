//! Any bytes as a safetensors file.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

#[path = "../../crates/sensorium-hub/tests/corpus/invariants.rs"]
#[allow(dead_code)] // the other target uses the rest
mod invariants;

fuzz_target!(|file: &[u8]| {
    let _ = invariants::open_file(file);
});

// Nearly all changes to a header change its length, and a wrong length would be all that is ever seen of them.
fuzz_mutator!(|file: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(file, size, max_size);
    if seed % 8 != 0 {
        put_length_right(&mut file[..size]);
    }
    size
});

/// Lets the header end at the last brace.
fn put_length_right(file: &mut [u8]) {
    if let Some((length, rest)) = file.split_first_chunk_mut::<8>()
        && let Some(last) = rest.iter().rposition(|byte| *byte == b'}')
    {
        *length = (last as u64 + 1).to_le_bytes();
    }
}
