//! Multiplicative interaction: every feature of the one modality with every feature of the other.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Pool;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{pooled, pooled_config, pools};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of a [`MultiplicativeFusion`].
    MultiplicativeFusionConfig {}
}

impl MultiplicativeFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there are not two modalities.
    pub fn init(&self, device: &Device) -> MultiplicativeFusion {
        let [(_, d_1), (_, d_2)] = self.widths[..] else {
            panic!("a multiplicative interaction is one of two modalities");
        };
        // As large as what the linear maps give, when features are about one.
        let std = ((d_1 * d_2) as f64).sqrt().recip();
        let bilinear = Initializer::Normal { mean: 0.0, std };
        let linear = |d_in| LinearConfig::new(d_in, self.d_output);
        MultiplicativeFusion {
            pools: pools(self.pool, &self.widths, device),
            bilinear: bilinear.init([d_1, d_2, self.d_output], device),
            first: linear(d_1).with_bias(false).init(device),
            second: linear(d_2).init(device),
            widths: self.widths.clone(),
            d_output: self.d_output,
        }
    }
}

/// `x_1ᵀ W x_2 + U x_1 + V x_2 + b` of two vectors (Jayakumar et al., Multiplicative Interactions and Where to Find Them,
/// ICLR 2020, equation 1).
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for two modalities → `[batch, 1, d_output]`
///
/// An absent modality is zero: what is left is the linear map of the other.
#[derive(Module, Debug)]
pub struct MultiplicativeFusion {
    /// In order of the modalities' names.
    pub pools: Vec<Pool>,
    /// `W`: `[d_1, d_2, d_output]`
    pub bilinear: Param<Tensor<3>>,
    /// `U`: `d_1` → `d_output`
    pub first: Linear,
    /// `V` and `b`: `d_2` → `d_output`
    pub second: Linear,
    #[module(skip)]
    widths: Vec<Width>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for MultiplicativeFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = pooled(&self.pools, &self.widths, parts);
        let (x_1, x_2) = (vectors[0].x.clone(), vectors[1].x.clone());
        let [batch, d_1] = x_1.dims();
        let [_, d_2] = x_2.dims();
        let d = self.d_output;
        let weight = self.bilinear.val().reshape([d_1, d_2 * d]);
        let rows = x_1.clone().matmul(weight).reshape([batch, d_2, d]); // x_1ᵀ W: [B, d_2, D]
        let product = x_2.clone().unsqueeze_dim::<3>(1).matmul(rows); // [B, 1, D]
        let linear = self.first.forward(x_1) + self.second.forward(x_2); // [B, D]
        Tokens::dense(tap.tensor("output", product + linear.unsqueeze_dim(1)))
    }
}

impl FromTable for MultiplicativeFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = MultiplicativeFusionConfig::new(widths, table.d_model);
        config.with_pool(table.pool).init(device)
    }
}
