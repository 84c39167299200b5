//! A modality as one vector, and whether a sample has it.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, DType, Device, Tensor};
use sensorium_core::Parts;
use sensorium_core::nn::{Pool, PoolConfig, PoolKind};

use crate::inputs::{Width, batch_of, check_width, refuse_unknown, sorted, zero_absent};

/// One modality of a batch. What is absent is the same whether it is all padding or was left out: a zero, and a note of it.
#[derive(Clone)]
pub(crate) struct Vector {
    /// `[batch, d]`, zeros where the sample lacks the modality.
    pub(crate) x: Tensor<2>,
    /// `[batch]`
    pub(crate) present: Tensor<1, Bool>,
}

impl Vector {
    /// `[batch, 1]`: one where the sample has the modality, else zero.
    pub(crate) fn weight(&self) -> Tensor<2> {
        let weight = self.present.clone().float().cast(self.x.dtype());
        weight.unsqueeze_dim(1)
    }

    /// The vector with a one before it, `[batch, 1 + d]`, which keeps the parts that hang on fewer modalities in a product
    /// of all of them.
    pub(crate) fn with_one(self) -> Tensor<2> {
        let [batch, _] = self.x.dims();
        let one = Tensor::ones([batch, 1], (&self.x.device(), self.x.dtype()));
        Tensor::cat(vec![one, self.x], 1)
    }
}

/// One pool for each modality.
pub(crate) fn pools(kind: PoolKind, widths: &[Width], device: &Device) -> Vec<Pool> {
    let pool = |(_, width): &Width| PoolConfig::new(kind, *width).init(device);
    widths.iter().map(pool).collect()
}

/// Every modality in its order, pooled.
///
/// # Panics
/// If there is none at all, or one that the fusion was not made for.
pub(crate) fn pooled(pools: &[Pool], widths: &[Width], mut parts: Parts) -> Vec<Vector> {
    let (batch, device) = batch_of(&parts);
    let dtype = parts.iter().next().map(|(_, tokens)| tokens.embeds.dtype());
    let as_others = (&device, dtype.unwrap_or(DType::F32));
    let vectors = widths.iter().zip(pools).map(|((modality, width), pool)| {
        let Some(tokens) = parts.remove(*modality) else {
            return Vector {
                x: Tensor::zeros([batch, *width], as_others),
                present: Tensor::full([batch], false, &device),
            };
        };
        check_width(*modality, *width, &tokens);
        Vector {
            present: tokens.present(),
            x: pool.forward(tokens),
        }
    });
    let vectors = vectors.collect();
    refuse_unknown(&parts, widths);
    vectors
}

/// The vectors side by side, `[batch, Σ d_i]`.
pub(crate) fn side_by_side(vectors: &[Vector]) -> Tensor<2> {
    Tensor::cat(vectors.iter().map(|vector| vector.x.clone()).collect(), 1)
}

/// Which modalities each sample lacks: `[batch, modalities]`.
pub(crate) fn absent(vectors: &[Vector]) -> Tensor<2, Bool> {
    let columns = vectors.iter().map(|vector| {
        let [batch, _] = vector.x.dims();
        vector.present.clone().bool_not().reshape([batch, 1])
    });
    Tensor::cat(columns.collect(), 1)
}

/// Each modality pooled to one vector, and brought to a common width by a linear map of its own.
#[derive(Module, Debug)]
pub struct VectorInputs {
    /// In order of the modalities' names.
    pub pools: Vec<Pool>,
    /// `d_i` → the common width.
    pub linears: Vec<Linear>,
    #[module(skip)]
    widths: Vec<Width>,
}

impl VectorInputs {
    /// For modalities of these widths, all of them brought to `d_output`.
    ///
    /// # Panics
    /// If there is no modality, or one twice.
    pub(crate) fn new(widths: &[Width], pool: PoolKind, d_output: usize, device: &Device) -> Self {
        let widths = sorted(widths);
        let linear = |(_, width): &Width| LinearConfig::new(*width, d_output).init(device);
        Self {
            pools: pools(pool, &widths, device),
            linears: widths.iter().map(linear).collect(),
            widths,
        }
    }

    /// The modalities' vectors as they are pooled: `[batch, d_i]` each.
    pub(crate) fn pooled(&self, parts: Parts) -> Vec<Vector> {
        pooled(&self.pools, &self.widths, parts)
    }

    /// The same of a common width, still zero where a sample lacks the modality.
    pub(crate) fn project(&self, pooled: Vec<Vector>) -> Vec<Vector> {
        let project = |(linear, vector): (&Linear, Vector)| Vector {
            x: zero_absent(linear.forward(vector.x), vector.present.clone()),
            present: vector.present,
        };
        self.linears.iter().zip(pooled).map(project).collect()
    }

    /// Pooled and of a common width.
    pub(crate) fn forward(&self, parts: Parts) -> Vec<Vector> {
        self.project(self.pooled(parts))
    }
}

/// The configuration of a fusion of vectors: the modalities' widths, the width of the result, how tokens become a vector,
/// and what is the method's own.
macro_rules! pooled_config {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$own_doc:meta])* $with:ident($own:ident: $type:ty) = $default:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            widths: Vec<$crate::Width>,
            d_output: usize,
            pool: sensorium_core::nn::PoolKind,
            $($own: $type,)*
        }

        impl $name {
            /// From modalities of these widths to `d_output` features.
            ///
            /// # Panics
            /// If there is no modality, or one twice.
            pub fn new(widths: &[$crate::Width], d_output: usize) -> Self {
                Self {
                    widths: $crate::inputs::sorted(widths),
                    d_output,
                    pool: sensorium_core::nn::PoolKind::Mean,
                    $($own: $default,)*
                }
            }

            /// How a modality's tokens become one vector.
            pub fn with_pool(mut self, pool: sensorium_core::nn::PoolKind) -> Self {
                self.pool = pool;
                self
            }

            $(
                $(#[$own_doc])*
                pub fn $with(mut self, $own: $type) -> Self {
                    self.$own = $own;
                    self
                }
            )*
        }
    };
}

pub(crate) use pooled_config;
