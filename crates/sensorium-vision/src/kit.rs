//! What a recipe needs to know of images: one flat table, a processor and an encoder made of it.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Changes, Modality, ModalityKit, Source};
use serde::{Deserialize, Serialize};

use crate::{
    AugmentConfig, Error, Filter, Fit, IMAGE, ImageProcessor, Normalize, PrepareConfig, StemConfig,
    Vit, VitConfig,
};

/// A recipe's table for images: how they are prepared, changed in training, and encoded by a [`Vit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageConfig {
    /// Side of the square images are made into, in pixels; a multiple of `patch_size`.
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
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of the tokens; a multiple of `n_heads`.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part; four times `d_model` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_ff: Option<usize>,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// Chance of skipping a residual branch of the last block in training.
    pub drop_path: f64,
    /// Whether a learned token that stands for the whole image comes first.
    pub class_token: bool,
    /// Convolutions before the patches; without, patches are of pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stem: Option<StemConfig>,
    /// Random changes in training.
    pub augment: AugmentConfig,
    /// What a strongly changed copy is instead, where training compares such copies;
    /// [`stronger`](AugmentConfig::stronger) than `augment` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strong: Option<AugmentConfig>,
}

impl Default for ImageConfig {
    /// A small model for small images: 32 pixels, patches of 8, two layers of width 64.
    fn default() -> Self {
        let PrepareConfig {
            image_size,
            channels,
            fit,
            shortest_edge,
            filter,
            normalize,
            mean,
            std,
        } = PrepareConfig::new(32);
        Self {
            image_size,
            channels,
            fit,
            shortest_edge,
            filter,
            normalize,
            mean,
            std,
            patch_size: 8,
            d_model: 64,
            n_layers: 2,
            n_heads: 4,
            d_ff: None,
            dropout: 0.0,
            drop_path: 0.0,
            class_token: true,
            stem: None,
            augment: AugmentConfig::default(),
            strong: None,
        }
    }
}

impl ImageConfig {
    /// How images are prepared.
    pub fn prepare(&self) -> PrepareConfig {
        PrepareConfig {
            image_size: self.image_size,
            channels: self.channels,
            fit: self.fit,
            shortest_edge: self.shortest_edge,
            filter: self.filter,
            normalize: self.normalize,
            mean: self.mean.clone(),
            std: self.std.clone(),
        }
    }

    /// How images are encoded.
    pub fn vit(&self) -> VitConfig {
        let config = VitConfig::new(
            self.image_size,
            self.patch_size,
            self.d_model,
            self.n_layers,
            self.n_heads,
        )
        .with_channels(self.channels)
        .with_dropout(self.dropout)
        .with_drop_path(self.drop_path)
        .with_class_token(self.class_token);
        let config = match self.stem {
            Some(stem) => config.with_stem(stem),
            None => config,
        };
        match self.d_ff {
            Some(d_ff) => config.with_d_ff(d_ff),
            None => config,
        }
    }
}

/// Images for recipes.
#[derive(Clone, Copy, Debug)]
pub struct ImageKit;

impl ModalityKit for ImageKit {
    const MODALITY: Modality = IMAGE;
    type Config = ImageConfig;
    type Processor = ImageProcessor;
    type Encoder = Vit;
    type Error = Error;

    fn validate(config: &ImageConfig) -> Result<(), Error> {
        config.prepare().validate()?;
        config.vit().validate()?;
        config.augment.validate()?;
        config
            .strong
            .map_or(Ok(()), |strong| strong.validate_as(Changes::Strong))
    }

    /// Nothing is learned from the images: the processor is the config's.
    fn fit(
        config: &ImageConfig,
        _samples: &mut dyn Iterator<Item = Source>,
    ) -> Result<ImageProcessor, Error> {
        Self::validate(config)?;
        ImageProcessor::new(config.prepare())?
            .with_augment(config.augment)?
            .with_strong(config.strong)
    }

    fn open(config: &ImageConfig, _dir: &Path) -> Result<ImageProcessor, Error> {
        Self::fit(config, &mut std::iter::empty())
    }

    fn encoder(
        config: &ImageConfig,
        _processor: &ImageProcessor,
        device: &Device,
    ) -> Result<Vit, Error> {
        Ok(config.vit().init(device))
    }
}

#[cfg(test)]
#[path = "kit_tests.rs"]
mod tests;
