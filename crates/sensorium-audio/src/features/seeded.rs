//! Randomness of a sound's own: where the reference draws from a global generator, a sound draws from its samples.

use rand::RngExt;
use sensorium_core::{SampleRng, seed};

/// The generator of a sound: the same samples give the same numbers, on any machine and in any order.
pub(crate) fn rng_of(samples: &[f32]) -> SampleRng {
    let mix = |hash: u64, sample: &f32| {
        (hash ^ u64::from(sample.to_bits())).wrapping_mul(0x0000_0100_0000_01B3)
    };
    // FNV-1a's constants, a sample at a time.
    let hash = samples.iter().fold(0xCBF2_9CE4_8422_2325, mix);
    seed::rng(hash, &[samples.len() as u64])
}

/// Adds normal noise of a deviation.
pub(crate) fn add_noise(samples: &mut [f32], deviation: f32, rng: &mut SampleRng) {
    for sample in samples {
        // Box and Muller (1958); 1 - u is never zero.
        let (u, v) = (rng.random::<f64>(), rng.random::<f64>());
        let normal = (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        *sample += deviation * normal as f32;
    }
}
