//! From named cells to a row: the same rules for every kind of manifest.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_core::Source;

use super::Names;
use crate::columns::Holds;
use crate::error::hint;
use crate::rows::Packer;
use crate::{BadRow, Columns, Error, Few, Place, Row, Rows, Split};

/// Cells by column; one that is nothing is none. Of two in one column the last counts.
pub(crate) type Cells = Vec<(Arc<str>, Option<String>)>;

/// Cells that are something, in the order of their columns.
type There = Vec<(Arc<str>, String)>;

/// What a row has besides its cells.
pub(crate) struct Own {
    /// Its id, unless a cell names another.
    pub(crate) id: Option<String>,
    /// Its part, unless a cell names another.
    pub(crate) split: Option<Split>,
    /// Content that stands in no cell.
    pub(crate) inputs: Vec<(Arc<str>, Source)>,
    /// Whether cells name files.
    pub(crate) paths: bool,
}

/// What a file holds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) rows: Rows,
    pub(crate) bad: Vec<BadRow>,
    /// The rows whose ids were made, and not told.
    pub(crate) unnamed: Vec<usize>,
    /// The columns there are.
    pub(crate) seen: BTreeSet<String>,
    /// What is nothing that is asked for, by extension.
    pub(crate) other: BTreeMap<String, usize>,
    /// Why files could not be read to their end.
    pub(crate) broken: Vec<Error>,
    /// What a person should know besides.
    pub(crate) notes: BTreeSet<String>,
}

/// Collects rows and what is wrong with others.
pub(crate) struct Collector<'a> {
    columns: &'a Columns,
    /// What paths are relative to.
    base: PathBuf,
    file: Arc<str>,
    names: Names,
    /// The columns seen, for hints.
    seen: BTreeSet<String>,
    unnamed: Vec<usize>,
    rows: Packer,
    bad: Vec<BadRow>,
}

/// What is wrong with a row: the column and the reason.
type Fault = (String, String);

impl<'a> Collector<'a> {
    pub(crate) fn new(manifest: &Path, columns: &'a Columns) -> Self {
        Self {
            columns,
            base: manifest.parent().unwrap_or(Path::new("")).to_owned(),
            file: manifest.display().to_string().into(),
            names: Names::default(),
            seen: BTreeSet::new(),
            unnamed: Vec::new(),
            rows: Packer::default(),
            bad: Vec::new(),
        }
    }

    pub(crate) fn bad(&mut self, line: u64, column: &str, reason: impl Into<String>) {
        let place = self.place(line);
        self.bad.push(BadRow::new(place, column, reason));
    }

    fn place(&self, line: u64) -> Place {
        Place {
            file: Arc::clone(&self.file),
            row: line,
        }
    }

    /// Takes a row's cells; empty ones are not there, nor what is said to be nothing.
    pub(crate) fn take(&mut self, line: u64, cells: Cells) {
        let own = Own {
            id: None,
            split: None,
            inputs: Vec::new(),
            paths: true,
        };
        self.take_with(line, cells, own);
    }

    /// The same of a row that has more than cells.
    pub(crate) fn take_with(&mut self, line: u64, cells: Cells, own: Own) {
        for (name, _) in &cells {
            if !self.seen.contains(&**name) {
                self.seen.insert(name.to_string());
            }
        }
        let columns = self.columns;
        let may_be_empty = |name: &str| columns.empty_labels && name == columns.label;
        let cells: There = Few::<Arc<str>, Option<String>>::from_iter(cells)
            .into_iter()
            .filter_map(|(name, cell)| Some((name, cell?)))
            .filter(|(name, cell)| !cell.trim().is_empty() || may_be_empty(name))
            .collect();
        if cells.is_empty() && own.inputs.is_empty() {
            return self.bad(line, "", "the row is empty");
        }
        let named = cells.iter().any(|(name, _)| **name == *columns.id);
        match self.row(line, cells, own) {
            Ok(row) => {
                if !named {
                    self.unnamed.push(self.rows.len());
                }
                self.rows.push(&row);
            }
            Err((column, reason)) => self.bad(line, &column, reason),
        }
    }

    fn row(&mut self, line: u64, mut cells: There, own: Own) -> Result<Row, Fault> {
        let columns = self.columns;
        let mut take = |column: &str| {
            let at = cells.iter().position(|(name, _)| **name == *column)?;
            Some(cells.remove(at).1)
        };
        let id = take(&columns.id).or(own.id);
        let id = id.unwrap_or_else(|| format!("row-{line}"));
        let split = match take(&columns.split) {
            None => own.split,
            Some(name) => Some(Split::named(&name).ok_or_else(|| {
                (
                    columns.split.clone(),
                    format!("{name:?} is not train, valid or test"),
                )
            })?),
        };
        let label = take(&columns.label);
        let group = take(&columns.group);
        let mut inputs = own.inputs;
        for (modality, input) in &columns.inputs {
            let asked = own.paths || input.holds == Holds::Text;
            if inputs.iter().any(|(known, _)| **known == **modality) || !asked {
                continue;
            }
            let Some(cell) = take(&input.column) else {
                continue;
            };
            let source = match input.holds {
                Holds::Text => Source::text(cell),
                Holds::File => self
                    .file(&cell)
                    .map_err(|reason| (input.column.clone(), reason))?,
            };
            inputs.push((self.names.share(modality), source));
        }
        if inputs.is_empty() {
            return Err((String::new(), self.nothing()));
        }
        Ok(Row {
            id,
            label,
            split,
            group,
            inputs: inputs.into_iter().collect(),
            meta: cells.into_iter().collect(),
            place: self.place(line),
        })
    }

    /// The file that a cell names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn file(&self, cell: &str) -> Result<Source, String> {
        if cell.contains('\0') {
            return Err("a path cannot hold a zero byte".to_owned());
        }
        let path = self.base.join(cell);
        if !path.is_file() {
            let what = if path.is_dir() {
                "is a folder"
            } else {
                "does not exist"
            };
            return Err(format!("{} {what}", path.display()));
        }
        Ok(Source::path(path))
    }

    fn nothing(&self) -> String {
        let inputs = self.columns.inputs.values();
        let wanted: Vec<&str> = inputs.map(|i| i.column.as_str()).collect();
        format!("the row has none of the columns {}", wanted.join(", "))
    }

    /// What was taken.
    pub(crate) fn found(self) -> Found {
        let mut found = Found {
            rows: self.rows.finish(),
            bad: self.bad,
            unnamed: self.unnamed,
            seen: self.seen,
            ..Found::default()
        };
        let bad = found.bad.len();
        found.leave_out_twins(self.columns);
        if found.bad.len() > bad {
            found.bad.sort_by_key(|bad| bad.place.row);
        }
        found
    }

    /// The rows, once all are taken.
    pub(super) fn finish(self) -> Result<Found, Error> {
        let mut columns = self.columns.inputs.values();
        if !columns.any(|i| self.seen.contains(&i.column)) && !self.seen.is_empty() {
            return Err(no_column(&self.file, self.columns, &self.seen));
        }
        Ok(self.found())
    }
}

impl Found {
    /// Leaves out rows whose id an earlier row has.
    pub(super) fn leave_out_twins(&mut self, columns: &Columns) {
        let mut known = HashSet::with_capacity(self.rows.len());
        let first = self.rows.refs().map(|row| known.insert(row.id()));
        let first: Vec<bool> = first.collect();
        if first.iter().all(|first| *first) {
            return;
        }
        let mut unnamed = std::mem::take(&mut self.unnamed).into_iter().peekable();
        let mut kept = Vec::with_capacity(first.len());
        for (i, first) in first.into_iter().enumerate() {
            let unnamed = unnamed.next_if_eq(&i).is_some();
            if first {
                self.unnamed.extend(unnamed.then_some(kept.len()));
                kept.push(i);
                continue;
            }
            let row = self.rows.at(i);
            let reason = format!("{:?} is the id of an earlier row too", row.id());
            let bad = BadRow::new(row.place(), columns.id.clone(), reason);
            self.bad.push(bad);
        }
        self.rows = self.rows.select(kept);
    }
}

/// That a data set has none of the columns that are asked for.
pub(crate) fn no_column(name: &str, columns: &Columns, seen: &BTreeSet<String>) -> Error {
    let known: Vec<&str> = seen.iter().map(String::as_str).collect();
    let inputs = columns.inputs.values();
    let wanted: Vec<&str> = inputs.map(|i| i.column.as_str()).collect();
    let hint = wanted
        .iter()
        .map(|w| hint(w, known.iter().copied()))
        .find(|h| !h.is_empty());
    Error::NoColumn {
        name: name.to_owned(),
        column: wanted.join(" or "),
        known: known.join(", "),
        hint: hint.unwrap_or_default(),
    }
}
