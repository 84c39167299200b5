//! A manifest out of files whose names say what they are.

mod pattern;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use pattern::{NamePattern, Unfit};

use crate::open::{entries, kind};
use crate::{Error, OnError};

/// What a manifest was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// How many rows it has.
    pub rows: usize,
    /// The values of each column that names tell, in the columns' order.
    pub columns: Vec<ListedColumn>,
    /// What was left out, and why, a line each.
    pub left_out: Vec<String>,
}

/// A column and its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedColumn {
    /// Its name.
    pub name: String,
    /// How many different values there are.
    pub values: usize,
    /// The first of them.
    pub first: Vec<String>,
}

/// How many values of a column are shown.
const SHOWN: usize = 12;

/// Writes a manifest (`.csv`, `.tsv` or `.jsonl`) of the files of a folder: a column for each of the pattern's, one for the
/// file's path (`column`, or by its extension `image` or `audio`), and the path within the folder as `id`. Hidden files are passed
/// over. Nothing that is there already is written over.
///
/// # Errors
/// If files do not fit the pattern and are not to be skipped, none does, or `out` cannot be written.
pub fn list(
    folder: &Path,
    pattern: &NamePattern,
    column: Option<&str>,
    out: &Path,
    on_error: OnError,
) -> Result<Listing, Error> {
    let format = Format::of(out)?;
    if out.exists() {
        let reason = "it exists; choose another --out".to_owned();
        return Err(Error::NotWritten {
            path: out.to_owned(),
            reason,
        });
    }
    let paths = Paths::new(folder, out)?;
    let mut found = Found::new(pattern, column);
    found.walk(folder, "", &paths)?;
    if !found.unfit.is_empty() && on_error == OnError::Fail {
        return Err(Error::Unfit {
            folder: folder.to_owned(),
            pattern: pattern.to_string(),
            unfit: found.unfit,
        });
    }
    if found.rows.is_empty() {
        return Err(Error::Empty {
            name: format!("{} by the pattern {pattern}", folder.display()),
        });
    }
    write(out, &format.text(&found.names(), &found.rows))?;
    Ok(found.listing())
}

/// Cells by column.
type Cells = BTreeMap<String, String>;

/// What a folder holds.
struct Found<'a> {
    pattern: &'a NamePattern,
    column: Option<&'a str>,
    rows: Vec<Cells>,
    unfit: Vec<String>,
}

impl<'a> Found<'a> {
    fn new(pattern: &'a NamePattern, column: Option<&'a str>) -> Self {
        Self {
            pattern,
            column,
            rows: Vec::new(),
            unfit: Vec::new(),
        }
    }

    /// Takes what a folder holds; `within` is its path within the whole, empty or ending in a slash.
    fn walk(&mut self, folder: &Path, within: &str, paths: &Paths) -> Result<(), Error> {
        let depth = within.matches('/').count();
        for path in entries(folder)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                self.unfit.push(format!("{}: is not UTF-8", path.display()));
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let within = format!("{within}{name}");
            match path.is_dir() {
                true if depth < self.pattern.depth() => {
                    self.walk(&path, &format!("{within}/"), paths)?;
                }
                true => self.unfit.push(format!("{within}: is a folder")),
                false => match self.row(&within, &path, paths) {
                    Ok(row) => self.rows.push(row),
                    Err(reason) => self.unfit.push(format!("{within}: {reason}")),
                },
            }
        }
        Ok(())
    }

    fn row(&self, within: &str, path: &Path, paths: &Paths) -> Result<Cells, String> {
        let told = self
            .pattern
            .read(within)
            .map_err(|unfit| unfit.to_string())?;
        let column = match self.column {
            Some(column) => column,
            // A column `text` holds the text itself, and not a file's path.
            None => kind(path).filter(|kind| *kind != "text").ok_or(
                "is by its extension neither a picture nor a recording: name the column of its path with --column",
            )?,
        };
        let mut row = Cells::from([("id".to_owned(), within.to_owned())]);
        let told = told
            .into_iter()
            .map(|(c, value)| (c.to_owned(), value.to_owned()));
        row.extend(told);
        match row.insert(column.to_owned(), paths.told(within)) {
            None => Ok(row),
            Some(_) => Err(format!(
                "its path stands in the column {column}, which the pattern names too"
            )),
        }
    }

    /// All columns: the id, those that the names tell, the paths.
    fn names(&self) -> Vec<String> {
        let mut names = vec!["id".to_owned()];
        names.extend(
            self.pattern
                .columns()
                .filter(|c| *c != "id")
                .map(str::to_owned),
        );
        let of_paths: BTreeSet<&String> = self.rows.iter().flat_map(BTreeMap::keys).collect();
        let of_paths = of_paths.into_iter().filter(|c| !names.contains(c));
        let of_paths: Vec<String> = of_paths.cloned().collect();
        names.extend(of_paths);
        names
    }

    fn listing(self) -> Listing {
        let column = |name: &str| {
            let values = self.rows.iter().filter_map(|row| row.get(name));
            let values: BTreeSet<&String> = values.collect();
            ListedColumn {
                name: name.to_owned(),
                values: values.len(),
                first: values.into_iter().take(SHOWN).cloned().collect(),
            }
        };
        Listing {
            rows: self.rows.len(),
            columns: self.pattern.columns().map(column).collect(),
            left_out: self.unfit,
        }
    }
}

/// How a manifest names files.
struct Paths {
    /// What stands before a path within the folder: relative to the manifest if the folder lies beside or below it.
    before: PathBuf,
}

impl Paths {
    fn new(folder: &Path, out: &Path) -> Result<Self, Error> {
        let real = |path: &Path| {
            let path = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            std::fs::canonicalize(path).map_err(|error| Error::io(path, "open", error))
        };
        let folder = real(folder)?;
        let home = real(out.parent().unwrap_or(Path::new("")))?;
        let before = folder.strip_prefix(&home).unwrap_or(&folder).to_owned();
        Ok(Self { before })
    }

    fn told(&self, within: &str) -> String {
        let path = self.before.join(within).display().to_string();
        // Read on any system.
        if cfg!(windows) {
            path.replace('\\', "/")
        } else {
            path
        }
    }
}

/// How a manifest is written.
enum Format {
    Separated(u8),
    Jsonl,
}

impl Format {
    fn of(out: &Path) -> Result<Self, Error> {
        let extension = out.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Separated(b',')),
            "tsv" => Ok(Self::Separated(b'\t')),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(Error::NotWritten {
                path: out.to_owned(),
                reason: "a manifest's name ends in .csv, .tsv or .jsonl".to_owned(),
            }),
        }
    }

    fn text(&self, names: &[String], rows: &[Cells]) -> Vec<u8> {
        let written = match self {
            Self::Jsonl => jsonl(rows),
            Self::Separated(delimiter) => separated(*delimiter, names, rows),
        };
        written.expect("texts can be written into memory")
    }
}

fn jsonl(rows: &[Cells]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
    }
    Ok(text)
}

fn separated(delimiter: u8, names: &[String], rows: &[Cells]) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    writer.write_record(names)?;
    for row in rows {
        let cell = |name| row.get(name).map_or("", String::as_str);
        writer.write_record(names.iter().map(cell))?;
    }
    writer.into_inner().map_err(|error| error.into_error())
}

/// Writes a file whole, or nothing.
fn write(out: &Path, text: &[u8]) -> Result<(), Error> {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let aside = out.with_file_name(format!(".{name}.part-{}", std::process::id()));
    let written = std::fs::File::create(&aside)
        .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, out));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&aside);
        Error::io(out, "write", error)
    })
}
