//! Stochastic depth: a residual branch is skipped for a random part of the samples.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;

/// Drops a residual branch per sample in training (arXiv 1603.09382); does nothing at inference.
#[derive(Module, Debug)]
pub struct DropPath {
    dropout: Dropout,
}

impl DropPath {
    /// Drops with probability `prob`, and scales what is kept so that the mean stays.
    pub fn new(prob: f64) -> Self {
        Self {
            dropout: DropoutConfig::new(prob).init(),
        }
    }

    /// `[batch, tokens, d_model]`, the shape is kept.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if self.dropout.prob == 0.0 || !x.device().is_autodiff() {
            return x;
        }
        let [batch, _, _] = x.dims();
        // A dropout of one number per sample, broadcast over tokens and features.
        let keep = self
            .dropout
            .forward(Tensor::ones([batch, 1, 1], &x.device()));
        x * keep
    }
}
