//! From a tower's embedding into the space of both towers.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Activation;

/// Two linear maps with an activation between them (arXiv 2211.06687, equation 1).
#[derive(Module, Debug)]
pub struct ClapProjection {
    /// `d_model` → `d_embed`
    pub hidden: Linear,
    /// `d_embed` → `d_embed`
    pub output: Linear,
    #[module(skip)]
    activation: Activation,
}

impl ClapProjection {
    pub(super) fn new(
        d_model: usize,
        d_embed: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        Self {
            hidden: LinearConfig::new(d_model, d_embed).init(device),
            output: LinearConfig::new(d_embed, d_embed).init(device),
            activation,
        }
    }

    /// Width of the embedding.
    pub fn d_embed(&self) -> usize {
        let [_, d_embed] = self.output.weight.shape().dims();
        d_embed
    }

    /// `[batch, d_model]` → `[batch, d_embed]`, not normalised.
    pub fn forward(&self, pooled: Tensor<2>) -> Tensor<2> {
        let hidden = self.activation.forward(self.hidden.forward(pooled));
        self.output.forward(hidden)
    }
}
