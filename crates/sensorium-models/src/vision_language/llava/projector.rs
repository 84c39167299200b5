//! Each patch by itself into the width of a text's tokens.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Activation, linear};

/// Two linear maps with an activation between them (arXiv 2310.03744, section 3.2).
#[derive(Module, Debug)]
pub struct MlpProjector {
    /// `d_model` → `d_text`
    pub up: Linear,
    /// `d_text` → `d_text`
    pub down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl MlpProjector {
    pub(super) fn new(
        d_model: usize,
        d_text: usize,
        bias: bool,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let linear = |d_input| {
            LinearConfig::new(d_input, d_text)
                .with_bias(bias)
                .init(device)
        };
        Self {
            up: linear(d_model),
            down: linear(d_text),
            activation,
        }
    }

    /// `[images, tokens, d_model]` → `[images, tokens, d_text]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        linear(&self.down, self.activation.forward(linear(&self.up, x)))
    }
}
