//! A run's exported model and the rows it is measured on.

use std::path::{Path, PathBuf};

use sensorium_data::Row;
use serde::Serialize;

use crate::dataset::Dataset;
use crate::folder::{LARGEST, ModelConfig, RunFolder, read_json};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::{Error, Observer, Recipe};

/// Which rows of a data set to measure on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What the model learned from.
    Train,
    /// What it was chosen by.
    Valid,
    /// What it has never seen.
    Test,
    /// Every row.
    All,
}

impl Part {
    /// As it stands in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
            Self::All => "all",
        }
    }

    /// That it has no row left to measure on.
    pub(super) fn empty(self, data: &str, why: &str) -> Error {
        Error::Empty {
            what: format!("the part {} of {data}", self.name()),
            why: why.to_owned(),
        }
    }
}

/// A data set and those of its rows that are asked for.
pub(super) struct Opened {
    pub(super) set: Dataset,
    pub(super) part: Part,
    pub(super) rows: Vec<Row>,
}

impl Opened {
    /// A part of the recipe's data, or of `data` in its place. Without a part it is the test part, or every row of a `data` that
    /// names no split.
    pub(super) fn of(
        recipe: &Recipe,
        data: Option<&Path>,
        part: Option<Part>,
        labels: Option<LabelSet>,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let mut set = Dataset::open(recipe, data, labels)?;
        set.notes.iter().for_each(|line| observer.note(line));
        let names_split = set.table.rows.iter().any(|row| row.split.is_some());
        let part = part.unwrap_or(match data {
            Some(_) if !names_split => Part::All,
            _ => Part::Test,
        });
        if part != Part::All {
            set.split(recipe)?;
        }
        let rows = match part {
            Part::Train => set.part(&set.splits.train).cloned().collect(),
            Part::Valid => set.part(&set.splits.valid).cloned().collect(),
            Part::Test => set.part(&set.splits.test).cloned().collect(),
            Part::All => set.table.rows.clone(),
        };
        Ok(Self { set, part, rows })
    }
}

/// What a run's exported model was built from, what prepares its inputs, and where its weights are.
pub(super) fn opened(run: &Path) -> Result<(ModelConfig, Processors, PathBuf), Error> {
    let dir = RunFolder::open(run)?.model_path();
    if !dir.is_dir() {
        return Err(Error::folder(
            run,
            format!(
                "has no model yet: go on with `sensorium train --resume {}`",
                run.display()
            ),
        ));
    }
    let config: ModelConfig = read_json(&dir.join("config.json"), LARGEST)?;
    config.check(&dir.join("config.json"))?;
    let processors = config.recipe.encoders.open(&dir);
    let processors = processors.map_err(|reason| Error::Modality {
        what: format!("opening {}", dir.display()),
        reason,
    })?;
    Ok((config, processors, dir.join("model.safetensors")))
}
