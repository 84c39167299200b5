//! Resizing that equals Pillow's within one step of a byte: published checkpoints were trained with it.

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::F32;
use fir::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use crate::Picture;

/// How pixels are weighed. Scaling down, each looks at all pixels it covers, as Pillow's do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The one pixel at the centre.
    Nearest,
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = -0.5: what CLIP and most vision transformers use.
    #[default]
    Bicubic,
    /// A sinc in a window of three lobes.
    Lanczos,
    /// The mean of the pixels that are covered.
    Box,
    /// A raised cosine as wide as the triangle, and sharper.
    Hamming,
}

/// How an image of any shape becomes a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The shorter side is resized and the centre cut out: nothing is distorted, the ends are lost.
    #[default]
    Crop,
    /// Both sides are resized: nothing is lost, the image is distorted.
    Stretch,
}

/// One side of a picture, and the part of it that is wanted of it resized.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// Pixels of the picture.
    side: usize,
    /// Pixels of the whole side when resized.
    resized: usize,
    /// Where the part begins, in resized pixels.
    start: usize,
    /// How many resized pixels it has.
    length: usize,
}

impl Span {
    /// All of a side.
    pub(crate) fn whole(side: usize, resized: usize) -> Self {
        Self {
            side,
            resized,
            start: 0,
            length: resized,
        }
    }

    /// The middle of a side, or all of it where it is shorter.
    pub(crate) fn centre(side: usize, resized: usize, length: usize) -> Self {
        let length = length.min(resized);
        Self {
            side,
            resized,
            start: (resized - length) / 2,
            length,
        }
    }

    /// How many resized pixels there are.
    pub(crate) fn length(self) -> usize {
        self.length
    }

    /// Where the part begins in the picture, and how long it is there, in its pixels and parts of them.
    fn window(self) -> (f64, f64) {
        let scale = self.side as f64 / self.resized as f64;
        let start = self.start as f64 * scale;
        let length = self.length as f64 * scale;
        (start, length.min(self.side as f64 - start))
    }

    /// The picture's pixel at the centre of each resized one. Pillow adds up steps, and where a centre
    /// lies between two pixels, its rounding decides.
    fn nearest(self) -> Vec<usize> {
        let step = self.side as f64 / self.resized as f64;
        let places = std::iter::successors(Some(step * 0.5), |at| Some(at + step));
        places
            .skip(self.start)
            .take(self.length)
            .map(|at| (at as usize).min(self.side - 1))
            .collect()
    }
}

/// Resizes to exactly `width` x `height`.
///
/// # Panics
/// If a size is zero.
pub fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Picture {
    let across = Span::whole(picture.width(), width);
    let down = Span::whole(picture.height(), height);
    resize_part(picture, across, down, filter)
}

/// Resizes so that the shorter side is `shortest_edge` long, and cuts the centre of `size` x `size`
/// out, as transformers' image processors do: the longer side is rounded down, and so is the offset.
///
/// The ends that are cut off are never resized, so that an image of 1 x 65,535 pixels costs no more
/// than its own size.
///
/// # Panics
/// If `size` is zero or greater than `shortest_edge`.
pub fn resize_and_crop(
    picture: &Picture,
    shortest_edge: usize,
    size: usize,
    filter: Filter,
) -> Picture {
    assert!(
        size > 0 && size <= shortest_edge,
        "{size} of {shortest_edge}"
    );
    let shortest = picture.width().min(picture.height());
    let span = |side: usize| Span::centre(side, shortest_edge * side / shortest, size);
    let (across, down) = (span(picture.width()), span(picture.height()));
    resize_part(picture, across, down, filter)
}

/// Resizes, and gives a part of what comes out; the rest is never resized.
///
/// # Panics
/// If the part has no pixels.
pub(crate) fn resize_part(picture: &Picture, across: Span, down: Span, filter: Filter) -> Picture {
    let (width, height) = (across.length, down.length);
    assert!(width > 0 && height > 0, "{width} x {height} pixels");
    let filter = match filter {
        Filter::Nearest => return nearest(picture, across, down),
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
        Filter::Box => FilterType::Box,
        Filter::Hamming => FilterType::Hamming,
    };
    // Pillow resizes rows, rounds to bytes, and then resizes columns, with weights of 22 binary digits.
    // On bytes the library begins with columns, and its weights have at most 16 digits: a quarter of all
    // bytes come out different. One direction at a time in floating point, they come out the same.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let narrowed = along_rows(picture, across, &options);
    along_columns(&narrowed, down, &options)
}

/// Resizes a part of each row.
fn along_rows(picture: &Picture, across: Span, options: &ResizeOptions) -> Picture {
    // Rows that are in floating point at a time, so that a large picture needs little more memory.
    const BAND: usize = 32;
    let (full, channels) = (picture.width(), picture.channels());
    let (width, (left, span)) = (across.length, across.window());
    let mut resizer = Resizer::new();
    let mut out = vec![0; width * picture.height() * channels];
    let bands = picture.data().chunks(BAND * full * channels);
    for (band, out) in bands.zip(out.chunks_mut(BAND * width * channels)) {
        let rows = band.len() / (full * channels);
        for c in 0..channels {
            let plane = band.iter().skip(c).step_by(channels);
            let target = convolve(
                &mut resizer,
                (full, rows, plane),
                (width, rows),
                &options.crop(left, 0.0, span, rows as f64),
            );
            let bytes = out.iter_mut().skip(c).step_by(channels);
            for (byte, value) in bytes.zip(target) {
                *byte = value;
            }
        }
    }
    Picture::new(width, picture.height(), channels, out)
}

/// Resizes a part of each column.
fn along_columns(picture: &Picture, down: Span, options: &ResizeOptions) -> Picture {
    let (height, (top, span)) = (down.length, down.window());
    // Channels do not meet in a column, so that each counts as a column of its own.
    let columns = picture.width() * picture.channels();
    let target = convolve(
        &mut Resizer::new(),
        (columns, picture.height(), picture.data().iter()),
        (columns, height),
        &options.crop(0.0, top, columns as f64, span),
    );
    Picture::new(picture.width(), height, picture.channels(), target)
}

/// Resizes one plane of `width, height, bytes`, and rounds to bytes.
fn convolve<'a>(
    resizer: &mut Resizer,
    source: (usize, usize, impl Iterator<Item = &'a u8>),
    target: (usize, usize),
    options: &ResizeOptions,
) -> Vec<u8> {
    let pixels: Vec<F32> = source.2.map(|v| F32::new(f32::from(*v))).collect();
    let source = TypedImageRef::new(side(source.0), side(source.1), &pixels)
        .expect("a plane has the pixels of its size");
    let mut target = TypedImage::<F32>::new(side(target.0), side(target.1));
    resizer
        .resize_typed(&source, &mut target, options)
        .expect("the window lies inside the picture");
    target.pixels().iter().map(|v| (v.0 + 0.5) as u8).collect()
}

fn nearest(picture: &Picture, across: Span, down: Span) -> Picture {
    let (columns, rows) = (across.nearest(), down.nearest());
    let mut out = Vec::with_capacity(columns.len() * rows.len() * picture.channels());
    for y in &rows {
        for x in &columns {
            out.extend_from_slice(picture.pixel(*x, *y));
        }
    }
    Picture::new(columns.len(), rows.len(), picture.channels(), out)
}

fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).expect("sides of pictures are below 2^32")
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
