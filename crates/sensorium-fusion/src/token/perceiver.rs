//! Perceiver resampler: any number of tokens becomes a fixed one.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{
    Activation, Attention, AttentionConfig, FeedForward, FeedForwardConfig, Norm, NormConfig,
    trunc_normal,
};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, NoTap, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, token_config};
use super::transformer::all_tokens;
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

/// As many as Flamingo uses.
const N_LATENTS: usize = 64;

/// Configuration of a [`PerceiverResampler`].
#[derive(Clone, Debug)]
pub struct PerceiverResamplerConfig {
    d_model: usize,
    n_heads: usize,
    n_layers: usize,
    n_latents: usize,
    d_ff: usize,
    activation: Activation,
    dropout: f64,
}

impl PerceiverResamplerConfig {
    /// `n_layers` layers of width `d_model`, 64 latents, ReLU, and a feed-forward width of `4 * d_model`.
    pub fn new(d_model: usize, n_heads: usize, n_layers: usize) -> Self {
        Self {
            d_model,
            n_heads,
            n_layers,
            n_latents: N_LATENTS,
            d_ff: 4 * d_model,
            activation: Activation::Relu,
            dropout: 0.0,
        }
    }

    /// How many tokens come out.
    pub fn with_n_latents(mut self, n_latents: usize) -> Self {
        self.n_latents = n_latents;
        self
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = d_ff;
        self
    }

    /// The activation of the feed-forward part.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Share of features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// A freshly initialised resampler.
    ///
    /// # Panics
    /// If heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> PerceiverResampler {
        let norm = || NormConfig::new(self.d_model).init(device);
        let block = |_| ResamplerBlock {
            norm_context: norm(),
            norm_latents: norm(),
            attention: AttentionConfig::new(self.d_model, self.n_heads)
                .with_bias(false)
                .with_dropout(self.dropout)
                .init(device),
            norm_feed_forward: norm(),
            feed_forward: FeedForwardConfig::new(self.d_model, self.d_ff)
                .with_activation(self.activation)
                .with_dropout(self.dropout)
                .with_bias(false)
                .init(device),
        };
        let latents = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        PerceiverResampler {
            latents: latents.init([self.n_latents, self.d_model], device),
            blocks: (0..self.n_layers).map(block).collect(),
            norm: norm(),
        }
    }
}

/// One layer: latents attend to the context and to themselves.
#[derive(Module, Debug)]
pub struct ResamplerBlock {
    /// On the context.
    pub norm_context: Norm,
    /// On the latents.
    pub norm_latents: Norm,
    /// From the latents to context and latents.
    pub attention: Attention,
    /// Before the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
}

impl ResamplerBlock {
    fn forward_with<T: Tap>(&self, latents: Tensor<3>, context: &Tokens, tap: &mut T) -> Tensor<3> {
        let normed = self.norm_latents.forward(latents.clone());
        let seen = Tokens::concat(vec![
            Tokens::new(
                self.norm_context.forward(context.embeds.clone()),
                context.pad.clone(),
            ),
            Tokens::dense(normed.clone()),
        ]);
        let branch = in_layer(tap, "attention", |tap| {
            self.attention.cross_attend_with(normed, &seen, tap)
        });
        let x = latents + branch;
        let branch = self
            .feed_forward
            .forward(self.norm_feed_forward.forward(x.clone()));
        tap.tensor("output", x + branch)
    }
}

/// Learned latents that attend to a context of any length and to themselves (arXiv 2204.14198, section 2.1 and appendix A.1.1):
/// what stands between an encoder of many tokens and a decoder.
///
/// # Shapes
/// `[batch, tokens, d_model]` → `[batch, n_latents, d_model]`
///
/// Padding is attended to by nothing, and no latent is padding: a sample whose context is all padding gives what the latents
/// make of themselves.
#[derive(Module, Debug)]
pub struct PerceiverResampler {
    /// `[n_latents, d_model]`
    pub latents: Param<Tensor<2>>,
    /// First to last.
    pub blocks: Vec<ResamplerBlock>,
    /// After the last block.
    pub norm: Norm,
}

impl PerceiverResampler {
    /// Resamples `[batch, tokens, d_model]` to `[batch, n_latents, d_model]`.
    pub fn forward(&self, context: &Tokens) -> Tokens {
        self.forward_with(context, &mut NoTap)
    }

    /// The same, showing `blocks.N.attention.weights`, `blocks.N.output` and `output` to the tap.
    pub fn forward_with<T: Tap>(&self, context: &Tokens, tap: &mut T) -> Tokens {
        let [batch, _, _] = context.dims();
        let [n, d] = self.latents.dims();
        let latents = self.latents.val().reshape([1, n, d]).expand([batch, n, d]);
        let blocks = self.blocks.iter().enumerate();
        let latents = blocks.fold(latents, |x, (i, block)| {
            in_layer(tap, &format!("blocks.{i}"), |tap| {
                block.forward_with(x, context, tap)
            })
        });
        Tokens::dense(tap.tensor("output", self.norm.forward(latents)))
    }
}

token_config! {
    /// Configuration of a [`PerceiverFusion`].
    PerceiverFusionConfig() {
        /// How many tokens come out.
        with_n_latents(n_latents: usize) = N_LATENTS;
    }
}

impl PerceiverFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> PerceiverFusion {
        let d = self.blocks.d_model;
        PerceiverFusion {
            projections: Projections::new(&self.widths, d, device),
            modality_embeddings: trunc_normal([self.widths.len(), d], 0.02, device),
            resampler: PerceiverResamplerConfig::new(d, self.blocks.n_heads, self.blocks.n_layers)
                .with_n_latents(self.n_latents)
                .with_d_ff(self.blocks.d_ff)
                .with_dropout(self.blocks.dropout)
                .init(device),
            d_model: d,
        }
    }
}

/// The tokens of all modalities, projected and marked by a learned vector per modality, through a [`PerceiverResampler`].
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, n_latents, d_model]`
#[derive(Module, Debug)]
pub struct PerceiverFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// `[modalities, d_model]`, in order of their names.
    pub modality_embeddings: Param<Tensor<2>>,
    /// From all tokens to a few.
    pub resampler: PerceiverResampler,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for PerceiverFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let marks = self.modality_embeddings.val();
        let tokens = all_tokens(&self.projections, marks, None, parts);
        in_layer(tap, "resampler", |tap| {
            self.resampler.forward_with(&tokens, tap)
        })
    }
}

impl FromTable for PerceiverFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = PerceiverFusionConfig::new(widths, BlocksConfig::of_table(table));
        config
            .with_n_latents(table.n_latents.unwrap_or(N_LATENTS))
            .init(device)
    }
}
