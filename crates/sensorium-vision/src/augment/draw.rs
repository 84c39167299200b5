//! All that is drawn for one image: always the same numbers in the same order, so that one setting does not alter what
//! another draws, and a setting that came later does not alter what the earlier ones draw.

use rand::RngExt;
use sensorium_core::SampleRng;

/// Numbers of the generator's own stream, which the noise goes on with.
pub(super) struct Draw {
    pub(super) shift: [f32; 2],
    pub(super) zoom: f32,
    pub(super) rotate: f32,
    pub(super) flip: bool,
    pub(super) brightness: f32,
    pub(super) contrast: f32,
    pub(super) erase_chance: f32,
    pub(super) erase_area: f32,
    pub(super) erase_aspect: f32,
    pub(super) erase_at: [f32; 2],
}

impl Draw {
    pub(super) fn new(rng: &mut SampleRng) -> Self {
        let mut share = || rng.random_range(0.0..1.0f32);
        let mut signed = || share() * 2.0 - 1.0;
        Self {
            shift: [signed(), signed()],
            zoom: signed(),
            rotate: signed(),
            flip: signed() < 0.0,
            brightness: signed(),
            contrast: signed(),
            erase_chance: share(),
            erase_area: share(),
            erase_aspect: share(),
            erase_at: [share(), share()],
        }
    }
}

/// Numbers of a stream of their own. Chances are 0..1, amounts -1..1.
pub(super) struct More {
    pub(super) shear: [f32; 2],
    pub(super) jitter: f32,
    pub(super) saturation: f32,
    pub(super) hue: f32,
    pub(super) grayscale: f32,
    pub(super) sharpness: f32,
    pub(super) blur: f32,
    /// 0..1
    pub(super) blur_sigma: f32,
    pub(super) autocontrast: f32,
    pub(super) equalize: f32,
    pub(super) posterize: f32,
    pub(super) solarize: f32,
}

impl More {
    pub(super) fn new(rng: &SampleRng) -> Self {
        let mut rng = stream(rng, 2);
        let mut share = || rng.random_range(0.0..1.0f32);
        Self {
            shear: [share() * 2.0 - 1.0, share() * 2.0 - 1.0],
            jitter: share(),
            saturation: share() * 2.0 - 1.0,
            hue: share() * 2.0 - 1.0,
            grayscale: share(),
            sharpness: share() * 2.0 - 1.0,
            blur: share(),
            blur_sigma: share(),
            autocontrast: share(),
            equalize: share(),
            posterize: share(),
            solarize: share(),
        }
    }
}

/// Another stream of the same generator. Sounds take the first, this is from the second on.
pub(super) fn stream(rng: &SampleRng, number: u64) -> SampleRng {
    let mut rng = rng.clone();
    rng.set_stream(number);
    rng
}

/// A normal number by Box and Muller's transform (1958).
pub(super) fn normal(rng: &mut SampleRng) -> f32 {
    // 1 - u lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random_range(0.0..1.0f32)).ln()).sqrt();
    let angle = core::f32::consts::TAU * rng.random_range(0.0..1.0f32);
    radius * angle.cos()
}
