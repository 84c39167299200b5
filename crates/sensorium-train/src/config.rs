//! The settings of a run: the table `[train]` of a recipe.

use serde::{Deserialize, Serialize};

use crate::Error;

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
    /// Decoupled weight decay of AdamW (arXiv 1711.05101), for the parameters that decay at all (see `no_decay`).
    pub weight_decay: f64,
    /// Parts of names that mark a parameter as not decaying. A parameter decays unless it is a vector (fewer than two
    /// dimensions longer than one), or its own name or the type that holds it contains one of these, in any case.
    pub no_decay: Vec<String>,
    /// AdamW's decay rates of the first and second moment.
    pub betas: [f64; 2],
    /// AdamW's ε, added to the root of the second moment.
    pub eps: f64,
    /// The largest global gradient norm; longer gradients are scaled down to it. 0 for no limit.
    pub clip_norm: f64,
    /// Batches averaged into one step.
    pub accumulate: usize,
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
}

/// The course of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Half a cosine down to `final_lr_share`, where it stays (arXiv 1608.03983, without restarts).
    #[default]
    Cosine,
    /// Stays at `lr`.
    Constant,
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
            weight_decay: 0.01,
            no_decay: ["bias", "norm", "embedding", "position", "token"]
                .map(str::to_owned)
                .to_vec(),
            betas: [0.9, 0.999],
            eps: 1e-8,
            clip_norm: 1.0,
            accumulate: 1,
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
        self.validate_steps()?;
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
        let betas = self.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        check(
            "train.betas",
            format!("{:?}", self.betas),
            betas,
            "both must be at least 0 and below 1, such as [0.9, 0.999]",
        )?;
        check(
            "train.eps",
            self.eps,
            positive(self.eps),
            "it must be above 0, such as 1e-8",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_impossible_setting_is_named() {
        let wrong: Vec<(&str, serde_json::Value)> = vec![
            ("epochs", 0.into()),
            ("steps", 0.into()),
            ("lr", 0.0.into()),
            ("warmup_share", 1.5.into()),
            ("final_lr_share", (-0.1).into()),
            ("weight_decay", (-0.1).into()),
            ("betas", vec![0.9, 1.0].into()),
            ("eps", 0.0.into()),
            ("clip_norm", (-1.0).into()),
            ("accumulate", 0.into()),
            ("ema_decay", 1.0.into()),
            ("early_stop", serde_json::json!({ "patience": 0 })),
            ("keep_checkpoints", 0.into()),
            ("non_finite_limit", 0.into()),
            ("log_every", 0.into()),
        ];
        for (key, value) in wrong {
            let config: TrainConfig =
                serde_json::from_value(serde_json::json!({ key: value })).unwrap();
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("train.{key}")), "{message}");
        }
        TrainConfig::default().validate().unwrap();
    }

    #[test]
    fn unknown_keys_are_refused_and_absent_ones_have_defaults() {
        assert!(serde_json::from_str::<TrainConfig>(r#"{"learning_rate": 1}"#).is_err());
        assert_eq!(
            serde_json::from_str::<TrainConfig>("{}").unwrap(),
            TrainConfig::default()
        );
    }

    #[test]
    fn steps_outrank_epochs_and_a_short_last_step_counts() {
        let config = TrainConfig {
            epochs: 3,
            accumulate: 4,
            ..TrainConfig::default()
        };
        assert_eq!(config.total_steps(10), 9);
        assert_eq!(
            TrainConfig {
                steps: Some(5),
                ..config
            }
            .total_steps(10),
            5
        );
    }
}
