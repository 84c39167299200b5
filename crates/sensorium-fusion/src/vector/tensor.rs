//! Tensor fusion: the product of all features of all modalities, and of each part of them.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{Vector, VectorInputs, pooled_config};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of a [`TensorFusion`].
    TensorFusionConfig {
        /// The width that each modality is brought to before the product, which has `(d_factor + 1)^M` numbers.
        with_d_factor(d_factor: usize) = 16;
    }
}

impl TensorFusionConfig {
    /// How many numbers the product has.
    pub fn d_product(&self) -> usize {
        (self.d_factor + 1).saturating_pow(self.widths.len() as u32)
    }

    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> TensorFusion {
        TensorFusion {
            inputs: VectorInputs::new(&self.widths, self.pool, self.d_factor, device),
            projection: LinearConfig::new(self.d_product(), self.d_output).init(device),
            d_output: self.d_output,
        }
    }
}

/// The outer product of all `[1; x_i]`, each `x_i` a modality pooled and projected, and a linear map of it (arXiv 1707.07250).
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → the product `[batch, (d_factor + 1)^M]`, tapped as `product` →
/// `[batch, 1, d_output]`
///
/// An absent modality is `[1; 0]`: the products of the others stay. The product grows with the power of the modalities;
/// [`LowRankFusion`](crate::LowRankFusion) never forms it.
#[derive(Module, Debug)]
pub struct TensorFusion {
    /// `d_i` → `d_factor`
    pub inputs: VectorInputs,
    /// `(d_factor + 1)^M` → `d_output`
    pub projection: Linear,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for TensorFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = self.inputs.forward(parts).into_iter();
        let product = outer_product(vectors.map(Vector::with_one).collect());
        let fused = self.projection.forward(tap.tensor("product", product));
        Tokens::dense(tap.tensor("output", fused.unsqueeze_dim(1)))
    }
}

/// Every product of one feature of each vector, the last vector's features running fastest: `[batch, d_i]` each →
/// `[batch, Π d_i]`.
///
/// # Panics
/// If there is no vector.
pub fn outer_product(vectors: Vec<Tensor<2>>) -> Tensor<2> {
    let product = vectors.into_iter().reduce(|product, x| {
        let ([batch, n], [_, d]) = (product.dims(), x.dims());
        let all = product.reshape([batch, n, 1]) * x.reshape([batch, 1, d]);
        all.reshape([batch, n * d]) // [B, N, d] -> [B, N · d]
    });
    product.expect("a product of at least one vector")
}

impl FromTable for TensorFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = TensorFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        config.with_d_factor(table.d_factor).init(device)
    }
}
