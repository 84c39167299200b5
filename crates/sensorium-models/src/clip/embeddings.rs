//! Ids and pixels to the vectors that the blocks of CLIP and SigLIP take.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::assert_shape;
use sensorium_core::nn::{LearnedPositions, trunc_normal};
use sensorium_vision::{GridResample, PatchEmbedding, PatchEmbeddingConfig, resample_grid};

use crate::vit::common;

/// The deviation with which tables of words begin (`initializer_range`).
const BEGIN: f64 = 0.02;

/// A vector for each id, and one for each place.
#[derive(Module, Debug)]
pub struct TextEmbeddings {
    /// `[vocab_size, d_model]`
    pub token: Embedding,
    /// `[max_tokens, d_model]`
    pub position: LearnedPositions,
}

impl TextEmbeddings {
    pub(crate) fn new(
        vocab_size: usize,
        max_tokens: usize,
        d_model: usize,
        device: &Device,
    ) -> Self {
        Self {
            token: EmbeddingConfig::new(vocab_size, d_model)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: BEGIN,
                })
                .init(device),
            position: LearnedPositions::new(max_tokens, d_model, device),
        }
    }

    /// `[batch, tokens]` → `[batch, tokens, d_model]`
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.position.forward(self.token.forward(ids))
    }
}

/// What [`VisionEmbeddings`] are made from.
#[derive(Clone, Debug)]
pub(crate) struct VisionEmbeddingsConfig {
    pub d_model: usize,
    pub channels: usize,
    pub image_size: [usize; 2],
    pub patch_size: [usize; 2],
    /// With a class token patches have no bias, and without one they have: CLIP and SigLIP.
    pub with_class: bool,
}

impl VisionEmbeddingsConfig {
    pub(crate) fn init(&self, device: &Device) -> VisionEmbeddings {
        let d = self.d_model;
        let [rows, columns] = common::grid(self.image_size, self.patch_size);
        let n_positions = rows * columns + usize::from(self.with_class);
        // As CLIP begins.
        let class = || trunc_normal([d], (d as f64).powf(-0.5), device);
        VisionEmbeddings {
            class: self.with_class.then(class),
            patch: PatchEmbeddingConfig::new(self.channels, self.patch_size, d)
                .with_bias(!self.with_class)
                .init(device),
            position: LearnedPositions::new(n_positions, d, device),
            image_size: self.image_size,
            resample: None,
        }
    }
}

/// An image as tokens: the class token where there is one, and the patches row by row.
#[derive(Module, Debug)]
pub struct VisionEmbeddings {
    /// `[d_model]`, the token that comes first: in CLIP.
    pub class: Option<Param<Tensor<1>>>,
    /// Pixels to vectors.
    pub patch: PatchEmbedding,
    /// `[tokens, d_model]`
    pub position: LearnedPositions,
    #[module(skip)]
    image_size: [usize; 2],
    #[module(skip)]
    resample: Option<GridResample>,
}

impl VisionEmbeddings {
    /// Resamples the positions of patches for images of another size; such images are a mistake otherwise.
    pub(crate) fn with_interpolated_positions(mut self) -> Self {
        self.resample = Some(GridResample::Bicubic);
        self
    }

    /// Width of the tokens.
    pub fn d_model(&self) -> usize {
        let [_, d_model] = self.position.weight.shape().dims();
        d_model
    }

    /// `[batch, channels, height, width]` → `[batch, tokens, d_model]`
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
        let patches = self.patch.forward(pixels); // [B, N, D]
        let d_model = self.d_model();
        let tokens = match &self.class {
            Some(class) => {
                let class = class.val().reshape([1, 1, d_model]); // [D] -> [1, 1, D]
                Tensor::cat(vec![class.expand([batch, 1, d_model]), patches], 1)
            }
            None => patches,
        };
        tokens + self.positions(grid).unsqueeze()
    }

    /// `[tokens, d_model]` for a grid of `[rows, columns]` patches.
    fn positions(&self, grid: [usize; 2]) -> Tensor<2> {
        let table = self.position.weight.val();
        let from = common::grid(self.image_size, self.patch.patch_size());
        let Some(how) = self.resample.filter(|_| from != grid) else {
            return table;
        };
        let [n, d_model] = table.dims();
        let first = usize::from(self.class.is_some());
        let places = resample_grid(table.clone().slice([first..n, 0..d_model]), from, grid, how);
        match first {
            0 => places,
            _ => Tensor::cat(vec![table.slice([0..first, 0..d_model]), places], 0),
        }
    }
}
