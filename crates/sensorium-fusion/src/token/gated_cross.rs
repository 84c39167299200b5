//! Gated cross-attention: a transformer over one modality that is opened to the others little by little.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::nn::{Attend, EncoderBlock, Norm};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Modality, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, CrossBlock, token_config};
use super::stand_in::StandIn;
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

token_config! {
    /// Configuration of a [`GatedCrossAttentionFusion`]: `main` is the modality that looks at the others.
    GatedCrossAttentionFusionConfig(main: Modality) {}
}

impl GatedCrossAttentionFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there is one modality alone, the main one is none of them, or heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> GatedCrossAttentionFusion {
        assert!(
            self.widths.len() > 1,
            "gated cross-attention needs a modality that looks, and one to look at"
        );
        let d = self.blocks.d_model;
        let projections = Projections::new(&self.widths, d, device);
        let own = self.blocks.encoder_blocks(device).into_iter().enumerate();
        let layer = |(layer, own)| GatedCrossLayer {
            gated: self.blocks.cross_block(layer, true, device),
            own,
        };
        GatedCrossAttentionFusion {
            main: projections.place(self.main),
            projections,
            stand_in: StandIn::new(d, device),
            layers: own.map(layer).collect(),
            norm: self.blocks.norm(device),
            d_model: d,
        }
    }
}

/// What looks at the others, and then at itself.
#[derive(Module, Debug)]
pub struct GatedCrossLayer {
    /// Attention to the others, closed at first.
    pub gated: CrossBlock,
    /// Self-attention and feed-forward.
    pub own: EncoderBlock,
}

/// [`CrossAttentionFusion`](crate::CrossAttentionFusion) whose attention to the others is scaled by `tanh(α)`, α being zero at the start (arXiv
/// 2204.14198): the model begins as one of the main modality alone, and what it had learned of it is not disturbed.
///
/// # Shapes
/// `[batch, tokens, d_main]` and `[batch, tokens_i, d_i]` → `[batch, tokens, d_model]`
///
/// Padding is attended to by nothing; a learned token [stands in](StandIn) where a sample lacks the main modality. As long as
/// gates are zero only they receive a gradient from behind them: everything else follows once they have moved.
#[derive(Module, Debug)]
pub struct GatedCrossAttentionFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// Where a sample lacks the main modality.
    pub stand_in: StandIn,
    /// First to last.
    pub layers: Vec<GatedCrossLayer>,
    /// After the last layer.
    pub norm: Norm,
    #[module(skip)]
    main: usize,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for GatedCrossAttentionFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let mut sequences = self.projections.sequences(parts);
        let Tokens { embeds, pad } = self.stand_in.fill(sequences.remove(self.main));
        let others = Tokens::concat(sequences);
        let how = Attend::keys(pad.clone());
        let mut x = embeds;
        for (i, layer) in self.layers.iter().enumerate() {
            x = in_layer(tap, &format!("layers.{i}"), |tap| {
                let x = in_layer(tap, "gated", |tap| {
                    layer.gated.forward_with(x, &others, tap)
                });
                in_layer(tap, "own", |tap| layer.own.forward_with(x, None, &how, tap))
            });
        }
        Tokens::new(tap.tensor("output", self.norm.forward(x)), pad)
    }
}

impl FromTable for GatedCrossAttentionFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let blocks = BlocksConfig::of_table(table);
        let main = table.main_or_first(widths);
        GatedCrossAttentionFusionConfig::new(widths, main, blocks).init(device)
    }
}
