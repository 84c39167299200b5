//! Light in units of what black and white are: contrast, brightness, noise, and a rectangle without any.

use sensorium_core::SampleRng;

use super::AugmentConfig;
use super::draw::{Draw, normal};
use crate::ImageSample;

/// Normalised pixels to 0..1. Channels beyond those that black and white are told of stay as they are.
pub(super) fn to_unit(sample: &mut ImageSample, black_and_white: &[[f32; 2]]) {
    by_channel(sample, black_and_white, |v, black, light| {
        ((v - black) / light).clamp(0.0, 1.0)
    });
}

/// Pixels of 0..1 to normalised ones.
pub(super) fn from_unit(sample: &mut ImageSample, black_and_white: &[[f32; 2]]) {
    by_channel(sample, black_and_white, |v, black, light| v * light + black);
}

fn by_channel(
    sample: &mut ImageSample,
    black_and_white: &[[f32; 2]],
    change: impl Fn(f32, f32, f32) -> f32,
) {
    let [_, height, width] = sample.dims();
    let planes = sample.pixels_mut().chunks_exact_mut(height * width);
    for (plane, [black, white]) in planes.zip(black_and_white) {
        // A published file may make one number of black and white.
        let light = if white == black { 1.0 } else { white - black };
        for v in plane {
            *v = change(*v, *black, light);
        }
    }
}

impl AugmentConfig {
    /// Contrast, brightness and noise, kept within what a pixel can be.
    pub(super) fn light(
        &self,
        sample: &mut ImageSample,
        black_and_white: &[[f32; 2]],
        draw: &Draw,
        rng: &mut SampleRng,
    ) {
        if self.contrast == 0.0 && self.brightness == 0.0 && self.noise == 0.0 {
            return;
        }
        let [_, height, width] = sample.dims();
        let contrast = 1.0 + self.contrast * draw.contrast;
        let planes = sample.pixels_mut().chunks_exact_mut(height * width);
        for (plane, [black, white]) in planes.zip(black_and_white) {
            let all_light = white - black;
            let middle = plane.iter().sum::<f32>() / plane.len() as f32;
            let brightness = self.brightness * draw.brightness * all_light;
            for pixel in plane {
                let mut value = (*pixel - middle) * contrast + middle + brightness;
                if self.noise > 0.0 {
                    value += normal(rng) * self.noise * all_light;
                }
                *pixel = value.clamp(*black, *white);
            }
        }
    }
}

/// Sets a rectangle to the mean of the normalisation, zero. Area and shape as in arXiv 1708.04896.
pub(super) fn erase(sample: &mut ImageSample, draw: &Draw) {
    let [channels, height, width] = sample.dims();
    let area = (0.02 + 0.18 * draw.erase_area) * (height * width) as f32;
    // Between 3:10 and 10:3, as likely wide as tall.
    let aspect = (0.3f32.ln() * (1.0 - 2.0 * draw.erase_aspect)).exp();
    let tall = ((area * aspect).sqrt().round() as usize).clamp(1, height);
    let wide = ((area / aspect).sqrt().round() as usize).clamp(1, width);
    let top = ((height - tall + 1) as f32 * draw.erase_at[1]) as usize;
    let left = ((width - wide + 1) as f32 * draw.erase_at[0]) as usize;
    for c in 0..channels {
        for y in top..top + tall {
            let start = (c * height + y) * width + left;
            sample.pixels_mut()[start..start + wide].fill(0.0);
        }
    }
}
