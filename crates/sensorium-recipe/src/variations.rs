//! Recipes made of another: what its `[pretrain]` and `[beside]` ask for.

use std::collections::BTreeMap;

use sensorium_data::SEPARATOR;
use sensorium_train::OptimizerKind;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::labels::LabelKind;
use crate::objective::{ObjectiveKind, Task};
use crate::parse::nearest;
use crate::session::check_stage;
use crate::{Error, Recipe};

/// `[pretrain.NAME]`: an encoder first learns without labels, in a run of its own. Keys that stand here replace the recipe's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stage {
    /// Keys of `[data]`.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub data: Table,
    /// Keys of `[batch]`.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub batch: Table,
    /// The table `[objective]`, whole.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub objective: Table,
    /// Keys of `[train]`.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub train: Table,
}

/// `[[stages]]`: the recipe with something set, which is learned before the recipe itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedStage {
    /// What it is called, and its folder.
    pub name: String,
    /// What is another in it than in the recipe, as `--set` has it.
    #[serde(default)]
    pub set: Vec<String>,
}

/// Tables that say what comes before, after or beside.
const OTHERS: [&str; 6] = ["frozen", "start", "pretrain", "stages", "beside", "lora"];

impl Recipe {
    /// Refuses what `frozen`, `start`, `pretrain` and `beside` cannot mean.
    pub(crate) fn validate_others(&self) -> Result<(), String> {
        let modalities = self.encoders.modalities();
        let known: Vec<&str> = modalities.iter().map(|m| m.name()).collect();
        let named = |key: &str, name: &str| match known.contains(&name) {
            true => Ok(()),
            false => {
                let near = nearest(name, &known).map(|near| format!("; did you mean {near:?}?"));
                let near = near.unwrap_or_default();
                Err(format!(
                    "{key} names no encoder of the recipe: it has {}{near}",
                    known.join(", ")
                ))
            }
        };
        for name in &self.frozen {
            named(&format!("frozen = {name:?}"), name)?;
        }
        for name in self.start.keys() {
            named(&format!("start.{name}"), name)?;
            if self.pretrain.contains_key(name) {
                return Err(format!(
                    "start.{name} and pretrain.{name} exclude each other: remove one"
                ));
            }
        }
        for name in self.pretrain.keys() {
            named(&format!("pretrain.{name}"), name)?;
            self.derived(name)
                .map_err(|message| format!("pretrain.{name}: {message}"))?;
        }
        for (n, stage) in self.stages.iter().enumerate() {
            let place = format!("stages.{}", stage.name);
            if self.stages[..n]
                .iter()
                .any(|other| other.name == stage.name)
            {
                return Err(format!(
                    "{place} is there twice: give each a name of its own"
                ));
            }
            self.varied(&place, &stage.name, &stage.set)?;
        }
        for (name, sets) in &self.beside {
            self.varied(&format!("beside.{name}"), name, sets)?;
        }
        Ok(())
    }

    /// Refuses a variation that has no folder's name, or is no recipe.
    fn varied(&self, place: &str, name: &str, sets: &[String]) -> Result<(), String> {
        let simple = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(simple) {
            return Err(format!(
                "{place} becomes a folder's name: use letters, digits, - and _"
            ));
        }
        let is_stage = place.starts_with("stages");
        let varied = match is_stage {
            true => self.before(name, sets),
            false => self.with(name, sets),
        };
        let varied = varied.map_err(|error| match error {
            Error::Recipe {
                place: key,
                message,
            } => format!("{place}: {key}: {message}"),
            other => format!("{place}: {other}"),
        })?;
        match is_stage {
            true => check_stage(&varied, self).map_err(|message| format!("{place}: {message}")),
            false => Ok(()),
        }
    }

    /// A stage that comes before: the recipe with something set, and nothing before or beside it.
    pub(crate) fn before(&self, name: &str, sets: &[String]) -> Result<Self, Error> {
        let alone = Self {
            stages: Vec::new(),
            pretrain: BTreeMap::new(),
            start: BTreeMap::new(),
            ..self.clone()
        };
        alone.with(name, sets)
    }

    /// The run in which an encoder first learns without labels.
    pub(crate) fn stage(&self, name: &str) -> Result<Self, Error> {
        self.derived(name).map_err(|message| Error::Recipe {
            place: format!("pretrain.{name}"),
            message,
        })
    }

    fn derived(&self, name: &str) -> Result<Self, String> {
        let stage = &self.pretrain[name];
        let mut table = self.table();
        for key in OTHERS
            .into_iter()
            .chain(["fusion", "head", "decoder", "about"])
        {
            table.remove(key);
        }
        table.insert(
            "name".to_owned(),
            Value::from(format!("{}-{name}", self.name)),
        );
        table.insert("objective".to_owned(), Value::from(stage.objective.clone()));
        let of = |table: &mut Table, key: &str, others: &Table| {
            let own = table
                .entry(key.to_owned())
                .or_insert_with(|| Value::from(Table::new()));
            let own = own.as_table_mut().expect("a recipe's tables are tables");
            own.extend(others.clone());
        };
        // Rows are put together by what there is.
        if let Some(Value::Table(batch)) = table.get_mut("batch")
            && batch.get("bucket_by").and_then(Value::as_str) != Some(name)
        {
            batch.remove("bucket_by");
        }
        // Labels have no say, and one way to say how long takes the place of the other.
        if let Some(Value::Table(data)) = table.get_mut("data") {
            data.remove("labels_per_class");
            if let Some(Value::Table(columns)) = data.get_mut("columns") {
                columns.remove("label_separator");
            }
        }
        if let Some(Value::Table(train)) = table.get_mut("train") {
            if stage.train.contains_key("epochs") {
                train.remove("steps");
            }
            // Groups name parameters of another model, and an optimizer's keys go with it.
            train.remove("groups");
            train.remove("precision");
            if stage.train.contains_key("optimizer") {
                train.retain(|key, _| !OptimizerKind::KEYS.contains(&key));
            }
        }
        of(&mut table, "data", &stage.data);
        of(&mut table, "batch", &stage.batch);
        of(&mut table, "train", &stage.train);
        let recipe =
            Self::deserialize(Value::from(table)).map_err(|error| error.message().to_owned())?;
        let recipe = Self {
            encoders: recipe.encoders.only(name),
            ..recipe
        };
        recipe.validate()?;
        match recipe.objective.kind.task() {
            Task::Pretext => Ok(recipe),
            _ => Err(format!(
                "objective.kind = {:?} does not make one encoder without labels: use {}",
                recipe.objective.kind.name(),
                ObjectiveKind::ALL
                    .into_iter()
                    .filter(|kind| kind.task() == Task::Pretext)
                    .map(ObjectiveKind::name)
                    .collect::<Vec<_>>()
                    .join(" or ")
            )),
        }
    }

    /// What is trained beside a run of so many steps, by name: each as a recipe of its own.
    pub(crate) fn variations(&self, steps: usize) -> Result<BTreeMap<String, Self>, Error> {
        let mut all: BTreeMap<String, Self> = self
            .beside
            .iter()
            .map(|(name, sets)| Ok((name.clone(), self.with(name, sets)?)))
            .collect::<Result<_, Error>>()?;
        // What is gained by rows without labels, or by a teacher, is never said without what the labels alone give.
        if matches!(self.objective.kind.task(), Task::Semi | Task::Taught)
            && !all
                .values()
                .any(|v| v.objective.kind.task() == Task::Classes)
        {
            let mut alone = self.with(LABELS_ALONE, &[])?;
            alone.objective = self.objective.labels_alone();
            alone.train.steps = Some(steps);
            // Rows that have none are left aside there, whoever took their labels away.
            alone.data.labels_per_class.get_or_insert(ALL_LABELS);
            all.insert(LABELS_ALONE.to_owned(), alone);
        }
        Ok(all)
    }

    /// The recipe with something set, and nothing beside it.
    fn with(&self, name: &str, sets: &[String]) -> Result<Self, Error> {
        let mut table = self.table();
        table.remove("beside");
        table.insert(
            "name".to_owned(),
            Value::from(format!("{}-{name}", self.name)),
        );
        let text = toml::to_string(&table).expect("a recipe is a table of plain values");
        Self::parse(&self.name, &text, sets)
    }

    /// The recipe with these keys set, as a run of a sweep.
    pub(crate) fn tried(&self, sets: &[String]) -> Result<Self, Error> {
        let text = toml::to_string(&self.table()).expect("a recipe is a table of plain values");
        Self::parse(&self.name, &text, sets)
    }

    /// The recipe with its objective's defaults written out.
    pub(crate) fn resolved(&self) -> Self {
        let mut recipe = Self {
            objective: self.objective.resolved(),
            train: self.train.resolved(),
            ..self.clone()
        };
        let labels = self.objective.kind.labels();
        if labels == Some(LabelKind::Text) {
            recipe.decoder = Some(self.decoder());
        } else if labels.is_some_and(|labels| !labels.is_class()) {
            let separator = &mut recipe.data.columns.label_separator;
            separator.get_or_insert_with(|| SEPARATOR.to_owned());
        }
        recipe
    }

    /// The tables that have no say, given the objective and the encoders.
    pub(crate) fn without_say(&self) -> &'static [&'static str] {
        let several = self.encoders_apart().modalities().len() > 1;
        match self.objective.kind.labels() {
            Some(LabelKind::Text) if several => &["head"],
            Some(LabelKind::Text) => &["fusion", "head"],
            _ if self.objective.kind.fuses() => &["decoder"],
            _ => &["fusion", "head", "decoder"],
        }
    }

    /// What stands in its file, without what has no say.
    pub(crate) fn table(&self) -> Table {
        match Value::try_from(self) {
            Ok(Value::Table(mut table)) => {
                for key in self.without_say() {
                    table.remove(*key);
                }
                table
            }
            _ => unreachable!("a recipe is a table of plain values"),
        }
    }
}

/// As many labels of a class as there are.
const ALL_LABELS: usize = 1 << 30;

/// What learning from the labels alone is called.
const LABELS_ALONE: &str = "labels-alone";
