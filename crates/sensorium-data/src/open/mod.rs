//! Opening a data set: a manifest, shards, Parquet files, a folder of any of these, or a folder of classes.

mod cells;
mod delimited;
mod folder;
mod joined;
mod jsonl;
mod layout;
mod names;
mod pattern;

#[cfg(test)]
mod tests;

use std::path::Path;

pub(crate) use cells::{Cells, Collector, Found, Own};
pub(crate) use folder::{entries, kind, kind_of};
pub(crate) use jsonl::object;
pub(crate) use layout::PartFile;
pub(crate) use names::Names;

use crate::{BadRow, Columns, Error, OnError, Place, Table};
use folder::left_aside;
use layout::Layout;

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

/// Opens a data set:
///
/// - a manifest (`.jsonl`, `.csv`, `.tsv`), or a folder that holds `manifest.jsonl|csv|tsv`;
/// - tar shards: a `.tar`, a folder of them, or a pattern such as `shards/*.tar` or `set-{000..099}.tar`;
/// - Parquet files in the same ways;
/// - a folder of class folders (`DIR/CLASS/FILE`, or `DIR/train|valid|test/CLASS/FILE`).
///
/// # Errors
/// If it is none of these, cannot be read, is empty, or has bad rows that are not to be skipped.
pub fn open(path: &Path, columns: &Columns, on_error: OnError) -> Result<Opened, Error> {
    let mut found = find(path, columns)?;
    if !found.broken.is_empty() {
        return Err(found.broken.swap_remove(0));
    }
    if !found.bad.is_empty() && on_error == OnError::Fail {
        return Err(Error::BadRows { bad: found.bad });
    }
    opened(path, found)
}

/// Opens what can be opened of a data set: bad rows are left out and listed, and so are shards that break off, whose rows up
/// to there are kept.
///
/// # Errors
/// If there is no row at all, for any of the reasons of [`open`].
pub fn survey(path: &Path, columns: &Columns) -> Result<Opened, Error> {
    let mut found = find(path, columns)?;
    for broken in std::mem::take(&mut found.broken) {
        let (Error::Broken { path, .. } | Error::Io { path, .. }) = &broken else {
            return Err(broken);
        };
        if found.rows.is_empty() {
            return Err(broken);
        }
        let place = Place {
            file: path.display().to_string().into(),
            row: 0,
        };
        let reason = broken.to_string();
        let reason = reason.strip_prefix(&*place.file).unwrap_or(&reason);
        found
            .bad
            .push(BadRow::new(place, "", reason.trim_start_matches(": ")));
    }
    opened(path, found)
}

fn opened(path: &Path, found: Found) -> Result<Opened, Error> {
    let name = path.display().to_string();
    if found.rows.is_empty() {
        return Err(Error::Empty { name });
    }
    Ok(Opened {
        table: Table {
            name,
            rows: found.rows,
        },
        bad: found.bad,
        notes: found.notes.into_iter().collect(),
    })
}

fn find(path: &Path, columns: &Columns) -> Result<Found, Error> {
    match Layout::of(path)? {
        Layout::Manifest(manifest) => read(&manifest, columns),
        Layout::Classes(folder) => {
            let (rows, note) = folder::read(&folder, columns)?;
            Ok(Found {
                rows,
                notes: note.into_iter().collect(),
                ..Found::default()
            })
        }
        Layout::Shards(parts) => joined::read(path, &parts, columns, |part| {
            crate::shards::read(part, columns)
        }),
        Layout::Parquet(parts) => {
            let cache = Default::default();
            joined::read(path, &parts, columns, |part| {
                crate::parquet::read(part, columns, &cache)
            })
        }
    }
}

fn read(path: &Path, columns: &Columns) -> Result<Found, Error> {
    match layout::extension(path).as_str() {
        "jsonl" | "ndjson" => jsonl::read(path, columns),
        "csv" => delimited::read(path, b',', columns),
        "tsv" | "tab" => delimited::read(path, b'\t', columns),
        _ => Err(Error::NotData {
            path: path.to_owned(),
            reason: "is no manifest: its name must end in .jsonl, .csv or .tsv; shards end in .tar or .parquet"
                .to_owned(),
        }),
    }
}
