//! Class folders: `DIR/CLASS/FILE`, or `DIR/train|valid|test/CLASS/FILE`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sensorium_core::Source;

use crate::{BadRow, Columns, Error, Place, Row, Split};

/// Which modality a file's extension belongs to. Files of other extensions are no samples.
const KINDS: [(&str, &[&str]); 3] = [
    (
        "image",
        &["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"],
    ),
    (
        "audio",
        &["wav", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac"],
    ),
    ("text", &["txt"]),
];

/// Reads a folder of class folders.
pub(super) fn read(folder: &Path, columns: &Columns) -> Result<(Vec<Row>, Vec<BadRow>), Error> {
    let top = folders(folder)?;
    let parted = !top.is_empty() && top.iter().all(|f| Split::named(&name(f)).is_some());
    let mut rows = Vec::new();
    if parted {
        for part in &top {
            for class in folders(part)? {
                take(
                    folder,
                    &class,
                    Split::named(&name(part)),
                    columns,
                    &mut rows,
                )?;
            }
        }
    } else {
        for class in &top {
            take(folder, class, None, columns, &mut rows)?;
        }
    }
    if rows.is_empty() {
        return Err(Error::NotData {
            path: folder.to_owned(),
            reason: "holds neither manifest.jsonl, manifest.csv or manifest.tsv, nor folders of classes with \
                     pictures, recordings or texts in them"
                .to_owned(),
        });
    }
    Ok((rows, Vec::new()))
}

fn take(
    root: &Path,
    class: &Path,
    split: Option<Split>,
    columns: &Columns,
    rows: &mut Vec<Row>,
) -> Result<(), Error> {
    for file in entries(class)?.into_iter().filter(|path| path.is_file()) {
        let extension = file
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let extension = extension.to_ascii_lowercase();
        let kind = KINDS
            .iter()
            .find(|(_, known)| known.contains(&extension.as_str()));
        let Some((modality, _)) = kind else { continue };
        if !columns.inputs.contains_key(*modality) {
            continue;
        }
        let id = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .display()
            .to_string();
        rows.push(Row {
            id,
            label: Some(name(class)),
            split,
            group: None,
            inputs: BTreeMap::from([((*modality).to_owned(), Source::path(&file))]),
            meta: BTreeMap::new(),
            place: Place {
                file: root.display().to_string(),
                row: rows.len() as u64 + 1,
            },
        });
    }
    Ok(())
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
fn entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |error| Error::io(path, "list", error);
    let mut entries = std::fs::read_dir(path)
        .map_err(io)?
        .map(|entry| Ok(entry.map_err(io)?.path()))
        .collect::<Result<Vec<_>, Error>>()?;
    entries.sort();
    Ok(entries)
}
