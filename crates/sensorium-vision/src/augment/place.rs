//! Where pixels come from: a crop made large again, and one resampling for all that moves, turns and shears.

use rand::RngExt;
use sensorium_core::SampleRng;

use super::AugmentConfig;
use super::draw::{Draw, More};
use crate::ImageSample;

/// The part of an image that is kept, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Part {
    /// How often a part is drawn before the middle is taken, as in torchvision's `RandomResizedCrop`.
    const TRIES: usize = 10;
    /// The narrowest part, as its width over its height, and the widest.
    const RATIOS: [f32; 2] = [3.0 / 4.0, 4.0 / 3.0];

    /// A part of at least `least` of the area, which lies anywhere with the same chance.
    pub(super) fn draw(height: usize, width: usize, least: f32, rng: &mut SampleRng) -> Self {
        let area = (height * width) as f32;
        let (low, high) = (Self::RATIOS[0].ln(), Self::RATIOS[1].ln());
        for _ in 0..Self::TRIES {
            let mut share = || rng.random_range(0.0..1.0f32);
            let wanted = area * (least + (1.0 - least) * share());
            let ratio = (low + (high - low) * share()).exp();
            let (x, y) = (share(), share());
            let wide = (wanted * ratio).sqrt().round() as usize;
            let tall = (wanted / ratio).sqrt().round() as usize;
            if (1..=width).contains(&wide) && (1..=height).contains(&tall) {
                return Self {
                    top: ((height - tall + 1) as f32 * y) as usize,
                    left: ((width - wide + 1) as f32 * x) as usize,
                    height: tall,
                    width: wide,
                };
            }
        }
        Self::middle(height, width)
    }

    /// As much of the middle as is neither too narrow nor too wide.
    fn middle(height: usize, width: usize) -> Self {
        let [narrow, wide] = Self::RATIOS;
        let tall = ((width as f32 / narrow).round() as usize).clamp(1, height);
        let broad = ((height as f32 * wide).round() as usize).clamp(1, width);
        Self {
            top: (height - tall) / 2,
            left: (width - broad) / 2,
            height: tall,
            width: broad,
        }
    }
}

/// A part of an image as large as the whole, bilinear. Nothing outside of the part is seen.
pub(super) fn resized(sample: &ImageSample, part: Part) -> ImageSample {
    let [channels, height, width] = sample.dims();
    let scale_y = part.height as f32 / height as f32;
    let scale_x = part.width as f32 / width as f32;
    // The centre of a pixel stays the centre of a pixel.
    let at = |i: usize, scale: f32, length: usize| {
        ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, (length - 1) as f32)
    };
    let mut out = Vec::with_capacity(sample.pixels().len());
    for plane in sample.pixels().chunks_exact(height * width) {
        for y in 0..height {
            let from_y = part.top as f32 + at(y, scale_y, part.height);
            for x in 0..width {
                let from_x = part.left as f32 + at(x, scale_x, part.width);
                out.push(bilinear(plane, width, height, from_x, from_y));
            }
        }
    }
    ImageSample::new(channels, height, width, out)
}

/// What is done in one resampling, around the centre: sheared, turned, mirrored, made larger, then moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    /// Columns that a pixel moves for each row below the centre, and rows for each column right of it.
    pub(super) shear: [f32; 2],
    /// Degrees, clockwise.
    pub(super) rotate_deg: f32,
    /// Whether left becomes right.
    pub(super) mirror: bool,
    /// How many times as large.
    pub(super) zoom: f32,
    /// Pixels to the right, and down.
    pub(super) shift: [f32; 2],
}

impl Motion {
    /// Nothing moves.
    pub(super) const NONE: Self = Self {
        shear: [0.0, 0.0],
        rotate_deg: 0.0,
        mirror: false,
        zoom: 1.0,
        shift: [0.0, 0.0],
    };

    /// What a table asks for and a draw decides.
    pub(super) fn of(config: &AugmentConfig, draw: &Draw, more: &More, dims: [usize; 3]) -> Self {
        let [_, height, width] = dims;
        Self {
            shear: more.shear.map(|shear| config.shear * shear),
            rotate_deg: config.rotate_deg * draw.rotate,
            mirror: config.flip && draw.flip,
            zoom: 1.0 + config.zoom * draw.zoom,
            shift: [
                config.shift * draw.shift[0] * width as f32,
                config.shift * draw.shift[1] * height as f32,
            ],
        }
    }

    /// The image moved; what lay outside of it is its edge.
    pub(super) fn apply(&self, sample: &ImageSample) -> ImageSample {
        let [channels, height, width] = sample.dims();
        let (sin, cos) = self.rotate_deg.to_radians().sin_cos();
        let mirror = if self.mirror { -1.0 } else { 1.0 };
        let centre = [(width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0];
        let mut out = Vec::with_capacity(sample.pixels().len());
        for plane in sample.pixels().chunks_exact(height * width) {
            for y in 0..height {
                for x in 0..width {
                    // Where this pixel comes from.
                    let dx = (x as f32 - centre[0] - self.shift[0]) / self.zoom;
                    let dy = (y as f32 - centre[1] - self.shift[1]) / self.zoom;
                    let (turned_x, turned_y) = (cos * dx + sin * dy, cos * dy - sin * dx);
                    let sheared_x = turned_x + self.shear[0] * turned_y;
                    let from_x = sheared_x * mirror + centre[0];
                    let from_y = turned_y + self.shear[1] * turned_x + centre[1];
                    out.push(bilinear(plane, width, height, from_x, from_y));
                }
            }
        }
        ImageSample::new(channels, height, width, out)
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
