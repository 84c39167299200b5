//! Co-attention: every modality looks at the others, layer by layer.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::nn::{Attend, EncoderBlock, Norm};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, CrossBlock, token_config};
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

token_config! {
    /// Configuration of a [`CoAttentionFusion`].
    CoAttentionFusionConfig() {}
}

impl CoAttentionFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there is one modality alone, or heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> CoAttentionFusion {
        assert!(
            self.widths.len() > 1,
            "co-attention needs modalities that look at each other"
        );
        let stream = || {
            let own = self.blocks.encoder_blocks(device).into_iter().enumerate();
            let layer = |(layer, own)| CoAttentionLayer {
                cross: self.blocks.cross_block(layer, false, device),
                own,
            };
            own.map(layer).collect()
        };
        CoAttentionFusion {
            projections: Projections::new(&self.widths, self.blocks.d_model, device),
            streams: self.widths.iter().map(|_| stream()).collect(),
            norms: self
                .widths
                .iter()
                .map(|_| self.blocks.norm(device))
                .collect(),
            d_model: self.blocks.d_model,
        }
    }
}

/// What looks at the other modalities, and then at itself.
#[derive(Module, Debug)]
pub struct CoAttentionLayer {
    /// Attention to the others.
    pub cross: CrossBlock,
    /// Self-attention and feed-forward.
    pub own: EncoderBlock,
}

/// A stream of tokens for each modality. In each layer every one attends to the others as they were after the layer before, and
/// then to itself (co-attention, arXiv 1908.02265); in the end they stand one after the other.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, Σ tokens_i, d_model]`, in order of the modalities' names
///
/// Padding is attended to by nothing. Of more than two modalities, each attends to all others as one sequence.
///
/// # Differs from the paper
/// Norms stand before, and there are two modalities or more.
#[derive(Module, Debug)]
pub struct CoAttentionFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// The layers of each modality, first to last.
    pub streams: Vec<Vec<CoAttentionLayer>>,
    /// Of each modality, after its last layer.
    pub norms: Vec<Norm>,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for CoAttentionFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let mut streams = self.projections.sequences(parts);
        let n_layers = self.streams.first().map_or(0, Vec::len);
        for n in 0..n_layers {
            let before = streams.clone();
            for (i, stream) in streams.iter_mut().enumerate() {
                let layer = &self.streams[i][n];
                let others = Tokens::concat(without(&before, i));
                let how = Attend::keys(stream.pad.clone());
                let x = stream.embeds.clone();
                stream.embeds = in_layer(tap, &format!("streams.{i}.{n}"), |tap| {
                    let x = in_layer(tap, "cross", |tap| {
                        layer.cross.forward_with(x, &others, tap)
                    });
                    in_layer(tap, "own", |tap| layer.own.forward_with(x, None, &how, tap))
                });
            }
        }
        let normed = streams.into_iter().zip(&self.norms);
        let normed = normed.map(|(t, norm)| Tokens::new(norm.forward(t.embeds), t.pad));
        let fused = Tokens::concat(normed.collect());
        Tokens::new(tap.tensor("output", fused.embeds), fused.pad)
    }
}

/// All but one.
fn without(sequences: &[Tokens], i: usize) -> Vec<Tokens> {
    let mut others = sequences.to_vec();
    others.remove(i);
    others
}

impl FromTable for CoAttentionFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        CoAttentionFusionConfig::new(widths, BlocksConfig::of_table(table)).init(device)
    }
}
