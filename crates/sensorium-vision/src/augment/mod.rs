//! Random changes of images in training, each asked for by a number and off without one.

use rand::RngExt;
use sensorium_core::{SampleRng, need};
use serde::{Deserialize, Serialize};

use crate::{Error, ImageSample};

/// How much a training image may be changed. By default not at all; mild values are named at each.
///
/// Amounts of light are in pixels of 0..1, whatever the normalisation. Where a changed image shows
/// what lay outside of it, the pixels at its edge are repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Moved in each direction by up to this share of the side; mild: 0.1.
    pub shift: f32,
    /// Made larger or smaller by up to this share; larger crops; mild: 0.1.
    pub zoom: f32,
    /// Turned by up to this many degrees either way; mild: 10.
    pub rotate_deg: f32,
    /// Mirrored left to right for one in two. Wrong for digits, letters and road signs.
    pub flip: bool,
    /// Light added or taken, up to this much; mild: 0.1.
    pub brightness: f32,
    /// Contrast around the mean, raised or lowered by up to this share; mild: 0.2.
    pub contrast: f32,
    /// Deviation of normal noise added to each pixel and channel; mild: 0.02.
    pub noise: f32,
    /// Chance that a rectangle of 2 to 20 % of the area is set to the mean (random erasing, arXiv 1708.04896); mild: 0.25.
    pub erase: f32,
}

impl AugmentConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        let within = |key, value: f32, limit: f32| {
            need((0.0..=limit).contains(&value), key, || {
                format!("{value}; use 0 (off) to {limit}")
            })
        };
        within("augment.shift", self.shift, 0.5)?;
        within("augment.zoom", self.zoom, 0.9)?;
        within("augment.rotate_deg", self.rotate_deg, 180.0)?;
        within("augment.brightness", self.brightness, 1.0)?;
        within("augment.contrast", self.contrast, 1.0)?;
        within("augment.noise", self.noise, 1.0)?;
        within("augment.erase", self.erase, 1.0)?;
        Ok(())
    }

    /// Changes a sample in which black and white are these numbers, by channel. The same generator makes the same change,
    /// and one setting does not alter what another draws.
    pub(crate) fn apply(
        &self,
        mut sample: ImageSample,
        black_and_white: &[[f32; 2]],
        rng: &mut SampleRng,
    ) -> ImageSample {
        if *self == Self::default() {
            return sample;
        }
        let draw = Draw::new(rng);
        if self.shift > 0.0 || self.zoom > 0.0 || self.rotate_deg > 0.0 || self.flip {
            sample = self.place(&sample, &draw);
        }
        self.light(&mut sample, black_and_white, &draw, rng);
        if draw.erase_chance < self.erase {
            erase(&mut sample, &draw);
        }
        sample
    }

    /// Shift, zoom, rotation and flip in one resampling.
    fn place(&self, sample: &ImageSample, draw: &Draw) -> ImageSample {
        let [channels, height, width] = sample.dims();
        let (sin, cos) = (self.rotate_deg * draw.rotate).to_radians().sin_cos();
        let zoom = 1.0 + self.zoom * draw.zoom;
        let mirror = if self.flip && draw.flip { -1.0 } else { 1.0 };
        let centre = [(width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0];
        let shift = [
            self.shift * draw.shift[0] * width as f32,
            self.shift * draw.shift[1] * height as f32,
        ];
        let mut out = Vec::with_capacity(sample.pixels().len());
        for plane in sample.pixels().chunks_exact(height * width) {
            for y in 0..height {
                for x in 0..width {
                    // Where this pixel comes from.
                    let dx = (x as f32 - centre[0] - shift[0]) / zoom;
                    let dy = (y as f32 - centre[1] - shift[1]) / zoom;
                    let from_x = (cos * dx + sin * dy) * mirror + centre[0];
                    let from_y = cos * dy - sin * dx + centre[1];
                    out.push(bilinear(plane, width, height, from_x, from_y));
                }
            }
        }
        ImageSample::new(channels, height, width, out)
    }

    /// Contrast, brightness and noise, kept within what a pixel can be.
    fn light(
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

/// All that is drawn for one image but its noise: always the same numbers in the same order.
struct Draw {
    shift: [f32; 2],
    zoom: f32,
    rotate: f32,
    flip: bool,
    brightness: f32,
    contrast: f32,
    erase_chance: f32,
    erase_area: f32,
    erase_aspect: f32,
    erase_at: [f32; 2],
}

impl Draw {
    fn new(rng: &mut SampleRng) -> Self {
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

/// The pixel at a place between pixels; outside, that of the edge.
fn bilinear(plane: &[f32], width: usize, height: usize, x: f32, y: f32) -> f32 {
    let x = x.clamp(0.0, (width - 1) as f32);
    let y = y.clamp(0.0, (height - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (fx, fy) = (x - left as f32, y - top as f32);
    let row = |y: usize| {
        let (a, b) = (plane[y * width + left], plane[y * width + right]);
        a + (b - a) * fx
    };
    let (a, b) = (row(top), row(bottom));
    a + (b - a) * fy
}

/// Sets a rectangle to the mean of the normalisation, zero. Area and shape as in arXiv 1708.04896.
fn erase(sample: &mut ImageSample, draw: &Draw) {
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

/// A normal number by Box and Muller's transform (1958).
fn normal(rng: &mut SampleRng) -> f32 {
    // 1 - u lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random_range(0.0..1.0f32)).ln()).sqrt();
    let angle = core::f32::consts::TAU * rng.random_range(0.0..1.0f32);
    radius * angle.cos()
}

#[cfg(test)]
#[path = "augment_tests.rs"]
mod tests;
