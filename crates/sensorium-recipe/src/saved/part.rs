//! A run's exported model and the rows it is measured on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_data::{BadRow, Rows};
use serde::Serialize;

use crate::dataset::Dataset;
use crate::folder::{LARGEST, ModelConfig, RunFolder, read_json};
use crate::how::{How, Wanted};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::prepare::{Prepared, prepare};
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

/// Those rows of a data set that are asked for.
pub(super) struct Opened {
    /// What the data set is called.
    pub(super) data: String,
    pub(super) part: Part,
    pub(super) rows: Rows,
    /// Rows of the data set that were left out when it was read.
    pub(super) bad: Vec<BadRow>,
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
        let names_split = set.table.rows.refs().any(|row| row.split().is_some());
        let part = part.unwrap_or(match data {
            Some(_) if !names_split => Part::All,
            _ => Part::Test,
        });
        if part != Part::All {
            set.split(recipe)?;
        }
        let rows = match part {
            Part::Train => set.part(&set.splits.train),
            Part::Valid => set.part(&set.splits.valid),
            Part::Test => set.part(&set.splits.test),
            Part::All => set.table.rows,
        };
        Ok(Self {
            data: set.name,
            part,
            rows,
            bad: set.bad,
        })
    }
}

/// Prepares rows of a data set, of which some were bad before; returns all that are, and says which.
pub(super) fn prepared(
    rows: Rows,
    mut bad: Vec<BadRow>,
    processors: &Arc<Processors>,
    wanted: Wanted<'_>,
    recipe: &Recipe,
    observer: &mut dyn Observer,
) -> Result<(Prepared, Vec<BadRow>), Error> {
    let how = How {
        on_error: recipe.data.on_error,
        when: recipe.data.prepare,
        threads: recipe.batch.n_threads(),
        room: recipe.batch.room(),
    };
    let done = prepare(rows, processors, wanted, how, observer)?;
    bad.extend(done.bad);
    for bad in &bad {
        observer.note(&format!("left out: {bad}"));
    }
    Ok((done.prepared, bad))
}

/// A run's exported model.
pub(crate) struct Exported {
    /// What it was built from.
    pub(crate) config: ModelConfig,
    /// What it answers with; nothing, if it learned without labels.
    pub(crate) labels: Option<LabelSet>,
    /// What prepares its inputs.
    pub(crate) processors: Processors,
    /// Where its weights are.
    pub(crate) weights: PathBuf,
}

impl Exported {
    /// Of a run that has got so far.
    pub(crate) fn open(run: &Path) -> Result<Self, Error> {
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
        let labels = config.check(&dir.join("config.json"))?;
        let processors = config.recipe.open_processors(&dir, labels.as_ref())?;
        Ok(Self {
            config,
            labels,
            processors,
            weights: dir.join("model.safetensors"),
        })
    }
}
