//! The settings of a run: the table `[train]` of a recipe.

mod groups;
mod kinds;
mod optimizer;
#[cfg(test)]
mod tests;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::recompute::training_device;
pub(crate) use groups::one_or_many;
pub use groups::{Group, Moment};
pub use kinds::{EarlyStop, NonFinite, Precision, ScheduleKind, Weights};
pub use optimizer::OptimizerKind;

/// How to train. In a recipe, the table `[train]`.
///
/// ```
/// use sensorium_train::TrainConfig;
/// let config = TrainConfig { epochs: 3, lr: 1e-3, ..TrainConfig::default() };
/// assert!(config.validate().is_ok());
/// assert!(TrainConfig { lr: -1.0, ..config }.validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// How often to go through the data.
    pub epochs: usize,
    /// How many optimizer steps to do; if given, `epochs` is not looked at.
    pub steps: Option<usize>,
    /// Where all randomness of the run comes from.
    pub seed: u64,
    /// The highest learning rate, reached after the warm-up.
    pub lr: f64,
    /// The course of the learning rate after the warm-up.
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up; if given, `warmup_share` is not looked at.
    pub warmup_steps: Option<usize>,
    /// Linear warm-up as a share of all steps, 0 to 1.
    pub warmup_share: f64,
    /// Where the cosine ends and stays, as a share of `lr`.
    pub final_lr_share: f64,
    /// Which rule turns gradients into steps. Each looks at keys of its own ([`OptimizerKind::keys`]), which have its paper's
    /// values where they are left out.
    pub optimizer: OptimizerKind,
    /// Decoupled weight decay (arXiv 1711.05101), for the parameters that decay at all (see `no_decay`).
    pub weight_decay: f64,
    /// Parts of names that mark a parameter as not decaying. A parameter decays unless it is a vector (fewer than two
    /// dimensions longer than one), or its own name or the type that holds it contains one of these, in any case.
    pub no_decay: Vec<String>,
    /// AdamW's decay rates of the first and second moment, [0.9, 0.999] by default; of Lion how much of the momentum is in a
    /// step and how much of it stays, [0.9, 0.99].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub betas: Option<[f64; 2]>,
    /// AdamW's ε, added to the root of the second moment, 1e-8 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// How much of Muon's momentum stays, 0.95 by default; of Adafactor the decay of a first moment, 0 for none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// How many Newton–Schulz iterations make Muon's momentum orthogonal, 5 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ns_steps: Option<usize>,
    /// How fast the decay of Adafactor's second moment nears 1: it is 1 - t^-x, 0.8 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_rate: Option<f64>,
    /// The largest root mean square of Adafactor's updates before the learning rate, 1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_clip: Option<f64>,
    /// Whether Adafactor's learning rate is a share of each parameter's root mean square, false by default. With it, rates
    /// are some ten times larger, such as 1e-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_parameter: Option<bool>,
    /// The largest global gradient norm; longer gradients are scaled down to it. 0 for no limit.
    pub clip_norm: f64,
    /// Batches averaged into one step.
    pub accumulate: usize,
    /// How wide the numbers are that a step computes with.
    #[serde(skip_serializing_if = "Precision::is_full")]
    pub precision: Precision,
    /// Whether what the backward pass needs is for the most part computed once more instead of being kept: less memory, more time,
    /// the same numbers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// Decay of the exponential moving average of the weights, such as 0.999. The average is what is validated and
    /// returned. It warms up: after t steps the decay is at most (1 + t) / (10 + t).
    pub ema_decay: Option<f64>,
    /// Validate every so many steps, besides at the end of each epoch. 0 for epochs only.
    pub validate_every: usize,
    /// The validation score that says which weights are best; if not given, the first one.
    pub metric: Option<String>,
    /// Stop when validation no longer improves.
    pub early_stop: Option<EarlyStop>,
    /// Which weights to return.
    pub weights: Weights,
    /// Write a checkpoint every so many steps, besides at the end of each epoch. 0 for epochs only.
    pub checkpoint_every: usize,
    /// How many checkpoints to keep, besides the best one.
    pub keep_checkpoints: usize,
    /// What to do about a loss or gradient that is NaN or infinite.
    pub non_finite: NonFinite,
    /// With `skip`, stop all the same at so many in a row.
    pub non_finite_limit: usize,
    /// Write every so many steps to `metrics.jsonl`.
    pub log_every: usize,
    /// Whether the log is written once more as an event file that TensorBoard reads.
    pub tensorboard: bool,
    /// Parameters that are trained in another way than the rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            steps: None,
            seed: 0,
            lr: 3e-4,
            schedule: ScheduleKind::default(),
            warmup_steps: None,
            warmup_share: 0.05,
            final_lr_share: 0.01,
            optimizer: OptimizerKind::default(),
            weight_decay: 0.01,
            no_decay: ["bias", "norm", "embedding", "position", "token"]
                .map(str::to_owned)
                .to_vec(),
            betas: None,
            eps: None,
            momentum: None,
            ns_steps: None,
            decay_rate: None,
            update_clip: None,
            scale_parameter: None,
            clip_norm: 1.0,
            accumulate: 1,
            precision: Precision::default(),
            recompute: false,
            ema_decay: None,
            validate_every: 0,
            metric: None,
            early_stop: None,
            weights: Weights::default(),
            checkpoint_every: 0,
            keep_checkpoints: 2,
            non_finite: NonFinite::default(),
            non_finite_limit: 3,
            log_every: 1,
            tensorboard: false,
            groups: Vec::new(),
        }
    }
}

impl TrainConfig {
    /// Checks that every setting is possible.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key that is not, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_course()?;
        self.validate_optimizer()?;
        self.validate_steps()?;
        self.validate_groups()?;
        self.validate_ending()
    }

    fn validate_course(&self) -> Result<(), Error> {
        check(
            "train.epochs",
            self.epochs,
            self.epochs > 0 || self.steps.is_some(),
            "it must be at least 1",
        )?;
        check(
            "train.steps",
            Shown(self.steps),
            self.steps != Some(0),
            "it must be at least 1; leave it out to count epochs",
        )?;
        check(
            "train.lr",
            self.lr,
            positive(self.lr),
            "it must be above 0, such as 3e-4",
        )?;
        check(
            "train.warmup_share",
            self.warmup_share,
            share(self.warmup_share),
            "it must lie between 0 and 1",
        )?;
        check(
            "train.final_lr_share",
            self.final_lr_share,
            share(self.final_lr_share),
            "it must lie between 0 and 1",
        )?;
        Ok(())
    }

    fn validate_steps(&self) -> Result<(), Error> {
        check(
            "train.weight_decay",
            self.weight_decay,
            not_negative(self.weight_decay),
            "it must not be negative; 0 turns it off",
        )?;
        check(
            "train.clip_norm",
            self.clip_norm,
            not_negative(self.clip_norm),
            "it must not be negative; 0 turns it off",
        )?;
        check(
            "train.accumulate",
            self.accumulate,
            self.accumulate > 0,
            "it must be at least 1",
        )?;
        let ema = self
            .ema_decay
            .is_none_or(|decay| (0.0..1.0).contains(&decay));
        check(
            "train.ema_decay",
            Shown(self.ema_decay),
            ema,
            "it must be at least 0 and below 1, such as 0.999; leave it out for no average",
        )?;
        Ok(())
    }

    fn validate_ending(&self) -> Result<(), Error> {
        if let Some(stop) = &self.early_stop {
            check(
                "train.early_stop.patience",
                stop.patience,
                stop.patience > 0,
                "it must be at least 1; leave out early_stop to train to the end",
            )?;
            check(
                "train.early_stop.min_delta",
                stop.min_delta,
                not_negative(stop.min_delta),
                "it must not be negative",
            )?;
        }
        check(
            "train.keep_checkpoints",
            self.keep_checkpoints,
            self.keep_checkpoints > 0,
            "it must be at least 1, or nothing could be resumed",
        )?;
        check(
            "train.non_finite_limit",
            self.non_finite_limit,
            self.non_finite_limit > 0,
            "it must be at least 1",
        )?;
        check(
            "train.log_every",
            self.log_every,
            self.log_every > 0,
            "it must be at least 1",
        )
    }

    /// The device on which the learner's batches must lie, for a learner on this device.
    pub fn training_device(&self, device: &Device) -> Device {
        training_device(device, self.recompute)
    }

    /// How many optimizer steps the run has, for data of so many batches an epoch.
    pub fn total_steps(&self, batches_per_epoch: usize) -> usize {
        self.steps.unwrap_or_else(|| {
            self.epochs
                .saturating_mul(self.steps_per_epoch(batches_per_epoch))
        })
    }

    /// How many optimizer steps an epoch has; the last may average fewer batches than the others.
    pub fn steps_per_epoch(&self, batches_per_epoch: usize) -> usize {
        batches_per_epoch.div_ceil(self.accumulate)
    }
}

fn positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

fn not_negative(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}

fn share(x: f64) -> bool {
    (0.0..=1.0).contains(&x)
}

/// Shows what an optional setting holds.
struct Shown<T>(Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("not set"),
        }
    }
}

fn check(
    key: &'static str,
    value: impl std::fmt::Display,
    holds: bool,
    way_out: &'static str,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Config {
        key,
        value: value.to_string(),
        way_out,
    })
}
