//! Squares of patches to one vector each, in the width of a text's tokens.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Activation, Norm, linear};

use super::config::norm;

/// Puts the patches of a square together after a norm, and maps them twice (arXiv 2502.13923, section 2.1).
#[derive(Module, Debug)]
pub struct MergeProjector {
    /// On each patch.
    pub norm: Norm,
    /// `d_model * merge * merge`, as wide as it was.
    pub up: Linear,
    /// `d_model * merge * merge` → `d_text`
    pub down: Linear,
}

impl MergeProjector {
    pub(super) fn new(d_model: usize, merge: usize, d_text: usize, device: &Device) -> Self {
        let d_merged = d_model * merge * merge;
        Self {
            norm: norm(d_model).init(device),
            up: LinearConfig::new(d_merged, d_merged).init(device),
            down: LinearConfig::new(d_merged, d_text).init(device),
        }
    }

    /// `[1, patches, d_model]` → `[1, patches / merge², d_text]`; patches of a square follow each other.
    ///
    /// # Panics
    /// If the patches are no whole squares.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, patches, d_model] = x.dims();
        let [d_merged, _] = self.up.weight.shape().dims();
        let square = d_merged / d_model;
        assert!(
            patches.is_multiple_of(square),
            "{patches} patches are no squares of {square}"
        );
        let x = self.norm.forward(x);
        let x = x.reshape([batch, patches / square, d_merged]); // [1, S, D] -> [1, S / M², D * M²]
        linear(&self.down, Activation::Gelu.forward(linear(&self.up, x)))
    }
}
