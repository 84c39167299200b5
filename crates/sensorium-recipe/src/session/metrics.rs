//! What a run came to.

use std::collections::BTreeMap;

use sensorium_eval::{Ablation, ClassificationReport, Search, Told};
use serde::{Deserialize, Serialize};

use super::Beside;
use crate::RunFolder;

/// What stands in a run's `metrics.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunMetrics {
    /// The recipe's name.
    pub recipe: String,
    /// What ran the tensors.
    pub backend: String,
    /// How many numbers the model has.
    pub parameters: usize,
    /// Steps taken.
    pub steps: usize,
    /// Seconds of training, without preparing and testing.
    pub train_seconds: f64,
    /// Seconds of the whole run since it was last started.
    pub total_seconds: f64,
    /// Rows left out because they are bad.
    pub skipped_rows: usize,
    /// The score on rows never seen, of a model that answers with a class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<ClassificationReport>,
    /// The score on each set of modalities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ablation: Option<Ablation>,
    /// What else was measured on rows never seen, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    /// How well modalities that share a space find each other in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<Search>,
    /// Classes that were told by what they are called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Told>,
    /// What the recipe's variations came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

impl RunMetrics {
    /// The share of right answers on rows never seen, of a model that answers with a class.
    pub fn accuracy(&self) -> Option<f64> {
        self.test.as_ref()?.accuracy
    }

    /// The mean F1 of the classes.
    pub fn macro_f1(&self) -> Option<f64> {
        self.test.as_ref()?.macro_f1()
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its folder.
    pub folder: RunFolder,
    /// Its numbers.
    pub metrics: RunMetrics,
}
