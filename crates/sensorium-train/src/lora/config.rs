//! `[lora]`: which matrices are added to, how large the additions are, and what else learns.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::one_or_many;
use crate::groups::matches;

/// What is added to if nothing is said; either may match nothing.
const ON: [&str; 2] = ["encoders.*blocks.*", "fusion.*blocks.*"];

/// What learns beside if nothing is said.
const ALSO: [&str; 1] = ["head.*"];

/// Low-rank additions to matrices that stay as they begin (arXiv 2106.09685): `weight + scale · a·b`, where `b` begins as
/// zeros. Nothing else learns but what `also` names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// The rank of an addition.
    pub rank: usize,
    /// How much an addition counts: `scale` is `alpha / rank`.
    pub alpha: f64,
    /// Whether `scale` is `alpha / √rank` instead (arXiv 2312.03732), by which a larger rank does not learn less.
    pub rslora: bool,
    /// Which matrices of linear layers are added to: patterns of paths, as groups of parameters have them.
    #[serde(deserialize_with = "one_or_many")]
    pub on: Vec<String>,
    /// Which parameters learn whole, such as a head that is new: patterns of paths. PEFT calls it `modules_to_save`.
    #[serde(deserialize_with = "one_or_many")]
    pub also: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            rslora: false,
            on: ON.map(str::to_owned).to_vec(),
            also: ALSO.map(str::to_owned).to_vec(),
        }
    }
}

impl LoraConfig {
    /// What an addition is multiplied with.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        match self.rslora {
            true => self.alpha / rank.sqrt(),
            false => self.alpha / rank,
        }
    }

    /// Checks that every setting is possible.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key that is not, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |key, value: String, way_out| {
            Err(Error::Config {
                key,
                value,
                way_out,
            })
        };
        if !(1..=1024).contains(&self.rank) {
            return refuse("lora.rank", self.rank.to_string(), "it must be 1 to 1024");
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return refuse("lora.alpha", self.alpha.to_string(), "it must be above 0");
        }
        if self.on.is_empty() || self.on.iter().any(String::is_empty) {
            return refuse(
                "lora.on",
                format!("{:?}", self.on),
                "it must name matrices, such as \"encoders.*\"",
            );
        }
        match self.also.iter().any(String::is_empty) {
            true => refuse(
                "lora.also",
                format!("{:?}", self.also),
                "a pattern must name parameters, such as \"head.*\"",
            ),
            false => Ok(()),
        }
    }

    /// Whether a parameter is one of those that learn whole.
    pub(crate) fn learns_whole(&self, path: &str) -> bool {
        self.also.iter().any(|pattern| matches(pattern, path))
    }

    /// Whether a pattern of `on` is one that nobody wrote, and may match nothing.
    pub(super) fn is_default_on(pattern: &str) -> bool {
        ON.contains(&pattern)
    }

    /// The same of `also`.
    pub(super) fn is_default_also(pattern: &str) -> bool {
        ALSO.contains(&pattern)
    }
}
