//! Pixels to tokens: patches, the class token, register tokens and positions.

use burn::module::{Module, Param, ParamId};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::trunc_normal;
use sensorium_core::{Tap, Tokens, assert_shape};
use sensorium_vision::{
    GridResample, ImageBatch, PatchEmbedding, PatchEmbeddingConfig, resample_grid,
};

use super::common;

/// The deviation with which ViT and DINOv2 begin (`initializer_range`).
const BEGIN: f64 = 0.02;

/// What [`VitEmbeddings`] are made from.
#[derive(Clone, Debug)]
pub(crate) struct VitEmbeddingsConfig {
    pub d_model: usize,
    pub channels: usize,
    pub image_size: [usize; 2],
    pub patch_size: [usize; 2],
    pub dropout: f64,
    pub n_registers: usize,
    pub mask: bool,
    pub resample: Option<GridResample>,
}

impl VitEmbeddingsConfig {
    pub(crate) fn init(&self, device: &Device) -> VitEmbeddings {
        let d = self.d_model;
        let grid = common::grid(self.image_size, self.patch_size);
        let registers = || trunc_normal([1, self.n_registers, d], BEGIN, device);
        VitEmbeddings {
            class: trunc_normal([1, 1, d], BEGIN, device),
            mask: self.mask.then(|| frozen_zeros(d, device)),
            registers: (self.n_registers > 0).then(registers),
            patch: PatchEmbeddingConfig::new(self.channels, self.patch_size, d).init(device),
            position: trunc_normal([1, 1 + grid[0] * grid[1], d], BEGIN, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            image_size: self.image_size,
            resample: self.resample,
        }
    }
}

fn frozen_zeros(d_model: usize, device: &Device) -> Param<Tensor<2>> {
    let zeros = Tensor::zeros([1, d_model], device);
    Param::initialized(ParamId::new(), zeros).set_require_grad(false)
}

/// An image as tokens: the class token, registers if there are any, and the patches row by row.
#[derive(Module, Debug)]
pub struct VitEmbeddings {
    /// `[1, 1, d_model]`, the token that comes first.
    pub class: Param<Tensor<3>>,
    /// `[1, d_model]`: what stood for hidden patches in pre-training. It is kept for saving, and has no part in the result;
    /// therefore it is not trained.
    pub mask: Option<Param<Tensor<2>>>,
    /// `[1, registers, d_model]`, tokens without a place (arXiv 2309.16588).
    pub registers: Option<Param<Tensor<3>>>,
    /// Pixels to vectors.
    pub patch: PatchEmbedding,
    /// `[1, 1 + patches, d_model]`: a vector for the class token and for each place.
    pub position: Param<Tensor<3>>,
    /// On the sum.
    pub dropout: Dropout,
    #[module(skip)]
    image_size: [usize; 2],
    #[module(skip)]
    resample: Option<GridResample>,
}

impl VitEmbeddings {
    /// How positions are resampled for images of another size; such images are a mistake if they are not.
    pub(super) fn with_resample(mut self, resample: Option<GridResample>) -> Self {
        self.resample = resample;
        self
    }

    /// How many tokens come before the patches.
    pub fn n_prefix(&self) -> usize {
        let [_, registers, _] = self
            .registers
            .as_ref()
            .map_or([1, 0, 0], |registers| registers.shape().dims());
        1 + registers
    }

    /// Width of the tokens.
    pub fn d_model(&self) -> usize {
        let [_, _, d_model] = self.class.shape().dims();
        d_model
    }

    /// `[batch, channels, height, width]` → `[batch, 1 + registers + patches, d_model]`
    ///
    /// # Panics
    /// If images have other channels, or are of another size and positions are not resampled.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = pixels.dims();
        if self.resample.is_none() {
            let [height, width] = self.image_size;
            assert_shape!(pixels, [batch, channels, height, width]);
        }
        let grid = self.patch.grid(height, width);
        let (first, places) = self.positions(grid);
        let patches = self.patch.forward(pixels) + places; // [B, N, D]
        let each = |token: Tensor<3>| {
            let [_, n, d_model] = token.dims();
            token.expand([batch, n, d_model]) // [1, n, D] -> [B, n, D]
        };
        let mut tokens = vec![each(self.class.val() + first)];
        tokens.extend(self.registers.as_ref().map(|r| each(r.val())));
        tokens.push(patches);
        self.dropout.forward(Tensor::cat(tokens, 1))
    }

    /// The same of a batch in which images may be absent, shown to the tap as `embeds`.
    pub(crate) fn tokens_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let ImageBatch { pixels, present } = batch;
        let embeds = tap.tensor("embeds", self.forward(pixels));
        Tokens::with_presence(embeds, present)
    }

    /// Positions of the class token `[1, 1, d_model]` and of each place of the grid `[1, rows * columns, d_model]`.
    fn positions(&self, grid: [usize; 2]) -> (Tensor<3>, Tensor<3>) {
        let table = self.position.val();
        let [_, n, d] = table.dims();
        let first = table.clone().slice([0..1, 0..1, 0..d]);
        let places = table.slice([0..1, 1..n, 0..d]);
        let from = common::grid(self.image_size, self.patch.patch_size());
        let places = match self.resample {
            Some(how) if from != grid => {
                resample_grid(places.squeeze_dim(0), from, grid, how).unsqueeze()
            }
            _ => places,
        };
        (first, places)
    }
}
