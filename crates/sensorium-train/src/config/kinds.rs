//! Choices of `[train]`: the schedule, the weights to keep, when to stop, and what to do about bad numbers.

use serde::{Deserialize, Serialize};

/// The course of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Half a cosine down to `final_lr_share`, where it stays (arXiv 1608.03983, without restarts).
    #[default]
    Cosine,
    /// Stays at `lr`.
    Constant,
    /// Falls with the root of the step, from `lr` at the end of the warm-up on (arXiv 1706.03762, section 5.3).
    InverseSqrt,
}

/// Which weights a run returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Those that validated best; the last ones if nothing was validated.
    #[default]
    Best,
    /// Those of the last step.
    Last,
}

/// How wide the numbers are that a step computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// bfloat16: half the memory of what the backward pass needs, and on devices made for it less time. Losses, gradients that
    /// are summed up, the optimizer, averages and checkpoints stay float32, and so does validation.
    Bf16,
}

impl Precision {
    /// As it stands in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        *self == Self::F32
    }
}

/// What to do about a loss or gradient that is NaN or infinite. Such a step is never applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonFinite {
    /// Warn, and stop at `non_finite_limit` in a row.
    #[default]
    Skip,
    /// Stop at the first.
    Stop,
}

/// When to stop early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStop {
    /// Stop after so many validations without a new best.
    pub patience: usize,
    /// A score must be better by more than this to count.
    pub min_delta: f64,
}

impl Default for EarlyStop {
    fn default() -> Self {
        Self {
            patience: 5,
            min_delta: 0.0,
        }
    }
}
