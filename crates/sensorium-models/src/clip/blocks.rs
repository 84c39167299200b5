//! What the blocks of all towers of CLIP and SigLIP are made from.

use sensorium_core::nn::{Activation, TransformerConfig};

use crate::Error;
use crate::error::{share, size};
use crate::vit::common;

/// Sizes of pre-norm blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    pub d_model: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub d_ff: usize,
    pub activation: Activation,
    pub norm_epsilon: f64,
    pub dropout: f64,
}

impl Blocks {
    /// Refuses what cannot work, naming the key.
    pub(crate) fn validate(&self, file: &str) -> Result<(), Error> {
        common::validate_blocks(file, self.d_model, self.n_heads, self.n_layers)?;
        size(file, "intermediate_size", self.d_ff, 1 << 20)?;
        common::validate_epsilon(file, self.norm_epsilon)?;
        share(file, "attention_dropout", self.dropout)
    }

    pub(crate) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_activation(self.activation)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
    }
}
