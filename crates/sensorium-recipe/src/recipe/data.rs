//! The table `[data]` of a recipe.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sensorium_core::Modality;
use sensorium_data::{Columns, OnError, SplitConfig};
use serde::{Deserialize, Serialize};

use crate::dataset::maker;
use crate::how::When;

/// `[data]`: where samples come from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// A data set that comes with the program: `av-digits`, `scenes` or `scenes-qa`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// A manifest, shards (a file, a folder or a pattern), or a folder of a manifest or of classes; relative to where the command runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Data sets that are learned from as well, and neither validated nor tested on: sets by name, manifests or folders, with
    /// the same columns and classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// How much is drawn of each data set: a weight for the data set itself, and then one for each of `also`. Without, every row
    /// is drawn once an epoch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// How many rows an epoch has; by default as many as there are to learn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_rows: Option<usize>,
    /// How rows are shuffled; by default all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<ShuffleConfig>,
    /// Whether a bad row ends the run or is left out and listed.
    pub on_error: OnError,
    /// Whether every row is decoded before training begins, or each when it is needed.
    #[serde(skip_serializing_if = "When::is_first")]
    pub prepare: When,
    /// How many training rows of each class keep their label, drawn by the seed; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_per_class: Option<usize>,
    /// The classes in their order, which is what `ordinal` goes by; by default those the rows name, numbers by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Which column holds what.
    pub columns: Columns,
    /// Which rows are for training, validation and testing.
    pub split: SplitConfig,
}

/// `data.shuffle`: shards are read one after the other, and rows shuffled within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShuffleConfig {
    /// How many rows the window holds.
    pub buffer: usize,
}

impl DataConfig {
    /// How rows are parted. The column that groups stand in by name is no other column any more.
    pub(crate) fn split(&self) -> SplitConfig {
        let is_group = |by: &String| *by == self.columns.group;
        SplitConfig {
            by: self.split.by.clone().filter(|by| !is_group(by)),
            ..self.split.clone()
        }
    }

    pub(super) fn validate(&self, modalities: &BTreeSet<Modality>) -> Result<(), String> {
        if self.set.is_some() && self.path.is_some() {
            return Err("data.set and data.path exclude each other: remove one".to_owned());
        }
        if let Some(set) = &self.set {
            maker(set)?;
        }
        let unused = |name: &&String| !modalities.iter().any(|m| m.name() == name.as_str());
        if let Some(name) = self.columns.inputs.keys().find(unused) {
            return Err(format!(
                "data.columns.inputs.{name} has no effect without a table [encoders.{name}]: add one, or remove it"
            ));
        }
        if self.labels_per_class == Some(0) {
            return Err(
                "data.labels_per_class = 0 leaves nothing to learn from: use at least 1".to_owned(),
            );
        }
        self.validate_drawing()?;
        self.split.validate().map_err(|e| e.to_string())
    }

    /// Refuses draws that cannot be made.
    fn validate_drawing(&self) -> Result<(), String> {
        let (weights, sets) = (&self.weights, 1 + self.also.len());
        if !weights.is_empty() && (weights.len() != sets || sets == 1) {
            return Err(format!(
                "data.weights has {} for {sets} data set{}: one for the data set itself, and then one for each of data.also",
                weights.len(),
                if sets == 1 { "" } else { "s" }
            ));
        }
        if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            return Err(format!(
                "data.weights = {weights:?}: {weight} must be above 0 and finite; a data set that is not to be drawn from is left out of data.also"
            ));
        }
        match (self.epoch_rows, self.shuffle) {
            (Some(0), _) => Err("data.epoch_rows = 0 is no epoch: use at least 1".to_owned()),
            (_, Some(ShuffleConfig { buffer: 0 })) => Err(
                "data.shuffle.buffer = 0 holds nothing: use at least 1, or remove it to shuffle all rows together"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}
