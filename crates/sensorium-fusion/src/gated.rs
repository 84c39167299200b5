//! Gated fusion: the sample itself says how much of each modality to take.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Pool, PoolConfig, PoolKind};
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use crate::inputs::{Projections, Width, batch_of, sorted, zero_absent};

/// Configuration of a [`GatedFusion`].
#[derive(Clone, Debug)]
pub struct GatedFusionConfig {
    widths: Vec<Width>,
    d_output: usize,
    pool: PoolKind,
}

impl GatedFusionConfig {
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

    /// How a modality's tokens become one vector.
    pub fn with_pool(mut self, pool: PoolKind) -> Self {
        self.pool = pool;
        self
    }

    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> GatedFusion {
        let d_concat = self.widths.iter().map(|(_, width)| width).sum();
        GatedFusion {
            pools: self
                .widths
                .iter()
                .map(|(_, width)| PoolConfig::new(self.pool, *width).init(device))
                .collect(),
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
        let (batch, device) = batch_of(&parts);
        let d = self.d_output;
        let (mut pooled, mut values, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for ((i, pool), (_, linear, tokens)) in
            self.pools.iter().enumerate().zip(self.values.join(parts))
        {
            let Some(tokens) = tokens else {
                pooled.push(Tensor::zeros([batch, self.widths[i].1], &device));
                values.push(Tensor::zeros([batch, 1, d], &device));
                absent.push(Tensor::full([batch, 1], true, &device));
                continue;
            };
            let present = tokens.present();
            let x = pool.forward(tokens);
            let value = linear.forward(x.clone()).tanh();
            pooled.push(x);
            values.push(zero_absent(value, present.clone()).unsqueeze_dim(1));
            absent.push(present.bool_not().reshape([batch, 1]));
        }
        let n = pooled.len();
        let all = Tensor::cat(pooled, 1); // [B, Σ d_i]
        let scores = self
            .gates
            .iter()
            .map(|gate| gate.forward(all.clone()).unsqueeze_dim(1))
            .collect();
        let absent = Tensor::cat(absent, 1) // [B, M]
            .reshape([batch, n, 1])
            .expand([batch, n, d]);
        let scores: Tensor<3> = Tensor::cat(scores, 1); // [B, M, D]
        let gates = softmax(scores.mask_fill(absent.clone(), -3e4), 1).mask_fill(absent, 0.0);
        let gates = tap.tensor("gates", gates);
        let fused = (gates * Tensor::cat(values, 1)).sum_dim(1); // [B, 1, D]
        Tokens::dense(tap.tensor("output", fused))
    }
}
