//! Parquet files as hubs hold data sets: pictures and sounds embedded, or named by path; classes as numbers with names.
//!
//! Cells are read when a file is opened; embedded contents stay where they are until they are needed.

mod cache;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use sensorium_core::{Source, Store, quietly};

use crate::open::{Cells, Collector, Found, Names, Own, PartFile};
use crate::{Columns, Error};

pub(crate) use cache::Cache;
use schema::{Embedded, Schema};
use store::{Disk, Held};
use values::text;

/// Reads one file's cells, and where its contents stand.
pub(crate) fn read(part: &PartFile, columns: &Columns, cache: &Arc<Cache>) -> Found {
    // Other people's code on a stranger's file: should it panic, the file is broken.
    let read = quietly(|| rows(part, columns, cache));
    let broken = |reason: String| Error::broken(&part.path, None, reason);
    let read =
        read.unwrap_or_else(|_| Err(broken("is damaged: the reader gave up on it".to_owned())));
    read.unwrap_or_else(|error| Found {
        broken: vec![error],
        ..Found::default()
    })
}

fn rows(part: &PartFile, columns: &Columns, cache: &Arc<Cache>) -> Result<Found, Error> {
    let broken = |reason: String| Error::broken(&part.path, None, reason);
    let disk = Disk::open(&part.path).map_err(|error| Error::io(&part.path, "open", error))?;
    let reader = SerializedFileReader::new(disk);
    let reader = Arc::new(reader.map_err(|error| broken(told(&error)))?);
    let schema = Schema::of(reader.metadata(), columns).map_err(broken)?;
    let embedded = schema.embedded.iter().map(|(modality, embedded)| {
        let held = Held::new(&part.path, Arc::clone(&reader), embedded, Arc::clone(cache));
        Ok((modality.clone(), embedded, held.map_err(broken)?))
    });
    let embedded: Vec<(String, &Embedded, Held)> = embedded.collect::<Result<_, Error>>()?;
    let mut drafts = Drafts {
        schema: &schema,
        embedded,
        cells: Vec::new(),
        names: Names::default(),
        count: 0,
    };
    drafts.fill(&*reader).map_err(broken)?;
    Ok(drafts.finish(part, columns))
}

/// What a reader says, in one line.
fn told(error: &parquet::errors::ParquetError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    match line.contains("Disabled feature at compile time") {
        true => {
            "is compressed in a way that is not read here: write it with zstd, snappy, lz4 or none"
                .to_owned()
        }
        false => format!("cannot be read as Parquet: {line}"),
    }
}

/// Rows whose stores are not shared yet.
struct Drafts<'a> {
    schema: &'a Schema,
    embedded: Vec<(String, &'a Embedded, Held)>,
    /// Of each row its cells, or what is wrong with one.
    cells: Vec<Result<Cells, (String, String)>>,
    names: Names,
    count: usize,
}

impl Drafts<'_> {
    fn fill(&mut self, reader: &dyn FileReader) -> Result<(), String> {
        for i in 0..reader.num_row_groups() {
            let group = reader.get_row_group(i).map_err(|error| told(&error))?;
            let rows = group.metadata().num_rows();
            let rows = usize::try_from(rows).map_err(|_| "has a group of fewer than no rows")?;
            let before = self.count;
            match &self.schema.cells {
                Some(projection) => {
                    let found = group.get_row_iter(Some(projection.clone()));
                    for row in found.map_err(|error| told(&error))? {
                        let row = row.map_err(|error| told(&error))?;
                        let cells = self.cells_of(row.into_columns());
                        self.cells.push(cells);
                        self.count += 1;
                    }
                }
                None => {
                    let left = crate::MOST_ROWS as usize - self.cells.len();
                    self.count += rows.min(left);
                    self.cells
                        .extend((0..rows.min(left)).map(|_| Ok(Cells::new())));
                }
            }
            if self.count - before != rows {
                return Err(format!(
                    "is damaged: a group of {rows} rows has {}",
                    self.count - before
                ));
            }
        }
        Ok(())
    }

    fn cells_of(
        &mut self,
        columns: Vec<(String, parquet::record::Field)>,
    ) -> Result<Cells, (String, String)> {
        let mut cells = Cells::new();
        for (name, field) in columns {
            let own = self
                .embedded
                .iter_mut()
                .find(|(_, embedded, _)| embedded.column == name);
            if let Some((_, _, held)) = own {
                // Of an embedded content, its path alone is read here.
                held.name(text(field).as_deref());
                continue;
            }
            let cell = match self.schema.classes.get(&name) {
                Some(names) => {
                    values::named(field, names).map_err(|reason| (name.clone(), reason))?
                }
                None => text(field),
            };
            cells.push((self.names.share(&name), cell));
        }
        Ok(cells)
    }

    fn finish(self, part: &PartFile, columns: &Columns) -> Found {
        let mut rows = Collector::new(&part.path, columns);
        let stores = self.embedded.into_iter();
        let stores: Vec<(Arc<str>, Arc<Held>)> = stores
            .map(|(m, _, held)| (m.into(), Arc::new(held)))
            .collect();
        for (i, cells) in self.cells.into_iter().enumerate() {
            let line = i as u64 + 1;
            let mut inputs = Vec::new();
            let mut fault = cells.as_ref().err().cloned();
            for (modality, held) in &stores {
                match (held.has(line - 1), held.path(line - 1)) {
                    (true, _) => {
                        let store: Arc<dyn Store> = Arc::clone(held) as _;
                        let at = line - 1;
                        inputs.push((Arc::clone(modality), Source::Stored { store, at }));
                    }
                    (false, Some(path)) if !path.is_empty() => match rows.file(path) {
                        Ok(source) => inputs.push((Arc::clone(modality), source)),
                        Err(reason) => fault = Some((modality.to_string(), reason)),
                    },
                    _ => {}
                }
            }
            match (fault, cells) {
                (Some((column, reason)), _) => rows.bad(line, &column, reason),
                (None, Ok(cells)) => {
                    let own = Own {
                        id: None,
                        split: part.split,
                        inputs,
                        paths: true,
                    };
                    rows.take_with(line, cells, own);
                }
                (None, Err((column, reason))) => rows.bad(line, &column, reason),
            }
        }
        let mut found = rows.found();
        found.seen.extend(self.schema.names.iter().cloned());
        found.notes.extend(self.schema.notes.iter().cloned());
        found
    }
}
