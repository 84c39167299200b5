//! From a decoded picture to the numbers a model takes: size, channels, scale.

use sensorium_core::need;
use serde::{Deserialize, Serialize};

use crate::resize::{Filter, Fit, resize, resize_and_crop};
use crate::{Error, ImageSample, Picture};

/// Mean and deviation that pixels in 0..1 are normalised with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// Mean and deviation 0.5: pixels come to lie in -1..1. The original vision transformer's
    /// (`google-research/vision_transformer`), and right for grey images too.
    #[default]
    Half,
    /// Means and deviations over ImageNet's training images, as torchvision's classifiers use.
    Imagenet,
    /// Those of OpenAI's CLIP (`openai/CLIP`, `clip.py`).
    Clip,
    /// Pixels stay in 0..1.
    None,
}

impl Normalize {
    /// Mean per channel; a single one stands for all channels.
    pub fn mean(self) -> &'static [f32] {
        match self {
            Self::Half => &[0.5],
            Self::Imagenet => &[0.485, 0.456, 0.406],
            Self::Clip => &[0.481_454_66, 0.457_827_5, 0.408_210_73],
            Self::None => &[0.0],
        }
    }

    /// Deviation per channel; a single one stands for all channels.
    pub fn std(self) -> &'static [f32] {
        match self {
            Self::Half => &[0.5],
            Self::Imagenet => &[0.229, 0.224, 0.225],
            Self::Clip => &[0.268_629_54, 0.261_302_6, 0.275_777_1],
            Self::None => &[1.0],
        }
    }
}

/// How pictures are prepared: fit to a square, in grey or colour, scaled to 0..1 and normalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrepareConfig {
    /// Side of the square, in pixels.
    pub image_size: usize,
    /// 3 (red, green, blue) or 1 (grey).
    pub channels: usize,
    /// How an image of another shape becomes a square.
    pub fit: Fit,
    /// Length the shorter side is resized to before the centre is cut out; `image_size` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortest_edge: Option<usize>,
    /// How pixels are weighed in resizing.
    pub filter: Filter,
    /// Which mean and deviation pixels are normalised with.
    pub normalize: Normalize,
    /// Mean per channel of pixels in 0..1, instead of that of `normalize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Deviation per channel of pixels in 0..1, instead of that of `normalize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
}

impl Default for PrepareConfig {
    fn default() -> Self {
        Self::new(32)
    }
}

impl PrepareConfig {
    /// Colour, centre crop, bicubic, pixels in -1..1.
    pub fn new(image_size: usize) -> Self {
        Self {
            image_size,
            channels: 3,
            fit: Fit::Crop,
            shortest_edge: None,
            filter: Filter::Bicubic,
            normalize: Normalize::Half,
            mean: None,
            std: None,
        }
    }

    /// As OpenAI's CLIP prepares images (`openai/CLIP`, `clip.py`): bicubic to 224 pixels.
    pub fn clip() -> Self {
        Self::new(224).with_normalize(Normalize::Clip)
    }

    /// As torchvision's classifiers are evaluated (`torchvision.transforms._presets`): bilinear, the
    /// shorter side to 256 pixels, of which the centre 224.
    pub fn imagenet() -> Self {
        Self {
            fit: Fit::Crop,
            shortest_edge: Some(256),
            filter: Filter::Bilinear,
            ..Self::new(224).with_normalize(Normalize::Imagenet)
        }
    }

    /// 3 (red, green, blue) or 1 (grey).
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// How an image of another shape becomes a square.
    pub fn with_fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// How pixels are weighed in resizing.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Which mean and deviation pixels are normalised with.
    pub fn with_normalize(mut self, normalize: Normalize) -> Self {
        self.normalize = normalize;
        self
    }

    /// Mean of each channel of pixels in 0..1.
    pub fn channel_mean(&self) -> Vec<f32> {
        let values = self.mean.as_deref().unwrap_or(self.normalize.mean());
        self.per_channel(values)
    }

    /// Deviation of each channel of pixels in 0..1.
    pub fn channel_std(&self) -> Vec<f32> {
        let values = self.std.as_deref().unwrap_or(self.normalize.std());
        self.per_channel(values)
    }

    /// What black and white become, by channel.
    pub(crate) fn black_and_white(&self) -> Vec<[f32; 2]> {
        let channels = self.channel_mean().into_iter().zip(self.channel_std());
        channels
            .map(|(mean, std)| [-mean / std, (1.0 - mean) / std])
            .collect()
    }

    fn per_channel(&self, values: &[f32]) -> Vec<f32> {
        match values {
            [one] => vec![*one; self.channels],
            all => all.to_vec(),
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        let Self {
            image_size,
            channels,
            ..
        } = *self;
        // A side of 16,384 pixels is 3 GB of floats an image.
        need((1..=16_384).contains(&image_size), "image_size", || {
            format!("{image_size} pixels a side; use 1 to 16384")
        })?;
        need(channels == 1 || channels == 3, "channels", || {
            format!("{channels}; use 3 for colour or 1 for grey")
        })?;
        if let Some(edge) = self.shortest_edge {
            need(self.fit == Fit::Crop, "shortest_edge", || {
                "has a meaning only with fit = \"crop\"; leave it out".to_owned()
            })?;
            need(
                (image_size..=32_768).contains(&edge),
                "shortest_edge",
                || format!("{edge}; use image_size ({image_size}) to 32768"),
            )?;
        }
        let counted = |values: &[f32]| values.len() == 1 || values.len() == channels;
        need(
            counted(&self.channel_mean()) && counted(&self.channel_std())
                || self.mean.is_some()
                || self.std.is_some(),
            "normalize",
            || {
                "has three channels; with channels = 1 use \"half\", or give mean and std"
                    .to_owned()
            },
        )?;
        for (key, values) in [("mean", self.channel_mean()), ("std", self.channel_std())] {
            need(values.len() == channels, key, || {
                format!("has {} numbers for {channels} channels", values.len())
            })?;
            need(values.iter().all(|v| v.is_finite()), key, || {
                "has a number that is not finite".to_owned()
            })?;
        }
        need(
            self.channel_std().iter().all(|std| *std > 0.0),
            "std",
            || "has a number that is not above 0".to_owned(),
        )?;
        Ok(())
    }

    /// Prepares a picture: resize, crop, scale to 0..1, normalise.
    ///
    /// # Panics
    /// If the config is not [valid](PrepareConfig::validate).
    pub fn prepare(&self, picture: Picture) -> ImageSample {
        let size = self.image_size;
        let picture = match self.channels {
            1 => picture.to_grey(),
            _ => picture.to_rgb(),
        };
        let picture = match self.fit {
            Fit::Stretch => resize(&picture, size, size, self.filter),
            Fit::Crop => {
                let edge = self.shortest_edge.unwrap_or(size);
                resize_and_crop(&picture, edge, size, self.filter)
            }
        };
        let (mean, std) = (self.channel_mean(), self.channel_std());
        let mut pixels = vec![0.0; self.channels * size * size];
        // [H, W, C] -> [C, H, W]
        for (c, plane) in pixels.chunks_exact_mut(size * size).enumerate() {
            let bytes = picture.data().iter().skip(c).step_by(self.channels);
            for (pixel, byte) in plane.iter_mut().zip(bytes) {
                *pixel = (f32::from(*byte) / 255.0 - mean[c]) / std[c];
            }
        }
        ImageSample::new(self.channels, size, size, pixels)
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
