//! The recipe: everything a run depends on, as one table that a person writes.

mod batch;
mod data;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sensorium_core::Modality;
use sensorium_fusion::{FusionConfig, HeadConfig};
use sensorium_train::{LoraConfig, Precision, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::folder::read_text;
use crate::labels::LabelKind;
use crate::modalities::EncoderConfigs;
use crate::objective::{ObjectiveConfig, Task};
use crate::parse::{nearest, parse};
use crate::place::place;
use crate::pretext::ZeroShotConfig;
use crate::variations::{NamedStage, Stage};
use crate::writing::DecoderConfig;
use crate::{Error, builtin};
pub use batch::BatchConfig;
pub use data::{DataConfig, ShuffleConfig};

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
    /// What answers where that is a text.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::writing::serialize"
    )]
    pub decoder: Option<DecoderConfig>,
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
        self.validate_decoder()?;
        self.validate_others()?;
        self.validate_precision()?;
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
        let modalities = self.encoders_apart().modalities();
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
        let modalities = self.encoders_apart().modalities();
        let modalities: Vec<Modality> = modalities.into_iter().collect();
        // A decoder that reads texts alone has nothing to join.
        if modalities.is_empty() {
            return Ok(());
        }
        self.fusion.validate_for(&modalities)
    }
}

impl Recipe {
    /// What writes texts.
    pub(crate) fn decoder(&self) -> DecoderConfig {
        self.decoder.clone().unwrap_or_default()
    }

    /// Whether it can work, and has something to do.
    fn validate_decoder(&self) -> Result<(), String> {
        match (&self.decoder, self.objective.kind.labels()) {
            (Some(_), labels) if labels != Some(LabelKind::Text) => Err(format!(
                "decoder has no effect with objective.kind = {:?}: remove it, or use \"text\"",
                self.objective.kind.name()
            )),
            (Some(decoder), _) => decoder.validate(),
            (None, _) => Ok(()),
        }?;
        self.validate_reading()
    }
}

impl Recipe {
    /// Refuses half the width where not all that is computed has been made for it.
    fn validate_precision(&self) -> Result<(), String> {
        if self.train.precision == Precision::F32 {
            return Ok(());
        }
        if !matches!(self.objective.kind.task(), Task::Classes | Task::Targets) {
            return Err(format!(
                "train.precision = \"bf16\" is for what learns from labels alone, and objective.kind = {:?} is not: leave it out",
                self.objective.kind.name()
            ));
        }
        let encoders = self.table().remove("encoders");
        let audio = encoders.as_ref().and_then(|all| all.get("audio"));
        if audio.is_some_and(|audio| audio.get("from").is_some()) {
            return Err(
                "train.precision = \"bf16\" is not for published towers of sound (encoders.audio.from): leave it out".to_owned(),
            );
        }
        Ok(())
    }

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
            Some(LabelKind::Text) if self.data.labels.is_some() => {
                return no_effect("labels", "whose labels are texts");
            }
            Some(LabelKind::Numbers | LabelKind::Several | LabelKind::Text)
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
