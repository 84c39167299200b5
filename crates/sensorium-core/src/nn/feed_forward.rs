//! The feed-forward half of a transformer block, plain or gated.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, gelu_approximate, relu, sigmoid, silu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// What happens between the two linear maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x·Φ(x), exact (arXiv 1606.08415).
    #[default]
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// x·σ(1.702x), as in OpenAI's CLIP.
    QuickGelu,
    /// max(x, 0)
    Relu,
    /// x·σ(x)
    Silu,
    /// silu(gate)·up: three linear maps instead of two (arXiv 2002.05202).
    SwiGlu,
}

impl Activation {
    /// Applies the activation; for [`Activation::SwiGlu`], the one on its gate.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Gelu => gelu(x),
            Self::GeluTanh => gelu_approximate(x),
            Self::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
            Self::Relu => relu(x),
            Self::Silu | Self::SwiGlu => silu(x),
        }
    }

    /// Whether the activation multiplies with a second linear map.
    pub fn is_gated(self) -> bool {
        self == Self::SwiGlu
    }
}

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
            Some(gate) => self.activation.forward(gate.forward(x.clone())) * self.up.forward(x),
            None => self.activation.forward(self.up.forward(x)),
        };
        self.down.forward(self.dropout.forward(hidden))
    }
}
