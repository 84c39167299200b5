//! A handwritten digit as a small grey picture, made hard to read.

use rand::RngExt;
use sensorium_core::SampleRng;

use super::glyphs::{Glyph, SIDE};

/// Pixels a side.
pub(crate) const PIXELS: usize = 32;

/// How many pixels the writing is across, at most and at least: it neither fills the picture nor drowns.
const ACROSS: (f32, f32) = (21.0, 27.0);
/// How far it is turned, in degrees: people do not hold paper straight.
const TURN_DEG: f32 = 10.0;
/// How far it is moved off the centre, in pixels.
const SHIFT: f32 = 1.5;
/// How dark the ink is.
const CONTRAST: (f32, f32) = (0.7, 1.0);
/// Deviation of the noise on each pixel, of 1 between paper and ink.
const NOISE: (f32, f32) = (0.03, 0.12);
/// How wide the bar is that covers a part of the writing, in pixels: wide enough to hide a stroke.
const BAR: (f32, f32) = (1.0, 3.5);

/// What was drawn, for the row's notes.
pub(crate) struct Drawn {
    pub turn_deg: f32,
}

/// Draws a PNG: light paper, dark ink.
pub(crate) fn draw(glyph: &Glyph, rng: &mut SampleRng) -> (Vec<u8>, Drawn) {
    let between = |range: (f32, f32), rng: &mut SampleRng| rng.random_range(range.0..range.1);
    let turn_deg = rng.random_range(-TURN_DEG..TURN_DEG);
    let (sin, cos) = turn_deg.to_radians().sin_cos();
    let scale = SIDE as f32 / between(ACROSS, rng);
    let (dx, dy) = (
        rng.random_range(-SHIFT..SHIFT),
        rng.random_range(-SHIFT..SHIFT),
    );
    let contrast = between(CONTRAST, rng);
    let noise = between(NOISE, rng);
    let bar = Bar::draw(between(BAR, rng), rng);
    let centre = PIXELS as f32 / 2.0;
    let mut pixels = Vec::with_capacity(PIXELS * PIXELS);
    for row in 0..PIXELS {
        for column in 0..PIXELS {
            let (x, y) = (column as f32 + 0.5 - centre, row as f32 + 0.5 - centre);
            let (u, v) = (x - dx, y - dy);
            let ink = sample(
                glyph,
                (u * cos + v * sin) * scale,
                (v * cos - u * sin) * scale,
            );
            let ink = if bar.covers(x, y) {
                bar.ink
            } else {
                ink * contrast
            };
            let value = ink + noise * normal(rng);
            pixels.push((255.0 * (1.0 - value.clamp(0.0, 1.0))).round() as u8);
        }
    }
    (
        png(&pixels, PIXELS, png::ColorType::Grayscale),
        Drawn { turn_deg },
    )
}

/// A bar across the picture, near its centre, in a grey of its own.
struct Bar {
    normal: (f32, f32),
    offset: f32,
    half_width: f32,
    ink: f32,
}

impl Bar {
    fn draw(width: f32, rng: &mut SampleRng) -> Self {
        let angle = rng.random_range(0.0..std::f32::consts::PI);
        Self {
            normal: (angle.cos(), angle.sin()),
            offset: rng.random_range(-9.0..9.0),
            half_width: width / 2.0,
            ink: rng.random_range(0.0..0.7),
        }
    }

    fn covers(&self, x: f32, y: f32) -> bool {
        (x * self.normal.0 + y * self.normal.1 - self.offset).abs() < self.half_width
    }
}

/// Ink at a place measured from the writing's centre in its own values, between its four neighbours.
pub(crate) fn sample(glyph: &Glyph, x: f32, y: f32) -> f32 {
    let (x, y) = (x + SIDE as f32 / 2.0 - 0.5, y + SIDE as f32 / 2.0 - 0.5);
    let (x0, y0) = (x.floor(), y.floor());
    let (fx, fy) = (x - x0, y - y0);
    let at = |dx: f32, dy: f32| {
        let (column, row) = (x0 + dx, y0 + dy);
        let inside = |v: f32| (0.0..SIDE as f32).contains(&v);
        if inside(column) && inside(row) {
            glyph.ink[row as usize * SIDE + column as usize]
        } else {
            0.0
        }
    };
    let top = at(0.0, 0.0) * (1.0 - fx) + at(1.0, 0.0) * fx;
    let bottom = at(0.0, 1.0) * (1.0 - fx) + at(1.0, 1.0) * fx;
    top * (1.0 - fy) + bottom * fy
}

/// A normal draw (Box and Muller, 1958).
pub(crate) fn normal(rng: &mut SampleRng) -> f32 {
    let u: f32 = 1.0 - rng.random::<f32>();
    let v: f32 = rng.random();
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

/// A square PNG of so many pixels a side.
pub(crate) fn png(pixels: &[u8], side: usize, colour: png::ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels))
        .expect("a small picture can be encoded into memory");
    bytes
}
