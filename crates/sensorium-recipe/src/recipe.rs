//! The recipe: everything a run depends on, as one table that a person writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sensorium_core::Modality;
use sensorium_data::{Columns, OnError, SplitConfig};
use sensorium_fusion::{FusionConfig, HeadConfig};
use sensorium_train::{LoraConfig, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::dataset::maker;
use crate::folder::read_text;
use crate::how::{Room, When};
use crate::labels::LabelKind;
use crate::modalities::EncoderConfigs;
use crate::objective::{ObjectiveConfig, Task};
use crate::parse::{nearest, parse};
use crate::place::place;
use crate::pretext::ZeroShotConfig;
use crate::variations::{NamedStage, Stage};
use crate::{Error, builtin};

/// A recipe: which data, which encoders, how they are joined, and how the model is trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// A short name, used for the run's folder.
    pub name: String,
    /// One line on what it shows.
    #[serde(default)]
    pub about: String,
    /// Encoders that stay as they begin, by modality.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<String>,
    /// Where samples come from.
    #[serde(default)]
    pub data: DataConfig,
    /// How samples become batches.
    #[serde(default)]
    pub batch: BatchConfig,
    /// One table per modality that takes part.
    pub encoders: EncoderConfigs,
    /// How modalities are joined.
    #[serde(default, serialize_with = "crate::fusion::serialize")]
    pub fusion: FusionConfig,
    /// What answers.
    #[serde(default)]
    pub head: HeadConfig,
    /// What the answer is held against.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// How the model learns.
    #[serde(default)]
    pub train: TrainConfig,
    /// Low-rank additions to what stays as it begins, instead of training all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// Which classes are told by their descriptions, for what brings words and others into one space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_shot: Option<ZeroShotConfig>,
    /// Encoders that go on from another run of theirs: its folder, by modality.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub start: BTreeMap<String, PathBuf>,
    /// The run of the stage before this one, all of which is gone on with: its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PathBuf>,
    /// Encoders that first learn without labels, by modality: what is another in that run than here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pretrain: BTreeMap<String, Stage>,
    /// What is learned before the recipe itself, one after the other: each is the recipe with something set, and goes on from the
    /// one before it, as the recipe itself does from the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<NamedStage>,
    /// What is trained beside, to hold the result against: by name, what is set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beside: BTreeMap<String, Vec<String>>,
}

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

/// `[batch]`: how samples become batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Samples a step.
    pub size: usize,
    /// Samples at once when nothing is learned.
    pub eval_size: usize,
    /// The modality by whose length training rows are put together, so that less of a batch is padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_by: Option<String>,
    /// The chance that a training sample loses a modality it has; at least one always stays.
    pub modality_dropout: f64,
    /// Threads that decode and prepare; 0 = one per core.
    pub threads: usize,
    /// The most prepared rows kept in memory, over all parts; those beyond it are decoded anew each epoch.
    pub cache_rows: usize,
    /// The most memory that they take, in MiB.
    pub cache_mib: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            size: 32,
            eval_size: 128,
            bucket_by: None,
            modality_dropout: 0.0,
            threads: 0,
            cache_rows: 20_000,
            cache_mib: 2048,
        }
    }
}

impl Recipe {
    /// The recipe of this name, or in this file.
    ///
    /// # Errors
    /// If there is none, or it is not understood; see [`Recipe::parse`].
    pub fn open(name: &str, sets: &[String]) -> Result<Self, Error> {
        if let Some(text) = builtin::text(name) {
            return Self::parse(name, text, sets);
        }
        let path = PathBuf::from(name);
        if !path.is_file() && path.extension().is_none_or(|e| e != "toml") {
            let known = builtin::names();
            let hint = nearest(name, &known)
                .map(|near| format!("; did you mean {near:?}?"))
                .unwrap_or_default();
            return Err(Error::NoSuchRecipe {
                name: name.to_owned(),
                known: known.join(", "),
                hint,
            });
        }
        let text = read_text(&path)?;
        Self::parse(name, &text, sets)
    }

    /// Reads a recipe and checks that it fits together; `origin` names it in messages.
    ///
    /// # Errors
    /// What is not understood with its line, or the key that does not fit and what to do about it.
    pub fn parse(origin: &str, text: &str, sets: &[String]) -> Result<Self, Error> {
        let recipe = parse(origin, text, sets)?;
        recipe.validate().map_err(|message| Error::Recipe {
            place: place(origin, text, sets, &message),
            message,
        })?;
        Ok(recipe)
    }

    /// The recipe as TOML, every default written out that has an effect.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(&self.resolved().table())
            .expect("a recipe is a table of plain values")
    }

    /// Refuses what does not fit together; the message begins with the key.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let name_ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(name_ok) {
            return Err(format!(
                "name = {:?} becomes a folder's name: use letters, digits, - and _",
                self.name
            ));
        }
        if self.encoders.modalities().is_empty() {
            return Err("no [encoders.NAME] table: a model needs at least one modality".to_owned());
        }
        self.data.validate(&self.encoders.modalities())?;
        self.batch.validate(&self.encoders.modalities())?;
        self.objective.validate()?;
        self.objective.validate_for(&self.encoders)?;
        self.validate_labels()?;
        self.encoders
            .validate()
            .map_err(|(table, reason)| format!("encoders.{table}: {reason}"))?;
        self.validate_fusion().map_err(|e| format!("fusion: {e}"))?;
        self.head.validate().map_err(|e| format!("head: {e}"))?;
        self.validate_others()?;
        match (&self.zero_shot, self.objective.kind.task()) {
            (None, _) => {}
            (Some(config), Task::Alignment) => config.validate(self)?,
            (Some(_), _) => {
                return Err(format!(
                    "zero_shot has no effect with objective.kind = {:?}: remove it, or use \"contrastive\"",
                    self.objective.kind.name()
                ));
            }
        }
        let metrics = self.objective.kind.metrics();
        match &self.train.metric {
            Some(metric) if !metrics.contains(&metric.as_str()) => Err(format!(
                "train.metric = {metric:?}: validation measures {}{}",
                metrics.join(", "),
                nearest(metric, metrics)
                    .map(|near| format!("; did you mean {near:?}?"))
                    .unwrap_or_default()
            )),
            _ => {
                self.train.validate().map_err(|e| e.to_string())?;
                self.validate_groups()?;
                self.validate_lora()
            }
        }
    }
}

impl Recipe {
    /// Refuses groups of an encoder that there is none of, before any data is read; the trainer knows all paths.
    fn validate_groups(&self) -> Result<(), String> {
        let patterns = self.train.groups.iter().flat_map(|group| &group.parameters);
        self.validate_patterns("train.groups.parameters", patterns)
    }

    /// The same of `[lora]`, and what cannot stand beside it.
    fn validate_lora(&self) -> Result<(), String> {
        let Some(lora) = &self.lora else {
            return Ok(());
        };
        lora.validate().map_err(|e| e.to_string())?;
        self.validate_patterns("lora.on", &lora.on)?;
        self.validate_patterns("lora.also", &lora.also)?;
        let tables = serde_json::to_value(&self.encoders).unwrap_or_default();
        for modality in self.encoders.modalities() {
            let name = modality.name();
            if tables[name]["tune"] == "lora" {
                return Err(format!(
                    "encoders.{name}.tune = \"lora\" and [lora] both add to its matrices: use tune = \"whole\" beside [lora], or remove [lora]"
                ));
            }
        }
        Ok(())
    }

    fn validate_patterns<'a>(
        &self,
        key: &str,
        patterns: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), String> {
        let modalities = self.encoders.modalities();
        let known: Vec<&str> = modalities.iter().map(|m| m.name()).collect();
        for pattern in patterns {
            let mut names = pattern.split('.');
            let (Some("encoders"), Some(name)) = (names.next(), names.next()) else {
                continue;
            };
            if name.contains('*') || known.contains(&name) {
                continue;
            }
            let near = nearest(name, &known).map(|near| format!("; did you mean {near:?}?"));
            return Err(format!(
                "{key} = {pattern:?} names no encoder of the recipe: it has {}{}",
                known.join(", "),
                near.unwrap_or_default()
            ));
        }
        Ok(())
    }
}

impl Recipe {
    /// Whether the fusion can work, and can join these modalities: their widths are known when the encoders are made.
    fn validate_fusion(&self) -> Result<(), sensorium_fusion::Error> {
        self.fusion.validate()?;
        let modalities: Vec<Modality> = self.encoders.modalities().into_iter().collect();
        self.fusion.validate_for(&modalities)
    }
}

impl Recipe {
    /// Refuses what `[data]` says of labels that the objective has no use for.
    fn validate_labels(&self) -> Result<(), String> {
        let (kind, labels) = (self.objective.kind, self.objective.kind.labels());
        let no_effect = |key: &str, why: &str| {
            Err(format!(
                "data.{key} has no effect with objective.kind = {:?}, {why}: remove it",
                kind.name()
            ))
        };
        match labels {
            Some(LabelKind::Numbers) if self.data.labels.is_some() => {
                return no_effect("labels", "whose labels are numbers");
            }
            Some(LabelKind::Numbers | LabelKind::Several)
                if self.data.labels_per_class.is_some() =>
            {
                return no_effect("labels_per_class", "whose rows are not of one class each");
            }
            _ => {}
        }
        match (&self.data.columns.label_separator, labels) {
            (None, _) => Ok(()),
            (Some(separator), _) if separator.trim().is_empty() => Err(format!(
                "data.columns.label_separator = {separator:?} parts nothing: use a sign such as \";\""
            )),
            (Some(_), Some(LabelKind::Numbers | LabelKind::Several)) => Ok(()),
            (Some(_), _) => no_effect("columns.label_separator", "which reads one class a cell"),
        }
    }
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

    fn validate(&self, modalities: &BTreeSet<Modality>) -> Result<(), String> {
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
}

impl DataConfig {
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

impl BatchConfig {
    fn validate(&self, modalities: &BTreeSet<Modality>) -> Result<(), String> {
        let known: Vec<&str> = modalities.iter().map(|m| m.name()).collect();
        if let Some(name) = self
            .bucket_by
            .as_deref()
            .filter(|name| !known.contains(name))
        {
            let near = nearest(name, &known).map(|near| format!("; did you mean {near:?}?"));
            return Err(format!(
                "batch.bucket_by = {name:?} is no modality of the recipe: it has {}{}",
                known.join(", "),
                near.unwrap_or_default()
            ));
        }
        for (key, value) in [("size", self.size), ("eval_size", self.eval_size)] {
            if value == 0 || value > 65_536 {
                return Err(format!("batch.{key} = {value} must be between 1 and 65536"));
            }
        }
        if !(0.0..1.0).contains(&self.modality_dropout) {
            return Err(format!(
                "batch.modality_dropout = {} must be at least 0 and below 1",
                self.modality_dropout
            ));
        }
        Ok(())
    }

    /// The memory that prepared rows may take.
    pub fn room(&self) -> Room {
        Room {
            rows: self.cache_rows,
            bytes: self.cache_mib.saturating_mul(1 << 20),
        }
    }

    /// How many threads decode and prepare.
    pub fn n_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.min(256),
        }
    }
}
