//! All that a run is, besides its data: turned into the files of a checkpoint and back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Parts, manifest};
use crate::ema::Ema;
use crate::groups::Groups;
use crate::optimizer::Optimizer;
use crate::tensors::{Layout, Tensors, collect, decode, encode, restore};
use crate::{Best, Ended, Error, Scores, TrainConfig};

const LEARNER: &str = "learner.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const EMA: &str = "ema.safetensors";
const STATE: &str = "state.json";

/// Settings that change nothing about the weights, and may change when a run is resumed.
const FREE: [&str; 5] = [
    "checkpoint_every",
    "keep_checkpoints",
    "log_every",
    "recompute",
    "tensorboard",
];

/// Settings that came later: a checkpoint of before they were known is one of their defaults.
const LATER: [&str; 1] = ["optimizer"];

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Steps done; also the position in the schedule.
    pub(crate) step: usize,
    /// The epoch of the next batch, from 0.
    pub(crate) epoch: usize,
    /// The next batch within it, from 0.
    pub(crate) batch: usize,
    /// Steps that were applied.
    pub(crate) applied: usize,
    /// Updates of the averaged weights.
    pub(crate) averaged: usize,
    /// Steps in a row that were not finite.
    pub(crate) not_finite: usize,
    /// Validations in a row without a new best.
    pub(crate) stale: usize,
    /// The best validation so far.
    pub(crate) best: Option<Best>,
    /// The last validation.
    pub(crate) scores: Option<Scores>,
    /// Seconds of training so far.
    pub(crate) seconds: f64,
    /// How the run ended, if it did.
    pub(crate) ended: Option<Ended>,
    /// Batches of an epoch.
    pub(crate) batches_per_epoch: usize,
    /// What the feed says its data is.
    pub(crate) data: String,
    /// The settings, the seed among them.
    pub(crate) config: TrainConfig,
    /// A hash of the settings that must not change.
    pub(crate) config_sha256: String,
    /// What else the run depends on, as JSON text, whose numbers stay what they are.
    #[serde(default)]
    pub(crate) settings: String,
}

impl State {
    /// The start of a run.
    pub(crate) fn start(config: &TrainConfig, batches_per_epoch: usize, data: String) -> Self {
        Self {
            step: 0,
            epoch: 0,
            batch: 0,
            applied: 0,
            averaged: 0,
            not_finite: 0,
            stale: 0,
            best: None,
            scores: None,
            seconds: 0.0,
            ended: None,
            batches_per_epoch,
            data,
            config: config.clone(),
            config_sha256: hash(config),
            settings: "null".to_owned(),
        }
    }

    /// Checks that going on from here with these settings and data is the same run.
    pub(crate) fn agrees(&self, now: &Self, path: &Path) -> Result<(), Error> {
        // A checkpoint of before they were kept says nothing of them.
        let settings = self.settings.is_empty() || self.settings == now.settings;
        if self.config_sha256 != now.config_sha256 || !settings {
            let mut differences = differences(&self.config, &now.config);
            if !settings {
                let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
                compare(
                    "",
                    &json(&self.settings),
                    &json(&now.settings),
                    &mut differences,
                );
            }
            return Err(Error::ConfigChanged {
                path: path.to_owned(),
                differences,
            });
        }
        let difference = if self.batches_per_epoch != now.batches_per_epoch {
            format!(
                "{} batches an epoch instead of {}",
                now.batches_per_epoch, self.batches_per_epoch
            )
        } else if self.data != now.data {
            format!("{} instead of {}", now.data, self.data)
        } else {
            return Ok(());
        };
        Err(Error::DataChanged {
            path: path.to_owned(),
            difference,
        })
    }
}

/// The settings that matter as JSON: with keys in their order, so that equal settings are equal text.
fn fixed(config: &TrainConfig) -> serde_json::Map<String, Value> {
    let fields = |config: &TrainConfig| match serde_json::to_value(config.resolved()) {
        Ok(Value::Object(fields)) => fields,
        _ => unreachable!("settings are plain data"),
    };
    let (mut fixed, defaults) = (fields(config), fields(&TrainConfig::default()));
    fixed.retain(|key, value| {
        let as_ever = LATER.contains(&key.as_str()) && defaults.get(key) == Some(value);
        !FREE.contains(&key.as_str()) && !as_ever
    });
    fixed
}

fn hash(config: &TrainConfig) -> String {
    manifest::sha256(Value::Object(fixed(config)).to_string().as_bytes())
}

fn differences(old: &TrainConfig, new: &TrainConfig) -> Vec<String> {
    let mut found = Vec::new();
    compare("train", &fixed(old).into(), &fixed(new).into(), &mut found);
    found
}

/// Names each value that differs by its keys.
fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        let shown = |value: &Value| match value {
            Value::Null => "not set".to_owned(),
            value => value.to_string(),
        };
        if old != new {
            found.push(format!("{path} was {}, is {}", shown(old), shown(new)));
        }
        return;
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        compare(&path, &of(before), &of(after), found);
    }
}

/// The parts of a run that hold tensors.
pub(crate) struct Snapshot<L> {
    /// What learns.
    pub(crate) learner: L,
    /// The optimizer.
    pub(crate) optimizer: Optimizer,
    /// The averaged weights.
    pub(crate) ema: Option<Ema<L>>,
}

impl<L: Module> Snapshot<L> {
    /// The start of a run.
    pub(crate) fn start(learner: L, config: &TrainConfig, groups: Arc<Groups>) -> Self {
        let ema = config.ema_decay.map(|decay| Ema::new(&learner, decay, 0));
        Self {
            learner,
            optimizer: Optimizer::new(config, groups),
            ema,
        }
    }

    /// What is validated and returned: the averaged weights if there are any, in `valid()` mode.
    pub(crate) fn view(&self) -> L {
        match &self.ema {
            Some(ema) => ema.average.valid(),
            None => self.learner.valid(),
        }
    }

    /// The files of a checkpoint.
    pub(crate) fn save(&self, state: &State) -> Result<Parts, Error> {
        // `valid` brings running statistics up to date before they are read.
        let learner = collect(&self.learner.valid(), Layout::Memory);
        let mut parts = Parts::from([
            (LEARNER.to_owned(), encode(&learner)?),
            (
                OPTIMIZER.to_owned(),
                encode(&self.optimizer.save(&self.learner))?,
            ),
            (
                STATE.to_owned(),
                serde_json::to_vec_pretty(state).expect("a state is plain data"),
            ),
        ]);
        if let Some(ema) = &self.ema {
            parts.insert(
                EMA.to_owned(),
                encode(&collect(&ema.average, Layout::Memory))?,
            );
        }
        Ok(parts)
    }

    /// Reads where a run stood.
    pub(crate) fn load_state(parts: &Parts, path: &Path) -> Result<State, Error> {
        let json = part(parts, STATE, path)?;
        serde_json::from_slice(json).map_err(|error| Error::Broken {
            path: path.join(STATE),
            reason: error.to_string(),
        })
    }

    /// Goes on from the files of a checkpoint at `path`. `learner` gives structure and device.
    pub(crate) fn load(
        learner: L,
        config: &TrainConfig,
        groups: Arc<Groups>,
        state: &State,
        parts: &Parts,
        path: &Path,
    ) -> Result<Self, Error> {
        let module = |name: &str, like: &L| {
            restore(like, tensors(parts, name, path)?, Layout::Memory)
                .map_err(|misfit| misfit.in_file(&path.join(name)))
        };
        let mut optimizer = Optimizer::new(config, groups);
        optimizer
            .load(&learner, tensors(parts, OPTIMIZER, path)?)
            .map_err(|reason| Error::Broken {
                path: path.join(OPTIMIZER),
                reason,
            })?;
        let ema = match config.ema_decay {
            None => None,
            Some(decay) => Some(Ema::new(
                &module(EMA, &learner.valid())?,
                decay,
                state.averaged,
            )),
        };
        Ok(Self {
            learner: module(LEARNER, &learner)?,
            optimizer,
            ema,
        })
    }

    /// What [`view`](Self::view) was when a checkpoint was written.
    pub(crate) fn load_view(&self, parts: &Parts, path: &Path) -> Result<L, Error> {
        let name = if self.ema.is_some() { EMA } else { LEARNER };
        restore(
            &self.learner.valid(),
            tensors(parts, name, path)?,
            Layout::Memory,
        )
        .map_err(|misfit| misfit.in_file(&path.join(name)))
    }
}

fn part<'a>(parts: &'a Parts, name: &str, path: &Path) -> Result<&'a Vec<u8>, Error> {
    parts.get(name).ok_or_else(|| Error::Broken {
        path: path.to_owned(),
        reason: format!("{name} is missing"),
    })
}

fn tensors(parts: &Parts, name: &str, path: &Path) -> Result<Tensors, Error> {
    decode(part(parts, name, path)?).map_err(|reason| Error::Broken {
        path: path.join(name),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_settings_or_data_are_refused_and_named() {
        let config = TrainConfig {
            lr: 0.1,
            ..TrainConfig::default()
        };
        let old = State::start(&config, 10, "a".to_owned());
        // Through a file and back, as when a run is resumed.
        let old: State = serde_json::from_str(&serde_json::to_string(&old).unwrap()).unwrap();
        let path = Path::new("run");
        let freely = TrainConfig {
            keep_checkpoints: 7,
            log_every: 3,
            ..config.clone()
        };
        old.agrees(&State::start(&freely, 10, "a".to_owned()), path)
            .unwrap();

        let other = TrainConfig {
            lr: 0.2,
            accumulate: 2,
            ..config.clone()
        };
        let message = old
            .agrees(&State::start(&other, 10, "a".to_owned()), path)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("train.accumulate was 1, is 2; train.lr was 0.1, is 0.2"),
            "{message}"
        );
        let message = old
            .agrees(&State::start(&config, 9, "a".to_owned()), path)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("9 batches an epoch instead of 10"),
            "{message}"
        );
        assert!(matches!(
            old.agrees(&State::start(&config, 10, "b".to_owned()), path),
            Err(Error::DataChanged { .. })
        ));
    }

    #[test]
    fn settings_of_before_there_were_other_optimizers_are_the_same() {
        let before = r#"{"epochs":10,"steps":null,"seed":0,"lr":0.0003,"schedule":"cosine","warmup_steps":null,"warmup_share":0.05,"final_lr_share":0.01,"weight_decay":0.01,"no_decay":["bias","norm","embedding","position","token"],"betas":[0.9,0.999],"eps":1e-8,"clip_norm":1.0,"accumulate":1,"ema_decay":null,"validate_every":0,"metric":null,"early_stop":null,"weights":"best","non_finite":"skip","non_finite_limit":3}"#;
        let now = Value::Object(fixed(&TrainConfig::default())).to_string();
        assert_eq!(now, before);
        let lion = TrainConfig {
            optimizer: crate::OptimizerKind::Lion,
            ..TrainConfig::default()
        };
        let differences = differences(&TrainConfig::default(), &lion).join("; ");
        let expected = "train.optimizer was not set, is \"lion\"";
        assert!(differences.contains(expected), "{differences}");
    }

    #[test]
    fn other_settings_of_the_caller_are_refused_and_named() {
        let with = |settings: serde_json::Value| State {
            settings: settings.to_string(),
            ..State::start(&TrainConfig::default(), 10, String::new())
        };
        let old = with(serde_json::json!({"head": {"d_hidden": null}, "batch": {"size": 8}}));
        let old: State = serde_json::from_str(&serde_json::to_string(&old).unwrap()).unwrap();
        let path = Path::new("run");
        old.agrees(
            &with(serde_json::json!({"head": {"d_hidden": null}, "batch": {"size": 8}})),
            path,
        )
        .unwrap();
        let new =
            with(serde_json::json!({"head": {"d_hidden": 4}, "batch": {"size": 0.1}, "x": "y"}));
        let message = old.agrees(&new, path).unwrap_err().to_string();
        let expected =
            "(batch.size was 8, is 0.1; head.d_hidden was not set, is 4; x was not set, is \"y\")";
        assert!(message.contains(expected), "{message}");
        // As checkpoints were before they kept such settings.
        let unknown = State {
            settings: String::new(),
            ..old
        };
        unknown.agrees(&new, path).unwrap();
    }
}
