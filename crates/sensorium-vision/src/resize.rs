//! Resizing that equals Pillow's byte by byte: published checkpoints were trained with it.

use serde::{Deserialize, Serialize};

use crate::Picture;
use crate::convolve::{Kernel, along_columns, along_rows};

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
    pub(crate) side: usize,
    /// Pixels of the whole side when resized.
    pub(crate) resized: usize,
    /// Where the part begins, in resized pixels.
    pub(crate) start: usize,
    /// How many resized pixels it has.
    pub(crate) length: usize,
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
    let kernel = match filter {
        Filter::Nearest => return nearest(picture, across, down),
        Filter::Bilinear => Kernel::BILINEAR,
        Filter::Bicubic => Kernel::BICUBIC,
        Filter::Lanczos => Kernel::LANCZOS,
        Filter::Box => Kernel::BOX,
        Filter::Hamming => Kernel::HAMMING,
    };
    // Pillow to version 12, with which today's checkpoints were made, always begins with rows. Since 13 (its
    // pull request 9549) it begins with columns where the height shrinks much more than the width.
    let narrowed = along_rows(picture, across, kernel);
    along_columns(&narrowed, down, kernel)
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

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
