//! Convolutions between an image and its patches.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation::gelu};
use sensorium_core::need;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A side of 16 pixels becomes one at most.
const MOST_HALVINGS: usize = 4;
const MOST_DEPTH: usize = 8;
const MOST_WIDTH: usize = 1024;

/// Configuration of a [`Stem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemConfig {
    /// How often the sides of an image are halved, 1 to 4.
    pub halvings: usize,
    /// Features after the first halving; each further one doubles them.
    #[serde(default = "width")]
    pub width: usize,
    /// Convolutions for each halving, of which the first halves.
    #[serde(default = "depth")]
    pub depth: usize,
}

fn width() -> usize {
    24
}

fn depth() -> usize {
    1
}

impl StemConfig {
    /// Sides are halved so often, by one convolution each, to 24 features at first.
    pub fn new(halvings: usize) -> Self {
        Self {
            halvings,
            width: width(),
            depth: depth(),
        }
    }

    /// How many pixels a side of what comes out stands for one.
    pub fn stride(&self) -> usize {
        1 << self.halvings
    }

    /// How many features come out at each place.
    pub fn d_output(&self) -> usize {
        self.width << (self.halvings - 1)
    }

    /// Refuses what cannot be built.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        let within = |key: &'static str, value: usize, most: usize| {
            need((1..=most).contains(&value), key, || {
                format!("{value} must be 1 to {most}")
            })
        };
        within("stem.halvings", self.halvings, MOST_HALVINGS)?;
        within("stem.width", self.width, MOST_WIDTH)?;
        within("stem.depth", self.depth, MOST_DEPTH)?;
        Ok(())
    }

    /// Freshly initialised layers for images of so many channels.
    pub fn init(&self, channels: usize, device: &Device) -> Stem {
        let mut d_input = channels;
        let mut layers = Vec::with_capacity(self.halvings * self.depth);
        for halving in 0..self.halvings {
            let d_output = self.width << halving;
            for at in 0..self.depth {
                let stride = if at == 0 { 2 } else { 1 };
                layers.push(StemLayer::new([d_input, d_output], stride, device));
                d_input = d_output;
            }
        }
        Stem { layers }
    }
}

/// One convolution of a [`Stem`], normed over an image's features and places, and a GELU.
#[derive(Module, Debug)]
pub struct StemLayer {
    /// 3 × 3, as many places as before or a quarter of them.
    pub conv: Conv2d,
    /// Of all features and places of an image.
    pub norm: GroupNorm,
}

impl StemLayer {
    fn new([d_input, d_output]: [usize; 2], stride: usize, device: &Device) -> Self {
        let conv = Conv2dConfig::new([d_input, d_output], [3, 3])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            // The norm takes a bias away.
            .with_bias(false)
            .with_initializer(Initializer::KaimingNormal {
                gain: std::f64::consts::SQRT_2,
                fan_out_only: false,
            });
        Self {
            conv: conv.init(device),
            norm: GroupNormConfig::new(1, d_output).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        gelu(self.norm.forward(self.conv.forward(x)))
    }
}

/// Convolutions that an image passes before it is cut into patches (Xiao et al., arXiv 2106.14881): what is near each other is
/// looked at in the same way everywhere, so that fewer images teach more than patches of pixels do. A patch of what comes out has
/// seen beyond its edges.
///
/// # Differs from the paper
/// Norms are over an image's features and places, and not over a batch: an image's neighbours change nothing. The last, 1 × 1
/// convolution is the map of the patches, which may be larger than a place; that is the hybrid of arXiv 2010.11929.
#[derive(Module, Debug)]
pub struct Stem {
    /// In order.
    pub layers: Vec<StemLayer>,
}

impl Stem {
    /// `[batch, channels, height, width]` → `[batch, d_output, height / stride, width / stride]`, for sides that are multiples of the
    /// stride.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        self.layers.iter().fold(pixels, |x, layer| layer.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use sensorium_testkit::{assert_close, check_gradients, devices, random};

    use super::*;

    const DEBUG: StemConfig = StemConfig {
        halvings: 2,
        width: 2,
        depth: 2,
    };

    #[test]
    fn sides_are_halved_and_features_doubled() {
        for device in devices() {
            let stem = DEBUG.init(3, &device);
            let out = stem.forward(random([2, 3, 8, 12], 1, &device));
            assert_eq!(out.dims(), [2, DEBUG.d_output(), 2, 3]);
            assert_eq!(DEBUG.stride(), 4);
        }
    }

    #[test]
    fn an_images_neighbours_change_nothing() {
        for device in devices() {
            let stem = DEBUG.init(3, &device);
            let images = random::<4>([3, 3, 8, 8], 1, &device);
            let together = stem.forward(images.clone());
            let alone = stem.forward(images.narrow(0, 1, 1));
            assert_close(&together.narrow(0, 1, 1), &alone, 1e-5);
        }
    }

    #[test]
    fn every_device_says_the_same() {
        let [host, others @ ..] = &devices()[..] else {
            return;
        };
        let stem = DEBUG.init(3, host);
        let pixels = random::<4>([2, 3, 8, 8], 1, host);
        let expected = stem.forward(pixels.clone());
        for device in others {
            let found = stem
                .clone()
                .fork(device)
                .forward(pixels.clone().to_device(device));
            assert_close(&expected, &found.to_device(host), 1e-4);
        }
    }

    #[test]
    fn it_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            let stem = DEBUG.init(1, &device);
            let pixels = random([2, 1, 8, 8], 1, &device);
            let w = random([2, 4, 2, 2], 2, &device);
            check_gradients(stem, |stem| (stem.forward(pixels) * w).sum());
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_key() {
        for (config, message) in [
            (StemConfig::new(0), "stem.halvings: 0 must be 1 to 4"),
            (StemConfig::new(5), "stem.halvings: 5 must be 1 to 4"),
            (
                StemConfig { width: 0, ..DEBUG },
                "stem.width: 0 must be 1 to 1024",
            ),
            (
                StemConfig { depth: 9, ..DEBUG },
                "stem.depth: 9 must be 1 to 8",
            ),
        ] {
            let error = config.validate().expect_err("must be refused");
            assert_eq!(error.to_string(), message);
        }
    }
}
