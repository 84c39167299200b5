//! Class folders: `DIR/CLASS/FILE`, or `DIR/train|valid|test/CLASS/FILE`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_core::Source;

use super::Names;
use crate::rows::Packer;
use crate::{Columns, Error, Named, Place, Row, Rows, Split};

/// Which modality a file's extension belongs to. Files of other extensions are no samples, and are counted.
const KINDS: [(&str, &[&str]); 3] = [
    (
        "image",
        &["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"],
    ),
    (
        "audio",
        &[
            "wav", "flac", "mp3", "ogg", "oga", "aac", "m4a", "mp4", "mov", "mkv", "mka", "webm",
        ],
    ),
    ("text", &["txt"]),
];

/// Reads a folder of class folders: its rows, and a line on the files that are none.
pub(super) fn read(folder: &Path, columns: &Columns) -> Result<(Rows, Option<String>), Error> {
    let top = folders(folder)?;
    let parted = !top.is_empty() && top.iter().all(|f| Split::named(&name(f)).is_some());
    let mut found = Found {
        root: folder.display().to_string().into(),
        ..Found::default()
    };
    if parted {
        for part in &top {
            for class in folders(part)? {
                let split = Split::named(&name(part));
                found.take(folder, &class, split, columns)?;
            }
        }
    } else {
        for class in &top {
            found.take(folder, class, None, columns)?;
        }
    }
    if found.rows.len() == 0 {
        return Err(Error::NotData {
            path: folder.to_owned(),
            reason: "holds neither manifest.jsonl, manifest.csv or manifest.tsv, nor shards (.tar, .parquet), nor folders of \
                     classes with pictures, recordings or texts in them"
                .to_owned(),
        });
    }
    let note = found.note(folder, columns);
    Ok((found.rows.finish(), note))
}

/// What stands in class folders.
#[derive(Default)]
struct Found {
    /// The folder, as messages name it.
    root: Arc<str>,
    rows: Packer,
    names: Names,
    /// Files that are nothing of the modalities asked for, by their extension.
    other: BTreeMap<String, usize>,
}

impl Found {
    fn take(
        &mut self,
        root: &Path,
        class: &Path,
        split: Option<Split>,
        columns: &Columns,
    ) -> Result<(), Error> {
        for file in entries(class)?.into_iter().filter(|path| path.is_file()) {
            let kind = kind(&file).filter(|modality| columns.inputs.contains_key(*modality));
            let Some(modality) = kind else {
                *self.other.entry(extension(&file)).or_default() += 1;
                continue;
            };
            let id = file
                .strip_prefix(root)
                .unwrap_or(&file)
                .display()
                .to_string();
            self.rows.push(&Row {
                id,
                label: Some(name(class)),
                split,
                group: None,
                inputs: [(self.names.share(modality), Source::path(&file))].into(),
                meta: Named::default(),
                place: Place {
                    file: Arc::clone(&self.root),
                    row: self.rows.len() as u64 + 1,
                },
            });
        }
        Ok(())
    }

    fn note(&self, folder: &Path, columns: &Columns) -> Option<String> {
        left_aside(&folder.display().to_string(), "file", &self.other, columns)
    }
}

/// A line on what is by its extension nothing that is asked for.
pub(super) fn left_aside(
    place: &str,
    what: &str,
    other: &BTreeMap<String, usize>,
    columns: &Columns,
) -> Option<String> {
    let count: usize = other.values().sum();
    let kinds = other.iter().map(|(extension, n)| match extension.as_str() {
        "" => format!("{n} without one"),
        extension => format!("{n} .{extension}"),
    });
    let wanted: Vec<&str> = columns.inputs.keys().map(String::as_str).collect();
    (count > 0).then(|| {
        format!(
            "{place}: {count} {what}{} by their extension nothing of {}, and left aside: {}",
            if count == 1 { " is" } else { "s are" },
            wanted.join(", "),
            kinds.collect::<Vec<_>>().join(", ")
        )
    })
}

/// The modality that a file is of, by its extension.
pub(crate) fn kind(file: &Path) -> Option<&'static str> {
    kind_of(&extension(file))
}

/// The same of the extension, in lower case.
pub(crate) fn kind_of(extension: &str) -> Option<&'static str> {
    let of = |(_, known): &&(&str, &[&str])| known.contains(&extension);
    KINDS.iter().find(of).map(|(modality, _)| *modality)
}

fn extension(file: &Path) -> String {
    let extension = file.extension().and_then(|e| e.to_str());
    extension.unwrap_or_default().to_ascii_lowercase()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut folders = entries(path)?;
    folders.retain(|path| path.is_dir() && !name(path).starts_with('.'));
    Ok(folders)
}

/// What a folder holds, in order of the names: the file system's own order differs between machines.
pub(crate) fn entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |error| Error::io(path, "list", error);
    let mut entries = std::fs::read_dir(path)
        .map_err(io)?
        .map(|entry| Ok(entry.map_err(io)?.path()))
        .collect::<Result<Vec<_>, Error>>()?;
    entries.sort();
    Ok(entries)
}
