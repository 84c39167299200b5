//! Attention bottlenecks: modalities see each other through a few tokens alone.

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::nn::{Attend, EncoderBlock, Norm, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, token_config};
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

/// As many as the paper uses.
const N_LATENTS: usize = 4;

token_config! {
    /// Configuration of a [`BottleneckFusion`].
    BottleneckFusionConfig() {
        /// How many tokens the modalities share.
        with_n_latents(n_latents: usize) = N_LATENTS;
    }
}

impl BottleneckFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> BottleneckFusion {
        let d = self.blocks.d_model;
        let streams = self.widths.iter();
        BottleneckFusion {
            projections: Projections::new(&self.widths, d, device),
            bottlenecks: trunc_normal([self.n_latents, d], 0.02, device),
            streams: streams
                .map(|_| self.blocks.encoder_blocks(device))
                .collect(),
            norm: self.blocks.norm(device),
            d_model: d,
        }
    }
}

/// A transformer for each modality, whose tokens see only each other and a few that all modalities share; after each layer these
/// become the mean of what the modalities of a sample made of them (MBT, arXiv 2107.00135).
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, n_latents + Σ tokens_i, d_model]`: what is shared, then the modalities in
/// order of their names
///
/// Only modalities that a sample has count in the mean. The shared tokens are never padding: a sample without anything still
/// gives an answer. Work grows with the sum of the modalities' squared lengths, not with the square of the sum.
#[derive(Module, Debug)]
pub struct BottleneckFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// `[n_latents, d_model]`
    pub bottlenecks: Param<Tensor<2>>,
    /// The layers of each modality, first to last.
    pub streams: Vec<Vec<EncoderBlock>>,
    /// On all tokens, after the last layer.
    pub norm: Norm,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for BottleneckFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let mut streams = self.projections.sequences(parts);
        let [batch, _, _] = streams[0].dims();
        let [n, d] = self.bottlenecks.dims();
        let mut shared: Tensor<3> = self.bottlenecks.val().unsqueeze_dim(0);
        shared = shared.expand([batch, n, d]);
        let present: Vec<_> = streams.iter().map(Tokens::present).collect();
        let n_layers = self.streams.first().map_or(0, Vec::len);
        for layer in 0..n_layers {
            let mut made = Vec::new();
            for (i, stream) in streams.iter_mut().enumerate() {
                let both = Tokens::concat(vec![Tokens::dense(shared.clone()), stream.clone()]);
                let how = Attend::keys(both.pad);
                let x = in_layer(tap, &format!("streams.{i}.{layer}"), |tap| {
                    self.streams[i][layer].forward_with(both.embeds, None, &how, tap)
                });
                let [_, tokens, _] = stream.dims();
                made.push(x.clone().narrow(1, 0, n));
                stream.embeds = x.narrow(1, n, tokens);
            }
            shared = mean_of_present(shared, made, &present);
        }
        let mut all = vec![Tokens::dense(shared)];
        all.extend(streams);
        let Tokens { embeds, pad } = Tokens::concat(all);
        Tokens::new(tap.tensor("output", self.norm.forward(embeds)), pad)
    }
}

/// The mean over the modalities that a sample has; `before` where it has none. Tensors are `[batch, n, d]`, presence `[batch]`.
fn mean_of_present(
    before: Tensor<3>,
    made: Vec<Tensor<3>>,
    present: &[Tensor<1, Bool>],
) -> Tensor<3> {
    let [batch, _, _] = before.dims();
    let weight = |present: &Tensor<1, Bool>| {
        let weight = present.clone().float().cast(before.dtype());
        weight.reshape([batch, 1, 1])
    };
    let count = present.iter().map(weight).reduce(|a, b| a + b);
    let sum = made.into_iter().zip(present).map(|(x, p)| x * weight(p));
    let (Some(count), Some(sum)) = (count, sum.reduce(|a, b| a + b)) else {
        return before;
    };
    let mean = sum / count.clone().clamp_min(1.0);
    let none = count.lower_elem(0.5).expand(mean.dims());
    mean.mask_where(none, before)
}

impl FromTable for BottleneckFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = BottleneckFusionConfig::new(widths, BlocksConfig::of_table(table));
        config
            .with_n_latents(table.n_latents.unwrap_or(N_LATENTS))
            .init(device)
    }
}
