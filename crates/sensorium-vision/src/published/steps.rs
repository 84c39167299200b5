//! What a file asks to be done to a picture, and doing it.

use super::classes::{Class, Defaults, class};
use super::file::{File, Size};
use crate::resize::{Span, resize_part};
use crate::{Error, Filter, Picture};

/// A file's settings with its class's defaults.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    resize: Option<(Size, Filter)>,
    /// Height and width.
    crop: Option<[usize; 2]>,
    /// Height and width of all that comes out.
    output: [usize; 2],
    rescale: Option<f64>,
    normalize: Option<Normal>,
}

/// Mean and deviation by channel.
#[derive(Clone, Copy, Debug)]
struct Normal {
    mean: [f32; 3],
    std: [f32; 3],
}

impl Steps {
    pub(super) fn read(name: &str, json: &str) -> Result<Self, Error> {
        let file = File::parse(name, json)?;
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
        file.refuse_other_steps()?;
        let resize = resize(&file, defaults.as_ref())?;
        let crop = crop(&file, defaults.as_ref())?;
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
        Ok(Self {
            resize,
            crop,
            output,
            rescale: rescale(&file, defaults.as_ref())?,
            normalize: normalize(&file, defaults.as_ref())?,
        })
    }

    /// Height and width of all that comes out.
    pub(super) fn output(&self) -> [usize; 2] {
        self.output
    }

    /// What each byte becomes, by channel. Rounded where the reference rounds: after rescaling, in 32 bits.
    pub(super) fn values(&self, name: &str) -> Result<[[f32; 256]; 3], Error> {
        let mut values = [[0.0; 256]; 3];
        for (c, channel) in values.iter_mut().enumerate() {
            for (byte, value) in channel.iter_mut().enumerate() {
                *value = (byte as f64 * self.rescale.unwrap_or(1.0)) as f32;
                if let Some(Normal { mean, std }) = self.normalize {
                    *value = (*value - mean[c]) / std[c];
                }
            }
        }
        if values.iter().flatten().all(|value| value.is_finite()) {
            return Ok(values);
        }
        Err(Error::Published {
            name: name.to_owned(),
            key: "image_std",
            problem: "makes pixels that are no numbers, together with rescale_factor and image_mean; use the values the model was trained with".to_owned(),
        })
    }

    /// Resizes and crops; zeros stand around a picture that is smaller than the crop.
    pub(super) fn place(&self, picture: Picture) -> Picture {
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
    let channels = part.channels();
    let top = (height - part.height()).div_ceil(2);
    let left = (width - part.width()).div_ceil(2);
    let mut data = vec![0; height * width * channels];
    let rows = data.chunks_exact_mut(width * channels).skip(top);
    let length = part.width() * channels;
    for (row, bytes) in rows.zip(part.data().chunks_exact(length)) {
        row[left * channels..left * channels + length].copy_from_slice(bytes);
    }
    Picture::new(width, height, channels, data)
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

fn rescale(file: &File, defaults: Option<&Defaults>) -> Result<Option<f64>, Error> {
    const SWITCH: &str = "do_rescale";
    if !file.or(SWITCH, file.switch(SWITCH)?, defaults.map(|_| true))? {
        return Ok(None);
    }
    Ok(Some(file.factor("rescale_factor")?.unwrap_or(1.0 / 255.0)))
}

fn normalize(file: &File, defaults: Option<&Defaults>) -> Result<Option<Normal>, Error> {
    const SWITCH: &str = "do_normalize";
    if !file.or(SWITCH, file.switch(SWITCH)?, defaults.map(|_| true))? {
        return Ok(None);
    }
    let three = |values: &[f32]| [0, 1, 2].map(|c| values[c % values.len()]);
    let default = defaults.map(|d| three(d.normalize.mean()));
    let mean = file.or("image_mean", file.channels("image_mean")?, default)?;
    let default = defaults.map(|d| three(d.normalize.std()));
    let std = file.or("image_std", file.channels("image_std")?, default)?;
    if std.iter().any(|std| *std <= 0.0) {
        return Err(file.error("image_std", format!("is {std:?}; use numbers above 0")));
    }
    Ok(Some(Normal { mean, std }))
}
