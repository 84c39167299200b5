//! What becomes of each value by itself or by how often it occurs, on pixels of 0..1, equal to torchvision's of the same names
//! on floats.

use super::colour::each;
use crate::ImageSample;

/// What is at least as bright as `threshold` becomes its negative.
pub(super) fn solarize(sample: &mut ImageSample, threshold: f32) {
    each(sample, |v| if v >= threshold { 1.0 - v } else { v });
}

/// Each value rounded down to one of `2^bits`. Bytes would keep their first bits instead, which differs by less than 1 of 255
/// from 4 bits on.
pub(super) fn posterize(sample: &mut ImageSample, bits: u32) {
    let levels = 2f32.powi(bits as i32);
    each(sample, |v| {
        (v * levels).floor().clamp(0.0, levels - 1.0) / levels
    });
}

/// The darkest value of each channel becomes 0, the brightest 1.
pub(super) fn autocontrast(sample: &mut ImageSample) {
    let [_, height, width] = sample.dims();
    for plane in sample.pixels_mut().chunks_exact_mut(height * width) {
        // Neither takes what is not a number.
        let least = plane.iter().copied().fold(f32::INFINITY, f32::min);
        let most = plane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if most > least {
            let range = most - least;
            plane
                .iter_mut()
                .for_each(|v| *v = ((*v - least) / range).clamp(0.0, 1.0));
        }
    }
}

/// The values of each channel spread so that each part of 0..1 has as many, by the 256 values of a byte, as Pillow does it.
pub(super) fn equalize(sample: &mut ImageSample) {
    let [_, height, width] = sample.dims();
    for plane in sample.pixels_mut().chunks_exact_mut(height * width) {
        // As torchvision makes bytes of floats: each of the 256 has as large a part of 0..1. What is not a number is 0.
        let bytes: Vec<u8> = plane.iter().map(|v| (v * 255.999) as u8).collect();
        let Some(table) = equal(&bytes) else {
            continue;
        };
        for (v, byte) in plane.iter_mut().zip(bytes) {
            *v = f32::from(table[usize::from(byte)]) / 255.0;
        }
    }
}

/// What each byte becomes, unless there are too few to tell: one for each step of 255, beside the brightest.
fn equal(bytes: &[u8]) -> Option<[u8; 256]> {
    let mut counts = [0usize; 256];
    bytes
        .iter()
        .for_each(|byte| counts[usize::from(*byte)] += 1);
    let last = counts.iter().rposition(|count| *count > 0)?;
    let step = (bytes.len() - counts[last]) / 255;
    if step == 0 {
        return None;
    }
    let mut table = [0; 256];
    let mut below = step / 2;
    for (entry, count) in table.iter_mut().zip(counts) {
        *entry = (below / step).min(255) as u8;
        below += count;
    }
    Some(table)
}
