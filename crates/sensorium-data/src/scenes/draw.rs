//! A scene as a picture and as a recording.

use rand::RngExt;
use sensorium_core::SampleRng;

use super::Thing;
use super::words::COLOURS;
use crate::av_digits::glyphs::SIDE;
use crate::av_digits::picture::{normal, png, sample};
use crate::av_digits::speech::{Clip, RATE_HZ, wav};

/// Pixels a side.
pub(super) const PIXELS: usize = 48;
/// Pixels a side of the quarter in which a digit stands.
const QUARTER: usize = PIXELS / 2;

/// How many pixels a digit is across.
const ACROSS: (f32, f32) = (16.0, 22.0);
/// How far it is turned, in degrees, and moved off its quarter's centre, in pixels.
const TURN_DEG: f32 = 12.0;
const SHIFT: f32 = 2.0;
/// How bright its colour is, of full.
const BRIGHTNESS: (f32, f32) = (0.7, 1.0);
/// How bright the canvas is, and the deviation of the noise on each pixel.
const CANVAS: (f32, f32) = (0.02, 0.18);
const NOISE: (f32, f32) = (0.01, 0.06);

/// Silence around the words, in seconds, how loud they are, and how far above the noise, in decibels.
const SILENCE_S: (f32, f32) = (0.04, 0.12);
const PEAK: (f32, f32) = (0.2, 0.8);
const SNR_DB: (f32, f32) = (12.0, 30.0);

fn between(range: (f32, f32), rng: &mut SampleRng) -> f32 {
    rng.random_range(range.0..range.1)
}

/// How a thing is drawn.
struct Drawn<'a, 'b> {
    thing: &'b Thing<'a>,
    centre: (f32, f32),
    turn: (f32, f32),
    scale: f32,
    brightness: f32,
}

impl<'a, 'b> Drawn<'a, 'b> {
    fn draw(thing: &'b Thing<'a>, rng: &mut SampleRng) -> Self {
        let quarter = |index: usize| (index * QUARTER + QUARTER / 2) as f32;
        let place = thing.is.place;
        let mut off = || rng.random_range(-SHIFT..SHIFT);
        let centre = (quarter(place % 2) + off(), quarter(place / 2) + off());
        Self {
            thing,
            centre,
            turn: rng.random_range(-TURN_DEG..TURN_DEG).to_radians().sin_cos(),
            scale: SIDE as f32 / between(ACROSS, rng),
            brightness: between(BRIGHTNESS, rng),
        }
    }

    /// How much of it covers a pixel.
    fn ink(&self, x: f32, y: f32) -> f32 {
        let (u, v) = (x - self.centre.0, y - self.centre.1);
        // Nothing of it reaches farther.
        if u.abs().max(v.abs()) > ACROSS.1 {
            return 0.0;
        }
        let (sin, cos) = self.turn;
        sample(
            self.thing.glyph,
            (u * cos + v * sin) * self.scale,
            (v * cos - u * sin) * self.scale,
        )
    }
}

/// A PNG in colour.
pub(super) fn picture(things: &[Thing<'_>], rng: &mut SampleRng) -> Vec<u8> {
    let canvas = between(CANVAS, rng);
    let noise = between(NOISE, rng);
    let drawn: Vec<Drawn<'_, '_>> = things.iter().map(|t| Drawn::draw(t, rng)).collect();
    let mut pixels = Vec::with_capacity(3 * PIXELS * PIXELS);
    for at in 0..PIXELS * PIXELS {
        let (x, y) = ((at % PIXELS) as f32 + 0.5, (at / PIXELS) as f32 + 0.5);
        let mut colour = [canvas; 3];
        for thing in &drawn {
            let ink = thing.ink(x, y);
            let paint = COLOURS[thing.thing.is.colour].1;
            for (value, paint) in colour.iter_mut().zip(paint) {
                *value += ink * (paint * thing.brightness - *value);
            }
        }
        // Grain is grey.
        let grain = noise * normal(rng);
        pixels.extend(colour.map(|value| (255.0 * (value + grain).clamp(0.0, 1.0)).round() as u8));
    }
    png(&pixels, PIXELS, png::ColorType::Rgb)
}

/// Words one after the other, in some noise: a 16-bit WAV.
pub(super) fn spoken(clips: &[&Clip], rng: &mut SampleRng) -> Vec<u8> {
    let silence = |rng: &mut SampleRng| (between(SILENCE_S, rng) * RATE_HZ as f32) as usize;
    let mut samples = vec![0.0; silence(rng)];
    for clip in clips {
        let loudest = clip.samples.iter().fold(1e-4f32, |m, s| m.max(s.abs()));
        let gain = between(PEAK, rng) / loudest;
        samples.extend(clip.samples.iter().map(|s| gain * s));
        samples.resize(samples.len() + silence(rng), 0.0);
    }
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
    let noise = power.sqrt() * 10f32.powf(-between(SNR_DB, rng) / 20.0);
    wav(samples.into_iter().map(|s| s + noise * normal(rng)))
}
