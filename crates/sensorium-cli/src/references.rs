//! What should be heard in recordings: from a manifest, from files beside them, or from the one text there is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sensorium_core::Source;
use sensorium_data::{Columns, Holds, InputColumn, OnError, Row};

use crate::Misuse;

/// The most bytes of a text: a day of speech has a megabyte.
const MOST_BYTES: u64 = 64 << 20;
/// Columns that may hold a recording's path.
const RECORDING: [&str; 2] = ["audio", "file"];
const TEXT: &str = "text";

/// What should be heard in each recording.
pub enum References {
    /// In the only one there is.
    One(String),
    /// As a manifest says: texts by the paths of the recordings, and by their bare names where only one has the name.
    Listed {
        manifest: PathBuf,
        by_path: BTreeMap<PathBuf, String>,
        by_name: BTreeMap<String, Option<String>>,
    },
    /// In files that are named as the recordings, in a folder or beside them.
    Files {
        folder: Option<PathBuf>,
        extension: String,
    },
}

impl References {
    /// Reads what `--reference` names: a manifest, a folder, a text, or an extension such as `.txt`. `total` is the number of
    /// recordings, if that is known.
    pub fn open(path: &Path, total: Option<usize>) -> anyhow::Result<Self> {
        let name = path.to_string_lossy();
        let is_extension =
            name.len() > 1 && name.starts_with('.') && !name[1..].contains(['.', '/', '\\']);
        if is_extension && !path.exists() {
            return Ok(Self::Files {
                folder: None,
                extension: name[1..].to_owned(),
            });
        }
        if path.is_dir() {
            return Ok(Self::Files {
                folder: Some(path.to_owned()),
                extension: "txt".to_owned(),
            });
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.unwrap_or_default().to_lowercase();
        if ["csv", "tsv", "tab", "jsonl", "ndjson"].contains(&extension.as_str()) {
            return Self::listed(path);
        }
        if total != Some(1) {
            let problem = format!(
                "{name} is one text, which is of one recording: several need a manifest (.csv, .tsv, .jsonl), a folder, or .txt for \
                 the files beside them"
            );
            return Err(Misuse(problem).into());
        }
        Ok(Self::One(text(path)?))
    }

    fn listed(manifest: &Path) -> anyhow::Result<Self> {
        let column = |name: &str| {
            let column = InputColumn {
                column: name.to_owned(),
                holds: Holds::Text, // rows of other recordings may name what is not there
            };
            (name.to_owned(), column)
        };
        let columns = Columns {
            inputs: RECORDING.into_iter().chain([TEXT]).map(column).collect(),
            ..Columns::default()
        };
        let opened = sensorium_data::open(manifest, &columns, OnError::Fail)?;
        let shown = manifest.display();
        let has = |names: &[&str]| {
            let mut rows = opened.table.rows.iter();
            rows.any(|row| names.iter().any(|name| row.inputs.contains_key(*name)))
        };
        if !has(&RECORDING) {
            anyhow::bail!("{shown}: has neither a column `audio` nor `file` to find recordings by");
        }
        if !has(&[TEXT]) {
            anyhow::bail!("{shown}: has no column `text` of what should be heard");
        }
        let base = manifest.parent().unwrap_or(Path::new(""));
        let (mut by_path, mut by_name) = (BTreeMap::new(), BTreeMap::new());
        for row in &opened.table.rows {
            let Some(recording) = RECORDING.iter().find_map(|name| cell(&row, name)) else {
                anyhow::bail!("{}: row {} names no recording", shown, row.place.row);
            };
            let text = cell(&row, TEXT).unwrap_or_default().trim(); // an empty one is silence
            let path = whole(&base.join(recording));
            if let Some(name) = path.file_name() {
                let name = name.to_string_lossy().into_owned();
                let once = by_name.entry(name).and_modify(|text| *text = None);
                once.or_insert_with(|| Some(text.to_owned()));
            }
            if by_path.insert(path, text.to_owned()).is_some() {
                anyhow::bail!(
                    "{shown}: row {} names {recording} a second time",
                    row.place.row
                );
            }
        }
        Ok(Self::Listed {
            manifest: manifest.to_owned(),
            by_path,
            by_name,
        })
    }

    /// What should be heard in a recording.
    pub fn of(&self, recording: &str) -> anyhow::Result<String> {
        match self {
            Self::One(text) => Ok(text.clone()),
            Self::Listed {
                manifest,
                by_path,
                by_name,
            } => {
                let path = whole(Path::new(recording));
                let name = path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                let named = || by_name.get(&name?)?.as_ref();
                let found = by_path.get(&path).or_else(named).cloned();
                found.with_context(|| {
                    format!(
                        "{recording}: no reference, for {} does not list it",
                        manifest.display()
                    )
                })
            }
            Self::Files { folder, extension } => {
                let beside = Path::new(recording).with_extension(extension);
                let file = match (folder, beside.file_name()) {
                    (Some(folder), Some(name)) => folder.join(name),
                    _ => beside,
                };
                text(&file).with_context(|| format!("{recording}: no reference"))
            }
        }
    }
}

fn cell<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    match row.inputs.get(column)? {
        Source::Text(text) => Some(&**text),
        _ => None,
    }
}

/// One name of a file for all its paths.
fn whole(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn text(path: &Path) -> anyhow::Result<String> {
    let shown = || format!("{}: cannot be read", path.display());
    let bytes = path.metadata().with_context(shown)?.len();
    if bytes > MOST_BYTES {
        anyhow::bail!("{}: is longer than {MOST_BYTES} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(shown)?;
    Ok(text.trim_start_matches('\u{feff}').trim().to_owned())
}
