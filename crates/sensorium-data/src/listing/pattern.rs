//! A pattern of file names, such as `{speaker}/{label}_{take}.wav`, and what a name says by it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The longest pattern, in bytes.
const LONGEST: usize = 1000;

/// Where in a file's path its columns stand: `{NAME}` is a column, `{}` anything, the rest is itself.
///
/// ```
/// # use sensorium_data::NamePattern;
/// let pattern: NamePattern = "{speaker}/{label}_{take}.wav".parse()?;
/// assert_eq!(pattern.read("theo/7_03.wav")?, [("speaker", "theo"), ("label", "7"), ("take", "03")]);
/// assert!(pattern.read("theo/notes.txt").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    text: String,
    /// One for each folder of the path, and one for the file.
    levels: Vec<Level>,
}

/// What one name of a path looks like: `start`, then columns, each with what stands behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Level {
    start: String,
    columns: Vec<(String, String)>,
}

/// Why a name does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It looks different.
    #[error("does not fit")]
    Different,
    /// It could be read in two ways, such as `a_b_c` by `{x}_{y}`.
    #[error("fits in more than one way")]
    Ambiguous,
}

impl FromStr for NamePattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Pattern {
            pattern: text.to_owned(),
            reason,
        };
        if text.len() > LONGEST {
            return Err(wrong(format!("is longer than {LONGEST} bytes")));
        }
        let levels: Result<Vec<Level>, String> = text.split('/').map(level).collect();
        let levels = levels.map_err(wrong)?;
        let names = levels.iter().flat_map(|level| &level.columns);
        let names: Vec<&String> = names
            .map(|(name, _)| name)
            .filter(|n| !n.is_empty())
            .collect();
        if names.is_empty() {
            return Err(wrong(
                "names no column: write {label} where the class stands".to_owned(),
            ));
        }
        let mut known = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !known.insert(**name)) {
            return Err(wrong(format!("names the column {twice:?} twice")));
        }
        Ok(Self {
            text: text.to_owned(),
            levels,
        })
    }
}

/// Reads what stands between two slashes.
fn level(text: &str) -> Result<Level, String> {
    if text.is_empty() || text == "." || text == ".." {
        return Err("has an empty name between slashes".to_owned());
    }
    let mut pieces = text.split('{');
    let start = pieces.next().unwrap_or_default().to_owned();
    let mut columns = Vec::new();
    for piece in pieces {
        let (name, behind) = piece
            .split_once('}')
            .ok_or_else(|| format!("does not close {{{piece}"))?;
        let known = |c: char| c.is_alphanumeric() || "_-. ".contains(c);
        if !name.chars().all(known) {
            return Err(format!(
                "{{{name}}} is no column's name: use letters, digits, _ and -"
            ));
        }
        columns.push((name.to_owned(), behind.to_owned()));
    }
    let texts = columns.iter().map(|(_, behind)| behind).chain([&start]);
    if texts.into_iter().any(|text| text.contains('}')) {
        return Err("closes } without opening {".to_owned());
    }
    let between = &columns[..columns.len().saturating_sub(1)];
    if let Some((name, _)) = between.iter().find(|(_, behind)| behind.is_empty()) {
        return Err(format!(
            "has nothing between {{{name}}} and the next column to tell where one ends"
        ));
    }
    Ok(Level { start, columns })
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl NamePattern {
    /// How many folders a file lies deep.
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// The columns in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let columns = self.levels.iter().flat_map(|level| &level.columns);
        columns
            .map(|(name, _)| name.as_str())
            .filter(|n| !n.is_empty())
    }

    /// What a path says of each column; folders are parted by `/`.
    ///
    /// # Errors
    /// If it does not fit, or in more than one way. A column takes at least one character.
    pub fn read<'p, 't>(&'p self, path: &'t str) -> Result<Vec<(&'p str, &'t str)>, Unfit> {
        let names: Vec<&str> = path.split('/').collect();
        if names.len() != self.levels.len() {
            return Err(Unfit::Different);
        }
        let mut found = Vec::new();
        for (level, name) in self.levels.iter().zip(names) {
            let shortest = level.leftmost(name).ok_or(Unfit::Different)?;
            // Each column ends as early as it can, or begins as late: if both are the same, there is no third way.
            if Some(&shortest) != level.rightmost(name).as_ref() {
                return Err(Unfit::Ambiguous);
            }
            let columns = level.columns.iter().zip(shortest);
            found.extend(columns.map(|((column, _), value)| (column.as_str(), value)));
        }
        found.retain(|(column, _)| !column.is_empty());
        Ok(found)
    }
}

impl Level {
    /// The columns' values, each ending at the first place where what stands behind it does.
    fn leftmost<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let mut rest = text.strip_prefix(self.start.as_str())?;
        let Some(((_, end), between)) = self.columns.split_last() else {
            return rest.is_empty().then(Vec::new);
        };
        let mut values = Vec::with_capacity(self.columns.len());
        for (_, behind) in between {
            let first = rest.chars().next()?.len_utf8();
            let at = first + rest[first..].find(behind.as_str())?;
            values.push(&rest[..at]);
            rest = &rest[at + behind.len()..];
        }
        let last = rest.strip_suffix(end.as_str())?;
        values.push(last);
        (!last.is_empty()).then_some(values)
    }

    /// The same from the other end: each column beginning at the last place where it can.
    fn rightmost<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let mut rest = text.strip_prefix(self.start.as_str())?;
        let Some(((_, end), between)) = self.columns.split_last() else {
            return rest.is_empty().then(Vec::new);
        };
        rest = rest.strip_suffix(end.as_str())?;
        let mut values = Vec::with_capacity(self.columns.len());
        for (_, before) in between.iter().rev() {
            let last = rest.char_indices().next_back()?.0;
            let at = rest[..last].rfind(before.as_str())?;
            values.push(&rest[at + before.len()..]);
            rest = &rest[..at];
        }
        values.push(rest);
        values.reverse();
        (!rest.is_empty()).then_some(values)
    }
}
