//! A weighted sum whose weights the modalities themselves decide.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{VectorInputs, absent, pooled_config, side_by_side};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of an [`AttentionSumFusion`].
    AttentionSumFusionConfig {}
}

impl AttentionSumFusionConfig {
    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> AttentionSumFusion {
        let d_concat = self.widths.iter().map(|(_, width)| width).sum();
        AttentionSumFusion {
            inputs: VectorInputs::new(&self.widths, self.pool, self.d_output, device),
            scores: LinearConfig::new(d_concat, self.widths.len()).init(device),
            d_output: self.d_output,
        }
    }
}

/// `Σ a_i P_i x_i` with `a = softmax(W [x_1; …; x_M])`: one weight for each modality, where
/// [`GatedFusion`](crate::GatedFusion) has one for each of its features.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`
///
/// Only modalities that a sample has get a weight. Taps `weights` `[batch, modalities]`.
#[derive(Module, Debug)]
pub struct AttentionSumFusion {
    /// `d_i` → `d_output`
    pub inputs: VectorInputs,
    /// `Σ d_i` → the number of modalities.
    pub scores: Linear,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for AttentionSumFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let pooled = self.inputs.pooled(parts);
        let absent = absent(&pooled); // [B, M]
        let scores = self.scores.forward(side_by_side(&pooled));
        let scores = scores.mask_fill(absent.clone(), -3e4);
        let weights = softmax(scores, 1).mask_fill(absent, 0.0);
        let weights = tap.tensor("weights", weights).unsqueeze_dim(1); // [B, 1, M]
        let values = self.inputs.project(pooled).into_iter().map(|v| v.x);
        let values: Tensor<3> = Tensor::stack(values.collect(), 1); // [B, M, D]
        Tokens::dense(tap.tensor("output", weights.matmul(values))) // [B, 1, D]
    }
}

impl FromTable for AttentionSumFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = AttentionSumFusionConfig::new(widths, table.d_model);
        config.with_pool(table.pool).init(device)
    }
}
