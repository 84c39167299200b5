//! One layer of a transformer: attention and feed-forward, each with its norm and residual.

use burn::module::Module;
use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

use super::attention::{Attend, Attention, KvCache, Remembered};
use super::drop_path::DropPath;
use super::feed_forward::FeedForward;
use super::layer_scale::LayerScale;
use super::norm::Norm;
use super::rotary::Angles;
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
    /// On what attention gives.
    pub scale_attention: Option<LayerScale>,
    /// Before or after the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// On what the feed-forward part gives.
    pub scale_feed_forward: Option<LayerScale>,
    /// On both residual branches.
    pub drop_path: DropPath,
    #[module(skip)]
    pub(super) order: NormOrder,
}

impl EncoderBlock {
    /// `[batch, tokens, d_model]`, the shape is kept. Rotary positions turn by `angles`.
    pub fn forward_with<T: Tap>(
        &self,
        x: Tensor<3>,
        angles: Option<&Angles>,
        how: &Attend,
        tap: &mut T,
    ) -> Tensor<3> {
        let wrap = self.wrap(&self.norm_attention, &self.scale_attention);
        let x = wrap.around(x.clone(), x, |x| {
            in_layer(tap, "attention", |tap| {
                self.attention.self_attend_with(x, angles, how, tap)
            })
        });
        let wrap = self.wrap(&self.norm_feed_forward, &self.scale_feed_forward);
        let x = wrap.around(x.clone(), x, |x| self.feed_forward.forward(x));
        tap.tensor("output", x)
    }

    /// The first token alone, of which the other tokens' outputs are no part: `[batch, tokens, d_model]` →
    /// `[batch, 1, d_model]`.
    ///
    /// # Panics
    /// As [`Attention::first_attends`].
    pub fn first(&self, x: Tensor<3>, angles: Option<&Angles>, how: &Attend) -> Tensor<3> {
        let first = x.clone().narrow(1, 0, 1); // [B, T, D] -> [B, 1, D]
        let wrap = self.wrap(&self.norm_attention, &self.scale_attention);
        let x = wrap.around(first, x, |x| self.attention.first_attends(x, angles, how));
        let wrap = self.wrap(&self.norm_feed_forward, &self.scale_feed_forward);
        wrap.around(x.clone(), x, |x| self.feed_forward.forward(x))
    }

    /// New tokens `[batch, tokens, d_model]` in view of those in the cache; the shape is kept. `pad` `[batch, keys]` is that of
    /// all tokens so far, these included.
    ///
    /// # Panics
    /// As [`Attention::step`].
    pub fn step(
        &self,
        x: Tensor<3>,
        angles: Option<&Angles>,
        pad: Option<&Tensor<2, Bool>>,
        cache: &mut KvCache,
    ) -> Tensor<3> {
        let wrap = self.wrap(&self.norm_attention, &self.scale_attention);
        let x = wrap.around(x.clone(), x, |x| self.attention.step(x, angles, pad, cache));
        let wrap = self.wrap(&self.norm_feed_forward, &self.scale_feed_forward);
        wrap.around(x.clone(), x, |x| self.feed_forward.forward(x))
    }

    fn wrap<'a>(&'a self, norm: &'a Norm, scale: &'a Option<LayerScale>) -> Residual<'a> {
        Residual {
            order: self.order,
            norm,
            scale: scale.as_ref(),
            drop_path: &self.drop_path,
        }
    }
}

/// Self-attention, cross-attention to a context, and feed-forward.
#[derive(Module, Debug)]
pub struct DecoderBlock {
    /// Before or after self-attention.
    pub norm_attention: Norm,
    /// Self-attention.
    pub attention: Attention,
    /// On what attention gives.
    pub scale_attention: Option<LayerScale>,
    /// Before or after cross-attention.
    pub norm_cross: Norm,
    /// Attention to the context.
    pub cross: Attention,
    /// On what cross-attention gives.
    pub scale_cross: Option<LayerScale>,
    /// Before or after the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// On what the feed-forward part gives.
    pub scale_feed_forward: Option<LayerScale>,
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
        angles: Option<&Angles>,
        how: &Attend,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        let wrap = self.wrap(&self.norm_attention, &self.scale_attention);
        let x = wrap.around(x.clone(), x, |x| {
            in_layer(tap, "attention", |tap| {
                self.attention.self_attend_with(x, angles, how, tap)
            })
        });
        let wrap = self.wrap(&self.norm_cross, &self.scale_cross);
        let x = wrap.around(x.clone(), x, |x| {
            in_layer(tap, "cross", |tap| {
                self.cross.cross_attend_with(x, context, tap)
            })
        });
        let wrap = self.wrap(&self.norm_feed_forward, &self.scale_feed_forward);
        let x = wrap.around(x.clone(), x, |x| self.feed_forward.forward(x));
        tap.tensor("output", x)
    }

    /// New tokens `[batch, tokens, d_model]` in view of those in the cache and of a context; the shape is kept.
    ///
    /// # Panics
    /// As [`Attention::step`] and [`Attention::recall`].
    pub fn step(
        &self,
        x: Tensor<3>,
        angles: Option<&Angles>,
        cache: &mut KvCache,
        context: &Remembered,
    ) -> Tensor<3> {
        let wrap = self.wrap(&self.norm_attention, &self.scale_attention);
        let x = wrap.around(x.clone(), x, |x| {
            self.attention.step(x, angles, None, cache)
        });
        let wrap = self.wrap(&self.norm_cross, &self.scale_cross);
        let x = wrap.around(x.clone(), x, |x| self.cross.recall(x, context));
        let wrap = self.wrap(&self.norm_feed_forward, &self.scale_feed_forward);
        wrap.around(x.clone(), x, |x| self.feed_forward.forward(x))
    }

    fn wrap<'a>(&'a self, norm: &'a Norm, scale: &'a Option<LayerScale>) -> Residual<'a> {
        Residual {
            order: self.order,
            norm,
            scale: scale.as_ref(),
            drop_path: &self.drop_path,
        }
    }
}

/// What stands around a branch: the residual connection, its norm, and what scales or drops the branch.
struct Residual<'a> {
    order: NormOrder,
    norm: &'a Norm,
    scale: Option<&'a LayerScale>,
    drop_path: &'a DropPath,
}

impl Residual<'_> {
    /// `skip` is the input, or as much of it as the branch gives tokens.
    fn around(
        &self,
        skip: Tensor<3>,
        x: Tensor<3>,
        branch: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let branch = |x| {
            let x = branch(x);
            let x = match self.scale {
                Some(scale) => scale.forward(x),
                None => x,
            };
            self.drop_path.forward(x)
        };
        match self.order {
            NormOrder::Pre => skip + branch(self.norm.forward(x)),
            NormOrder::Post => self.norm.forward(skip + branch(x)),
        }
    }
}
