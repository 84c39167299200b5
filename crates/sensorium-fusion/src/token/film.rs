//! FiLM: the other modalities scale and shift the features of one.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use sensorium_core::nn::Pool;
use sensorium_core::{Fusion, Modality, Parts, Tap, Tokens};

use super::stand_in::StandIn;
use crate::inputs::{Width, batch_of, check_width, nothing, place, zero_absent};
use crate::vector::inputs::{absent, pooled, pooled_config, pools, side_by_side};
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of a [`FilmFusion`].
    FilmFusionConfig {
        /// The modality whose features are scaled and shifted; by default the first by name.
        with_main(main: Option<Modality>) = None;
    }
}

impl FilmFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If there is one modality alone, or the main one is none of them.
    pub fn init(&self, device: &Device) -> FilmFusion {
        assert!(
            self.widths.len() > 1,
            "FiLM needs a modality that changes, and one that it is changed by"
        );
        let mut others = self.widths.clone();
        let main = others.remove(self.main.map_or(0, |main| place(&self.widths, main)));
        let d_others = others.iter().map(|(_, width)| width).sum();
        let d = self.d_output;
        FilmFusion {
            projection: LinearConfig::new(main.1, d).init(device),
            stand_in: StandIn::new(d, device),
            pools: pools(self.pool, &others, device),
            generator: LinearConfig::new(d_others, 2 * d).init(device),
            main: main.0,
            d_main: main.1,
            others,
            d_output: d,
        }
    }
}

/// The tokens of one modality, projected, scaled and shifted feature by feature as the pooled others say: `γ ⊙ x + β` with
/// `[γ - 1; β]` a linear map of the others side by side (arXiv 1709.07871).
///
/// # Shapes
/// `[batch, tokens, d_main]` and `[batch, tokens_i, d_i]` → `[batch, tokens, d_output]`
///
/// A sample that lacks all others keeps its features; a learned token [stands in](StandIn) where it lacks the main modality.
/// Taps `gamma` and `beta`, `[batch, d_output]`.
#[derive(Module, Debug)]
pub struct FilmFusion {
    /// Of the main modality: `d_main` → `d_output`
    pub projection: Linear,
    /// Where a sample lacks the main modality.
    pub stand_in: StandIn,
    /// Of the others, in order of their names.
    pub pools: Vec<Pool>,
    /// Of the others: `Σ d_i` → `γ - 1`, then `β`: `2 · d_output`
    pub generator: Linear,
    #[module(skip)]
    main: Modality,
    #[module(skip)]
    d_main: usize,
    #[module(skip)]
    others: Vec<Width>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for FilmFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, mut parts: Parts, tap: &mut T) -> Tokens {
        let (batch, device) = batch_of(&parts);
        let d = self.d_output;
        let dtype = self.projection.weight.val().dtype();
        let nothing = |width| nothing(batch, width, &device, dtype);
        let main = parts.remove(self.main);
        let main = main.unwrap_or_else(|| nothing(self.d_main));
        if parts.is_empty() {
            // What was left out is padding; without this there would be nothing to take the batch's size from.
            let (modality, width) = self.others[0];
            parts.insert(modality, nothing(width));
        }
        check_width(self.main, self.d_main, &main);
        let projected = Tokens::new(self.projection.forward(main.embeds), main.pad);
        let Tokens { embeds, pad } = self.stand_in.fill(projected);

        let vectors = pooled(&self.pools, &self.others, parts);
        let any = absent(&vectors).bool_not().any_dim(1).squeeze_dim(1);
        let changes = self.generator.forward(side_by_side(&vectors));
        let changes = zero_absent(changes, any); // [B, 2 D]
        let gamma = changes.clone().narrow(1, 0, d).add_scalar(1.0);
        let gamma = tap.tensor("gamma", gamma).unsqueeze_dim(1);
        let beta = tap.tensor("beta", changes.narrow(1, d, d)).unsqueeze_dim(1);
        Tokens::new(tap.tensor("output", embeds * gamma + beta), pad)
    }
}

impl FromTable for FilmFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = FilmFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        config
            .with_main(Some(table.main_or_first(widths)))
            .init(device)
    }
}
