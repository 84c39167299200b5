//! Transformer encoders: blocks in a row, honouring padding.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};

use super::activation::Activation;
use super::attention::{Attend, AttentionConfig};
use super::block::{EncoderBlock, NormOrder};
use super::drop_path::DropPath;
use super::feed_forward::FeedForwardConfig;
use super::layer_scale::LayerScale;
use super::norm::{Norm, NormConfig, NormKind};
use super::rotary::{Angles, Positions, Rotary};
use crate::tap::in_layer;
use crate::{Misfit, NoTap, Tap, Tokens, need};

/// Configuration of a [`Transformer`], and with a context's width of a [`Decoder`](super::Decoder).
#[derive(Clone, Debug)]
pub struct TransformerConfig {
    d_model: usize,
    n_heads: usize,
    pub(super) n_layers: usize,
    n_kv_heads: Option<usize>,
    d_head: Option<usize>,
    d_ff: Option<usize>,
    norm: NormKind,
    norm_epsilon: f64,
    pub(super) order: NormOrder,
    activation: Activation,
    dropout: f64,
    drop_path: f64,
    pub(super) causal: bool,
    fused_qkv: bool,
    bias: bool,
    qkv_bias: Option<bool>,
    key_bias: Option<bool>,
    feed_forward_bias: Option<bool>,
    qk_norm: bool,
    layer_scale: Option<f64>,
    pub(super) rotary: Option<Rotary>,
    final_norm: Option<bool>,
}

impl TransformerConfig {
    /// Pre-norm blocks with layer norm, exact GELU and a feed-forward width of `4 * d_model`.
    pub fn new(d_model: usize, n_heads: usize, n_layers: usize) -> Self {
        Self {
            d_model,
            n_heads,
            n_layers,
            n_kv_heads: None,
            d_head: None,
            d_ff: None,
            norm: NormKind::Layer,
            norm_epsilon: 1e-5,
            order: NormOrder::Pre,
            activation: Activation::Gelu,
            dropout: 0.0,
            drop_path: 0.0,
            causal: false,
            fused_qkv: false,
            bias: true,
            qkv_bias: None,
            key_bias: None,
            feed_forward_bias: None,
            qk_norm: false,
            layer_scale: None,
            rotary: None,
            final_norm: None,
        }
    }

    /// Fewer key and value heads than query heads.
    pub fn with_kv_heads(mut self, n_kv_heads: usize) -> Self {
        self.n_kv_heads = Some(n_kv_heads);
        self
    }

    /// The width of a head, where it is not `d_model / n_heads`.
    pub fn with_d_head(mut self, d_head: Option<usize>) -> Self {
        self.d_head = d_head;
        self
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = Some(d_ff);
        self
    }

    /// Which statistics the norms divide by.
    pub fn with_norm(mut self, norm: NormKind) -> Self {
        self.norm = norm;
        self
    }

    /// What the norms add before the root.
    pub fn with_norm_epsilon(mut self, epsilon: f64) -> Self {
        self.norm_epsilon = epsilon;
        self
    }

    /// Whether norms stand before or after what they belong to.
    pub fn with_order(mut self, order: NormOrder) -> Self {
        self.order = order;
        self
    }

    /// The activation of the feed-forward part.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Share of features dropped in training, after attention and inside the feed-forward part.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Chance of skipping a residual branch in the last block; earlier blocks skip less, in proportion
    /// to their depth (arXiv 1603.09382).
    pub fn with_drop_path(mut self, drop_path: f64) -> Self {
        self.drop_path = drop_path;
        self
    }

    /// Whether a token sees only itself and what came before.
    pub fn with_causal(mut self, causal: bool) -> Self {
        self.causal = causal;
        self
    }

    /// One linear map for query, key and value in self-attention.
    pub fn with_fused_qkv(mut self, fused_qkv: bool) -> Self {
        self.fused_qkv = fused_qkv;
        self
    }

    /// Whether linear maps have biases.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Whether the maps to query, key and value have biases; by default where the others do.
    pub fn with_qkv_bias(mut self, qkv_bias: bool) -> Self {
        self.qkv_bias = Some(qkv_bias);
        self
    }

    /// Whether the map to the key has a bias; by default where those to query and value have.
    pub fn with_key_bias(mut self, key_bias: bool) -> Self {
        self.key_bias = Some(key_bias);
        self
    }

    /// Whether the maps of the feed-forward part have biases; by default where the others do.
    pub fn with_feed_forward_bias(mut self, feed_forward_bias: bool) -> Self {
        self.feed_forward_bias = Some(feed_forward_bias);
        self
    }

    /// Whether each head's query and key go through a norm, of the blocks' kind, before they meet.
    pub fn with_qk_norm(mut self, qk_norm: bool) -> Self {
        self.qk_norm = qk_norm;
        self
    }

    /// A learned factor per feature on each residual branch, beginning as this value.
    pub fn with_layer_scale(mut self, value: Option<f64>) -> Self {
        self.layer_scale = value;
        self
    }

    /// Rotary positions in self-attention.
    pub fn with_rotary(mut self, rotary: Option<Rotary>) -> Self {
        self.rotary = rotary;
        self
    }

    /// Whether a norm follows the last block; by default where norms stand before.
    pub fn with_final_norm(mut self, final_norm: bool) -> Self {
        self.final_norm = Some(final_norm);
        self
    }

    /// Refuses sizes that do not fit each other, or that no machine holds.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Misfit> {
        let Self {
            d_model,
            n_heads,
            n_layers,
            ..
        } = *self;
        need((1..=512).contains(&n_layers), "n_layers", || {
            format!("{n_layers} must be 1 to 512")
        })?;
        need((1..=1024).contains(&n_heads), "n_heads", || {
            format!("{n_heads} must be 1 to 1024")
        })?;
        let fits = (1..=65_536).contains(&d_model) && d_model.is_multiple_of(n_heads);
        need(fits, "d_model", || {
            format!("{d_model} must be a multiple of n_heads = {n_heads}, at most 65536")
        })?;
        if let Some(d_ff) = self.d_ff {
            need((1..=1 << 20).contains(&d_ff), "d_ff", || {
                format!("{d_ff} must be 1 to 1048576")
            })?;
        }
        for (key, share) in [("dropout", self.dropout), ("drop_path", self.drop_path)] {
            need((0.0..1.0).contains(&share), key, || {
                format!("{share} must be at least 0 and below 1")
            })?;
        }
        Ok(())
    }

    /// A freshly initialised encoder.
    ///
    /// # Panics
    /// If heads do not divide `d_model` and no width of a head is given.
    pub fn init(&self, device: &Device) -> Transformer {
        Transformer {
            blocks: (0..self.n_layers)
                .map(|layer| self.encoder_block(layer, device))
                .collect(),
            norm: self.last_norm(device),
            rotary: self.rotary.clone(),
            causal: self.causal,
        }
    }

    fn encoder_block(&self, layer: usize, device: &Device) -> EncoderBlock {
        EncoderBlock {
            norm_attention: self.block_norm().init(device),
            attention: self.self_attention().init(device),
            scale_attention: self.block_scale(device),
            norm_feed_forward: self.block_norm().init(device),
            feed_forward: self.feed_forward().init(device),
            scale_feed_forward: self.block_scale(device),
            drop_path: self.block_drop_path(layer),
            order: self.order,
        }
    }

    pub(super) fn self_attention(&self) -> AttentionConfig {
        AttentionConfig::new(self.d_model, self.n_heads)
            .with_kv_heads(self.n_kv_heads.unwrap_or(self.n_heads))
            .with_d_head(self.d_head)
            .with_qk_norm(self.qk_norm.then(|| self.block_norm()))
            .with_fused_qkv(self.fused_qkv)
            .with_bias(self.bias)
            .with_qkv_bias(self.qkv_bias.unwrap_or(self.bias))
            .with_key_bias(self.key_bias.or(self.qkv_bias).unwrap_or(self.bias))
            .with_dropout(self.dropout)
    }

    pub(super) fn feed_forward(&self) -> FeedForwardConfig {
        FeedForwardConfig::new(self.d_model, self.d_ff.unwrap_or(4 * self.d_model))
            .with_activation(self.activation)
            .with_dropout(self.dropout)
            .with_bias(self.feed_forward_bias.unwrap_or(self.bias))
    }

    pub(super) fn block_norm(&self) -> NormConfig {
        NormConfig::new(self.d_model)
            .with_kind(self.norm)
            .with_epsilon(self.norm_epsilon)
    }

    pub(super) fn block_scale(&self, device: &Device) -> Option<LayerScale> {
        self.layer_scale
            .map(|value| LayerScale::new(self.d_model, value, device))
    }

    pub(super) fn last_norm(&self, device: &Device) -> Option<Norm> {
        self.final_norm
            .unwrap_or(self.order == NormOrder::Pre)
            .then(|| self.block_norm().init(device))
    }

    pub(super) fn block_drop_path(&self, layer: usize) -> DropPath {
        let depth = match self.n_layers {
            0 | 1 => 1.0,
            n => layer as f64 / (n - 1) as f64,
        };
        DropPath::new(self.drop_path * depth)
    }
}

/// A transformer encoder; causal, it is a decoder without a context.
#[derive(Module, Debug)]
pub struct Transformer {
    /// The layers, first to last.
    pub blocks: Vec<EncoderBlock>,
    /// After the last layer.
    pub norm: Option<Norm>,
    #[module(skip)]
    pub(super) rotary: Option<Rotary>,
    #[module(skip)]
    pub(super) causal: bool,
}

/// How the tokens of a row lie, where they are not one text from its beginning on.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Where they stand, for rotary positions; one after the other from 0 on if not said.
    pub positions: Option<Positions>,
    /// Which of several texts in one row each belongs to, `[batch, tokens]`: none sees another's.
    pub segments: Option<Tensor<2, Int>>,
}

impl Layout {
    /// Which tokens must not see which, `[batch, 1, tokens, tokens]`.
    fn apart(&self) -> Option<Tensor<4, Bool>> {
        let segments = self.segments.clone()?;
        let [batch, tokens] = segments.dims();
        let full = [batch, 1, tokens, tokens];
        let query = segments.clone().reshape([batch, 1, tokens, 1]).expand(full);
        let key = segments.reshape([batch, 1, 1, tokens]).expand(full);
        Some(query.not_equal(key))
    }
}

impl Transformer {
    /// Encodes `[batch, tokens, d_model]`; no token attends to padding.
    pub fn forward(&self, tokens: Tokens) -> Tokens {
        self.forward_with(tokens, &mut NoTap)
    }

    /// The same, showing `blocks.N.attention.weights`, `blocks.N.output` and `output` to the tap.
    pub fn forward_with<T: Tap>(&self, tokens: Tokens, tap: &mut T) -> Tokens {
        self.forward_in_with(tokens, &Layout::default(), tap)
    }

    /// The same for tokens that lie otherwise than one text from its beginning on.
    ///
    /// # Panics
    /// If positions or segments are of other tokens.
    pub fn forward_in_with<T: Tap>(&self, tokens: Tokens, layout: &Layout, tap: &mut T) -> Tokens {
        let Tokens { embeds, pad } = tokens;
        let how = Attend {
            mask: layout.apart(),
            ..Attend::keys(pad.clone()).with_causal(self.causal)
        };
        let angles = self.angles(&embeds, layout.positions.as_ref());
        let embeds = run(&self.blocks, embeds, angles.as_ref(), &how, tap);
        finish(embeds, pad, self.norm.as_ref(), tap)
    }

    /// The same for tokens of which none is padding, `[batch, tokens, d_model]`: where there are many, attention without a
    /// mask is much quicker.
    pub fn forward_dense_with<T: Tap>(&self, embeds: Tensor<3>, tap: &mut T) -> Tensor<3> {
        let how = Attend::default().with_causal(self.causal);
        let angles = self.angles(&embeds, None);
        let embeds = run(&self.blocks, embeds, angles.as_ref(), &how, tap);
        normed(embeds, self.norm.as_ref(), tap)
    }

    /// The first token alone, as [`forward_with`](Self::forward_with) gives it: `[batch, 1, d_model]`, for models whose
    /// answer is made of it. Where the tap wants no tensors, the last block computes no other.
    pub fn first_with<T: Tap>(&self, tokens: Tokens, tap: &mut T) -> Tokens {
        let (last, before) = match self.blocks.split_last() {
            Some(split) if !T::TENSORS && !self.causal => split,
            _ => {
                let Tokens { embeds, pad } = self.forward_with(tokens, tap);
                return Tokens::new(embeds.narrow(1, 0, 1), pad.narrow(1, 0, 1));
            }
        };
        let Tokens { embeds, pad } = tokens;
        let how = Attend::keys(pad.clone());
        let angles = self.angles(&embeds, None);
        let embeds = run(before, embeds, angles.as_ref(), &how, tap);
        let first = last.first(embeds, angles.as_ref(), &how);
        finish(first, pad.narrow(1, 0, 1), self.norm.as_ref(), tap)
    }

    /// What turns queries and keys, if anything does.
    pub fn rotary(&self) -> Option<&Rotary> {
        self.rotary.as_ref()
    }

    /// By what the tokens are turned, `[batch, tokens, d_model]`, if they are.
    pub(super) fn angles(&self, x: &Tensor<3>, at: Option<&Positions>) -> Option<Angles> {
        turned(self.rotary.as_ref(), x, at)
    }
}

/// By what rotary positions, if there are any, turn tokens `[batch, tokens, d_model]`: from 0 on unless it is said where they stand.
pub(super) fn turned(
    rotary: Option<&Rotary>,
    x: &Tensor<3>,
    at: Option<&Positions>,
) -> Option<Angles> {
    let rotary = rotary?;
    let device = x.device();
    Some(match at {
        Some(at) => rotary.angles(at, &device),
        None => rotary.angles(&Positions::following(0, x.dims()[1]), &device),
    })
}

fn run<T: Tap>(
    blocks: &[EncoderBlock],
    x: Tensor<3>,
    angles: Option<&Angles>,
    how: &Attend,
    tap: &mut T,
) -> Tensor<3> {
    let numbered = blocks.iter().enumerate();
    numbered.fold(x, |x, (i, block)| {
        let layer = format!("blocks.{i}");
        in_layer(tap, &layer, |tap| block.forward_with(x, angles, how, tap))
    })
}

pub(super) fn finish<T: Tap>(
    embeds: Tensor<3>,
    pad: Tensor<2, Bool>,
    norm: Option<&Norm>,
    tap: &mut T,
) -> Tokens {
    Tokens::new(normed(embeds, norm, tap), pad)
}

fn normed<T: Tap>(embeds: Tensor<3>, norm: Option<&Norm>, tap: &mut T) -> Tensor<3> {
    let embeds = match norm {
        Some(norm) => norm.forward(embeds),
        None => embeds,
    };
    tap.tensor("output", embeds)
}
