//! Whichever fusion a recipe names.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::nn::PoolKind;
use sensorium_core::{Fusion, Parts, Tap, Tokens, need};
use serde::{Deserialize, Serialize};

use crate::{
    ConcatFusion, ConcatFusionConfig, CrossModalTransformer, CrossModalTransformerConfig, Error,
    GatedFusion, GatedFusionConfig, Width,
};

/// Which fusion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FusionKind {
    /// [`ConcatFusion`]
    Concat,
    /// [`GatedFusion`]
    Gated,
    /// [`CrossModalTransformer`]
    #[default]
    Transformer,
}

/// A recipe's table `[fusion]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FusionConfig {
    /// Which fusion.
    pub kind: FusionKind,
    /// Width of the fused tokens.
    pub d_model: usize,
    /// How a modality's tokens become one vector: for `concat` and `gated`.
    pub pool: PoolKind,
    /// How many blocks: for `transformer`.
    pub n_layers: usize,
    /// How many attention heads: for `transformer`.
    pub n_heads: usize,
    /// Width of the feed-forward part, four times `d_model` by default: for `transformer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_ff: Option<usize>,
    /// Share of features dropped in training: for `transformer`.
    pub dropout: f64,
    /// Chance of skipping the last block's residual branches in training: for `transformer`.
    pub drop_path: f64,
}

impl Default for FusionConfig {
    fn default() -> Self {
        Self {
            kind: FusionKind::Transformer,
            d_model: 64,
            pool: PoolKind::Mean,
            n_layers: 2,
            n_heads: 4,
            d_ff: None,
            dropout: 0.0,
            drop_path: 0.0,
        }
    }
}

impl FusionConfig {
    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let share = |x: f64| (0.0..1.0).contains(&x);
        need((1..=65_536).contains(&self.d_model), "d_model", || {
            format!("{} must be 1 to 65536", self.d_model)
        })?;
        need((1..=1024).contains(&self.n_heads), "n_heads", || {
            format!("{} must be 1 to 1024", self.n_heads)
        })?;
        let divides =
            self.kind != FusionKind::Transformer || self.d_model.is_multiple_of(self.n_heads);
        need(divides, "d_model", || {
            format!(
                "{} must be a multiple of n_heads = {}",
                self.d_model, self.n_heads
            )
        })?;
        need(self.n_layers <= 512, "n_layers", || {
            format!("{} must be at most 512", self.n_layers)
        })?;
        need(
            self.d_ff.is_none_or(|d| (1..=1 << 20).contains(&d)),
            "d_ff",
            || "must be 1 to 1048576, or left out".to_owned(),
        )?;
        need(share(self.dropout), "dropout", || {
            format!("{} must be at least 0 and below 1", self.dropout)
        })?;
        need(share(self.drop_path), "drop_path", || {
            format!("{} must be at least 0 and below 1", self.drop_path)
        })?;
        Ok(())
    }

    /// The fusion it names, for modalities of these widths.
    ///
    /// # Panics
    /// If there is no modality, or one twice.
    pub fn build(&self, widths: &[Width], device: &Device) -> AnyFusion {
        let mut any = AnyFusion {
            concat: None,
            gated: None,
            transformer: None,
        };
        match self.kind {
            FusionKind::Concat => {
                let config = ConcatFusionConfig::new(widths, self.d_model).with_pool(self.pool);
                any.concat = Some(config.init(device));
            }
            FusionKind::Gated => {
                let config = GatedFusionConfig::new(widths, self.d_model).with_pool(self.pool);
                any.gated = Some(config.init(device));
            }
            FusionKind::Transformer => {
                let config = CrossModalTransformerConfig::new(
                    widths,
                    self.d_model,
                    self.n_heads,
                    self.n_layers,
                )
                .with_d_ff(self.d_ff.unwrap_or(4 * self.d_model))
                .with_dropout(self.dropout)
                .with_drop_path(self.drop_path);
                any.transformer = Some(config.init(device));
            }
        }
        any
    }
}

/// Whichever fusion a recipe names. One of the fields is set: an enum's variant would stand in the
/// parameters' paths with its capital letter.
#[derive(Module, Debug)]
pub struct AnyFusion {
    /// For [`FusionKind::Concat`].
    pub concat: Option<ConcatFusion>,
    /// For [`FusionKind::Gated`].
    pub gated: Option<GatedFusion>,
    /// For [`FusionKind::Transformer`].
    pub transformer: Option<CrossModalTransformer>,
}

impl Fusion for AnyFusion {
    fn d_output(&self) -> usize {
        match (&self.concat, &self.gated, &self.transformer) {
            (Some(fusion), ..) => fusion.d_output(),
            (_, Some(fusion), _) => fusion.d_output(),
            (_, _, Some(fusion)) => fusion.d_output(),
            _ => unreachable!("`build` sets one of the fields"),
        }
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        match (&self.concat, &self.gated, &self.transformer) {
            (Some(fusion), ..) => fusion.fuse_with(parts, tap),
            (_, Some(fusion), _) => fusion.fuse_with(parts, tap),
            (_, _, Some(fusion)) => fusion.fuse_with(parts, tap),
            _ => unreachable!("`build` sets one of the fields"),
        }
    }
}
