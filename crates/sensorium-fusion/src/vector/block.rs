//! MUTAN and block: a bilinear map of two modalities whose core is of low rank, whole or in blocks.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{VectorInputs, pooled_config};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig, FusionKind};

pooled_config! {
    /// Configuration of a [`BlockFusion`].
    BlockFusionConfig {
        /// The width that each modality is brought to before the bilinear map.
        with_d_factor(d_factor: usize) = 16;
        /// How many products are added up.
        with_rank(rank: usize) = 4;
        /// Into how many blocks the features are cut, each with a bilinear map of its own; one is MUTAN.
        with_n_chunks(n_chunks: usize) = 1;
        /// Whether each block's result is brought to signed roots and to length one, as the authors of block do.
        with_normalised(normalised: bool) = false;
    }
}

impl BlockFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there are not two modalities, or blocks do not divide `d_factor`.
    pub fn init(&self, device: &Device) -> BlockFusion {
        let d = self.d_factor;
        assert!(
            self.widths.len() == 2,
            "MUTAN and block are fusions of two modalities"
        );
        assert!(
            self.n_chunks > 0 && d.is_multiple_of(self.n_chunks),
            "d_factor {d} cannot be cut into {} blocks",
            self.n_chunks
        );
        let d_chunk = d / self.n_chunks;
        let factors = || {
            let factor = |_| LinearConfig::new(d_chunk, d_chunk * self.rank).init(device);
            (0..self.n_chunks).map(factor).collect()
        };
        BlockFusion {
            inputs: VectorInputs::new(&self.widths, self.pool, d, device),
            first: factors(),
            second: factors(),
            projection: LinearConfig::new(d, self.d_output).init(device),
            rank: self.rank,
            normalised: self.normalised,
            d_output: self.d_output,
        }
    }
}

/// Two modalities, each pooled and projected to `d_factor` features in `n_chunks` blocks; in each block
/// `Σ_r (A_r x_1) ⊙ (B_r x_2)`; and a linear map of all blocks. With one block it is MUTAN (arXiv 1705.06676), with more, block
/// (arXiv 1902.00038).
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for two modalities → `[batch, 1, d_output]`
///
/// An absent modality's factor is one, so that the other alone is left.
#[derive(Module, Debug)]
pub struct BlockFusion {
    /// `d_i` → `d_factor`
    pub inputs: VectorInputs,
    /// Of the first modality, one for each block: `d_chunk` → `rank · d_chunk`, the rank outermost.
    pub first: Vec<Linear>,
    /// The same of the second.
    pub second: Vec<Linear>,
    /// `d_factor` → `d_output`
    pub projection: Linear,
    #[module(skip)]
    rank: usize,
    #[module(skip)]
    normalised: bool,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for BlockFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = self.inputs.forward(parts);
        let n_chunks = self.first.len();
        let cut = |i: usize| vectors[i].x.clone().chunk(n_chunks, 1);
        let (x_1, x_2) = (cut(0), cut(1));
        let absent = |i: usize| vectors[i].present.clone().bool_not();
        let (absent_1, absent_2) = (absent(0), absent(1));
        let blocks = x_1.into_iter().zip(x_2).enumerate().map(|(i, (x_1, x_2))| {
            let a = one_where(self.first[i].forward(x_1), &absent_1);
            let b = one_where(self.second[i].forward(x_2), &absent_2);
            let [batch, d] = a.dims();
            let products = (a * b).reshape([batch, self.rank, d / self.rank]); // [B, R, d_chunk]
            let block = products.sum_dim(1).squeeze_dim(1);
            if self.normalised {
                normalise(block)
            } else {
                block
            }
        });
        let joined = tap.tensor("blocks", Tensor::cat(blocks.collect(), 1)); // [B, d_factor]
        let fused = self.projection.forward(joined).unsqueeze_dim(1);
        Tokens::dense(tap.tensor("output", fused))
    }
}

/// Rows of samples that lack a modality become ones.
fn one_where(x: Tensor<2>, absent: &Tensor<1, Bool>) -> Tensor<2> {
    let [batch, d] = x.dims();
    let absent = absent.clone().reshape([batch, 1]).expand([batch, d]);
    x.mask_fill(absent, 1.0)
}

/// Signed roots, then rows of length one. What is added before the roots keeps the gradient of a zero finite.
fn normalise(x: Tensor<2>) -> Tensor<2> {
    const EPSILON: f64 = 1e-12;
    let roots = x.clone() / x.abs().add_scalar(EPSILON).sqrt();
    let length = roots.clone().square().sum_dim(1).add_scalar(EPSILON).sqrt();
    roots / length
}

impl FromTable for BlockFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let block = table.kind == FusionKind::Block;
        let config = BlockFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        let config = config.with_d_factor(table.d_factor).with_rank(table.rank);
        config
            .with_n_chunks(if block { table.n_chunks } else { 1 })
            .with_normalised(block)
            .init(device)
    }
}
