//! One layer of a transformer: attention and feed-forward, each with its norm and residual.

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::attention::{Attend, Attention};
use super::drop_path::DropPath;
use super::feed_forward::FeedForward;
use super::norm::Norm;
use crate::tap::in_layer;
use crate::{Tap, Tokens};

/// Where the norm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormOrder {
    /// `x + f(norm(x))`: ViT, GPT-2 and most that came after (arXiv 2002.04745).
    #[default]
    Pre,
    /// `norm(x + f(x))`: the original Transformer, BERT.
    Post,
}

/// Self-attention and feed-forward.
#[derive(Module, Debug)]
pub struct EncoderBlock {
    /// Before or after attention.
    pub norm_attention: Norm,
    /// Self-attention.
    pub attention: Attention,
    /// Before or after the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// On both residual branches.
    pub drop_path: DropPath,
    #[module(skip)]
    pub(super) order: NormOrder,
}

impl EncoderBlock {
    /// `[batch, tokens, d_model]`, the shape is kept.
    pub fn forward_with<T: Tap>(&self, x: Tensor<3>, how: &Attend, tap: &mut T) -> Tensor<3> {
        let x = residual(self.order, &self.norm_attention, &self.drop_path, x, |x| {
            in_layer(tap, "attention", |tap| {
                self.attention.self_attend_with(x, how, tap)
            })
        });
        let x = residual(
            self.order,
            &self.norm_feed_forward,
            &self.drop_path,
            x,
            |x| self.feed_forward.forward(x),
        );
        tap.tensor("output", x)
    }
}

/// Self-attention, cross-attention to a context, and feed-forward.
#[derive(Module, Debug)]
pub struct DecoderBlock {
    /// Before or after self-attention.
    pub norm_attention: Norm,
    /// Self-attention.
    pub attention: Attention,
    /// Before or after cross-attention.
    pub norm_cross: Norm,
    /// Attention to the context.
    pub cross: Attention,
    /// Before or after the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// On all residual branches.
    pub drop_path: DropPath,
    #[module(skip)]
    pub(super) order: NormOrder,
}

impl DecoderBlock {
    /// `[batch, tokens, d_model]`, the shape is kept. A sample whose context is all padding gets
    /// nothing from it but the output bias of the cross-attention.
    pub fn forward_with<T: Tap>(
        &self,
        x: Tensor<3>,
        how: &Attend,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        let x = residual(self.order, &self.norm_attention, &self.drop_path, x, |x| {
            in_layer(tap, "attention", |tap| {
                self.attention.self_attend_with(x, how, tap)
            })
        });
        let x = residual(self.order, &self.norm_cross, &self.drop_path, x, |x| {
            in_layer(tap, "cross", |tap| {
                self.cross.cross_attend_with(x, context, tap)
            })
        });
        let x = residual(
            self.order,
            &self.norm_feed_forward,
            &self.drop_path,
            x,
            |x| self.feed_forward.forward(x),
        );
        tap.tensor("output", x)
    }
}

fn residual(
    order: NormOrder,
    norm: &Norm,
    drop_path: &DropPath,
    x: Tensor<3>,
    branch: impl FnOnce(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    match order {
        NormOrder::Pre => x.clone() + drop_path.forward(branch(norm.forward(x))),
        NormOrder::Post => norm.forward(x.clone() + drop_path.forward(branch(x))),
    }
}
