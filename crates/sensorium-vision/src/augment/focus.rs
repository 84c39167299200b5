//! Blurring and sharpening, each channel by itself, equal to torchvision's on floats.

use crate::ImageSample;

/// A Gaussian of deviation `sigma` over `2 * radius + 1` pixels each way, mirrored at the edges.
pub(super) fn blur(sample: &mut ImageSample, radius: usize, sigma: f32) {
    let [_, height, width] = sample.dims();
    let weights = gaussian(radius, sigma);
    let mut between = vec![0.0; height * width];
    for plane in sample.pixels_mut().chunks_exact_mut(height * width) {
        for y in 0..height {
            for x in 0..width {
                let at = |i| plane[y * width + mirrored(x, i, radius, width)];
                between[y * width + x] = weighted(&weights, at);
            }
        }
        for y in 0..height {
            for x in 0..width {
                let at = |i| between[mirrored(y, i, radius, height) * width + x];
                plane[y * width + x] = weighted(&weights, at);
            }
        }
    }
}

fn weighted(weights: &[f32], at: impl Fn(usize) -> f32) -> f32 {
    weights.iter().enumerate().map(|(i, w)| w * at(i)).sum()
}

/// Weights that add up to 1.
fn gaussian(radius: usize, sigma: f32) -> Vec<f32> {
    let weight = |i: usize| {
        let distance = (i as f64 - radius as f64) / f64::from(sigma);
        (-0.5 * distance * distance).exp()
    };
    let weights: Vec<f64> = (0..=2 * radius).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| (w / sum) as f32).collect()
}

/// The pixel that stands `i - radius` from `from` in a row that is mirrored at its first and its last pixel, as often as it takes.
fn mirrored(from: usize, i: usize, radius: usize, length: usize) -> usize {
    let period = 2 * (length - 1);
    if period == 0 {
        return 0;
    }
    let place = (from + i) as isize - radius as isize;
    let place = place.rem_euclid(period as isize) as usize;
    place.min(period - place)
}

/// `factor` times as far from a smoothed image: 0 is smooth, 1 as it was, 2 sharp. The outermost pixels stay, as Pillow's do.
pub(super) fn sharpen(sample: &mut ImageSample, factor: f32) {
    let [_, height, width] = sample.dims();
    if height <= 2 || width <= 2 {
        return;
    }
    for plane in sample.pixels_mut().chunks_exact_mut(height * width) {
        let original = plane.to_vec();
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let at = y * width + x;
                let around: f32 = [at - width, at, at + width]
                    .iter()
                    .map(|i| original[i - 1..=i + 1].iter().sum::<f32>())
                    .sum();
                // Pillow's SMOOTH: 1 around, 5 in the middle.
                let smooth = (around + 4.0 * original[at]) / 13.0;
                plane[at] =
                    (original[at] + (1.0 - factor) * (smooth - original[at])).clamp(0.0, 1.0);
            }
        }
    }
}
