//! The feed-forward half of a transformer block, plain or gated.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::activation::Activation;
use super::linear::{linear, linears};

/// Configuration of a [`FeedForward`].
#[derive(Clone, Debug)]
pub struct FeedForwardConfig {
    d_model: usize,
    d_ff: usize,
    activation: Activation,
    dropout: f64,
    bias: bool,
}

impl FeedForwardConfig {
    /// `d_model` → `d_ff` → `d_model` with exact GELU and biases.
    pub fn new(d_model: usize, d_ff: usize) -> Self {
        Self {
            d_model,
            d_ff,
            activation: Activation::Gelu,
            dropout: 0.0,
            bias: true,
        }
    }

    /// Chooses the activation.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Share of hidden features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Whether the linear maps have biases.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// A freshly initialised layer.
    pub fn init(&self, device: &Device) -> FeedForward {
        let linear = |d_in, d_out| {
            LinearConfig::new(d_in, d_out)
                .with_bias(self.bias)
                .with_initializer(super::init::LINEAR)
                .init(device)
        };
        FeedForward {
            up: linear(self.d_model, self.d_ff),
            gate: self
                .activation
                .is_gated()
                .then(|| linear(self.d_model, self.d_ff)),
            down: linear(self.d_ff, self.d_model),
            dropout: DropoutConfig::new(self.dropout).init(),
            activation: self.activation,
        }
    }
}

/// `down(act(up(x)))`, or `down(silu(gate(x)) * up(x))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `d_model` → `d_ff`
    pub up: Linear,
    /// `d_model` → `d_ff`, for gated activations.
    pub gate: Option<Linear>,
    /// `d_ff` → `d_model`
    pub down: Linear,
    /// On the hidden features.
    pub dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl FeedForward {
    /// `[.., d_model]` → `[.., d_model]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let hidden = match &self.gate {
            Some(gate) => {
                let [gate, up] = linears([gate, &self.up], x);
                self.activation.gated(gate, up)
            }
            None => self.activation.forward(linear(&self.up, x)),
        };
        linear(&self.down, self.dropout.forward(hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{devices, floats, random};

    /// `x · weight + bias` on the host.
    fn linear(layer: &Linear, x: &[f64]) -> Vec<f64> {
        let [d_in, d_out] = layer.weight.shape().dims();
        let weight = floats(&layer.weight.val()); // [in, out]
        let bias = layer.bias.as_ref().map(|bias| floats(&bias.val()));
        assert_eq!(x.len(), d_in);
        let out = |o: usize| {
            let sum = (0..d_in).map(|i| x[i] * f64::from(weight[i * d_out + o]));
            sum.sum::<f64>() + bias.as_ref().map_or(0.0, |bias| f64::from(bias[o]))
        };
        (0..d_out).map(out).collect()
    }

    fn check(activation: Activation, hidden: fn(&FeedForward, &[f64]) -> Vec<f64>) {
        for device in devices() {
            let config = FeedForwardConfig::new(3, 5).with_activation(activation);
            let layer = config.init(&device);
            let x = random::<2>([1, 3], 1, &device).mul_scalar(3.0);
            let found = floats(&layer.forward(x.clone()));
            let x: Vec<f64> = floats(&x).into_iter().map(f64::from).collect();
            let expected = linear(&layer.down, &hidden(&layer, &x));
            for (found, expected) in found.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5);
            }
        }
    }

    fn silu(x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }

    #[test]
    fn swiglu_multiplies_a_gate_and_silu_does_not() {
        check(Activation::SwiGlu, |layer, x| {
            let gate = linear(layer.gate.as_ref().unwrap(), x);
            let up = linear(&layer.up, x);
            gate.iter().zip(up).map(|(g, u)| silu(*g) * u).collect()
        });
        check(Activation::Silu, |layer, x| {
            assert!(layer.gate.is_none());
            linear(&layer.up, x).into_iter().map(silu).collect()
        });
        check(Activation::QuickGelu, |layer, x| {
            let up = linear(&layer.up, x).into_iter();
            up.map(|u| u / (1.0 + (-1.702 * u).exp())).collect()
        });
    }
}
