//! A linear map of the pooled vector, as `2_Dense/config.json` says.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid, silu, tanh};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::Activation;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{need, size};
use crate::{Error, config};

/// What follows the linear map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenseActivation {
    /// Nothing.
    Identity,
    /// tanh(x)
    Tanh,
    /// max(x, 0)
    Relu,
    /// x·Φ(x), exact
    Gelu,
    /// x·σ(x)
    Silu,
    /// σ(x)
    Sigmoid,
}

const NAMES: [(&str, DenseActivation); 6] = [
    ("Identity", DenseActivation::Identity),
    ("Tanh", DenseActivation::Tanh),
    ("ReLU", DenseActivation::Relu),
    ("GELU", DenseActivation::Gelu),
    ("SiLU", DenseActivation::Silu),
    ("Sigmoid", DenseActivation::Sigmoid),
];

/// Configuration of a [`Dense`].
#[derive(Clone, Debug, PartialEq)]
pub struct DenseConfig {
    /// Width before.
    pub d_input: usize,
    /// Width after.
    pub d_output: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// What follows.
    pub activation: DenseActivation,
}

#[derive(Clone, Debug, Deserialize)]
struct File {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    module_input_name: Option<String>,
    #[serde(default)]
    module_output_name: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

fn yes() -> bool {
    true
}

impl DenseConfig {
    /// With a bias and a tanh.
    pub fn new(d_input: usize, d_output: usize) -> Self {
        Self {
            d_input,
            d_output,
            bias: true,
            activation: DenseActivation::Tanh,
        }
    }

    pub(super) fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let found: File = config::parse(file, json)?;
        size(file, "in_features", found.in_features, 1 << 20)?;
        size(file, "out_features", found.out_features, 1 << 20)?;
        let input = found.module_input_name.as_deref();
        let of_sentence = input.is_none_or(|name| name == "sentence_embedding");
        need(of_sentence, file, "module_input_name", || {
            "only a map of the sentence_embedding is supported".to_owned()
        })?;
        let output = found.module_output_name.as_deref();
        let to_sentence = output.is_none_or(|name| name == "sentence_embedding");
        need(to_sentence, file, "module_output_name", || {
            "only a map to the sentence_embedding is supported".to_owned()
        })?;
        need(!found.use_residual, file, "use_residual", || {
            "a map that adds what it was given is not supported; use false".to_owned()
        })?;
        // A class, with the module it stands in.
        let name = found.activation_function.as_deref().unwrap_or("Tanh");
        let class = name.rsplit('.').next().unwrap_or_default();
        let known = NAMES.iter().find(|(name, _)| *name == class);
        need(known.is_some(), file, "activation_function", || {
            let names = NAMES.map(|(name, _)| name).join(", ");
            format!("`{name}` is not one of {names}")
        })?;
        Ok(Self {
            d_input: found.in_features,
            d_output: found.out_features,
            bias: found.bias,
            activation: known.map_or(DenseActivation::Tanh, |(_, activation)| *activation),
        })
    }

    /// A freshly initialised layer.
    pub fn init(&self, device: &Device) -> Dense {
        Dense {
            linear: LinearConfig::new(self.d_input, self.d_output)
                .with_bias(self.bias)
                .init(device),
            activation: self.activation,
        }
    }
}

/// `act(linear(x))`
#[derive(Module, Debug)]
pub struct Dense {
    /// `d_input` → `d_output`
    pub linear: Linear,
    #[module(skip)]
    activation: DenseActivation,
}

impl Dense {
    /// `[batch, d_input]` → `[batch, d_output]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.linear.forward(x);
        match self.activation {
            DenseActivation::Identity => x,
            DenseActivation::Tanh => tanh(x),
            DenseActivation::Relu => relu(x),
            DenseActivation::Gelu => Activation::Gelu.forward(x),
            DenseActivation::Silu => silu(x),
            DenseActivation::Sigmoid => sigmoid(x),
        }
    }
}
