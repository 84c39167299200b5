//! What a file asks to be done to a picture, and doing it.

use sensorium_core::Source;

use super::classes::{Class, Defaults, class};
use super::file::{File, Size};
use super::values::{self, Values};
use crate::resize::{Span, resize_part};
use crate::{Error, Filter, Limits, Picture};

/// A file's settings with its class's defaults.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    resize: Option<(Size, Filter)>,
    /// Height and width.
    crop: Option<[usize; 2]>,
    /// Height and width of all that comes out.
    output: [usize; 2],
    /// What stands beside a picture that is made square first.
    square: Option<[u8; 3]>,
}

impl Steps {
    /// The steps of a file, and what each byte becomes.
    pub(super) fn read(file: &File) -> Result<(Self, Values), Error> {
        let defaults = match file.class()? {
            None => None,
            Some(name) => match class(name) {
                Class::Known(defaults) => Some(defaults),
                Class::Unknown => None,
                Class::Other(what) => {
                    let problem = format!("is {name}, which {what}; that is not done here");
                    return Err(file.error("image_processor_type", problem));
                }
            },
        };
        let defaults = defaults.as_ref();
        let square = square(file, defaults)?;
        let resize = resize(file, defaults)?;
        let crop = crop(file, defaults)?;
        let output = match (crop, resize) {
            (Some(sides), _) | (None, Some((Size::Exact(sides), _))) => sides,
            (None, Some(_)) => {
                return Err(file.error("size", "gives pictures of each shape a size of their own; use {\"height\", \"width\"}, or do_center_crop and crop_size"));
            }
            (None, None) => {
                return Err(file.error(
                    "do_resize",
                    "is false, and nothing is cropped: each picture would keep its own size; set it or do_center_crop to true",
                ));
            }
        };
        let steps = Self {
            resize,
            crop,
            output,
            square,
        };
        Ok((steps, values::read(file, defaults.map(|d| d.normalize))?))
    }

    /// Height and width of all that comes out.
    pub(super) fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Refuses a picture that is made square first and would be too large then.
    pub(super) fn fit(
        &self,
        source: &Source,
        picture: &Picture,
        limits: &Limits,
    ) -> Result<(), Error> {
        let side = picture.width().max(picture.height()) as u32;
        if self.square.is_none() || u64::from(side).pow(2) <= limits.max_pixels {
            return Ok(());
        }
        Err(Error::TooLarge {
            name: source.describe(),
            width: side,
            height: side,
            max_pixels: limits.max_pixels,
            max_side: limits.max_side,
        })
    }

    /// Resizes and crops; zeros stand around a picture that is smaller than the crop.
    pub(super) fn place(&self, picture: Picture) -> Picture {
        let picture = match self.square {
            Some(colour) => made_square(picture, colour),
            None => picture,
        };
        let (width, height) = (picture.width(), picture.height());
        // Pixels that are not resized are their own nearest.
        let (resized, filter) = match self.resize {
            None => ([height, width], Filter::Nearest),
            Some((size, filter)) => (size.of([height, width]), filter),
        };
        let Some(crop) = self.crop else {
            return resize_part(
                &picture,
                Span::whole(width, resized[1]),
                Span::whole(height, resized[0]),
                filter,
            );
        };
        let across = Span::centre(width, resized[1], crop[1]);
        let down = Span::centre(height, resized[0], crop[0]);
        let part = resize_part(&picture, across, down, filter);
        if part.height() == crop[0] && part.width() == crop[1] {
            return part;
        }
        pad(&part, crop)
    }
}

impl Size {
    /// The height and width that a picture of this height and width is resized to.
    fn of(self, [height, width]: [usize; 2]) -> [usize; 2] {
        let (shorter, longer) = (height.min(width), height.max(width));
        let [short, long] = match self {
            Self::Exact(sides) => return sides,
            Self::Shortest {
                edge,
                longest: None,
            } => [edge, edge * longer / shorter],
            Self::Shortest {
                edge,
                longest: Some(longest),
            } => within(edge, longest, shorter, longer),
        };
        // A thread of a picture keeps a pixel.
        let (short, long) = (short.max(1), long.max(1));
        match width <= height {
            true => [long, short],
            false => [short, long],
        }
    }
}

/// The shorter side to `edge`, or to less, so that the longer stays within `longest`. In the reference's own
/// order of operations (`get_size_with_aspect_ratio`), so that both round alike.
fn within(edge: usize, longest: usize, shorter: usize, longer: usize) -> [usize; 2] {
    let (short, long) = (shorter as f64, longer as f64);
    let exact = match long / short * edge as f64 > longest as f64 {
        true => longest as f64 * short / long,
        false => edge as f64,
    };
    let rounded = exact.round_ties_even() as usize;
    match rounded == shorter {
        true => [shorter, longer],
        false => [rounded, (exact * long / short) as usize],
    }
}

/// Zeros around a part, at most a pixel more before it than after, as the reference rounds.
fn pad(part: &Picture, [height, width]: [usize; 2]) -> Picture {
    let top = (height - part.height()).div_ceil(2);
    let left = (width - part.width()).div_ceil(2);
    put(part, [height, width], [top, left], [0; 3])
}

/// The picture in the middle of a square as large as its longer side; at most a pixel more stands after it than before.
fn made_square(picture: Picture, colour: [u8; 3]) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let side = width.max(height);
    let place = [(side - height) / 2, (side - width) / 2];
    put(&picture, [side; 2], place, colour)
}

/// A picture of one colour with another one in it, `[top, left]`.
fn put(
    part: &Picture,
    [height, width]: [usize; 2],
    [top, left]: [usize; 2],
    colour: [u8; 3],
) -> Picture {
    let channels = part.channels();
    let mut data = colour[..channels].repeat(height * width);
    let rows = data.chunks_exact_mut(width * channels).skip(top);
    let length = part.width() * channels;
    for (row, bytes) in rows.zip(part.data().chunks_exact(length)) {
        row[left * channels..left * channels + length].copy_from_slice(bytes);
    }
    Picture::new(width, height, channels, data)
}

/// The colour beside pictures that are made square, where the class does so: the mean, cut off to a byte.
fn square(file: &File, defaults: Option<&Defaults>) -> Result<Option<[u8; 3]>, Error> {
    if !defaults.is_some_and(|d| d.squares) {
        file.refuse_other_steps(&[])?;
        return Ok(None);
    }
    file.refuse_other_steps(&["do_pad"])?;
    if !file.switch("do_pad")?.unwrap_or(false) {
        return Ok(None);
    }
    let mean = values::mean(file, defaults.map(|d| d.normalize))?;
    if mean.iter().any(|mean| !(0.0..=1.0).contains(mean)) {
        let problem = format!("is {mean:?}, which is no colour to pad with; use numbers of 0 to 1");
        return Err(file.error("image_mean", problem));
    }
    Ok(Some(mean.map(|mean| (mean * 255.0) as u8)))
}

fn resize(file: &File, defaults: Option<&Defaults>) -> Result<Option<(Size, Filter)>, Error> {
    const SWITCH: &str = "do_resize";
    if !file.or(SWITCH, file.switch(SWITCH)?, defaults.map(|_| true))? {
        return Ok(None);
    }
    let size = file.size(defaults.map(|d| d.square))?;
    let size = file.or("size", size, defaults.map(|d| d.size))?;
    let filter = file.or("resample", file.resample()?, defaults.map(|d| d.filter))?;
    Ok(Some((size, filter)))
}

fn crop(file: &File, defaults: Option<&Defaults>) -> Result<Option<[usize; 2]>, Error> {
    const SWITCH: &str = "do_center_crop";
    let default = match defaults {
        Some(defaults) => Some(defaults.crop.is_some()),
        // Most classes do not crop; one that has a size to crop to may.
        None => (!file.has("crop_size")).then_some(false),
    };
    if !file.or(SWITCH, file.switch(SWITCH)?, default)? {
        return Ok(None);
    }
    let size = file.crop_size()?;
    let default = defaults.and_then(|d| d.crop);
    file.or("crop_size", size, default).map(Some)
}
