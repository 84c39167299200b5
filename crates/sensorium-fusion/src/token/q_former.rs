//! Q-Former: learned queries that look at a frozen encoder's tokens through a transformer of BERT's make.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{
    Attend, Attention, AttentionConfig, FeedForward, FeedForwardConfig, Norm, NormConfig,
    trunc_normal,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, NoTap, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, token_config};
use super::transformer::all_tokens;
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

/// As many as BLIP-2 uses.
const N_LATENTS: usize = 32;

/// Configuration of a [`QFormer`].
#[derive(Clone, Debug)]
pub struct QFormerConfig {
    d_model: usize,
    n_heads: usize,
    n_layers: usize,
    d_context: usize,
    n_latents: usize,
    d_ff: usize,
    cross_every: usize,
    key_bias: bool,
    norm_epsilon: f64,
    dropout: f64,
}

impl QFormerConfig {
    /// `n_layers` layers of width `d_model` over a context of width `d_context`: 32 queries, cross-attention in every second layer, a
    /// feed-forward width of `4 * d_model`, exact GELU.
    pub fn new(d_model: usize, n_heads: usize, n_layers: usize, d_context: usize) -> Self {
        Self {
            d_model,
            n_heads,
            n_layers,
            d_context,
            n_latents: N_LATENTS,
            d_ff: 4 * d_model,
            cross_every: 2,
            key_bias: false,
            norm_epsilon: 1e-12, // BERT's
            dropout: 0.0,
        }
    }

    /// BLIP-2's over a context of width `d_context` (Salesforce/blip2-opt-2.7b, whose context is 1408 wide).
    pub fn blip2(d_context: usize) -> Self {
        Self::new(768, 12, 12, d_context).with_key_bias(true)
    }

    /// How many queries, and tokens that come out.
    pub fn with_n_latents(mut self, n_latents: usize) -> Self {
        self.n_latents = n_latents;
        self
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = d_ff;
        self
    }

    /// Which layers look at the context: the first, and every so many after it.
    pub fn with_cross_every(mut self, cross_every: usize) -> Self {
        self.cross_every = cross_every;
        self
    }

    /// Whether keys have a bias, as published ones do. A softmax does not see it, and it gets no gradient.
    pub fn with_key_bias(mut self, key_bias: bool) -> Self {
        self.key_bias = key_bias;
        self
    }

    /// Share of features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    fn attention(&self) -> AttentionConfig {
        AttentionConfig::new(self.d_model, self.n_heads)
            .with_key_bias(self.key_bias)
            .with_dropout(self.dropout)
    }

    /// A freshly initialised Q-Former.
    ///
    /// # Panics
    /// If heads do not divide `d_model`, or no layer at all would look at the context.
    pub fn init(&self, device: &Device) -> QFormer {
        assert!(self.cross_every > 0, "some layer must look at the context");
        let norm = || {
            let norm = NormConfig::new(self.d_model);
            norm.with_epsilon(self.norm_epsilon).init(device)
        };
        let block = |layer: usize| {
            let looks = layer.is_multiple_of(self.cross_every);
            let cross = self.attention().with_d_context(self.d_context);
            QFormerBlock {
                attention: self.attention().init(device),
                norm_attention: norm(),
                cross: looks.then(|| cross.init(device)),
                norm_cross: looks.then(norm),
                feed_forward: FeedForwardConfig::new(self.d_model, self.d_ff)
                    .with_dropout(self.dropout)
                    .init(device),
                norm_feed_forward: norm(),
            }
        };
        QFormer {
            queries: trunc_normal([self.n_latents, self.d_model], 0.02, device),
            norm: norm(),
            blocks: (0..self.n_layers).map(block).collect(),
        }
    }
}

/// One layer, norms after each part.
#[derive(Module, Debug)]
pub struct QFormerBlock {
    /// Between the queries.
    pub attention: Attention,
    /// After it.
    pub norm_attention: Norm,
    /// To the context, in every so many layers.
    pub cross: Option<Attention>,
    /// After it.
    pub norm_cross: Option<Norm>,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// After it.
    pub norm_feed_forward: Norm,
}

impl QFormerBlock {
    fn forward_with<T: Tap>(&self, x: Tensor<3>, context: &Tokens, tap: &mut T) -> Tensor<3> {
        let branch = in_layer(tap, "attention", |tap| {
            let how = Attend::default(); // no query is padding
            self.attention.self_attend_with(x.clone(), None, &how, tap)
        });
        let mut x = self.norm_attention.forward(x + branch);
        if let (Some(cross), Some(norm)) = (&self.cross, &self.norm_cross) {
            let branch = in_layer(tap, "cross", |tap| {
                cross.cross_attend_with(x.clone(), context, tap)
            });
            x = norm.forward(x + branch);
        }
        let branch = self.feed_forward.forward(x.clone());
        tap.tensor("output", self.norm_feed_forward.forward(x + branch))
    }
}

/// The querying transformer of BLIP-2 (arXiv 2301.12597), without its half for text: learned queries attend to each other, and in
/// every second layer to a context.
///
/// # Shapes
/// `[batch, tokens, d_context]` → `[batch, n_latents, d_model]`
///
/// Padding is attended to by nothing, and no query is padding: a sample whose context is all padding gives what the queries make
/// of themselves.
#[derive(Module, Debug)]
pub struct QFormer {
    /// `[n_latents, d_model]`
    pub queries: Param<Tensor<2>>,
    /// On the queries, before the first layer.
    pub norm: Norm,
    /// First to last.
    pub blocks: Vec<QFormerBlock>,
}

impl QFormer {
    /// What the queries find in `[batch, tokens, d_context]`: `[batch, n_latents, d_model]`.
    pub fn forward(&self, context: &Tokens) -> Tokens {
        self.forward_with(context, &mut NoTap)
    }

    /// The same, showing `embeds`, `blocks.N.attention.weights`, `blocks.N.cross.weights` and `blocks.N.output` to the tap.
    pub fn forward_with<T: Tap>(&self, context: &Tokens, tap: &mut T) -> Tokens {
        let [batch, _, _] = context.dims();
        let [n, d] = self.queries.dims();
        let queries = self.norm.forward(self.queries.val()).reshape([1, n, d]);
        let queries = tap.tensor("embeds", queries.expand([batch, n, d]));
        let blocks = self.blocks.iter().enumerate();
        let found = blocks.fold(queries, |x, (i, block)| {
            in_layer(tap, &format!("blocks.{i}"), |tap| {
                block.forward_with(x, context, tap)
            })
        });
        Tokens::dense(found)
    }
}

token_config! {
    /// Configuration of a [`QFormerFusion`].
    QFormerFusionConfig() {
        /// How many queries, and tokens that come out.
        with_n_latents(n_latents: usize) = N_LATENTS;
    }
}

impl QFormerFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> QFormerFusion {
        let BlocksConfig {
            d_model,
            n_heads,
            n_layers,
            ..
        } = self.blocks;
        QFormerFusion {
            projections: Projections::new(&self.widths, d_model, device),
            modality_embeddings: trunc_normal([self.widths.len(), d_model], 0.02, device),
            q_former: QFormerConfig::new(d_model, n_heads, n_layers, d_model)
                .with_n_latents(self.n_latents)
                .with_d_ff(self.blocks.d_ff)
                .with_dropout(self.blocks.dropout)
                .init(device),
            d_model,
        }
    }
}

/// The tokens of all modalities, projected and marked by a learned vector per modality, as the context of a [`QFormer`].
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, n_latents, d_model]`
#[derive(Module, Debug)]
pub struct QFormerFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// `[modalities, d_model]`, in order of their names.
    pub modality_embeddings: Param<Tensor<2>>,
    /// From all tokens to a few.
    pub q_former: QFormer,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for QFormerFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let marks = self.modality_embeddings.val();
        let tokens = all_tokens(&self.projections, marks, None, parts);
        in_layer(tap, "q_former", |tap| {
            self.q_former.forward_with(&tokens, tap)
        })
    }
}

impl FromTable for QFormerFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = QFormerFusionConfig::new(widths, BlocksConfig::of_table(table));
        config
            .with_n_latents(table.n_latents.unwrap_or(N_LATENTS))
            .init(device)
    }
}
