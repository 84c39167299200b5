//! Randomness that can be asked for again: every generator is derived from a seed and the place it is
//! used at (epoch, step, sample), never from a global one.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator for one place: the same `seed` and `path` give the same numbers on any machine.
///
/// ```
/// use rand::Rng;
/// use sensorium_core::seed;
/// let (epoch, sample) = (3, 17);
/// assert_eq!(seed::rng(7, &[epoch, sample]).next_u64(), seed::rng(7, &[epoch, sample]).next_u64());
/// assert_ne!(seed::rng(7, &[epoch, sample]).next_u64(), seed::rng(7, &[sample, epoch]).next_u64());
/// ```
pub fn rng(seed: u64, path: &[u64]) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(derive(seed, path))
}

/// What `draw` gives with the framework's own generator begun at `seed`, as parameters and dropout draw from it.
///
/// There is one such generator for a process and backend, whatever device is asked. So one draws at a time: runs beside
/// each other in a process get the numbers each would get alone.
pub fn drawn<R>(device: &Device, seed: u64, draw: impl FnOnce() -> R) -> R {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _one = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    draw()
}

/// A seed derived from another and a path, for what takes a number rather than a generator.
pub fn derive(seed: u64, path: &[u64]) -> u64 {
    path.iter().fold(mix(seed), |state, part| {
        mix(state.rotate_left(17) ^ mix(part.wrapping_add(0x9E37_79B9_7F4A_7C15)))
    })
}

/// A number for a name, so that names can stand in a path (FNV-1a, 64 bits).
pub fn of_name(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit reaches every output bit.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_its_permutation_nor_its_prefix() {
        let seeds = [
            derive(1, &[]),
            derive(1, &[0]),
            derive(1, &[0, 0]),
            derive(1, &[0, 1]),
            derive(1, &[1, 0]),
            derive(2, &[0, 1]),
        ];
        for (i, a) in seeds.iter().enumerate() {
            assert!(seeds[i + 1..].iter().all(|b| a != b), "{seeds:?}");
        }
    }

    #[test]
    fn a_run_can_be_repeated_on_any_machine() {
        assert_eq!(derive(42, &[1, 2, 3]), derive(42, &[1, 2, 3]));
        // The published test vectors of FNV-1a.
        assert_eq!(of_name(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(of_name("a"), 0xAF63_DC4C_8601_EC8C);
    }
}
