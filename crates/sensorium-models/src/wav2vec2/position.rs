//! Positions, told by a wide convolution of what is around a frame.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Activation;

use super::Wav2Vec2Config;

/// A convolution over the frames around each (arXiv 2006.11477, section 2), whose weight is a direction and, for each place
/// of the kernel, a length (arXiv 1602.07868).
#[derive(Module, Debug)]
pub struct PositionalConv {
    /// `[1, 1, kernel]`: lengths.
    pub length: Param<Tensor<3>>,
    /// `[d_model, d_model / groups, kernel]`: directions, of any length.
    pub direction: Param<Tensor<3>>,
    /// `[d_model]`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
    #[module(skip)]
    activation: Activation,
}

impl PositionalConv {
    pub(super) fn new(config: &Wav2Vec2Config, device: &Device) -> Self {
        let (d_model, kernel, groups) = (
            config.d_model,
            config.position_kernel,
            config.position_groups,
        );
        // As the published models began: of this deviation, and so of this length on average.
        let std = 2.0 / ((kernel * d_model) as f64).sqrt();
        let inputs = d_model / groups;
        let length = std * ((d_model * inputs) as f64).sqrt();
        Self {
            length: Initializer::Constant { value: length }.init([1, 1, kernel], device),
            direction: Initializer::Normal { mean: 0.0, std }
                .init([d_model, inputs, kernel], device),
            bias: Initializer::Zeros.init([d_model], device),
            groups,
            activation: config.feature_activation,
        }
    }

    /// `[d_model, d_model / groups, kernel]`
    fn weight(&self) -> Tensor<3> {
        let direction = self.direction.val();
        let length = direction.clone().square().sum_dim(0).sum_dim(1).sqrt(); // [1, 1, K]
        direction * (self.length.val() / length)
    }

    /// `[batch, frames, d_model]`, the shape is kept. Beyond a sound's ends are zeros, as padding must be.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, frames, _] = x.dims();
        let [_, _, kernel] = self.length.shape().dims();
        let options = ConvOptions::new([1], [kernel / 2], [1], self.groups);
        let x = x.swap_dims(1, 2); // [B, F, D] -> [B, D, F]
        let x = conv1d(x, self.weight(), Some(self.bias.val()), options);
        // One frame too many where the kernel has no middle.
        let x = x.narrow(2, 0, frames).swap_dims(1, 2); // [B, D, F] -> [B, F, D]
        self.activation.forward(x)
    }
}
