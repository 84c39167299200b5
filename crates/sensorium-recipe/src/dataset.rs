//! The rows a recipe asks for, in their parts for training, validation and testing.

use std::path::{Path, PathBuf};

use sensorium_core::Modality;
use sensorium_data::{BadRow, Labels, Row, Splits, Table};

use crate::{Error, Recipe};

/// A data set opened as a recipe asks.
#[derive(Debug)]
pub struct Dataset {
    /// What to call it.
    pub name: String,
    /// Every good row.
    pub table: Table,
    /// Rows left out.
    pub bad: Vec<BadRow>,
    /// The classes.
    pub labels: Labels,
    /// Which rows are for what; nothing for anything before [`split`](Self::split).
    pub splits: Splits,
    /// What a person should know of it, a line each.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Opens the recipe's data, or `instead` of it; `labels` are the classes of a model that exists.
    ///
    /// # Errors
    /// If it cannot be read, has bad rows that are not to be skipped, or labels outside the classes.
    pub fn open(
        recipe: &Recipe,
        instead: Option<&Path>,
        labels: Option<Vec<String>>,
    ) -> Result<Self, Error> {
        let data = &recipe.data;
        let path = instead.map(Path::to_owned).or_else(|| data.path.clone());
        let (name, table, bad, notes) = match path {
            Some(path) => {
                // A column that the recipe has no use for may hold what it likes.
                let modalities = recipe.encoders.modalities();
                let mut columns = data.columns.clone();
                columns
                    .inputs
                    .retain(|name, _| modalities.iter().any(|m| m.name() == name));
                let columns = columns.for_modalities(modalities.iter().map(|m| m.name()));
                let opened = sensorium_data::open(&path, &columns, data.on_error)?;
                let name = path.display().to_string();
                (name, opened.table, opened.bad, opened.notes)
            }
            None => {
                let name = data.set.as_deref().unwrap_or("av-digits");
                let table = sensorium_data::av_digits::embedded()?;
                (name.to_owned(), table, Vec::new(), Vec::new())
            }
        };
        let labels = match labels.or_else(|| data.labels.clone()) {
            Some(names) => Labels::given(names)?,
            None => Labels::from_rows(&table.rows)?,
        };
        Ok(Self {
            name,
            table,
            bad,
            labels,
            splits: Splits::default(),
            notes,
        })
    }

    /// Parts the rows as the recipe asks.
    ///
    /// # Errors
    /// If they cannot be parted so.
    pub fn split(&mut self, recipe: &Recipe) -> Result<(), Error> {
        let split = recipe.data.split();
        self.splits = split.split(&self.table.rows, recipe.train.seed)?;
        Ok(())
    }

    /// The rows of a part.
    pub fn rows(&self, part: &[usize]) -> Vec<Row> {
        part.iter().map(|i| self.table.rows[*i].clone()).collect()
    }

    /// Raw inputs of the training rows, for processors that learn.
    pub fn training_sources(
        &self,
        modality: Modality,
    ) -> impl Iterator<Item = &sensorium_core::Source> {
        self.splits
            .train
            .iter()
            .filter_map(move |i| self.table.rows[*i].inputs.get(modality.name()))
    }
}

/// A path as the resolved recipe keeps it: absolute, so that the run can be opened from anywhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
