//! MulT: a transformer for each directed pair of modalities.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Norm, Pool, PoolConfig, PoolKind, Transformer};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, CrossBlock, token_config};
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

token_config! {
    /// Configuration of a [`MultFusion`].
    MultFusionConfig() {
        /// How a modality's tokens become one vector in the end.
        with_pool(pool: PoolKind) = PoolKind::Mean;
    }
}

impl MultFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there is one modality alone, or heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> MultFusion {
        let n = self.widths.len();
        assert!(n > 1, "MulT needs modalities that look at each other");
        let block = |layer| self.blocks.cross_block(layer, false, device);
        let pair = || DirectedPair {
            blocks: (0..self.blocks.n_layers).map(block).collect(),
            norm: self.blocks.norm(device),
        };
        // The sources of a modality side by side.
        let wide = self.blocks.wider(n - 1);
        MultFusion {
            projections: Projections::new(&self.widths, self.blocks.d_model, device),
            pairs: (0..n * (n - 1)).map(|_| pair()).collect(),
            own: (0..n).map(|_| wide.transformer().init(device)).collect(),
            pools: (0..n)
                .map(|_| PoolConfig::new(self.pool, wide.d_model).init(device))
                .collect(),
            d_output: n * wide.d_model,
        }
    }
}

/// From one modality to another: `[batch, tokens, d_model]` and `[batch, keys, d_model]` → `[batch, tokens, d_model]`
#[derive(Module, Debug)]
pub struct DirectedPair {
    /// First to last; each attends to the same tokens of the source.
    pub blocks: Vec<CrossBlock>,
    /// After the last.
    pub norm: Norm,
}

impl DirectedPair {
    fn forward_with<T: Tap>(&self, target: Tensor<3>, source: &Tokens, tap: &mut T) -> Tensor<3> {
        let blocks = self.blocks.iter().enumerate();
        let x = blocks.fold(target, |x, (i, block)| {
            in_layer(tap, &format!("blocks.{i}"), |tap| {
                block.forward_with(x, source, tap)
            })
        });
        self.norm.forward(x)
    }
}

/// Directional cross-modal transformers (arXiv 1906.00295): each modality, the target, attends to each other, its source, in
/// blocks of their own; what a target got from its sources stands side by side, goes through a transformer, and is pooled; and
/// the targets stand side by side.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each of `M` modalities → `[batch, 1, M (M - 1) d_model]`
///
/// A source that a sample lacks gives its target nothing, and a target it lacks is zero.
///
/// # Differs from the paper
/// Attention has no biases, tokens are pooled as asked for instead of taking the last one, and positions are the encoders'.
#[derive(Module, Debug)]
pub struct MultFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// `M (M - 1)`, by target and then by source, in order of their names.
    pub pairs: Vec<DirectedPair>,
    /// Of each target, of width `(M - 1) d_model`.
    pub own: Vec<Transformer>,
    /// Of each target.
    pub pools: Vec<Pool>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for MultFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let sequences = self.projections.sequences(parts);
        let mut pairs = self.pairs.iter().enumerate();
        let mut targets = Vec::new();
        for (i, target) in sequences.iter().enumerate() {
            let mut informed = Vec::new();
            for (j, source) in sequences.iter().enumerate() {
                if i == j {
                    continue;
                }
                let (n, pair) = pairs.next().expect("as many as modalities can be paired");
                informed.push(in_layer(tap, &format!("pairs.{n}"), |tap| {
                    pair.forward_with(target.embeds.clone(), source, tap)
                }));
            }
            let wide = Tokens::new(Tensor::cat(informed, 2), target.pad.clone()); // [B, T, (M - 1) D]
            let wide = in_layer(tap, &format!("own.{i}"), |tap| {
                self.own[i].forward_with(wide, tap)
            });
            targets.push(self.pools[i].forward(wide));
        }
        let fused = Tensor::cat(targets, 1).unsqueeze_dim(1);
        Tokens::dense(tap.tensor("output", fused))
    }
}

impl FromTable for MultFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = MultFusionConfig::new(widths, BlocksConfig::of_table(table));
        config.with_pool(table.pool).init(device)
    }
}
