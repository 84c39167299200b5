//! From named cells to a row: the same rules for every kind of manifest.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use sensorium_core::Source;

use crate::columns::Holds;
use crate::error::hint;
use crate::{BadRow, Columns, Error, Place, Row, Split};

/// Collects rows and what is wrong with others.
pub(super) struct Collector<'a> {
    columns: &'a Columns,
    /// What paths are relative to.
    base: PathBuf,
    file: String,
    ids: HashSet<String>,
    /// The columns seen, for hints.
    seen: HashSet<String>,
    pub rows: Vec<Row>,
    pub bad: Vec<BadRow>,
}

/// What is wrong with a row: the column and the reason.
type Fault = (String, String);

impl<'a> Collector<'a> {
    pub(super) fn new(manifest: &Path, columns: &'a Columns) -> Self {
        Self {
            columns,
            base: manifest.parent().unwrap_or(Path::new("")).to_owned(),
            file: manifest.display().to_string(),
            ids: HashSet::new(),
            seen: HashSet::new(),
            rows: Vec::new(),
            bad: Vec::new(),
        }
    }

    pub(super) fn bad(&mut self, line: u64, column: &str, reason: impl Into<String>) {
        let place = self.place(line);
        self.bad.push(BadRow::new(place, column, reason));
    }

    fn place(&self, line: u64) -> Place {
        Place {
            file: self.file.clone(),
            row: line,
        }
    }

    /// Takes a row's cells; empty ones are not there, nor what is said to be nothing.
    pub(super) fn take(&mut self, line: u64, cells: BTreeMap<String, Option<String>>) {
        for name in cells.keys() {
            if !self.seen.contains(name) {
                self.seen.insert(name.clone());
            }
        }
        let columns = self.columns;
        let may_be_empty = |name: &str| columns.empty_labels && name == columns.label;
        let cells: BTreeMap<String, String> = cells
            .into_iter()
            .filter_map(|(name, cell)| Some((name, cell?)))
            .filter(|(name, cell)| !cell.trim().is_empty() || may_be_empty(name))
            .collect();
        if cells.is_empty() {
            return self.bad(line, "", "the row is empty");
        }
        match self.row(line, cells) {
            Ok(row) => {
                self.ids.insert(row.id.clone());
                self.rows.push(row);
            }
            Err((column, reason)) => self.bad(line, &column, reason),
        }
    }

    fn row(&self, line: u64, mut cells: BTreeMap<String, String>) -> Result<Row, Fault> {
        let columns = self.columns;
        let id = cells
            .remove(&columns.id)
            .unwrap_or_else(|| format!("row-{line}"));
        if self.ids.contains(&id) {
            return Err((
                columns.id.clone(),
                format!("{id:?} is the id of an earlier row too"),
            ));
        }
        let split = match cells.remove(&columns.split) {
            None => None,
            Some(name) => Some(Split::named(&name).ok_or_else(|| {
                (
                    columns.split.clone(),
                    format!("{name:?} is not train, valid or test"),
                )
            })?),
        };
        let label = cells.remove(&columns.label);
        let group = cells.remove(&columns.group);
        let mut inputs = BTreeMap::new();
        for (modality, input) in &columns.inputs {
            let Some(cell) = cells.remove(&input.column) else {
                continue;
            };
            let source = match input.holds {
                Holds::Text => Source::text(cell),
                Holds::File => self
                    .file(&cell)
                    .map_err(|reason| (input.column.clone(), reason))?,
            };
            inputs.insert(modality.clone(), source);
        }
        if inputs.is_empty() {
            return Err((String::new(), self.nothing()));
        }
        Ok(Row {
            id,
            label,
            split,
            group,
            inputs,
            meta: cells,
            place: self.place(line),
        })
    }

    fn file(&self, cell: &str) -> Result<Source, String> {
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

    /// The rows, once all are taken.
    pub(super) fn finish(self) -> Result<(Vec<Row>, Vec<BadRow>), Error> {
        let any_input = self
            .columns
            .inputs
            .values()
            .any(|i| self.seen.contains(&i.column));
        if !any_input && !self.seen.is_empty() {
            let mut known: Vec<&str> = self.seen.iter().map(String::as_str).collect();
            known.sort_unstable();
            let inputs = self.columns.inputs.values();
            let wanted: Vec<&str> = inputs.map(|i| i.column.as_str()).collect();
            let hint = wanted
                .iter()
                .map(|w| hint(w, known.iter().copied()))
                .find(|h| !h.is_empty());
            return Err(Error::NoColumn {
                name: self.file,
                column: wanted.join(" or "),
                known: known.join(", "),
                hint: hint.unwrap_or_default(),
            });
        }
        Ok((self.rows, self.bad))
    }
}
