//! A data set written anew in another layout: whole or not at all, one row at a time.

mod aside;
mod content;
mod folders;
mod manifest;
mod parquet;
mod shards;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use crate::{Error, Row, RowRef, Rows, Table};

use aside::Aside;

/// How a data set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A manifest (`.jsonl`, `.csv`, `.tsv`) with files in a folder beside it.
    Manifest,
    /// Class folders: `train/CLASS/FILE`.
    Folders,
    /// Tar shards, in a folder or as one file.
    Shards,
    /// Parquet files with embedded contents, in a folder or as one file.
    Parquet,
}

impl Target {
    /// What a file of this name is to be; nothing for a folder.
    pub fn of(out: &Path) -> Option<Self> {
        let extension = out.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "jsonl" | "csv" | "tsv" => Some(Self::Manifest),
            "tar" => Some(Self::Shards),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Converted {
    /// How many rows.
    pub rows: usize,
    /// How many files.
    pub files: usize,
    /// What the new layout has no place for, a line each.
    pub notes: Vec<String>,
}

/// Writes a table in another layout; a shard is begun anew before it would be larger than `shard_size` bytes. `progress` is
/// told how many rows are written, of how many.
///
/// # Errors
/// If `out` exists, an input cannot be read, or the layout has no place for a row. Nothing is left behind then.
pub fn convert(
    table: &Table,
    to: Target,
    out: &Path,
    shard_size: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Converted, Error> {
    let taken = std::fs::symlink_metadata(out).is_ok();
    if taken || out.file_name().is_none() {
        let reason = match taken {
            true => "it exists; choose another name",
            false => "it is no name of a file or folder",
        };
        return Err(Error::NotWritten {
            path: out.to_owned(),
            reason: reason.to_owned(),
        });
    }
    let job = Job {
        table,
        out,
        shard_size,
        progress,
    };
    match to {
        Target::Manifest => manifest::write(job),
        Target::Folders => folders::write(job),
        Target::Shards => shards::write(job),
        Target::Parquet => parquet::write(job),
    }
}

/// What is to be written, and where.
struct Job<'a> {
    table: &'a Table,
    out: &'a Path,
    shard_size: u64,
    progress: &'a mut dyn FnMut(usize, usize),
}

impl Job<'_> {
    /// Does something for each row.
    fn each(
        &mut self,
        mut write: impl FnMut(&Row, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let rows = &self.table.rows;
        let names = names(rows);
        for (i, row) in rows.iter().enumerate() {
            (self.progress)(i, rows.len());
            let name = match names {
                Names::Own => row.id.clone(),
                Names::Numbers => format!("{i:09}"),
            };
            write(&row, &name)?;
        }
        (self.progress)(rows.len(), rows.len());
        Ok(())
    }

    fn done(&self, files: usize) -> Converted {
        Converted {
            rows: self.table.rows.len(),
            files,
            notes: Vec::new(),
        }
    }
}

/// What files of rows are named by.
enum Names {
    /// By the rows' ids, all of which can be names.
    Own,
    Numbers,
}

fn names(rows: &Rows) -> Names {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let fits = |id: &str| !id.is_empty() && id.len() <= 60 && id.chars().all(known);
    // On some disks a name in capitals is the same.
    let mut seen = BTreeSet::new();
    let mut ids = rows.refs().map(RowRef::id);
    match ids.all(|id| fits(id) && seen.insert(id.to_ascii_lowercase())) {
        true => Names::Own,
        false => Names::Numbers,
    }
}

/// The cells of a row besides its inputs.
fn cells(row: &Row) -> Result<Vec<(&str, &str)>, Error> {
    let split = row.split.map(|split| match split {
        crate::Split::Train => "train",
        crate::Split::Valid => "valid",
        crate::Split::Test => "test",
    });
    let own = [
        ("id", Some(row.id.as_str())),
        ("split", split),
        ("label", row.label.as_deref()),
        ("group", row.group.as_deref()),
    ];
    let taken =
        |key: &str| own.iter().any(|(name, _)| *name == key) || row.inputs.contains_key(key);
    if let Some(key) = row.meta.keys().find(|key| taken(key)) {
        return Err(Error::broken(
            Path::new(&row.place.to_string()),
            None,
            format!("has two things in a column {key:?}: say which is which with --column"),
        ));
    }
    let own = own
        .into_iter()
        .filter_map(|(name, cell)| Some((name, cell?)));
    let meta = row.meta.iter().map(|(name, cell)| (&**name, &**cell));
    Ok(own.chain(meta).collect())
}

/// The name of a part, for files.
fn part(row: &Row) -> &'static str {
    match row.split {
        Some(crate::Split::Train) => "train",
        Some(crate::Split::Valid) => "valid",
        Some(crate::Split::Test) => "test",
        None => "data",
    }
}
