//! A transformer over the tokens of all modalities: every token may attend to every other.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Transformer, TransformerConfig, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use crate::inputs::{Projections, Width, batch_of, sorted};
use crate::{FromTable, FusionConfig};

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
        let class = Some(self.class_token.val());
        let marks = self.modality_embeddings.val();
        let tokens = all_tokens(&self.projections, marks, class, parts);
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(tokens, tap)
        })
    }
}

/// All tokens there are as one sequence: behind a class token `[1, d_model]`, if there is one, each modality's, projected and
/// marked by its row of `marks` `[modalities, d_model]`. What a batch lacks is left out, as nothing would attend to it.
pub(super) fn all_tokens(
    projections: &Projections,
    marks: Tensor<2>,
    class: Option<Tensor<2>>,
    parts: Parts,
) -> Tokens {
    let (batch, _) = batch_of(&parts);
    let [_, d] = marks.dims();
    let class = class.map(|class| Tokens::dense(class.reshape([1, 1, d]).expand([batch, 1, d])));
    let mut sequences: Vec<Tokens> = class.into_iter().collect();
    for (i, (_, linear, tokens)) in projections.join(parts).into_iter().enumerate() {
        let Some(Tokens { embeds, pad }) = tokens else {
            continue;
        };
        let mark = marks.clone().narrow(0, i, 1).reshape([1, 1, d]);
        sequences.push(Tokens::new(linear.forward(embeds) + mark, pad));
    }
    Tokens::concat(sequences)
}

impl FromTable for CrossModalTransformer {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        CrossModalTransformerConfig::new(widths, table.d_model, table.n_heads, table.n_layers)
            .with_d_ff(table.d_ff.unwrap_or(4 * table.d_model))
            .with_dropout(table.dropout)
            .with_drop_path(table.drop_path)
            .init(device)
    }
}
