//! `[[train.groups]]`: parameters that are trained in another way than the rest.

use serde::{Deserialize, Deserializer, Serialize};

use super::{check, not_negative, positive};
use crate::{Error, TrainConfig};

/// Parameters that are trained in another way than the rest. Of several groups that name a parameter, the last one counts,
/// whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// Patterns of paths, such as `encoders.image.*`, one or a list. `*` stands for anything, dots included. Paths are those
    /// that a dry run lists, without `model.` at their beginning.
    #[serde(deserialize_with = "one_or_many")]
    pub parameters: Vec<String>,
    /// What the run's learning rate is multiplied with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_scale: Option<f64>,
    /// What the learning rate is multiplied with once more from each layer of a stack to the one below it, such as 0.75
    /// (arXiv 2003.10555, 2106.08254). What stands before the stack counts as a layer below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_decay: Option<f64>,
    /// Weight decay instead of the run's, of those that decay at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Whether they stay as they begin.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// When they begin to learn; until then they stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfreeze_at: Option<Moment>,
}

/// A point of a run: a whole number of steps, or a share of all steps, below 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Moment {
    /// After so many steps.
    Step(usize),
    /// After this share of the steps.
    Share(f64),
}

impl Moment {
    /// How many steps come before it.
    pub fn step(self, total_steps: usize) -> usize {
        match self {
            Self::Step(step) => step,
            Self::Share(share) => (share * total_steps as f64).round() as usize,
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step(step) => step.fmt(f),
            Self::Share(share) => share.fmt(f),
        }
    }
}

/// A pattern, or a list of them.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a pattern such as \"encoders.image.*\", or a list of them"
    )]
    enum Patterns {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Patterns::deserialize(deserializer)? {
        Patterns::One(pattern) => vec![pattern],
        Patterns::Many(patterns) => patterns,
    })
}

impl Group {
    fn validate(&self) -> Result<(), Error> {
        let named = |value: &dyn std::fmt::Display| format!("{value} for {:?}", self.parameters);
        check(
            "train.groups.parameters",
            format!("{:?}", self.parameters),
            !self.parameters.is_empty() && !self.parameters.iter().any(String::is_empty),
            "it must name parameters, such as \"encoders.image.*\"",
        )?;
        let scale = self.lr_scale.unwrap_or(1.0);
        check(
            "train.groups.lr_scale",
            named(&scale),
            positive(scale),
            "it must be above 0, such as 0.1; frozen = true keeps parameters as they are",
        )?;
        let decay = self.layer_decay.unwrap_or(1.0);
        check(
            "train.groups.layer_decay",
            named(&decay),
            decay > 0.0 && decay <= 1.0,
            "it must be above 0 and at most 1, such as 0.75",
        )?;
        let decay = self.weight_decay.unwrap_or(0.0);
        check(
            "train.groups.weight_decay",
            named(&decay),
            not_negative(decay),
            "it must not be negative; 0 turns it off",
        )?;
        let at = self.unfreeze_at.unwrap_or(Moment::Step(1));
        let possible = match at {
            Moment::Step(step) => step > 0,
            Moment::Share(share) => share > 0.0 && share < 1.0,
        };
        check(
            "train.groups.unfreeze_at",
            named(&at),
            possible,
            "it must be a step from 1, or a share of the run between 0 and 1 such as 0.2",
        )?;
        let others = self.lr_scale.is_some()
            || self.layer_decay.is_some()
            || self.weight_decay.is_some()
            || self.unfreeze_at.is_some();
        check(
            "train.groups.frozen",
            named(&self.frozen),
            !(self.frozen && others),
            "no other key has an effect beside it: remove one, or use unfreeze_at alone",
        )?;
        check(
            "train.groups",
            format!("{:?} without another key", self.parameters),
            self.frozen || others,
            "give it lr_scale, layer_decay, weight_decay, frozen or unfreeze_at, or remove it",
        )
    }
}

impl TrainConfig {
    pub(super) fn validate_groups(&self) -> Result<(), Error> {
        self.groups.iter().try_for_each(Group::validate)
    }
}
