//! What a path stands for: which kind of data set, and which files it is made of.

use std::path::{Path, PathBuf};

use super::folder::entries;
use crate::{Error, Split};

/// The most files that a pattern stands for.
const MOST_FILES: usize = 100_000;

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
            Err(_) if has_braces(path) => return Self::of_files(path, path, expanded(path)?),
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
    let common = match has_braces(root) {
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

fn has_braces(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|text| text.contains('{') && text.contains('}'))
}

/// The files that a pattern stands for, all of which must be there.
fn expanded(pattern: &Path) -> Result<Vec<PathBuf>, Error> {
    let wrong = |reason: String| Error::Pattern {
        pattern: pattern.display().to_string(),
        reason,
    };
    let text = pattern
        .to_str()
        .ok_or_else(|| wrong("is not UTF-8".to_owned()))?;
    let files = expand(text).map_err(wrong)?;
    let files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
    match files.iter().find(|path| !path.is_file()) {
        Some(missing) => Err(wrong(format!(
            "stands for {} files, of which {} does not exist",
            files.len(),
            missing.display()
        ))),
        None => Ok(files),
    }
}

/// `a-{00..02}` is `a-00`, `a-01`, `a-02`; `{a,b}` is `a`, `b`.
fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let Some(open) = pattern.find('{') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let (before, rest) = (&pattern[..open], &pattern[open + 1..]);
    let (inside, after) = rest
        .split_once('}')
        .ok_or_else(|| format!("does not close {{{rest}"))?;
    let middle = choices(inside)?;
    let ends = expand(after)?;
    if middle.len().saturating_mul(ends.len()) > MOST_FILES {
        return Err(format!("stands for more than {MOST_FILES} files"));
    }
    let all = middle
        .iter()
        .flat_map(|middle| ends.iter().map(move |end| format!("{before}{middle}{end}")));
    Ok(all.collect())
}

/// What stands between braces.
fn choices(inside: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("has {{{inside}}}: write {{000..099}} or {{a,b}}");
    let Some((from, to)) = inside.split_once("..") else {
        let choices: Vec<String> = inside.split(',').map(str::to_owned).collect();
        return match choices.len() {
            0 | 1 => Err(wrong()),
            _ => Ok(choices),
        };
    };
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 16;
        text.parse::<u64>()
            .ok()
            .filter(|_| digits)
            .ok_or_else(wrong)
    };
    let (first, last) = (number(from)?, number(to)?);
    if first > last || last - first >= MOST_FILES as u64 {
        return Err(format!(
            "counts from {from} to {to}: from the lower to the higher, at most {MOST_FILES} files"
        ));
    }
    // As in a shell, numbers are as wide as they are written.
    let padded = from.starts_with('0') || to.starts_with('0');
    let width = if padded { from.len().max(to.len()) } else { 0 };
    Ok((first..=last).map(|n| format!("{n:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_as_in_a_shell() {
        let check = |pattern: &str, expected: &[&str]| {
            assert_eq!(expand(pattern).unwrap(), expected, "{pattern}");
        };
        check("a-{08..10}.tar", &["a-08.tar", "a-09.tar", "a-10.tar"]);
        check("{8..10}", &["8", "9", "10"]);
        check(
            "{train,test}/{0..1}",
            &["train/0", "train/1", "test/0", "test/1"],
        );
        let refuse = |pattern: &str, expected: &str| {
            assert_eq!(expand(pattern).unwrap_err(), expected, "{pattern}");
        };
        refuse("a{0..1", "does not close {0..1");
        refuse("a{}", "has {}: write {000..099} or {a,b}");
        refuse("a{x..y}", "has {x..y}: write {000..099} or {a,b}");
        refuse(
            "{2..1}",
            "counts from 2 to 1: from the lower to the higher, at most 100000 files",
        );
        refuse("{0..999}{0..999}", "stands for more than 100000 files");
        let endless =
            "counts from 0 to 999999999999: from the lower to the higher, at most 100000 files";
        refuse("{0..999999999999}", endless);
    }

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
