//! Normalisation by layer statistics or by root mean square, behind one name.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which statistics a [`Norm`] divides by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Mean and variance (arXiv 1607.06450).
    #[default]
    Layer,
    /// Root mean square, no shift (arXiv 1910.07467).
    Rms,
}

/// Configuration of a [`Norm`].
#[derive(Clone, Debug)]
pub struct NormConfig {
    d_model: usize,
    kind: NormKind,
    epsilon: f64,
}

impl NormConfig {
    /// A layer norm over `d_model` features with the usual epsilon of 1e-5.
    pub fn new(d_model: usize) -> Self {
        Self {
            d_model,
            kind: NormKind::Layer,
            epsilon: 1e-5,
        }
    }

    /// Chooses the statistics.
    pub fn with_kind(mut self, kind: NormKind) -> Self {
        self.kind = kind;
        self
    }

    /// What is added before the root.
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// A norm that does nothing yet: scale one, shift zero.
    pub fn init(&self, device: &Device) -> Norm {
        match self.kind {
            NormKind::Layer => Norm {
                layer: Some(
                    LayerNormConfig::new(self.d_model)
                        .with_epsilon(self.epsilon)
                        .init(device),
                ),
                rms: None,
            },
            NormKind::Rms => Norm {
                layer: None,
                rms: Some(
                    RmsNormConfig::new(self.d_model)
                        .with_epsilon(self.epsilon)
                        .init(device),
                ),
            },
        }
    }
}

/// Layer or RMS norm over the last dimension. One of the two fields is set.
#[derive(Module, Debug)]
pub struct Norm {
    /// Set for [`NormKind::Layer`].
    pub layer: Option<LayerNorm>,
    /// Set for [`NormKind::Rms`].
    pub rms: Option<RmsNorm>,
}

impl Norm {
    /// Normalises over the last dimension; the shape is kept.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match (&self.layer, &self.rms) {
            (Some(norm), _) => norm.forward(x),
            (None, Some(norm)) => norm.forward(x),
            (None, None) => x,
        }
    }
}
