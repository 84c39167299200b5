//! Changes of light and colour, on pixels of 0..1, equal to torchvision's of the same names on floats. What needs three
//! colours leaves an image alone that has not three channels.

use crate::ImageSample;

/// How much of each colour is in the grey of a pixel, as torchvision has it (ITU-R BT.601 to four digits).
const LUMA: [f32; 3] = [0.2989, 0.587, 0.114];

/// `v` times as bright.
pub(super) fn brighten(sample: &mut ImageSample, factor: f32) {
    each(sample, |v| v * factor);
}

/// `factor` times as far from the mean of the grey image.
pub(super) fn contrast(sample: &mut ImageSample, factor: f32) {
    let [channels, height, width] = sample.dims();
    let grey = match channels {
        3 => grey(sample),
        _ => sample.pixels().to_vec(),
    };
    let count = grey.len().max(height * width);
    let mean = grey.iter().map(|v| f64::from(*v)).sum::<f64>() / count as f64;
    each(sample, |v| blend(v, mean as f32, factor));
}

/// `factor` times as far from grey: 0 is grey, 1 as it was.
pub(super) fn saturate(sample: &mut ImageSample, factor: f32) {
    if sample.dims()[0] != 3 {
        return;
    }
    let grey = grey(sample);
    for plane in sample.pixels_mut().chunks_exact_mut(grey.len()) {
        for (v, grey) in plane.iter_mut().zip(&grey) {
            *v = blend(*v, *grey, factor).clamp(0.0, 1.0);
        }
    }
}

/// The grey of each pixel in all channels.
pub(super) fn grey_out(sample: &mut ImageSample) {
    if sample.dims()[0] != 3 {
        return;
    }
    let grey = grey(sample);
    for plane in sample.pixels_mut().chunks_exact_mut(grey.len()) {
        plane.copy_from_slice(&grey);
    }
}

/// Hues moved along their circle by so many turns, in -0.5..0.5.
pub(super) fn shift_hue(sample: &mut ImageSample, turns: f32) {
    let [channels, height, width] = sample.dims();
    if channels != 3 {
        return;
    }
    let (red, rest) = sample.pixels_mut().split_at_mut(height * width);
    let (green, blue) = rest.split_at_mut(height * width);
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        let [hue, saturation, value] = to_hsv([*r, *g, *b]);
        [*r, *g, *b] = to_rgb([(hue + turns).rem_euclid(1.0), saturation, value]);
    }
}

fn grey(sample: &ImageSample) -> Vec<f32> {
    let [_, height, width] = sample.dims();
    let (red, rest) = sample.pixels().split_at(height * width);
    let (green, blue) = rest.split_at(height * width);
    let colours = red.iter().zip(green).zip(blue);
    colours
        .map(|((r, g), b)| LUMA[0] * r + LUMA[1] * g + LUMA[2] * b)
        .collect()
}

fn blend(value: f32, other: f32, factor: f32) -> f32 {
    value * factor + other * (1.0 - factor)
}

/// Changes each pixel, and keeps it between black and white.
pub(super) fn each(sample: &mut ImageSample, change: impl Fn(f32) -> f32) {
    for v in sample.pixels_mut() {
        *v = change(*v).clamp(0.0, 1.0);
    }
}

/// Hue (0..1), saturation and value of a colour.
fn to_hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    // Also where nothing is a number.
    if range <= 0.0 || range.is_nan() {
        return [0.0, 0.0, most];
    }
    let below = |v: f32| (most - v) / range;
    let sixths = if most == r {
        below(b) - below(g)
    } else if most == g {
        2.0 + below(r) - below(b)
    } else {
        4.0 + below(g) - below(r)
    };
    [(sixths / 6.0).rem_euclid(1.0), range / most, most]
}

fn to_rgb([hue, saturation, value]: [f32; 3]) -> [f32; 3] {
    let sixth = (hue * 6.0).floor();
    let within = hue * 6.0 - sixth;
    let of = |share: f32| (value * share).clamp(0.0, 1.0);
    let low = of(1.0 - saturation);
    let falling = of(1.0 - saturation * within);
    let rising = of(1.0 - saturation * (1.0 - within));
    match sixth as usize % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}
