//! The head that pools an image's tokens into an embedding.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{
    Attention, AttentionConfig, FeedForward, FeedForwardConfig, Norm, NormConfig, trunc_normal,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{Tap, Tokens};

use super::SiglipVisionConfig;

/// A learned query attends to the tokens, and a feed-forward part follows (arXiv 1810.00825, equation 11; arXiv 2106.04560,
/// section 2.5).
#[derive(Module, Debug)]
pub struct AttentionPool {
    /// `[1, 1, d_model]`, the query.
    pub probe: Param<Tensor<3>>,
    /// From the query to the tokens.
    pub attention: Attention,
    /// Before the feed-forward part.
    pub norm: Norm,
    /// With a residual connection.
    pub feed_forward: FeedForward,
}

impl AttentionPool {
    pub(super) fn new(config: &SiglipVisionConfig, device: &Device) -> Self {
        let d = config.d_model;
        Self {
            probe: trunc_normal([1, 1, d], 0.02, device),
            attention: AttentionConfig::new(d, config.n_heads).init(device),
            norm: NormConfig::new(d)
                .with_epsilon(config.norm_epsilon)
                .init(device),
            feed_forward: FeedForwardConfig::new(d, config.d_ff)
                .with_activation(config.activation)
                .with_dropout(config.dropout)
                .init(device),
        }
    }

    /// `[batch, tokens, d_model]` → `[batch, d_model]`; padding is not looked at. Shows `attention.weights` to the tap where
    /// weights are wanted.
    pub fn forward_with<T: Tap>(&self, tokens: &Tokens, tap: &mut T) -> Tensor<2> {
        let [batch, _, d_model] = tokens.dims();
        let probe = self.probe.val().expand([batch, 1, d_model]); // [1, 1, D] -> [B, 1, D]
        let x = in_layer(tap, "attention", |tap| {
            self.attention.cross_attend_with(probe, tokens, tap)
        });
        let x = x.clone() + self.feed_forward.forward(self.norm.forward(x));
        x.reshape([batch, d_model]) // [B, 1, D] -> [B, D]
    }
}
