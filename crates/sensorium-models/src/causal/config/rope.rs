//! Rotary positions as `config.json` describes them, and the ways in which they are stretched for longer texts.

use std::f64::consts::TAU;

use sensorium_core::nn::Rotary;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::error::need;

/// `rope_parameters`, or `rope_scaling` of older files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rope {
    /// How positions are stretched.
    #[serde(
        rename = "rope_type",
        alias = "type",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<String>,
    /// The base, if it stands here.
    #[serde(
        rename = "rope_theta",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub base: Option<f64>,
    /// How many times longer texts may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// How many tokens the texts had that the model was first trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_max_position_embeddings: Option<f64>,
    /// Of `llama3`: what turns fewer times than this over such a text is stretched whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_freq_factor: Option<f64>,
    /// Of `llama3`: what turns more often than this is not stretched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_freq_factor: Option<f64>,
    /// Of `yarn`: on cosines and sines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_factor: Option<f64>,
    /// Of `yarn`: what turns more often than this is not stretched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta_fast: Option<f64>,
    /// Of `yarn`: what turns fewer times than this is stretched whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta_slow: Option<f64>,
    /// Of `yarn`: another way to say the factor on cosines and sines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mscale: Option<f64>,
    /// What that is divided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mscale_all_dim: Option<f64>,
    /// Of `yarn`: whether the bounds between what is stretched and what is not are whole features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate: Option<bool>,
    /// Which share of a head's features is turned; only all are known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_rotary_factor: Option<f64>,
    /// How many pairs of features go by time, height and width (arXiv 2409.12191).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mrope_section: Option<Vec<usize>>,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Ways that are known; `dynamic` stretches nothing within the model's own length, beyond which no text goes.
const KINDS: [&str; 6] = ["default", "linear", "dynamic", "llama3", "yarn", "mrope"];

impl Rope {
    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("default")
    }

    /// Refuses what cannot work for heads of `d_head` features.
    pub(super) fn validate(&self, file: &str, d_head: usize) -> Result<(), Error> {
        let kind = self.kind();
        need(KINDS.contains(&kind), file, "rope_type", || {
            format!("{kind:?} is none of {}", KINDS.join(", "))
        })?;
        let whole = self.partial_rotary_factor.unwrap_or(1.0) == 1.0;
        need(whole, file, "partial_rotary_factor", || {
            "only 1, all features of a head, is known here".to_owned()
        })?;
        if let Some(base) = self.base {
            positive(file, "rope_theta", base, 1.0)?;
        }
        let stretched = !matches!(kind, "default" | "mrope");
        let factor = self.factor.unwrap_or(0.0);
        if stretched {
            positive(file, "factor", factor, 0.0)?;
        }
        for (key, value) in [
            ("attention_factor", self.attention_factor),
            ("beta_fast", self.beta_fast),
            ("beta_slow", self.beta_slow),
            (
                "original_max_position_embeddings",
                self.original_max_position_embeddings,
            ),
        ] {
            value.map_or(Ok(()), |value| positive(file, key, value, 0.0))?;
        }
        if kind == "llama3" {
            let (low, high) = (self.low_freq_factor, self.high_freq_factor);
            let (low, high) = (low.unwrap_or(0.0), high.unwrap_or(0.0));
            positive(file, "low_freq_factor", low, 0.0)?;
            positive(file, "high_freq_factor", high, low)?;
        }
        if let Some(sections) = &self.mrope_section {
            let sum = sections.iter().try_fold(0usize, |a, b| a.checked_add(*b));
            need(sum == Some(d_head / 2), file, "mrope_section", || {
                format!("{sections:?} must add up to half a head, {}", d_head / 2)
            })?;
        }
        Ok(())
    }

    /// For heads of `d_head` features, a base if none stands here, and texts of up to so many tokens.
    pub(super) fn rotary(&self, d_head: usize, base: f64, max_positions: usize) -> Rotary {
        let base = self.base.unwrap_or(base);
        let plain = Rotary::new(d_head, base);
        let factor = self.factor.unwrap_or(1.0);
        let original = self.original_max_position_embeddings;
        let original = original.unwrap_or(max_positions as f64);
        let each = |f: &dyn Fn(f64) -> f64| plain.speeds().iter().map(|speed| f(*speed)).collect();
        let rotary = match self.kind() {
            "linear" => Rotary::with_speeds(each(&|speed| speed / factor), 1.0),
            "llama3" => {
                let stretch = |speed| self.by_wavelength(speed, factor, original);
                Rotary::with_speeds(each(&stretch), 1.0)
            }
            "yarn" => self.yarn(&plain, base, factor, original),
            _ => plain,
        };
        match &self.mrope_section {
            Some(sections) => rotary.on_axes(sections),
            None => rotary,
        }
    }

    /// Llama 3.1: slow turns are stretched, fast ones are not, and between there is a way from one to the other.
    fn by_wavelength(&self, speed: f64, factor: f64, original: f64) -> f64 {
        let low = self.low_freq_factor.unwrap_or(1.0);
        let high = self.high_freq_factor.unwrap_or(4.0);
        let turns = original * speed / TAU;
        let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 - share) * speed / factor + share * speed
    }

    /// YaRN (arXiv 2309.00071, section 3).
    fn yarn(&self, plain: &Rotary, base: f64, factor: f64, original: f64) -> Rotary {
        let d_head = plain.d_head() as f64;
        // The feature that turns so many times over a text of the original length.
        let feature = |turns: f64| d_head * (original / (turns * TAU)).ln() / (2.0 * base.ln());
        let mut low = feature(self.beta_fast.unwrap_or(32.0));
        let mut high = feature(self.beta_slow.unwrap_or(1.0));
        if self.truncate.unwrap_or(true) {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(d_head - 1.0));
        if low == high {
            high += 0.001; // as the reference does, so that nothing is divided by zero
        }
        let stretch = |(pair, speed): (usize, &f64)| {
            let stretched = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
            stretched * speed / factor + (1.0 - stretched) * speed
        };
        let speeds = plain.speeds().iter().enumerate().map(stretch).collect();
        let scale = |mscale: f64| match factor <= 1.0 {
            true => 1.0,
            false => 0.1 * mscale * factor.ln() + 1.0,
        };
        let asked = |value: Option<f64>| value.filter(|value| *value != 0.0);
        let attention = self.attention_factor.unwrap_or_else(|| {
            match (asked(self.mscale), asked(self.mscale_all_dim)) {
                (Some(mscale), Some(all)) => scale(mscale) / scale(all),
                _ => scale(1.0),
            }
        });
        Rotary::with_speeds(speeds, attention)
    }
}

fn positive(file: &str, key: &'static str, value: f64, least: f64) -> Result<(), Error> {
    need(value.is_finite() && value > least, file, key, || {
        format!("{value} must be a number above {least}")
    })
}
