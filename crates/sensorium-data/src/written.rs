//! A data set as files, to look at or to read with other programs.

use std::io::Write;
use std::path::{Path, PathBuf};

use sensorium_core::Source;
use serde_json::{Map, Value};

use crate::{Error, Row, Table};

/// The largest input that is written, in bytes.
const LARGEST: u64 = 1 << 30;

/// Writes a table into a folder, whole or not at all: `manifest.jsonl`, a folder of files for each column that is not text, named
/// by the rows' ids, and `ATTRIBUTION.md`. `progress` is told how many rows are written, of how many.
///
/// # Errors
/// If `out` exists and is not empty, or cannot be written, or an input cannot be read.
pub fn write_table(
    table: &Table,
    attribution: &str,
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), Error> {
    refuse_taken(out)?;
    let aside = aside(out)?;
    let written = write_all(table, attribution, &aside, progress).and_then(|()| {
        if out.is_dir() {
            std::fs::remove_dir(out).map_err(|error| Error::io(out, "replace", error))?;
        }
        std::fs::rename(&aside, out).map_err(|error| Error::io(out, "write", error))
    });
    if written.is_err() {
        let _ = std::fs::remove_dir_all(&aside);
    }
    written
}

/// Nothing that is there already is written over.
pub(crate) fn refuse_taken(out: &Path) -> Result<(), Error> {
    let taken = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    match taken || out.is_file() {
        true => Err(Error::broken(
            out,
            None,
            "exists and is not empty: choose another --out",
        )),
        false => Ok(()),
    }
}

/// An empty folder beside `out`.
fn aside(out: &Path) -> Result<PathBuf, Error> {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let aside = out.with_file_name(format!(".{name}.part-{}", std::process::id()));
    let io = |error| Error::io(out, "write", error);
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(io)?;
    }
    std::fs::create_dir_all(&aside).map_err(io)?;
    Ok(aside)
}

fn write_all(
    table: &Table,
    attribution: &str,
    dir: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), Error> {
    let io = |error| Error::io(dir, "write", error);
    let mut manifest = Vec::new();
    for (done, row) in table.rows.iter().enumerate() {
        progress(done, table.rows.len());
        writeln!(manifest, "{}", line(&row, dir)?).map_err(io)?;
    }
    std::fs::write(dir.join("ATTRIBUTION.md"), attribution).map_err(io)?;
    std::fs::write(dir.join("manifest.jsonl"), manifest).map_err(io)?;
    progress(table.rows.len(), table.rows.len());
    Ok(())
}

/// A row's line of the manifest; its files are written.
fn line(row: &Row, dir: &Path) -> Result<Value, Error> {
    let mut line = Map::from_iter([("id".to_owned(), Value::from(row.id.clone()))]);
    if let Some(split) = row.split {
        line.insert("split".to_owned(), serde_json::json!(split));
    }
    let named = [("label", &row.label), ("group", &row.group)];
    for (key, value) in named {
        if let Some(value) = value {
            line.insert(key.to_owned(), value.clone().into());
        }
    }
    for (column, source) in &row.inputs {
        let cell = match source {
            Source::Text(text) => text.to_string(),
            file => write_file(file, &row.id, column, dir)?,
        };
        line.insert(column.to_string(), cell.into());
    }
    let notes = row
        .meta
        .iter()
        .map(|(key, value)| (key.to_string(), Value::from(&**value)));
    line.extend(notes);
    Ok(line.into())
}

/// Writes an input's file; gives its path in the data set.
fn write_file(source: &Source, id: &str, column: &str, dir: &Path) -> Result<String, Error> {
    let bytes = source
        .read(LARGEST)
        .map_err(|error| Error::broken(Path::new(&source.describe()), None, error.to_string()))?;
    let extension = source.extension().unwrap_or_else(|| "bin".to_owned());
    let path = format!("{column}/{id}.{extension}");
    let io = |error| Error::io(dir, "write", error);
    std::fs::create_dir_all(dir.join(column)).map_err(io)?;
    std::fs::write(dir.join(&path), &bytes[..]).map_err(io)?;
    Ok(path)
}
