//! Opening a data set: a manifest, a folder with one in it, or a folder of classes.

mod cells;
mod delimited;
mod folder;
mod jsonl;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use folder::{entries, kind};

use crate::{BadRow, Columns, Error, OnError, Table};

/// The longest line of a manifest, in bytes. A real one has a few hundred; a file of one endless line is
/// refused before it fills the memory.
pub const LONGEST_LINE: usize = 1 << 20;

/// The most rows of a manifest.
pub const MOST_ROWS: u64 = 50_000_000;

/// A data set opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The good rows.
    pub table: Table,
    /// Those left out.
    pub bad: Vec<BadRow>,
    /// What a person should know besides, a line each.
    pub notes: Vec<String>,
}

/// Opens a manifest (`.jsonl`, `.csv`, `.tsv`), a folder that holds `manifest.jsonl|csv|tsv`, or a folder of
/// class folders (`DIR/CLASS/FILE`, or `DIR/train|valid|test/CLASS/FILE`).
///
/// # Errors
/// If it is none of these, cannot be read, is empty, or has bad rows that are not to be skipped.
pub fn open(path: &Path, columns: &Columns, on_error: OnError) -> Result<Opened, Error> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, "open", error))?;
    let mut notes = Vec::new();
    let (rows, bad) = if metadata.is_dir() {
        match manifest_in(path) {
            Some(manifest) => read(&manifest, columns)?,
            None => {
                let (rows, note) = folder::read(path, columns)?;
                notes.extend(note);
                (rows, Vec::new())
            }
        }
    } else {
        read(path, columns)?
    };
    if !bad.is_empty() && on_error == OnError::Fail {
        return Err(Error::BadRows { bad });
    }
    let name = path.display().to_string();
    if rows.is_empty() {
        return Err(Error::Empty { name });
    }
    Ok(Opened {
        table: Table { name, rows },
        bad,
        notes,
    })
}

fn manifest_in(folder: &Path) -> Option<PathBuf> {
    ["manifest.jsonl", "manifest.csv", "manifest.tsv"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn read(path: &Path, columns: &Columns) -> Result<(Vec<crate::Row>, Vec<BadRow>), Error> {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => jsonl::read(path, columns),
        "csv" => delimited::read(path, b',', columns),
        "tsv" | "tab" => delimited::read(path, b'\t', columns),
        _ => Err(Error::NotData {
            path: path.to_owned(),
            reason: "is no manifest: its name must end in .jsonl, .csv or .tsv".to_owned(),
        }),
    }
}
