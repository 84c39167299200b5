//! Patterns of file names: `shards/*.tar`, `set-{000..099}.tar`, `{train,test}-*.parquet`.

use std::path::{Path, PathBuf};

use super::folder::entries;
use super::layout::MOST_FILES;
use crate::Error;

/// Whether a path is to be taken for a pattern, if there is no file of that name.
pub(super) fn is_one(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|text| text.contains('*') || (text.contains('{') && text.contains('}')))
}

/// The files that a pattern stands for. Those that braces name must all be there; of those that a star stands for there must be one.
pub(super) fn expanded(pattern: &Path) -> Result<Vec<PathBuf>, Error> {
    let wrong = |reason: String| Error::Pattern {
        pattern: pattern.display().to_string(),
        reason,
    };
    let text = pattern
        .to_str()
        .ok_or_else(|| wrong("is not UTF-8".to_owned()))?;
    let mut files = Vec::new();
    for path in expand(text).map_err(wrong)? {
        match path.contains('*') {
            true => files.extend(matching(Path::new(&path)).map_err(wrong)?),
            false => files.push(PathBuf::from(path)),
        }
        if files.len() > MOST_FILES {
            return Err(wrong(too_many()));
        }
    }
    match files.iter().find(|path| !path.is_file()) {
        Some(missing) => Err(wrong(format!(
            "stands for {} files, of which {} does not exist",
            files.len(),
            missing.display()
        ))),
        None => Ok(files),
    }
}

fn too_many() -> String {
    format!("stands for more than {MOST_FILES} files")
}

/// The files that a path with stars stands for, by name: a star is any part of one name, and of none that begins with a point.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let name = part.as_os_str().to_str().unwrap_or_default();
        if !name.contains('*') {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let listed = match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => &folder,
            };
            // What is no folder has nothing in it, and what one star found need not hold what the next looks for.
            let Ok(entries) = entries(listed) else {
                continue;
            };
            let names = entries.iter().filter_map(|path| path.file_name()?.to_str());
            let fitting = names.filter(|there| fits(name, there));
            next.extend(fitting.map(|there| folder.join(there)));
            if next.len() > MOST_FILES {
                return Err(too_many());
            }
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    match found.is_empty() {
        true => Err("stands for no file: none there has such a name".to_owned()),
        false => Ok(found),
    }
}

/// Whether a name is one of those that a pattern with stars stands for.
fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (before, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Some(mut left) = name.strip_prefix(before) else {
        return false;
    };
    let (between, after) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The first place of each part leaves the most room for those that follow.
    for part in between.split('*').filter(|part| !part.is_empty()) {
        match left.split_once(part) {
            Some((_, rest)) => left = rest,
            None => return false,
        }
    }
    left.ends_with(after)
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
        return Err(too_many());
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
    fn a_star_is_any_part_of_a_name() {
        for (pattern, name) in [
            ("*", "a"),
            ("*.tar", "a.b.tar"),
            ("a*", "a"),
            ("a*b*c", "axbybc"),
            ("**", "a"),
            (".*", ".a"),
            ("*-*-*", "a-b-c-d"),
            ("é*ü", "é東ü"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.tar", "a.tar.gz"),
            ("*", ".hidden"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("*ab*b", "ab"),
            ("b*", "ab"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn stars_stand_for_files_in_their_order() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "b/2.tar",
            "a/1.tar",
            "a/0.tar",
            "a/note.txt",
            "a/.tar",
            "c.tar",
        ] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::create_dir(root.path().join("a/folder.tar")).unwrap();
        let found = |pattern: &str| -> Result<Vec<String>, Error> {
            let files = expanded(&root.path().join(pattern))?;
            let name = |path: PathBuf| {
                let within = path.strip_prefix(root.path()).unwrap();
                within.to_str().unwrap().replace('\\', "/")
            };
            Ok(files.into_iter().map(name).collect::<Vec<_>>())
        };
        let files = |pattern: &str| found(pattern).unwrap();
        assert_eq!(files("*/*.tar"), ["a/0.tar", "a/1.tar", "b/2.tar"]);
        assert_eq!(files("{b,a}/*.tar"), ["b/2.tar", "a/0.tar", "a/1.tar"]);
        assert_eq!(files("*.tar"), ["c.tar"]);
        assert_eq!(files("*/{1..2}.tar").len(), 2);
        let error = |pattern: &str| {
            let error = found(pattern).unwrap_err();
            error.to_string()
        };
        for pattern in ["*.parquet", "nowhere/*.tar", "c.tar/*", "{a,b}/x*"] {
            let error = error(pattern);
            assert!(
                error.ends_with("stands for no file: none there has such a name"),
                "{error}"
            );
        }
    }
}
