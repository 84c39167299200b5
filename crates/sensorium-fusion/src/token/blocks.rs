//! The blocks that token fusions are made of, and their sizes.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{
    Attention, AttentionConfig, DropPath, EncoderBlock, FeedForward, FeedForwardConfig, Norm,
    NormConfig, TransformerConfig,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{Tap, Tokens};

use crate::FusionConfig;

/// Sizes of the blocks of a token fusion: pre-norm, with exact GELU.
#[derive(Clone, Debug)]
pub struct BlocksConfig {
    pub(super) d_model: usize,
    pub(super) n_heads: usize,
    pub(super) n_layers: usize,
    pub(super) d_ff: usize,
    pub(super) dropout: f64,
    drop_path: f64,
}

impl BlocksConfig {
    /// `n_layers` layers of width `d_model`, with a feed-forward width of `4 * d_model`.
    pub fn new(d_model: usize, n_heads: usize, n_layers: usize) -> Self {
        Self {
            d_model,
            n_heads,
            n_layers,
            d_ff: 4 * d_model,
            dropout: 0.0,
            drop_path: 0.0,
        }
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = d_ff;
        self
    }

    /// Share of features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Chance of skipping the last layer's residual branches in training.
    pub fn with_drop_path(mut self, drop_path: f64) -> Self {
        self.drop_path = drop_path;
        self
    }

    pub(super) fn of_table(table: &FusionConfig) -> Self {
        Self::new(table.d_model, table.n_heads, table.n_layers)
            .with_d_ff(table.d_ff.unwrap_or(4 * table.d_model))
            .with_dropout(table.dropout)
            .with_drop_path(table.drop_path)
    }

    /// The same blocks for tokens that are `times` as wide, with as many heads.
    pub(super) fn wider(&self, times: usize) -> Self {
        Self {
            d_model: times * self.d_model,
            d_ff: times * self.d_ff,
            ..self.clone()
        }
    }

    /// Self-attention and feed-forward. Keys have no bias, which a softmax does not see.
    pub(super) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_key_bias(false)
            .with_d_ff(self.d_ff)
            .with_dropout(self.dropout)
            .with_drop_path(self.drop_path)
    }

    /// All layers of [`transformer`](Self::transformer), to be put between others.
    pub(super) fn encoder_blocks(&self, device: &Device) -> Vec<EncoderBlock> {
        self.transformer().init(device).blocks
    }

    pub(super) fn norm(&self, device: &Device) -> Norm {
        NormConfig::new(self.d_model).init(device)
    }

    pub(super) fn feed_forward(&self, d_ff: usize, device: &Device) -> FeedForward {
        FeedForwardConfig::new(self.d_model, d_ff)
            .with_dropout(self.dropout)
            .init(device)
    }

    pub(super) fn experts(&self, n: usize, device: &Device) -> Vec<FeedForward> {
        (0..n)
            .map(|_| self.feed_forward(self.d_ff, device))
            .collect()
    }

    /// Self-attention alone.
    pub(super) fn self_attention(&self, device: &Device) -> Attention {
        AttentionConfig::new(self.d_model, self.n_heads)
            .with_key_bias(false)
            .with_dropout(self.dropout)
            .init(device)
    }

    /// A layer's chance of being skipped, which grows with depth.
    pub(super) fn drop_path(&self, layer: usize) -> DropPath {
        let depth = match self.n_layers {
            0 | 1 => 1.0,
            n => layer as f64 / (n - 1) as f64,
        };
        DropPath::new(self.drop_path * depth)
    }

    /// Attention to other tokens, and feed-forward; closed by gates at first, if it has any.
    pub(super) fn cross_block(&self, layer: usize, gated: bool, device: &Device) -> CrossBlock {
        let gate = || gated.then(|| Initializer::Zeros.init([1], device));
        CrossBlock {
            norm_cross: self.norm(device),
            norm_context: self.norm(device),
            cross: AttentionConfig::new(self.d_model, self.n_heads)
                .with_bias(false)
                .with_dropout(self.dropout)
                .init(device),
            gate_cross: gate(),
            norm_feed_forward: self.norm(device),
            feed_forward: self.feed_forward(self.d_ff, device),
            gate_feed_forward: gate(),
            drop_path: self.drop_path(layer),
        }
    }
}

/// Attention from one sequence to another and feed-forward, pre-norm: `x + α·cross(norm(x), norm(y))`, then `x + β·ff(norm(x))`.
/// Gates, where there are any, are `tanh` of a learned number that begins as zero (arXiv 2204.14198).
///
/// The attention has no biases: a sample whose other sequence is all padding gets exactly nothing from it.
#[derive(Module, Debug)]
pub struct CrossBlock {
    /// On what attends.
    pub norm_cross: Norm,
    /// On what is attended to.
    pub norm_context: Norm,
    /// From the one to the other.
    pub cross: Attention,
    /// `[1]`; `tanh` of it scales what attention gives.
    pub gate_cross: Option<Param<Tensor<1>>>,
    /// Before the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// `[1]`; `tanh` of it scales what the feed-forward part gives.
    pub gate_feed_forward: Option<Param<Tensor<1>>>,
    /// On both residual branches.
    pub drop_path: DropPath,
}

impl CrossBlock {
    /// From `x` `[batch, tokens, d_model]` to `context`, whose padding is attended to by nothing; the shape is kept. Taps
    /// `cross.weights` `[batch, heads, tokens, keys]` and `output`.
    pub fn forward_with<T: Tap>(&self, x: Tensor<3>, context: &Tokens, tap: &mut T) -> Tensor<3> {
        let normed = Tokens::new(
            self.norm_context.forward(context.embeds.clone()),
            context.pad.clone(),
        );
        let branch = in_layer(tap, "cross", |tap| {
            let x = self.norm_cross.forward(x.clone());
            self.cross.cross_attend_with(x, &normed, tap)
        });
        let x = x + self.drop_path.forward(gated(&self.gate_cross, branch));
        let branch = self
            .feed_forward
            .forward(self.norm_feed_forward.forward(x.clone()));
        let x = x + self
            .drop_path
            .forward(gated(&self.gate_feed_forward, branch));
        tap.tensor("output", x)
    }
}

fn gated(gate: &Option<Param<Tensor<1>>>, x: Tensor<3>) -> Tensor<3> {
    match gate {
        Some(gate) => x * gate.val().tanh().reshape([1, 1, 1]),
        None => x,
    }
}

/// The configuration of a token fusion: the modalities' widths, what else it needs, its blocks, and what is the method's own.
macro_rules! token_config {
    (
        $(#[$doc:meta])*
        $name:ident($($(#[$required_doc:meta])* $required:ident: $required_type:ty)?) {
            $($(#[$own_doc:meta])* $with:ident($own:ident: $type:ty) = $default:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            widths: Vec<$crate::Width>,
            blocks: $crate::BlocksConfig,
            $($required: $required_type,)?
            $($own: $type,)*
        }

        impl $name {
            /// Over modalities of these widths, with these blocks.
            ///
            /// # Panics
            /// If there is no modality, or one twice.
            pub fn new(
                widths: &[$crate::Width],
                $($required: $required_type,)?
                blocks: $crate::BlocksConfig,
            ) -> Self {
                Self {
                    widths: $crate::inputs::sorted(widths),
                    blocks,
                    $($required,)?
                    $($own: $default,)*
                }
            }

            $(
                $(#[$own_doc])*
                pub fn $with(mut self, $own: $type) -> Self {
                    self.$own = $own;
                    self
                }
            )*
        }
    };
}

pub(crate) use token_config;
