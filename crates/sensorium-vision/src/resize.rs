//! Resizing that equals Pillow's within one step of a byte: published checkpoints were trained with it.

use fast_image_resize as fir;
use fir::images::{Image, ImageRef, TypedImage, TypedImageRef};
use fir::pixels::F32;
use fir::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
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

/// A part of a picture, in its pixels and parts of them.
#[derive(Clone, Copy)]
struct Window {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// Resizes to exactly `width` x `height`.
///
/// # Panics
/// If a size is zero.
pub fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Picture {
    let whole = Window {
        left: 0.0,
        top: 0.0,
        width: picture.width() as f64,
        height: picture.height() as f64,
    };
    resize_window(picture, whole, width, height, filter)
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
    // One side after the other: where the window begins, and how long it is.
    let span = |side: usize| {
        let resized = shortest_edge * side / shortest;
        let scale = side as f64 / resized as f64;
        let start = ((resized - size) / 2) as f64 * scale;
        (start, (size as f64 * scale).min(side as f64 - start))
    };
    let (left, width) = span(picture.width());
    let (top, height) = span(picture.height());
    let window = Window {
        left,
        top,
        width,
        height,
    };
    resize_window(picture, window, size, size, filter)
}

fn resize_window(
    picture: &Picture,
    window: Window,
    width: usize,
    height: usize,
    filter: Filter,
) -> Picture {
    assert!(width > 0 && height > 0, "{width} x {height} pixels");
    let filter = match filter {
        Filter::Nearest => return nearest(picture, window, width, height),
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    // Pillow resizes rows, rounds to bytes, and then resizes columns, with weights of 22 binary digits.
    // On bytes the library begins with columns, and its weights have at most 16 digits: a quarter of all
    // bytes come out different. One direction at a time in floating point, they come out the same.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let narrowed = along_rows(picture, window.left, window.width, width, &options);
    along_columns(&narrowed, window.top, window.height, height, &options)
}

/// Resizes the part of each row that begins at `left` and is `span` long to `width` pixels.
fn along_rows(
    picture: &Picture,
    left: f64,
    span: f64,
    width: usize,
    options: &ResizeOptions,
) -> Picture {
    // Rows that are in floating point at a time, so that a large picture needs little more memory.
    const BAND: usize = 32;
    let (full, channels) = (picture.width(), picture.channels());
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

/// Resizes the part of each column that begins at `top` and is `span` long to `height` pixels.
fn along_columns(
    picture: &Picture,
    top: f64,
    span: f64,
    height: usize,
    options: &ResizeOptions,
) -> Picture {
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

fn nearest(picture: &Picture, window: Window, width: usize, height: usize) -> Picture {
    let pixel_type = match picture.channels() {
        1 => PixelType::U8,
        _ => PixelType::U8x3,
    };
    let source = ImageRef::new(
        side(picture.width()),
        side(picture.height()),
        picture.data(),
        pixel_type,
    )
    .expect("a picture has the bytes of its size");
    let mut target = Image::new(side(width), side(height), pixel_type);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Nearest).crop(
        window.left,
        window.top,
        window.width,
        window.height,
    );
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("the window lies inside the picture");
    Picture::new(width, height, picture.channels(), target.into_vec())
}

fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).expect("sides of pictures are below 2^32")
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
