//! Cross-attention: the tokens of one modality look at those of the others.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::nn::{Decoder, DecoderConfig};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Modality, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, token_config};
use super::stand_in::StandIn;
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

token_config! {
    /// Configuration of a [`CrossAttentionFusion`]: `main` is the modality that looks at the others.
    CrossAttentionFusionConfig(main: Modality) {}
}

impl CrossAttentionFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there is one modality alone, the main one is none of them, or heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> CrossAttentionFusion {
        assert!(
            self.widths.len() > 1,
            "cross-attention needs a modality that looks, and one to look at"
        );
        let d = self.blocks.d_model;
        let projections = Projections::new(&self.widths, d, device);
        CrossAttentionFusion {
            main: projections.place(self.main),
            projections,
            stand_in: StandIn::new(d, device),
            decoder: DecoderConfig::new(self.blocks.transformer(), d).init(device),
            d_model: d,
        }
    }
}

/// The tokens of one modality through a transformer that attends to the tokens of all others, as the multimodal halves of ALBEF
/// (arXiv 2107.07651) and CoCa (arXiv 2205.01917) do.
///
/// # Shapes
/// `[batch, tokens, d_main]` and `[batch, tokens_i, d_i]` → `[batch, tokens, d_model]`
///
/// Padding is attended to by nothing; a learned token [stands in](StandIn) where a sample lacks the main modality.
#[derive(Module, Debug)]
pub struct CrossAttentionFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// Where a sample lacks the main modality.
    pub stand_in: StandIn,
    /// Self-attention, attention to the others, feed-forward.
    pub decoder: Decoder,
    #[module(skip)]
    main: usize,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for CrossAttentionFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let mut sequences = self.projections.sequences(parts);
        let main = self.stand_in.fill(sequences.remove(self.main));
        let others = Tokens::concat(sequences);
        in_layer(tap, "decoder", |tap| {
            self.decoder.forward_with(main, &others, tap)
        })
    }
}

impl FromTable for CrossAttentionFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let blocks = BlocksConfig::of_table(table);
        let main = table.main_or_first(widths);
        CrossAttentionFusionConfig::new(widths, main, blocks).init(device)
    }
}
