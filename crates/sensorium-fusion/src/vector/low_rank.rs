//! Low-rank tensor fusion: the product of all modalities' features, without ever forming it.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Pool;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{pooled, pooled_config, pools};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of a [`LowRankFusion`].
    LowRankFusionConfig {
        /// How many products are added up.
        with_rank(rank: usize) = 4;
    }
}

impl LowRankFusionConfig {
    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> LowRankFusion {
        let normal = |std| Initializer::Normal { mean: 0.0, std };
        let factor = |(_, width): &Width| {
            let d = width + 1;
            normal((d as f64).sqrt().recip()).init([self.rank, d, self.d_output], device)
        };
        let std = (self.rank as f64).sqrt().recip();
        LowRankFusion {
            pools: pools(self.pool, &self.widths, device),
            factors: self.widths.iter().map(factor).collect(),
            rank_weights: normal(std).init([self.rank], device),
            bias: Initializer::Zeros.init([self.d_output], device),
            widths: self.widths.clone(),
            d_output: self.d_output,
        }
    }
}

/// [`TensorFusion`](crate::TensorFusion) whose linear map is a sum of `rank` products, one factor for each modality (arXiv
/// 1806.00064): `Σ_r w_r Π_i F_i[r]ᵀ [1; x_i] + b`.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`
///
/// An absent modality is `[1; 0]`: the products of the others stay.
#[derive(Module, Debug)]
pub struct LowRankFusion {
    /// In order of the modalities' names.
    pub pools: Vec<Pool>,
    /// `[rank, d_i + 1, d_output]`, one for each modality.
    pub factors: Vec<Param<Tensor<3>>>,
    /// `[rank]`
    pub rank_weights: Param<Tensor<1>>,
    /// `[d_output]`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    widths: Vec<Width>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for LowRankFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = pooled(&self.pools, &self.widths, parts).into_iter();
        let factors = vectors.zip(&self.factors).map(|(vector, factor)| {
            let x = vector.with_one().unsqueeze_dim::<3>(0); // [1, B, d + 1]
            x.matmul(factor.val()) // [R, B, D]
        });
        let product = factors
            .reduce(|a, b| a * b)
            .expect("a fusion has at least one modality");
        let [rank, _, _] = product.dims();
        let weights = self.rank_weights.val().reshape([rank, 1, 1]);
        let sum: Tensor<2> = (product * weights).sum_dim(0).squeeze_dim(0); // [B, D]
        let fused = sum + self.bias.val().unsqueeze_dim(0);
        Tokens::dense(tap.tensor("output", fused.unsqueeze_dim(1)))
    }
}

impl FromTable for LowRankFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = LowRankFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        config.with_rank(table.rank).init(device)
    }
}
