//! Pillow's convolution, to the last bit: its weights, its 22 binary digits, its rounding between passes.
//!
//! Libraries that come close to Pillow differ from it where a weighted sum lies halfway between two bytes,
//! and the second pass makes two steps of one. Checkpoints are compared byte by byte, so that the few lines
//! of `libImaging/Resample.c` that matter are followed here instead.

use core::f64::consts::PI;

use crate::Picture;
use crate::resize::Span;

/// Binary digits of a weight: what is left of 32 after a byte and two to spare.
const PRECISION: u32 = 32 - 8 - 2;

/// A filter's weight at a distance, in pixels of the smaller picture, and where it ends.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    weight: fn(f64) -> f64,
    support: f64,
}

impl Kernel {
    /// The mean of what is covered.
    pub(crate) const BOX: Self = Self {
        weight: |x| f64::from(u8::from(x > -0.5 && x <= 0.5)),
        support: 0.5,
    };

    /// A triangle.
    pub(crate) const BILINEAR: Self = Self {
        weight: |x| (1.0 - x.abs()).max(0.0),
        support: 1.0,
    };

    /// A raised cosine on a sinc.
    pub(crate) const HAMMING: Self = Self {
        weight: |x| match x.abs() {
            0.0 => 1.0,
            x if x >= 1.0 => 0.0,
            x => sinc(x) * (0.54 + 0.46 * (x * PI).cos()),
        },
        support: 1.0,
    };

    /// Keys' cubic with a = -0.5.
    pub(crate) const BICUBIC: Self = Self {
        weight: |x| {
            const A: f64 = -0.5;
            match x.abs() {
                x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
                x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
                _ => 0.0,
            }
        },
        support: 2.0,
    };

    /// A sinc in a window of three lobes.
    pub(crate) const LANCZOS: Self = Self {
        weight: |x| match (-3.0..3.0).contains(&x) {
            true => sinc(x) * sinc(x / 3.0),
            false => 0.0,
        },
        support: 3.0,
    };
}

fn sinc(x: f64) -> f64 {
    match x * PI {
        0.0 => 1.0,
        x => x.sin() / x,
    }
}

/// The pixels that make one resized pixel: the first, and the weight of it and those after it.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// The taps of each resized pixel of a span.
fn taps(span: Span, kernel: Kernel) -> Vec<Taps> {
    let scale = span.side as f64 / span.resized as f64;
    // Scaling up, a filter is as wide as in the picture; scaling down, as in what it becomes.
    let filter_scale = scale.max(1.0);
    let support = kernel.support * filter_scale;
    let narrow = 1.0 / filter_scale;
    let of = |at: usize| {
        let centre = (at as f64 + 0.5) * scale;
        // A float becomes the nearest number in range: what lies left of the picture, its first pixel.
        let first = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(span.side);
        let exact: Vec<f64> = (first..end)
            .map(|x| (kernel.weight)((x as f64 - centre + 0.5) * narrow))
            .collect();
        let sum: f64 = exact.iter().sum();
        let fixed = |weight: &f64| {
            let share = if sum == 0.0 { *weight } else { weight / sum };
            // `round` goes away from zero where halfway, as Pillow does.
            (share * f64::from(1 << PRECISION)).round() as i32
        };
        Taps {
            first,
            weights: exact.iter().map(fixed).collect(),
        }
    };
    (span.start..span.start + span.length).map(of).collect()
}

/// A weighted sum to a byte.
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// What each sum begins with, so that it is rounded.
const HALF: i32 = 1 << (PRECISION - 1);

/// Resizes a part of each row.
pub(crate) fn along_rows(picture: &Picture, across: Span, kernel: Kernel) -> Picture {
    let taps = taps(across, kernel);
    let channels = picture.channels();
    let mut out = Vec::with_capacity(taps.len() * picture.height() * channels);
    for row in picture.data().chunks_exact(picture.width() * channels) {
        for Taps { first, weights } in &taps {
            let pixels = &row[first * channels..(first + weights.len()) * channels];
            match channels {
                1 => out.extend(weighted::<1>(pixels, weights)),
                _ => out.extend(weighted::<3>(pixels, weights)),
            }
        }
    }
    Picture::new(taps.len(), picture.height(), channels, out)
}

fn weighted<const C: usize>(pixels: &[u8], weights: &[i32]) -> [u8; C] {
    let mut sums = [HALF; C];
    for (pixel, weight) in pixels.chunks_exact(C).zip(weights) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += i32::from(*value) * weight;
        }
    }
    sums.map(byte)
}

/// Resizes a part of each column.
pub(crate) fn along_columns(picture: &Picture, down: Span, kernel: Kernel) -> Picture {
    let taps = taps(down, kernel);
    // Channels do not meet in a column, so that each counts as a column of its own.
    let columns = picture.width() * picture.channels();
    let mut out = Vec::with_capacity(taps.len() * columns);
    let mut sums = vec![HALF; columns];
    for Taps { first, weights } in &taps {
        sums.fill(HALF);
        let rows = picture.data().chunks_exact(columns).skip(*first);
        for (row, weight) in rows.zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.extend(sums.iter().map(|sum| byte(*sum)));
    }
    Picture::new(picture.width(), taps.len(), picture.channels(), out)
}
