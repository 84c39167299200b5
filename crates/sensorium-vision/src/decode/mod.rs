//! From a file's bytes to upright RGB pixels, within limits, whatever the bytes are.

mod jpeg;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_hostile;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use sensorium_core::{Source, quietly};

use crate::{Error, Picture};

/// How much of a file is decoded. All but the last are checked before any pixel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a file.
    pub max_bytes: u64,
    /// The longest side in pixels.
    pub max_side: u32,
    /// The most pixels in all.
    pub max_pixels: u64,
    /// The most bytes a decoder may allocate, as far as it keeps count.
    pub max_alloc: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            // The most a JPEG can say.
            max_side: 65_535,
            // Where Pillow begins to warn of a decompression bomb: a quarter of a gigabyte of RGB.
            max_pixels: (1 << 30) / 4 / 3,
            // The image crate's own default.
            max_alloc: 512 << 20,
        }
    }
}

/// Decodes an image to RGB. The format is told by content, never by extension.
///
/// - An orientation in the metadata (EXIF 1 to 8) is applied: the picture stands upright.
/// - Alpha is dropped, and the colour under it kept, as Pillow's `convert("RGB")` does.
/// - Grey becomes three equal channels; a palette is looked up.
/// - 16 bits a channel are scaled to 8 and rounded; 32-bit floats are taken as 0..1.
/// - CMYK is read as Adobe writes it in JPEG (inverted), and becomes (1 - C)(1 - K) and so on; no colour
///   profile is applied.
/// - Of an animation, the first frame is decoded; of a TIFF, the first page.
///
/// # Errors
/// [`Error`] naming the file if it cannot be read, is empty, of another format, too large, cut off
/// or broken.
pub fn decode(source: &Source, limits: &Limits) -> Result<Picture, Error> {
    let name = source.describe();
    if let Source::Text(_) = source {
        return Err(Error::Text { name });
    }
    let bytes = source.read(limits.max_bytes)?;
    if bytes.is_empty() {
        return Err(Error::Empty { name });
    }
    let (format, format_name) = format_of(&name, &bytes)?;
    let file = File {
        name: &name,
        format,
        format_name,
        bytes: &bytes,
    };
    // Decoders are other people's code on a stranger's bytes: should one panic, the file is broken,
    // and the run goes on.
    quietly(|| file.decode(limits))
        .unwrap_or_else(|_| Err(file.broken("the decoder gave up on its content")))
}

/// The format by the first bytes, and its name in messages.
fn format_of(name: &str, bytes: &[u8]) -> Result<(ImageFormat, &'static str), Error> {
    let guess = image::guess_format(bytes).ok();
    let readable = guess.and_then(|format| Some((format, name_of(format)?)));
    readable.ok_or_else(|| {
        let found = match guess {
            Some(other) => format!("is an image of another format ({other:?})"),
            None if looks_like_text(bytes) => "is a text, not an image".to_owned(),
            None => "is not an image, or is damaged at its start".to_owned(),
        };
        Error::Format {
            name: name.to_owned(),
            found,
        }
    })
}

/// The name of a format that is read.
fn name_of(format: ImageFormat) -> Option<&'static str> {
    Some(match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => return None,
    })
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(64)];
    start
        .iter()
        .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
}

struct File<'a> {
    name: &'a str,
    format: ImageFormat,
    format_name: &'static str,
    bytes: &'a [u8],
}

impl File<'_> {
    fn decode(&self, limits: &Limits) -> Result<Picture, Error> {
        let mut reader = ImageReader::with_format(Cursor::new(self.bytes), self.format);
        let mut allowed = image::Limits::no_limits();
        allowed.max_alloc = Some(limits.max_alloc);
        reader.limits(allowed);
        let fail = |error| self.error(error, limits);
        let mut decoder = reader.into_decoder().map_err(fail)?;

        let (width, height) = decoder.dimensions();
        self.check_size(width, height, limits)?;
        // The JPEG decoder fills what is missing with grey and calls it a success.
        if self.format == ImageFormat::Jpeg && !jpeg::ends(self.bytes) {
            return Err(self.cut_off());
        }
        if decoder.total_bytes() > limits.max_alloc {
            return Err(Error::Memory {
                name: self.name.to_owned(),
                limit: limits.max_alloc,
            });
        }
        // Metadata may be broken where pixels are not.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(fail)?;
        image.apply_orientation(orientation);
        let rgb = image.into_rgb8();
        let (width, height) = rgb.dimensions();
        Ok(Picture::new(
            width as usize,
            height as usize,
            3,
            rgb.into_raw(),
        ))
    }

    fn check_size(&self, width: u32, height: u32, limits: &Limits) -> Result<(), Error> {
        if width == 0 || height == 0 {
            return Err(self.broken(&format!("it has {width} x {height} pixels")));
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > limits.max_pixels || width.max(height) > limits.max_side {
            return Err(Error::TooLarge {
                name: self.name.to_owned(),
                width,
                height,
                max_pixels: limits.max_pixels,
                max_side: limits.max_side,
            });
        }
        Ok(())
    }

    fn error(&self, error: ImageError, limits: &Limits) -> Error {
        if matches!(error, ImageError::Limits(_)) {
            return Error::Memory {
                name: self.name.to_owned(),
                limit: limits.max_alloc,
            };
        }
        let unfinished = self.format == ImageFormat::Jpeg && !jpeg::ends(self.bytes);
        if unfinished || ends_early(&error) {
            return self.cut_off();
        }
        // The image crate begins with what it was doing; the format is said already.
        let text = match &error {
            ImageError::Decoding(e) => std::error::Error::source(e)
                .map(ToString::to_string)
                .unwrap_or_else(|| e.to_string()),
            other => other.to_string(),
        };
        self.broken(&text)
    }

    fn cut_off(&self) -> Error {
        Error::CutOff {
            name: self.name.to_owned(),
            format: self.format_name,
        }
    }

    fn broken(&self, reason: &str) -> Error {
        // One line, however many the decoder wrote.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Error::Broken {
            name: self.name.to_owned(),
            format: self.format_name,
            reason: reason.trim_end_matches('.').to_owned(),
        }
    }
}

/// Whether an error says, at any depth, that the content ended too soon.
fn ends_early(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io =
            error
                .downcast_ref::<std::io::Error>()
                .or(match error.downcast_ref::<ImageError>() {
                    Some(ImageError::IoError(io)) => Some(io),
                    _ => None,
                });
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        next = error.source();
    }
    false
}
