//! RandAugment (arXiv 1909.13719): a few changes out of fourteen, all of one magnitude.

use rand::RngExt;
use sensorium_core::{Changes, Misfit, SampleRng, changes_key, need};
use serde::{Deserialize, Serialize};

use super::place::Motion;
use super::{colour, focus, tone};
use crate::ImageSample;

/// `n` changes drawn with replacement, each as large as `m` of 30 says, in either direction where there are two.
///
/// With `s` = m / 30, as in torchvision's `RandAugment`:
///
/// | change | how large |
/// |---|---|
/// | none | |
/// | shear across, shear down | 0.3 s pixels a pixel |
/// | move across, move down | 150 / 331 s of the side, in whole pixels |
/// | turn | 30 s degrees |
/// | brightness, colour, contrast, sharpness | a factor of 1 ± 0.9 s |
/// | posterize | 8 - 4 s bits are left, rounded |
/// | solarize | what is brighter than 1 - s becomes its negative |
/// | stretch contrast, equalize | |
///
/// None of them mirrors, so that digits and letters stay what they are.
///
/// # Differs from the paper
/// FixMatch (arXiv 2001.07685) draws each magnitude anew; here it is `m`, as RandAugment has it. Places between
/// pixels are interpolated, shears are around the centre, and what lay outside of an image is its edge, where torchvision takes
/// the nearest pixel, shears around the corner and fills with black.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandAugment {
    /// How many changes.
    pub n: usize,
    /// How large they are, of 30.
    pub m: f32,
}

impl Default for RandAugment {
    /// FixMatch's two changes, and a third of the largest magnitude.
    fn default() -> Self {
        Self { n: 2, m: 10.0 }
    }
}

/// What can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Identity,
    ShearAcross,
    ShearDown,
    MoveAcross,
    MoveDown,
    Turn,
    Brightness,
    Colour,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

impl Operation {
    pub(super) const ALL: [Self; 14] = [
        Self::Identity,
        Self::ShearAcross,
        Self::ShearDown,
        Self::MoveAcross,
        Self::MoveDown,
        Self::Turn,
        Self::Brightness,
        Self::Colour,
        Self::Contrast,
        Self::Sharpness,
        Self::Posterize,
        Self::Solarize,
        Self::AutoContrast,
        Self::Equalize,
    ];

    /// Changes pixels of 0..1. `strength` is 0..1; `sign` is 1 or -1.
    pub(super) fn apply(self, sample: &mut ImageSample, strength: f32, sign: f32) {
        let [_, height, width] = sample.dims();
        let amount = sign * strength;
        let factor = 1.0 + 0.9 * amount;
        let pixels = |side: usize| (150.0 / 331.0 * side as f32 * amount).trunc();
        let moved = |sample: &ImageSample, motion: Motion| motion.apply(sample);
        let still = Motion::NONE;
        match self {
            Self::Identity => {}
            Self::ShearAcross => {
                let shear = [0.3 * amount, 0.0];
                *sample = moved(sample, Motion { shear, ..still });
            }
            Self::ShearDown => {
                let shear = [0.0, 0.3 * amount];
                *sample = moved(sample, Motion { shear, ..still });
            }
            Self::MoveAcross => {
                let shift = [pixels(width), 0.0];
                *sample = moved(sample, Motion { shift, ..still });
            }
            Self::MoveDown => {
                let shift = [0.0, pixels(height)];
                *sample = moved(sample, Motion { shift, ..still });
            }
            Self::Turn => {
                let rotate_deg = 30.0 * amount;
                *sample = moved(
                    sample,
                    Motion {
                        rotate_deg,
                        ..still
                    },
                );
            }
            Self::Brightness => colour::brighten(sample, factor),
            Self::Colour => colour::saturate(sample, factor),
            Self::Contrast => colour::contrast(sample, factor),
            Self::Sharpness => focus::sharpen(sample, factor),
            Self::Posterize => tone::posterize(sample, 8 - (4.0 * strength).round() as u32),
            Self::Solarize => tone::solarize(sample, 1.0 - strength),
            Self::AutoContrast => tone::autocontrast(sample),
            Self::Equalize => tone::equalize(sample),
        }
    }
}

impl RandAugment {
    /// The most changes of one image.
    const MOST: usize = 16;

    pub(super) fn validate(&self, table: Changes) -> Result<(), Misfit> {
        let most = Self::MOST;
        need(
            (1..=most).contains(&self.n),
            changes_key!(table, "rand_augment.n"),
            || format!("{} changes; use 1 to {most}", self.n),
        )?;
        need(
            (0.0..=30.0).contains(&self.m),
            changes_key!(table, "rand_augment.m"),
            || format!("{}; use 0 to 30", self.m),
        )
    }

    /// Changes pixels of 0..1.
    pub(super) fn apply(&self, sample: &mut ImageSample, rng: &mut SampleRng) {
        for _ in 0..self.n {
            let operation = Operation::ALL[rng.random_range(0..Operation::ALL.len())];
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            operation.apply(sample, self.m / 30.0, sign);
        }
    }
}
