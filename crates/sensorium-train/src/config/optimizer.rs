//! The optimizers there are, and the keys that each looks at.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{check, positive};
use crate::{Error, TrainConfig};

/// Which rule turns gradients into steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OptimizerKind {
    /// Adam with decoupled decay (arXiv 1711.05101).
    #[default]
    Adamw,
    /// The sign of a momentum (arXiv 2302.06675): half of AdamW's memory, and learning rates of a tenth to a third of its.
    Lion,
    /// A second moment kept by rows and columns (arXiv 1804.04235): next to no memory.
    Adafactor,
    /// A momentum made orthogonal (<https://kellerjordan.github.io/posts/muon/>), scaled so that AdamW's learning rates serve
    /// (arXiv 2502.16982). For the matrices between layers; all else takes AdamW's steps.
    Muon,
}

impl OptimizerKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Adamw, Self::Lion, Self::Adafactor, Self::Muon];

    /// Every key of `[train]` that not all optimizers look at.
    pub const KEYS: [&'static str; 7] = [
        "betas",
        "eps",
        "momentum",
        "ns_steps",
        "decay_rate",
        "update_clip",
        "scale_parameter",
    ];

    /// As it is written in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adamw => "adamw",
            Self::Lion => "lion",
            Self::Adafactor => "adafactor",
            Self::Muon => "muon",
        }
    }

    /// Which of [`KEYS`](Self::KEYS) it looks at.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Adamw => &["betas", "eps"],
            Self::Lion => &["betas"],
            Self::Adafactor => &["momentum", "decay_rate", "update_clip", "scale_parameter"],
            Self::Muon => &["betas", "eps", "momentum", "ns_steps"],
        }
    }

    /// The values of its keys where a recipe says nothing.
    fn defaults(self) -> OptimizerKeys {
        OptimizerKeys {
            betas: match self {
                // arXiv 2302.06675, section 4.1.
                Self::Lion => [0.9, 0.99],
                _ => [0.9, 0.999],
            },
            eps: 1e-8,
            momentum: match self {
                Self::Adafactor => 0.0,
                _ => 0.95,
            },
            ns_steps: 5,
            // arXiv 1804.04235, algorithm 4.
            decay_rate: 0.8,
            update_clip: 1.0,
            scale_parameter: false,
        }
    }
}

impl fmt::Display for OptimizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name())
    }
}

/// What an optimizer goes by, defaults filled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptimizerKeys {
    pub(crate) betas: [f64; 2],
    pub(crate) eps: f64,
    pub(crate) momentum: f64,
    pub(crate) ns_steps: usize,
    pub(crate) decay_rate: f64,
    pub(crate) update_clip: f64,
    pub(crate) scale_parameter: bool,
}

impl TrainConfig {
    /// What its optimizer goes by.
    pub(crate) fn optimizer_keys(&self) -> OptimizerKeys {
        let defaults = self.optimizer.defaults();
        OptimizerKeys {
            betas: self.betas.unwrap_or(defaults.betas),
            eps: self.eps.unwrap_or(defaults.eps),
            momentum: self.momentum.unwrap_or(defaults.momentum),
            ns_steps: self.ns_steps.unwrap_or(defaults.ns_steps),
            decay_rate: self.decay_rate.unwrap_or(defaults.decay_rate),
            update_clip: self.update_clip.unwrap_or(defaults.update_clip),
            scale_parameter: self.scale_parameter.unwrap_or(defaults.scale_parameter),
        }
    }

    /// With the optimizer's defaults written out that have an effect.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let keys = self.optimizer_keys();
        let looks_at = |key: &str| self.optimizer.keys().contains(&key);
        macro_rules! filled {
            ($($key:ident),+) => {
                Self {
                    $($key: self.$key.or(looks_at(stringify!($key)).then_some(keys.$key)),)+
                    ..self.clone()
                }
            };
        }
        filled!(
            betas,
            eps,
            momentum,
            ns_steps,
            decay_rate,
            update_clip,
            scale_parameter
        )
    }

    pub(super) fn validate_optimizer(&self) -> Result<(), Error> {
        self.refuse_idle_keys()?;
        let keys = self.optimizer_keys();
        check(
            "train.betas",
            format!("{:?}", keys.betas),
            keys.betas.iter().all(|beta| (0.0..1.0).contains(beta)),
            "both must be at least 0 and below 1, such as [0.9, 0.999]",
        )?;
        check(
            "train.eps",
            keys.eps,
            positive(keys.eps),
            "it must be above 0, such as 1e-8",
        )?;
        check(
            "train.momentum",
            keys.momentum,
            (0.0..1.0).contains(&keys.momentum),
            "it must be at least 0 and below 1, such as 0.95",
        )?;
        check(
            "train.ns_steps",
            keys.ns_steps,
            (1..=100).contains(&keys.ns_steps),
            "it must be 1 to 100, such as 5",
        )?;
        check(
            "train.decay_rate",
            keys.decay_rate,
            keys.decay_rate > 0.0 && keys.decay_rate <= 1.0,
            "it must be above 0 and at most 1, such as 0.8",
        )?;
        check(
            "train.update_clip",
            keys.update_clip,
            positive(keys.update_clip),
            "it must be above 0, such as 1",
        )
    }

    /// Refuses a key that the optimizer does not look at.
    fn refuse_idle_keys(&self) -> Result<(), Error> {
        let Ok(Value::Object(given)) = serde_json::to_value(self) else {
            return Ok(());
        };
        let idle = |key: &&&str| {
            given.get(**key).is_some_and(|value| !value.is_null())
                && !self.optimizer.keys().contains(*key)
        };
        let Some(key) = OptimizerKind::KEYS.iter().find(idle) else {
            return Ok(());
        };
        let others = OptimizerKind::ALL.into_iter();
        let others: Vec<String> = others
            .filter(|kind| kind.keys().contains(key))
            .map(|kind| kind.to_string())
            .collect();
        Err(Error::NoEffect {
            key: (*key).to_owned(),
            optimizer: self.optimizer.name(),
            others: others.join(" or "),
        })
    }
}
