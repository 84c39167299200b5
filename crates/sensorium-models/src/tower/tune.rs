//! How much of a tower is trained: nothing, low-rank changes of its matrices (arXiv 2106.09685), or all of it.

use burn::module::{Lora, Module, ParamGroup};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::need;

/// Which weights of a tower training changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tune {
    /// None; nor is anything dropped out in it.
    #[default]
    Frozen,
    /// A low-rank addition to matrices of its blocks.
    Lora,
    /// All of them.
    Whole,
}

/// Low-rank additions: `weight + alpha / rank · a·b`, where `b` begins as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// The rank of an addition.
    pub rank: usize,
    /// How much an addition counts.
    pub alpha: f64,
    /// Which matrices are added to.
    pub layers: LoraLayers,
}

/// Which matrices of a transformer block are added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoraLayers {
    /// All of them.
    #[default]
    All,
    /// Those of the attention.
    Attention,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            layers: LoraLayers::All,
        }
    }
}

impl LoraConfig {
    pub(super) fn validate(&self) -> Result<(), Error> {
        need(
            (1..=1024).contains(&self.rank),
            "recipe",
            "lora.rank",
            || format!("{} must be 1 to 1024", self.rank),
        )?;
        let alpha = self.alpha;
        need(
            alpha.is_finite() && alpha > 0.0,
            "recipe",
            "lora.alpha",
            || format!("{alpha} must be above 0"),
        )
    }
}

impl Tune {
    /// The tower with this much of it left to train. Additions are drawn from the device's generator.
    pub fn apply<M: Module>(self, tower: M, lora: &LoraConfig) -> M {
        match self {
            Self::Frozen => tower.freeze(),
            Self::Whole => tower,
            Self::Lora => {
                let layers = match lora.layers {
                    LoraLayers::All => r"(^|\.)blocks\.\d+\.",
                    LoraLayers::Attention => r"(^|\.)blocks\.\d+\.attention\.",
                };
                let of = |pattern| ParamGroup::from_regex(pattern).expect("a sound pattern");
                // A table of distances is two-dimensional, but no matrix.
                let group = of(layers).exclude(of(r"\.relative_position$"));
                // What batch norms have learned is not to move with the batches either.
                let norms = of(r"(^|\.)norm[a-z_]*\.training$");
                let tower = tower.freeze_group(norms);
                tower.apply_lora(Lora::new(lora.rank, lora.alpha).set_param_group(group))
            }
        }
    }
}
