//! From fused tokens to classes.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::Device;
use sensorium_core::nn::{Activation, Pool, PoolConfig, PoolKind};
use sensorium_core::{Head, Logits, Tap, Tokens, need};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A recipe's table `[head]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadConfig {
    /// How fused tokens become one vector.
    pub pool: PoolKind,
    /// Width of a layer between that vector and the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_hidden: Option<usize>,
    /// Share of features dropped in training before the classes.
    pub dropout: f64,
}

impl HeadConfig {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        need(
            self.d_hidden.is_none_or(|d| (1..=1 << 20).contains(&d)),
            "d_hidden",
            || "must be 1 to 1048576, or left out".to_owned(),
        )?;
        need((0.0..1.0).contains(&self.dropout), "dropout", || {
            format!("{} must be at least 0 and below 1", self.dropout)
        })?;
        Ok(())
    }

    /// A freshly initialised head from `d_model` features to `classes`.
    pub fn build(&self, d_model: usize, classes: usize, device: &Device) -> ClassHead {
        let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).init(device);
        ClassHead {
            pool: PoolConfig::new(self.pool, d_model).init(device),
            hidden: self.d_hidden.map(|d| linear(d_model, d)),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear(self.d_hidden.unwrap_or(d_model), classes),
        }
    }
}

/// Pools tokens and answers with logits `[batch, classes]`.
#[derive(Module, Debug)]
pub struct ClassHead {
    /// Tokens to one vector.
    pub pool: Pool,
    /// `d_model` → `d_hidden`, with a GELU.
    pub hidden: Option<Linear>,
    /// Before the classes.
    pub dropout: Dropout,
    /// To the classes.
    pub output: Linear,
}

impl Head for ClassHead {
    type Output = Logits;

    fn forward_with<T: Tap>(&self, fused: Tokens, tap: &mut T) -> Logits {
        let mut x = tap.tensor("pooled", self.pool.forward(fused));
        if let Some(hidden) = &self.hidden {
            x = Activation::Gelu.forward(hidden.forward(x));
        }
        tap.tensor("logits", self.output.forward(self.dropout.forward(x)))
    }
}
