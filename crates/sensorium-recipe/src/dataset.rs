//! The rows a recipe asks for, in their parts for training, validation and testing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_core::{Modality, Source, seed};
use sensorium_data::{
    BUILT_IN, BadRow, Columns, Maker, Row, Rows, Split, Splits, Table, built_in, order,
};

use crate::labels::{LabelKind, LabelSet};
use crate::parse::nearest;
use crate::{Error, Recipe};

/// A data set opened as a recipe asks.
#[derive(Debug)]
pub struct Dataset {
    /// What to call it.
    pub name: String,
    /// Every good row.
    pub table: Table,
    /// Rows of other data sets that are learned from as well; none before [`learn_also`](Self::learn_also).
    pub also: Rows,
    /// What these data sets are called, and how many rows are of each.
    pub others: Vec<(String, usize)>,
    /// Rows left out.
    pub bad: Vec<BadRow>,
    /// What rows are labelled with; nothing where nothing is learned of it.
    pub labels: Option<LabelSet>,
    /// Which rows are for what; nothing for anything before [`split`](Self::split).
    pub splits: Splits,
    /// What a person should know of it, a line each.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Opens the recipe's data, or `instead` of it; `labels` are those of a model that exists.
    ///
    /// # Errors
    /// If it cannot be read, has bad rows that are not to be skipped, or labels outside the classes.
    pub fn open(
        recipe: &Recipe,
        instead: Option<&Path>,
        labels: Option<LabelSet>,
    ) -> Result<Self, Error> {
        let data = &recipe.data;
        let path = instead.map(Path::to_owned).or_else(|| data.path.clone());
        let Opened {
            name,
            table,
            bad,
            notes,
        } = match path {
            Some(path) => Opened::listed(recipe, &path)?,
            None => {
                let name = data.set.as_deref().unwrap_or(BUILT_IN[0].0);
                let make = maker(name).map_err(|message| Error::Recipe {
                    place: "[data]".to_owned(),
                    message,
                })?;
                Opened::made(name, make)?
            }
        };
        let labels = match labels {
            Some(labels) => Some(labels),
            None => {
                if recipe.objective.kind.has_classes() && data.labels.is_none() {
                    need_a_label(&name, &table.rows, &data.columns.label)?;
                }
                LabelSet::of_rows(recipe, &table.rows)?
            }
        };
        Ok(Self {
            name,
            table,
            also: Rows::default(),
            others: Vec::new(),
            bad,
            labels,
            splits: Splits::default(),
            notes,
        })
    }

    /// Adds what is learned from beside this data set: of one that parts its rows, those for training; of another, all.
    ///
    /// # Errors
    /// If one is this data set itself or named twice, cannot be read, or has bad rows that are not to be skipped.
    pub fn learn_also(&mut self, recipe: &Recipe) -> Result<(), Error> {
        let mut known = BTreeSet::from([self.name.clone()]);
        let mut also = Vec::new();
        for name in &recipe.data.also {
            if !known.insert(name.clone()) {
                return Err(Error::Recipe {
                    place: "data.also".to_owned(),
                    message: format!("{name:?} is learned from already: remove it"),
                });
            }
            let opened = match built_in(name) {
                Some(make) => Opened::made(name, make)?,
                None => Opened::listed(recipe, Path::new(name))?,
            };
            let rows = for_training(&opened.table.rows);
            if !recipe.data.weights.is_empty() {
                let looked_at = recipe.encoders.modalities();
                alike(&looked_at, (&self.name, &self.table.rows), (name, &rows))?;
            }
            self.others.push((name.clone(), rows.len()));
            self.notes.extend(opened.notes);
            self.notes.push(format!(
                "{} rows of {name} are learned from too",
                rows.len()
            ));
            self.bad.extend(opened.bad);
            let named = rows.iter().map(|row| Row {
                id: format!("{name}/{}", row.id),
                ..row
            });
            also.push(named.collect());
        }
        self.also = Rows::joined(also);
        Ok(())
    }

    /// Parts the rows as the recipe asks.
    ///
    /// # Errors
    /// If they cannot be parted so.
    pub fn split(&mut self, recipe: &Recipe) -> Result<(), Error> {
        let split = recipe.data.split();
        let (rows, seed) = (&self.table.rows, recipe.train.seed);
        self.splits = match recipe.objective.kind.labels() {
            Some(labels) if !labels.is_class() => split.split_alike(rows, seed)?,
            _ => split.split(rows, seed)?,
        };
        Ok(())
    }

    /// Takes the labels of all training rows away but so many of each class as the recipe keeps, drawn by its seed.
    pub fn keep_labels(&mut self, recipe: &Recipe) {
        let Some(most) = recipe.data.labels_per_class else {
            return;
        };
        let seed = seed::derive(recipe.train.seed, &[seed::of_name("labels kept")]);
        let own = self.splits.train.iter().map(|i| (false, *i));
        let others = (0..self.also.len()).map(|i| (true, i));
        let rows: Vec<(bool, usize)> = own.chain(others).collect();
        let mut left = BTreeMap::<&str, usize>::new();
        let mut lost = [self.table.rows.len(), self.also.len()].map(|rows| vec![false; rows]);
        for i in order(seed, 0, rows.len()) {
            let (of_others, i) = rows[i];
            let row = match of_others {
                false => self.table.rows.at(i),
                true => self.also.at(i),
            };
            let Some(label) = row.label() else { continue };
            let left = left.entry(label).or_insert(most);
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => lost[usize::from(of_others)][i] = true,
            }
        }
        let [own, others] = lost;
        self.table.rows = without_labels(&self.table.rows, &own);
        self.also = without_labels(&self.also, &others);
    }

    /// The rows of a part of this data set.
    pub fn part(&self, part: &[usize]) -> Rows {
        self.table.rows.select(part.iter().copied())
    }

    /// All rows that are learned from, others' too.
    pub fn training(&self) -> Rows {
        Rows::joined([self.part(&self.splits.train), self.also.clone()])
    }
}

/// The same rows, of which some have no label any more.
fn without_labels(rows: &Rows, lost: &[bool]) -> Rows {
    let rows = rows.iter().zip(lost).map(|(row, lost)| Row {
        label: row.label.filter(|_| !lost),
        ..row
    });
    rows.collect()
}

/// The contents of rows in one modality, for processors that learn.
pub(crate) fn sources(rows: &Rows, modality: Modality) -> impl Iterator<Item = Source> {
    let inputs = rows.refs();
    inputs.filter_map(move |row| row.input(modality.name()))
}

/// Of a data set that parts its rows those for training, of another all.
fn for_training(rows: &Rows) -> Rows {
    match rows.refs().any(|row| row.split().is_some()) {
        true => rows.filter(|row| row.split() == Some(Split::Train)),
        false => rows.clone(),
    }
}

/// Rows, those that are bad, and what a person should know of them.
pub(crate) type Besides = (Rows, Vec<BadRow>, Vec<String>);

/// What would be learned from of a data set beside another.
pub(crate) fn besides(name: &str, columns: &Columns) -> Result<Besides, Error> {
    let (rows, bad, notes) = match built_in(name) {
        Some(make) => {
            let made = Opened::made(name, make)?;
            (made.table.rows, made.bad, made.notes)
        }
        None => {
            let opened = sensorium_data::survey(Path::new(name), columns)?;
            (opened.table.rows, opened.bad, opened.notes)
        }
    };
    Ok((for_training(&rows), bad, notes))
}

/// Refuses to draw by weight from data sets that have not the same of the modalities that are looked at, or from one without rows:
/// what a weight says would not be so.
fn alike(
    looked_at: &BTreeSet<Modality>,
    first: (&str, &Rows),
    other: (&str, &Rows),
) -> Result<(), Error> {
    let refuse = |message: String| {
        Err(Error::Recipe {
            place: "data.weights".to_owned(),
            message,
        })
    };
    let columns = |rows: &Rows| -> BTreeSet<&str> {
        let names = looked_at.iter().map(|modality| modality.name());
        names
            .filter(|name| rows.refs().any(|row| row.has_input(name)))
            .collect()
    };
    let [own, theirs] = [first.1, other.1].map(columns);
    if other.1.is_empty() {
        return refuse(format!("{} has no rows to learn from", other.0));
    }
    let lacking = own.symmetric_difference(&theirs).next();
    match lacking {
        None => Ok(()),
        Some(column) => {
            let (has, lacks) = match own.contains(column) {
                true => (first.0, other.0),
                false => (other.0, first.0),
            };
            refuse(format!(
                "{has} has a column {column} and {lacks} has none: data sets that are drawn by weight have the same"
            ))
        }
    }
}

/// Refuses rows of which none has a label, with what else they have.
fn need_a_label(data: &str, rows: &Rows, column: &str) -> Result<(), Error> {
    if rows.is_empty() || rows.refs().any(|row| row.label().is_some()) {
        return Ok(());
    }
    let others = rows.iter().flat_map(|row| row.meta);
    let others: BTreeSet<Arc<str>> = others.map(|(key, _)| key).collect();
    let others: Vec<&str> = others.iter().map(|key| &**key).collect();
    let instead = match (&others[..], nearest(column, &others)) {
        ([], _) => String::new(),
        (_, Some(near)) => format!("; did you mean data.columns.label = {near:?}?"),
        (_, None) => format!(
            "; if it stands in another, say so with data.columns.label: there are {}",
            others.join(", ")
        ),
    };
    Err(Error::Data(sensorium_data::Error::Label {
        place: data.to_owned(),
        reason: format!("no row has a label in a column {column:?}{instead}"),
    }))
}

/// What makes the data set of a name that comes with the program; else what to say.
pub(crate) fn maker(name: &str) -> Result<Maker, String> {
    if let Some(make) = built_in(name) {
        return Ok(make);
    }
    let names = BUILT_IN.map(|(known, _)| known);
    let near = nearest(name, &names).map(|near| format!("; did you mean {near:?}?"));
    Err(format!(
        "data.set = {name:?} is none of {}{}",
        names.join(", "),
        near.unwrap_or_default()
    ))
}

/// Rows as they were found.
struct Opened {
    name: String,
    table: Table,
    bad: Vec<BadRow>,
    notes: Vec<String>,
}

impl Opened {
    /// What comes with the program.
    fn made(name: &str, make: Maker) -> Result<Self, Error> {
        Ok(Self {
            name: name.to_owned(),
            table: make()?,
            bad: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// What a manifest or a folder lists, in the recipe's columns.
    fn listed(recipe: &Recipe, path: &Path) -> Result<Self, Error> {
        let data = &recipe.data;
        let columns = columns_of(recipe);
        let opened = sensorium_data::open(path, &columns, data.on_error)?;
        Ok(Self {
            name: path.display().to_string(),
            table: opened.table,
            bad: opened.bad,
            notes: opened.notes,
        })
    }
}

/// The columns that a recipe looks at.
pub(crate) fn columns_of(recipe: &Recipe) -> Columns {
    // A column that the recipe has no use for may hold what it likes.
    let modalities = recipe.encoders.modalities();
    let mut columns = recipe.data.columns.clone();
    columns
        .inputs
        .retain(|name, _| modalities.iter().any(|m| m.name() == name));
    columns.empty_labels = recipe.objective.kind.labels() == Some(LabelKind::Several);
    columns.for_modalities(modalities.iter().map(|m| m.name()))
}

/// A path as the resolved recipe keeps it: absolute, so that the run can be opened from anywhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_stands_elsewhere_is_looked_for() {
        let row = |meta: &[&str]| Row {
            id: "1".to_owned(),
            label: None,
            split: None,
            group: None,
            inputs: Default::default(),
            meta: meta.iter().map(|key| (*key, "x")).collect(),
            place: Default::default(),
        };
        let told = |meta: &[&str]| {
            need_a_label("a.csv", &vec![row(meta)].into(), "label")
                .unwrap_err()
                .to_string()
        };
        let begin = "a.csv, column label: no row has a label in a column \"label\"";
        assert_eq!(told(&[]), begin);
        assert_eq!(
            told(&["lable", "place"]),
            format!("{begin}; did you mean data.columns.label = \"lable\"?")
        );
        assert_eq!(
            told(&["species", "place"]),
            format!(
                "{begin}; if it stands in another, say so with data.columns.label: there are place, species"
            )
        );
        let labelled = Row {
            label: Some("cat".to_owned()),
            ..row(&[])
        };
        assert!(need_a_label("a.csv", &vec![row(&[]), labelled].into(), "label").is_ok());
    }
}
