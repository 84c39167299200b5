//! Squares of patches to one vector each, in the width of a text's tokens.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::linear;

/// A pixel shuffle, which puts `scale` x `scale` patches together into one longer vector (arXiv 1609.05158; arXiv 2404.16821,
/// section 3.1), and a linear map.
#[derive(Module, Debug)]
pub struct ShuffleProjector {
    /// `d_model * scale * scale` → `d_text`
    pub projection: Linear,
    #[module(skip)]
    scale: usize,
}

impl ShuffleProjector {
    pub(super) fn new(d_model: usize, scale: usize, d_text: usize, device: &Device) -> Self {
        Self {
            projection: LinearConfig::new(d_model * scale * scale, d_text)
                .with_bias(false)
                .init(device),
            scale,
        }
    }

    /// `[images, patches, d_model]` → `[images, patches / scale², d_text]`; the patches are those of a square, row by row.
    ///
    /// # Panics
    /// If the patches are no square whose side can be divided by `scale`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [images, patches, d_model] = x.dims();
        let (scale, side) = (self.scale, patches.isqrt());
        assert!(
            side * side == patches && side.is_multiple_of(scale),
            "{patches} patches are no square whose side can be divided by {scale}"
        );
        let few = side / scale;
        let x = x
            .reshape([images, few, scale, few, scale, d_model]) // [I, N, D] -> [I, R, S, C, S, D]
            .permute([0, 1, 3, 2, 4, 5]) // [I, R, C, S, S, D]
            .reshape([images, few * few, scale * scale * d_model]);
        linear(&self.projection, x)
    }
}
