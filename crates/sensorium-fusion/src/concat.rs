//! Concatenate and project: the plainest fusion, and the one to beat.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Pool, PoolConfig, PoolKind};
use sensorium_core::{Fusion, Modality, Parts, Tap, Tokens};

use crate::inputs::{Width, batch_of, check_width, refuse_unknown, sorted};

/// Configuration of a [`ConcatFusion`].
#[derive(Clone, Debug)]
pub struct ConcatFusionConfig {
    widths: Vec<Width>,
    d_output: usize,
    pool: PoolKind,
}

impl ConcatFusionConfig {
    /// From modalities of these widths to `d_output` features.
    ///
    /// # Panics
    /// If there is no modality, or one twice.
    pub fn new(widths: &[Width], d_output: usize) -> Self {
        Self {
            widths: sorted(widths),
            d_output,
            pool: PoolKind::Mean,
        }
    }

    /// Text of 512 features and an image of 512 become 1024, and these 512 again. In a recipe: `kind = "concat"` and
    /// `d_model = 512`, with encoders of this width, or CLIP's towers with `output = "embedding"`.
    pub fn text_image_512() -> Self {
        Self::new(&[(Modality("text"), 512), (Modality("image"), 512)], 512)
    }

    /// How a modality's tokens become one vector.
    pub fn with_pool(mut self, pool: PoolKind) -> Self {
        self.pool = pool;
        self
    }

    /// How many features stand side by side.
    pub fn d_concat(&self) -> usize {
        self.widths.iter().map(|(_, width)| width).sum()
    }

    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> ConcatFusion {
        ConcatFusion {
            pools: self
                .widths
                .iter()
                .map(|(_, width)| PoolConfig::new(self.pool, *width).init(device))
                .collect(),
            projection: LinearConfig::new(self.d_concat(), self.d_output).init(device),
            widths: self.widths.clone(),
            d_output: self.d_output,
        }
    }
}

/// Each modality pooled to one vector, all side by side, and a linear map with a GELU.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`
///
/// An absent modality stands there as zeros, be it left out or all padding.
#[derive(Module, Debug)]
pub struct ConcatFusion {
    /// In order of the modalities' names.
    pub pools: Vec<Pool>,
    /// `Σ d_i` → `d_output`
    pub projection: Linear,
    #[module(skip)]
    widths: Vec<Width>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for ConcatFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, mut parts: Parts, tap: &mut T) -> Tokens {
        let (batch, device) = batch_of(&parts);
        let pooled: Vec<Tensor<2>> = self
            .widths
            .iter()
            .zip(&self.pools)
            .map(|((modality, width), pool)| match parts.remove(*modality) {
                Some(tokens) => {
                    check_width(*modality, *width, &tokens);
                    pool.forward(tokens)
                }
                None => Tensor::zeros([batch, *width], &device),
            })
            .collect();
        refuse_unknown(&parts, &self.widths);
        let joined = tap.tensor("concat", Tensor::cat(pooled, 1)); // [B, Σ d_i]
        let fused = gelu(self.projection.forward(joined)).unsqueeze_dim(1); // [B, 1, D]
        Tokens::dense(tap.tensor("output", fused))
    }
}
