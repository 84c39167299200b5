//! What a path stands for: which kind of data set, and which files it is made of.

use std::path::{Path, PathBuf};

use super::folder::entries;
use super::pattern;
use crate::{Error, Split};

/// The most files that a data set is made of.
pub(super) const MOST_FILES: usize = 100_000;

/// Folders that are looked into for shards, besides those of parts.
const LOOKED_INTO: [&str; 2] = ["data", "default"];

/// How deep below the folder that is given shards may lie: `data/train/0000.parquet`.
const DEEPEST: usize = 2;

/// How a data set lies on the disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Manifest(PathBuf),
    Shards(Vec<PartFile>),
    Parquet(Vec<PartFile>),
    Classes(PathBuf),
}

/// A file of many that make up a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartFile {
    pub(crate) path: PathBuf,
    /// Its name within the data set, without the extension.
    pub(crate) name: String,
    /// The part that its name or folder tells.
    pub(crate) split: Option<Split>,
}

impl Layout {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(_) if pattern::is_one(path) => {
                return Self::of_files(path, path, pattern::expanded(path)?);
            }
            Err(error) => return Err(Error::io(path, "open", error)),
        };
        if !metadata.is_dir() {
            return Self::of_files(path, path.parent().unwrap_or(path), vec![path.to_owned()]);
        }
        let manifest = ["manifest.jsonl", "manifest.csv", "manifest.tsv"];
        let mut manifest = manifest.iter().map(|name| path.join(name));
        if let Some(manifest) = manifest.find(|path| path.is_file()) {
            return Ok(Self::Manifest(manifest));
        }
        let mut files = Vec::new();
        gather(path, 0, &mut files)?;
        match files.is_empty() {
            true => Ok(Self::Classes(path.to_owned())),
            false => Self::of_files(path, path, files),
        }
    }

    /// Files of one kind; `root` is what their names are told from.
    fn of_files(given: &Path, root: &Path, files: Vec<PathBuf>) -> Result<Self, Error> {
        let kind = |path: &PathBuf| extension(path);
        let first = files.first().map(kind).unwrap_or_default();
        if let Some(other) = files.iter().find(|path| kind(path) != first) {
            return Err(Error::NotData {
                path: given.to_owned(),
                reason: format!(
                    "holds shards of two kinds (.{first} and .{}): give the files of one, such as {}/*.{first} as a pattern",
                    kind(other),
                    given.display()
                ),
            });
        }
        match (first.as_str(), &files[..]) {
            ("tar", _) => Ok(Self::Shards(parts(root, files))),
            ("parquet", _) => Ok(Self::Parquet(parts(root, files))),
            (_, [one]) => match packed(one) {
                Some(reason) => Err(Error::NotData {
                    path: one.clone(),
                    reason,
                }),
                None => Ok(Self::Manifest(one.clone())),
            },
            _ => Err(Error::NotData {
                path: given.to_owned(),
                reason: "a pattern stands for shards, whose names end in .tar or .parquet"
                    .to_owned(),
            }),
        }
    }
}

/// The extension in lower case.
pub(super) fn extension(path: &Path) -> String {
    let extension = path.extension().and_then(|e| e.to_str());
    extension.unwrap_or_default().to_ascii_lowercase()
}

/// What to do with a shard that is compressed as a whole.
fn packed(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let ends = [".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"];
    ends.iter().any(|end| name.ends_with(end)).then(|| {
        "is a compressed archive, in which nothing can be looked up: unpack it to a .tar first"
            .to_owned()
    })
}

/// The shards in a folder, and in those below it that are named after parts.
fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for path in entries(folder)? {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let is_shard =
            matches!(extension(&path).as_str(), "tar" | "parquet") || packed(&path).is_some();
        if is_shard && path.is_file() {
            files.push(path);
        } else if depth < DEEPEST
            && (LOOKED_INTO.contains(&name) || Split::named(name).is_some())
            && path.is_dir()
        {
            gather(&path, depth + 1, files)?;
        }
    }
    if files.len() > MOST_FILES {
        return Err(Error::NotData {
            path: folder.to_owned(),
            reason: format!("holds more than {MOST_FILES} shards"),
        });
    }
    Ok(())
}

/// The files with the parts that their names tell. One part alone parts nothing, and is not told.
fn parts(root: &Path, files: Vec<PathBuf>) -> Vec<PartFile> {
    let common = match pattern::is_one(root) {
        true => common_folder(&files),
        false => root.to_owned(),
    };
    let part = |path: PathBuf| {
        let within = path
            .strip_prefix(&common)
            .unwrap_or(&path)
            .with_extension("");
        let name = within.to_string_lossy().replace('\\', "/");
        let names: Vec<&str> = name.rsplit('/').collect();
        let split = names.iter().find_map(|name| split_of(name));
        PartFile { path, name, split }
    };
    let mut parts: Vec<PartFile> = files.into_iter().map(part).collect();
    let first = parts.iter().find_map(|part| part.split);
    if parts
        .iter()
        .all(|part| part.split.is_none() || part.split == first)
    {
        parts.iter_mut().for_each(|part| part.split = None);
    }
    parts
}

/// The part that a name tells, such as `set-train-000`.
fn split_of(name: &str) -> Option<Split> {
    name.split(|c: char| !c.is_alphanumeric())
        .find_map(Split::named)
}

fn common_folder(files: &[PathBuf]) -> PathBuf {
    let mut common = files
        .first()
        .and_then(|file| file.parent())
        .unwrap_or(Path::new(""))
        .to_owned();
    while !files.iter().all(|file| file.starts_with(&common)) {
        common.pop();
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_names_and_folders_where_there_are_two() {
        let splits = |files: &[&str]| {
            let files = files
                .iter()
                .map(|file| Path::new("root").join(file))
                .collect();
            let parts = parts(Path::new("root"), files);
            parts.into_iter().map(|part| part.split).collect::<Vec<_>>()
        };
        let (train, valid, test) = (Some(Split::Train), Some(Split::Valid), Some(Split::Test));
        assert_eq!(
            splits(&["set-train-0.tar", "set-val-0.tar"]),
            [train, valid]
        );
        assert_eq!(splits(&["train/0.tar", "data/test/a.tar"]), [train, test]);
        // The name of the file before those of folders.
        assert_eq!(splits(&["test/train-0.tar", "test/0.tar"]), [train, test]);
        assert_eq!(splits(&["train-0.tar", "train-1.tar"]), [None, None]);
        assert_eq!(splits(&["retrained.tar", "test.tar"]), [None, None]);
    }
}
