//! What each byte of a picture becomes: rescaled and normalised, by channel.

use super::file::File;
use crate::{Error, Normalize, Picture};

/// Each byte's number, by channel.
pub(super) type Values = [[f32; 256]; 3];

/// What a file says, with its class's default. Rounded where the reference rounds: after rescaling, in 32 bits.
pub(super) fn read(file: &File, default: Option<Normalize>) -> Result<Values, Error> {
    let factor = rescale(file, default.is_some())?;
    let normal = normalize(file, default)?;
    let mut values = [[0.0; 256]; 3];
    for (c, channel) in values.iter_mut().enumerate() {
        for (byte, value) in channel.iter_mut().enumerate() {
            *value = (byte as f64 * factor.unwrap_or(1.0)) as f32;
            if let Some([mean, std]) = normal {
                *value = (*value - mean[c]) / std[c];
            }
        }
    }
    if values.iter().flatten().all(|value| value.is_finite()) {
        return Ok(values);
    }
    Err(file.error(
        "image_std",
        "makes pixels that are no numbers, together with rescale_factor and image_mean; use the values the model was trained with",
    ))
}

/// The mean of each channel, of pixels in 0 to 1.
pub(super) fn mean(file: &File, default: Option<Normalize>) -> Result<[f32; 3], Error> {
    let default = default.map(|normalize| three(normalize.mean()));
    file.or("image_mean", file.channels("image_mean")?, default)
}

/// A picture's pixels, channel by channel: `[height, width, channels]` → `[channels, height, width]`.
pub(super) fn pixels(values: &Values, picture: &Picture) -> Vec<f32> {
    let picture = picture.data();
    let plane = |(c, values): (usize, &[f32; 256])| {
        let bytes = picture.iter().skip(c).step_by(3);
        bytes
            .map(|byte| values[usize::from(*byte)])
            .collect::<Vec<f32>>()
    };
    values.iter().enumerate().flat_map(plane).collect()
}

fn rescale(file: &File, on: bool) -> Result<Option<f64>, Error> {
    const SWITCH: &str = "do_rescale";
    if !file.or(SWITCH, file.switch(SWITCH)?, on.then_some(true))? {
        return Ok(None);
    }
    Ok(Some(file.factor("rescale_factor")?.unwrap_or(1.0 / 255.0)))
}

/// Mean and deviation.
fn normalize(file: &File, default: Option<Normalize>) -> Result<Option<[[f32; 3]; 2]>, Error> {
    const SWITCH: &str = "do_normalize";
    if !file.or(SWITCH, file.switch(SWITCH)?, default.map(|_| true))? {
        return Ok(None);
    }
    let mean = mean(file, default)?;
    let default = default.map(|normalize| three(normalize.std()));
    let std = file.or("image_std", file.channels("image_std")?, default)?;
    if std.iter().any(|std| *std <= 0.0) {
        return Err(file.error("image_std", format!("is {std:?}; use numbers above 0")));
    }
    Ok(Some([mean, std]))
}

fn three(values: &[f32]) -> [f32; 3] {
    [0, 1, 2].map(|c| values[c % values.len()])
}
