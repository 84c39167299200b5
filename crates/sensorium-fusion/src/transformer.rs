//! A transformer over the tokens of all modalities: every token may attend to every other.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Transformer, TransformerConfig, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use crate::inputs::{Projections, Width, batch_of, sorted};

/// Configuration of a [`CrossModalTransformer`].
#[derive(Clone, Debug)]
pub struct CrossModalTransformerConfig {
    widths: Vec<Width>,
    d_model: usize,
    transformer: TransformerConfig,
}

impl CrossModalTransformerConfig {
    /// Over modalities of these widths, with `n_layers` blocks of width `d_model`.
    ///
    /// # Panics
    /// If there is no modality, or one twice.
    pub fn new(widths: &[Width], d_model: usize, n_heads: usize, n_layers: usize) -> Self {
        Self {
            widths: sorted(widths),
            d_model,
            transformer: TransformerConfig::new(d_model, n_heads, n_layers),
        }
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.transformer = self.transformer.with_d_ff(d_ff);
        self
    }

    /// Share of features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.transformer = self.transformer.with_dropout(dropout);
        self
    }

    /// Chance of skipping the last block's residual branches in training.
    pub fn with_drop_path(mut self, drop_path: f64) -> Self {
        self.transformer = self.transformer.with_drop_path(drop_path);
        self
    }

    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> CrossModalTransformer {
        CrossModalTransformer {
            projections: Projections::new(&self.widths, self.d_model, device),
            modality_embeddings: trunc_normal([self.widths.len(), self.d_model], 0.02, device),
            class_token: trunc_normal([1, self.d_model], 0.02, device),
            transformer: self.transformer.init(device),
            d_model: self.d_model,
        }
    }
}

/// Tokens of all modalities, projected to one width and marked by a learned vector per modality, behind
/// a class token, through a transformer (early fusion; compare arXiv 2102.03334).
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1 + Σ tokens_i, d_model]`
///
/// Padding is attended to by nothing, so an absent modality, left out or all padding, changes nothing
/// but itself. The class token is never padding: a sample without anything still gives an answer.
#[derive(Module, Debug)]
pub struct CrossModalTransformer {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// `[modalities, d_model]`, in order of their names.
    pub modality_embeddings: Param<Tensor<2>>,
    /// `[1, d_model]`
    pub class_token: Param<Tensor<2>>,
    /// Over all tokens.
    pub transformer: Transformer,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for CrossModalTransformer {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let (batch, _) = batch_of(&parts);
        let d = self.d_model;
        let class = self.class_token.val().reshape([1, 1, d]);
        let mut sequences = vec![Tokens::dense(class.expand([batch, 1, d]))];
        let marks = self.modality_embeddings.val();
        for (i, (_, linear, tokens)) in self.projections.join(parts).into_iter().enumerate() {
            let Some(tokens) = tokens else { continue };
            let mark = marks.clone().slice([i..i + 1, 0..d]).reshape([1, 1, d]);
            let embeds = linear.forward(tokens.embeds) + mark;
            sequences.push(Tokens::new(embeds, tokens.pad));
        }
        let tokens = Tokens::concat(sequences);
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(tokens, tap)
        })
    }
}
