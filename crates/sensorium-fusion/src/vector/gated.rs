//! Gated fusion: the sample itself says how much of each modality to take.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Pool;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{absent, pooled, pooled_config, pools, side_by_side};
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of a [`GatedFusion`].
    GatedFusionConfig {}
}

impl GatedFusionConfig {
    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> GatedFusion {
        let d_concat = self.widths.iter().map(|(_, width)| width).sum();
        GatedFusion {
            pools: pools(self.pool, &self.widths, device),
            values: Projections::new(&self.widths, self.d_output, device),
            gates: self
                .widths
                .iter()
                .map(|_| LinearConfig::new(d_concat, self.d_output).init(device))
                .collect(),
            widths: self.widths.clone(),
            d_output: self.d_output,
        }
    }
}

/// The gated multimodal unit (arXiv 1702.01992) for any number of modalities: `h_i = tanh(W_i x_i)`, and
/// per feature a gate over the modalities that are present, computed from all of them, weighs the `h_i`.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`
///
/// # Differs from the paper
/// The gates are a softmax over modalities instead of `z` and `1 - z`; for two modalities that is the
/// same function, with `z = σ(a - b)`. An absent modality has no gate, so the others share its part.
#[derive(Module, Debug)]
pub struct GatedFusion {
    /// In order of the modalities' names.
    pub pools: Vec<Pool>,
    /// `d_i` → `d_output`
    pub values: Projections,
    /// `Σ d_i` → `d_output`, one for each modality.
    pub gates: Vec<Linear>,
    #[module(skip)]
    widths: Vec<Width>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for GatedFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = pooled(&self.pools, &self.widths, parts);
        let all = side_by_side(&vectors); // [B, Σ d_i]
        let [batch, _] = all.dims();
        let (n, d) = (vectors.len(), self.d_output);
        let scores = self
            .gates
            .iter()
            .map(|gate| gate.forward(all.clone()).unsqueeze_dim(1));
        let scores: Tensor<3> = Tensor::cat(scores.collect(), 1); // [B, M, D]
        let absent = absent(&vectors)
            .reshape([batch, n, 1])
            .expand([batch, n, d]);
        let gates = softmax(scores.mask_fill(absent.clone(), -3e4), 1).mask_fill(absent, 0.0);
        let gates = tap.tensor("gates", gates);
        // An absent modality's gate is zero, so that whatever its value is does not count.
        let values = self.values.linears.iter().zip(vectors);
        let values = values.map(|(linear, vector)| linear.forward(vector.x).tanh());
        let values: Tensor<3> = Tensor::stack(values.collect(), 1); // [B, M, D]
        let fused = (gates * values).sum_dim(1); // [B, 1, D]
        Tokens::dense(tap.tensor("output", fused))
    }
}

impl FromTable for GatedFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = GatedFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        config.init(device)
    }
}
