//! `adapter_config.json`: what of it says how additions are put on.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::error::{shortened, shown};

const NAME: &str = "adapter_config.json";

/// The largest configuration that is read, in bytes: real ones name some thousands of modules at most.
const LARGEST: u64 = 4 << 20;

/// Keys of which another value than nothing means additions of another kind.
const OTHER_KINDS: [&str; 11] = [
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
];

/// What is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    pub(super) fan_in_fan_out: bool,
    #[serde(default)]
    rank_pattern: BTreeMap<String, usize>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
}

impl Config {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let io = |error| Error::io(&path, error);
        let refuse = |problem: String| Error::broken(&path, problem);
        let size = std::fs::metadata(&path).map_err(io)?.len();
        if size > LARGEST {
            return Err(refuse(format!("has {size} bytes, more than {LARGEST}")));
        }
        let text = std::fs::read_to_string(&path).map_err(io)?;
        let wrong = |error: serde_json::Error| {
            let told = shortened(&error.to_string());
            refuse(format!("is no configuration of PEFT's: {told}"))
        };
        let all: Value = serde_json::from_str(&text).map_err(wrong)?;
        match all["peft_type"].as_str() {
            Some("LORA") => {}
            Some(other) => {
                let problem = format!("peft_type is {:?}: only LORA is read", shown(other));
                return Err(refuse(problem));
            }
            None => return Err(refuse("has no peft_type: it is no adapter's".to_owned())),
        }
        for key in OTHER_KINDS {
            let nothing = match &all[key] {
                Value::Null | Value::Bool(false) => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(table) => table.is_empty(),
                _ => false,
            };
            if !nothing {
                let problem = format!("{key} is set: such additions cannot be merged");
                return Err(refuse(problem));
            }
        }
        let config: Self = serde_json::from_value(all).map_err(wrong)?;
        let mut alphas = config.alpha_pattern.values();
        let finite = config.lora_alpha.is_finite() && alphas.all(|alpha| alpha.is_finite());
        if config.r == 0 || !finite {
            return Err(refuse(
                "r must be at least 1, and lora_alpha a number".to_owned(),
            ));
        }
        let patterns = config
            .rank_pattern
            .keys()
            .chain(config.alpha_pattern.keys());
        for pattern in patterns {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if !pattern.chars().all(plain) {
                let problem = format!(
                    "{:?} is a pattern, of which names of modules alone are read",
                    shown(pattern)
                );
                return Err(refuse(problem));
            }
        }
        Ok(config)
    }

    /// The rank of a module's addition.
    pub(super) fn rank(&self, module: &str) -> usize {
        of_module(&self.rank_pattern, module).unwrap_or(self.r)
    }

    /// What the product of a module's factors is multiplied with.
    pub(super) fn scale(&self, module: &str) -> f64 {
        let alpha = of_module(&self.alpha_pattern, module).unwrap_or(self.lora_alpha);
        let rank = self.rank(module) as f64;
        match self.use_rslora {
            true => alpha / rank.sqrt(),
            false => alpha / rank,
        }
    }
}

/// What a table of names says of a module: its own path, or the end of it.
fn of_module<T: Copy>(patterns: &BTreeMap<String, T>, module: &str) -> Option<T> {
    let ends = |name: &str| {
        let rest = module.strip_suffix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let mut found = patterns.iter().filter(|(name, _)| ends(name));
    found.next().map(|(_, value)| *value)
}
