//! Sum, mean and maximum: the modalities as a set, of which a sample may have any part.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::inputs::{Vector, VectorInputs, pooled_config};
use crate::inputs::{Width, zero_absent};
use crate::{FromTable, FusionConfig, FusionKind};

/// What is made of the modalities that a sample has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean: as large with one modality as with all.
    Mean,
    /// Per feature, the largest.
    Max,
}

pooled_config! {
    /// Configuration of a [`SetFusion`].
    SetFusionConfig {
        /// What is made of the vectors.
        with_reduce(reduce: Reduce) = Reduce::Sum;
    }
}

impl SetFusionConfig {
    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> SetFusion {
        SetFusion {
            inputs: VectorInputs::new(&self.widths, self.pool, self.d_output, device),
            reduce: self.reduce,
            d_output: self.d_output,
        }
    }
}

/// Each modality pooled and projected, and their sum, mean or maximum over those that a sample has (deep sets, arXiv
/// 1703.06114, where the projections are φ and the head is ρ).
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`
///
/// A sample without any modality is zero.
#[derive(Module, Debug)]
pub struct SetFusion {
    /// `d_i` → `d_output`
    pub inputs: VectorInputs,
    #[module(skip)]
    reduce: Reduce,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for SetFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = self.inputs.forward(parts);
        let fused = match self.reduce {
            Reduce::Sum => sum(vectors.iter().map(|v| v.x.clone())),
            Reduce::Mean => {
                let count = sum(vectors.iter().map(Vector::weight));
                sum(vectors.iter().map(|v| v.x.clone())) / count.clamp_min(1.0)
            }
            Reduce::Max => largest(vectors),
        };
        Tokens::dense(tap.tensor("output", fused.unsqueeze_dim(1)))
    }
}

fn sum(tensors: impl Iterator<Item = Tensor<2>>) -> Tensor<2> {
    tensors
        .reduce(|a, b| a + b)
        .expect("a fusion has at least one modality")
}

fn largest(vectors: Vec<Vector>) -> Tensor<2> {
    let any = sum(vectors.iter().map(Vector::weight));
    let low = vectors.into_iter().map(|vector| {
        let [batch, d] = vector.x.dims();
        let absent = vector.present.bool_not().reshape([batch, 1]);
        vector.x.mask_fill(absent.expand([batch, d]), -3e4)
    });
    let most = Tensor::stack::<3>(low.collect(), 1).max_dim(1);
    zero_absent(most.squeeze_dim(1), any.greater_elem(0.5).squeeze_dim(1))
}

impl FromTable for SetFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let reduce = match table.kind {
            FusionKind::Mean => Reduce::Mean,
            FusionKind::Max => Reduce::Max,
            _ => Reduce::Sum,
        };
        let config = SetFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        config.with_reduce(reduce).init(device)
    }
}
