//! What a run came to.

use std::collections::BTreeMap;

use sensorium_eval::{
    Ablation, ClassificationReport, MultiLabelReport, NumbersReport, Outcome, Search, Summary,
    Told, WrittenReport,
};
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
    /// The same of a model that answers with any number of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_label: Option<MultiLabelReport>,
    /// The same of a model that answers with numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<NumbersReport>,
    /// The same of a model that writes texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<WrittenReport>,
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
    /// With what was measured on rows never seen.
    pub(crate) fn of(mut self, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Classes(report) => self.test = Some(report),
            Outcome::Labels(report) => self.multi_label = Some(report),
            Outcome::Numbers(report) => self.regression = Some(report),
            Outcome::Written(report) => self.text = Some(report),
        }
        self
    }

    /// What that comes to, whatever the model answers with; nothing, if it learned without labels.
    pub fn summary(&self) -> Option<Summary> {
        let labels = self.multi_label.as_ref().map(Summary::from);
        let numbers = self.regression.as_ref().map(Summary::from);
        let classes = self.test.as_ref().map(Summary::from);
        let texts = self.text.as_ref().map(Summary::from);
        classes.or(labels).or(numbers).or(texts)
    }

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
