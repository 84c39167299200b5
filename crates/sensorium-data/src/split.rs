//! Which rows are for training, validation and testing.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use sensorium_core::seed;
use serde::{Deserialize, Serialize};

use crate::error::hint;
use crate::{Error, RowRef, Rows, Split};

/// `[data.split]`: how rows are parted that have no split of their own.
///
/// ```
/// # use sensorium_data::{SplitConfig, Take};
/// // As a recipe says it: by = "speaker", test = ["theo"], valid = 0.1, by_group = false
/// let config = SplitConfig {
///     by: Some("speaker".to_owned()),
///     test: Take::Groups(vec!["theo".to_owned()]),
///     valid: Take::Share(0.1),
///     by_group: false,
/// };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// The column whose values are the groups; by default the manifest's `group`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What validation gets: a share of the rows, or the groups of these names.
    pub valid: Take,
    /// What testing gets.
    pub test: Take,
    /// Shares keep rows of a group (such as a speaker) on one side. On where rows name groups.
    pub by_group: bool,
}

/// What a part gets: `0.1`, or `["theo", "ann"]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a share such as 0.1, or a list of groups such as [\"theo\"]"
)]
pub enum Take {
    /// So much of the rows that are in no named group.
    Share(f64),
    /// All rows of these groups, and no other.
    Groups(Vec<String>),
}

impl Take {
    /// The share; nothing of what is left, if groups are named.
    fn share(&self) -> f64 {
        match self {
            Self::Share(share) => *share,
            Self::Groups(_) => 0.0,
        }
    }

    /// The groups that are named.
    fn groups(&self) -> &[String] {
        match self {
            Self::Share(_) => &[],
            Self::Groups(names) => names,
        }
    }
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            by: None,
            valid: Take::Share(0.1),
            test: Take::Share(0.1),
            by_group: true,
        }
    }
}

/// Indices of rows, by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// Learned from.
    pub train: Vec<usize>,
    /// Chosen by.
    pub valid: Vec<usize>,
    /// Never seen.
    pub test: Vec<usize>,
}

impl SplitConfig {
    /// Parts rows: first those of named groups; else by the split that rows name, if any does; else by share, stratified by
    /// label, or whole groups at a time where rows name groups.
    ///
    /// # Errors
    /// If shares or names leave nothing to train on, no row is of a group that is named, a row lacks the column `by`, there
    /// are fewer groups than parts, or only some rows name a split.
    pub fn split(&self, rows: &Rows, seed: u64) -> Result<Splits, Error> {
        self.split_by(rows, seed, RowRef::label)
    }

    /// The same for labels that are no classes: where shares are drawn, all rows are shuffled together.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn split_alike(&self, rows: &Rows, seed: u64) -> Result<Splits, Error> {
        self.split_by(rows, seed, |_| None)
    }

    fn split_by<'a>(
        &self,
        rows: &'a Rows,
        seed: u64,
        class: impl Fn(RowRef<'a>) -> Option<&'a str>,
    ) -> Result<Splits, Error> {
        self.validate()?;
        let names = self.names_groups();
        if !names && rows.refs().any(|row| row.split().is_some()) {
            return by_column(rows);
        }
        let groups = self.groups_of(rows)?;
        let (mut splits, rest) = match names {
            true => self.by_names(&groups)?,
            false => (Splits::default(), (0..rows.len()).collect()),
        };
        let shared = match self.by_group && groups.iter().any(Option::is_some) {
            true => self.by_groups(&groups, rest, seed)?,
            false => self.by_classes(|i| class(rows.at(i)), rest, seed),
        };
        splits.train.extend(shared.train);
        splits.valid.extend(shared.valid);
        splits.test.extend(shared.test);
        Ok(splits.sorted())
    }

    /// Checks that the shares and names are possible.
    ///
    /// # Errors
    /// If a share is below 0, both together leave nothing to train on, or a list names no group or one twice.
    pub fn validate(&self) -> Result<(), Error> {
        for (key, take) in [("valid", &self.valid), ("test", &self.test)] {
            let value = take.share();
            if !(0.0..1.0).contains(&value) || self.valid.share() + self.test.share() >= 1.0 {
                return Err(Error::Split {
                    key,
                    reason: format!("{value} must be at least 0, and both shares together below 1"),
                });
            }
            if take == &Take::Groups(Vec::new()) {
                return Err(Error::Split {
                    key,
                    reason: "names no group: use 0 for a part without rows".to_owned(),
                });
            }
        }
        let mut known = BTreeSet::new();
        let names = self.valid.groups().iter().chain(self.test.groups());
        match names.into_iter().find(|name| !known.insert(*name)) {
            Some(twice) => Err(Error::Split {
                key: "test",
                reason: format!("{twice:?} is named twice, in one part or in two"),
            }),
            None => Ok(()),
        }
    }

    /// The values of the column that groups are told by, in the order in which they first occur.
    ///
    /// # Errors
    /// If a row lacks the column `by`, or no row names a group.
    pub fn groups(&self, rows: &Rows) -> Result<Vec<String>, Error> {
        let mut known = BTreeSet::new();
        let groups = self.groups_of(rows)?.into_iter().flatten();
        let groups: Vec<String> = groups
            .filter(|name| known.insert(*name))
            .map(str::to_owned)
            .collect();
        if groups.is_empty() {
            return Err(no_groups());
        }
        Ok(groups)
    }

    fn names_groups(&self) -> bool {
        !self.valid.groups().is_empty() || !self.test.groups().is_empty()
    }

    /// Each row's group.
    fn groups_of<'a>(&self, rows: &'a Rows) -> Result<Vec<Option<&'a str>>, Error> {
        let Some(by) = &self.by else {
            return Ok(rows.refs().map(RowRef::group).collect());
        };
        let group = |row: RowRef<'a>| match row.meta(by) {
            Some(name) => Ok(Some(name)),
            None => {
                let row = row.row();
                let known: Vec<&str> = row.meta.keys().map(|key| &**key).collect();
                let hint = hint(by, known.iter().copied());
                let known = match known.is_empty() {
                    true => "no column to tell groups by".to_owned(),
                    false => known.join(", "),
                };
                Err(Error::Split {
                    key: "by",
                    reason: format!(
                        "{} has nothing in column {by}; it has {known}{hint}",
                        row.place
                    ),
                })
            }
        };
        rows.refs().map(group).collect()
    }

    /// The rows of named groups, and the indices of all others.
    fn by_names(&self, groups: &[Option<&str>]) -> Result<(Splits, Vec<usize>), Error> {
        let known: BTreeSet<&str> = groups.iter().flatten().copied().collect();
        if known.is_empty() {
            return Err(no_groups());
        }
        for (key, take) in [("valid", &self.valid), ("test", &self.test)] {
            let unknown = |name: &&String| !known.contains(name.as_str());
            if let Some(name) = take.groups().iter().find(unknown) {
                let column = self.by.as_deref().unwrap_or("group");
                let hint = hint(name, known.iter().copied());
                let some: Vec<&str> = known.iter().take(20).copied().collect();
                let more = if known.len() > some.len() {
                    ", …"
                } else {
                    ""
                };
                return Err(Error::Split {
                    key,
                    reason: format!(
                        "no row has {column} {name:?}{hint} ({}{more})",
                        some.join(", ")
                    ),
                });
            }
        }
        let mut splits = Splits::default();
        let mut rest = Vec::new();
        for (i, group) in groups.iter().enumerate() {
            let is_of = |take: &Take| group.is_some_and(|g| take.groups().iter().any(|n| n == g));
            match (is_of(&self.valid), is_of(&self.test)) {
                (true, _) => splits.valid.push(i),
                (_, true) => splits.test.push(i),
                _ => rest.push(i),
            }
        }
        if rest.is_empty() {
            return Err(Error::Split {
                key: "test",
                reason: "every row is of a named group, and none is left to train on".to_owned(),
            });
        }
        Ok((splits, rest))
    }

    /// Shuffles each class and cuts it by share.
    fn by_classes<'a>(
        &self,
        class: impl Fn(usize) -> Option<&'a str>,
        of: Vec<usize>,
        seed: u64,
    ) -> Splits {
        let mut classes: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for i in of {
            classes.entry(class(i)).or_default().push(i);
        }
        let mut splits = Splits::default();
        // What rounding takes from one class it gives to the next, so that shares hold overall.
        let (mut owed_valid, mut owed_test) = (0.0, 0.0);
        for (label, mut indices) in classes {
            let name = seed::of_name(label.unwrap_or_default());
            indices.shuffle(&mut seed::rng(seed, &[seed::of_name("split"), name]));
            owed_valid += self.valid.share() * indices.len() as f64;
            owed_test += self.test.share() * indices.len() as f64;
            let n_test = (owed_test.round().max(0.0) as usize).min(indices.len());
            let n_valid = (owed_valid.round().max(0.0) as usize).min(indices.len() - n_test);
            owed_test -= n_test as f64;
            owed_valid -= n_valid as f64;
            splits.test.extend(indices.drain(..n_test));
            splits.valid.extend(indices.drain(..n_valid));
            splits.train.extend(indices);
        }
        splits
    }

    /// Gives whole groups, in a drawn order: one to each part that has a share, the largest share first, and each
    /// further one to the part that is furthest below its share.
    fn by_groups(
        &self,
        names: &[Option<&str>],
        of: Vec<usize>,
        seed: u64,
    ) -> Result<Splits, Error> {
        let total = of.len() as f64;
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for i in of {
            // A row without a group is one of its own.
            let name = names[i].map_or_else(|| format!("\0{i}"), str::to_owned);
            groups.entry(name).or_default().push(i);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        groups.shuffle(&mut seed::rng(seed, &[seed::of_name("split-groups")]));
        let (valid, test) = (self.valid.share(), self.test.share());
        let shares = [1.0 - valid - test, valid, test];
        let mut first: Vec<usize> = (0..3).filter(|p| shares[*p] > 0.0).collect();
        first.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
        if groups.len() < first.len() {
            return Err(Error::Split {
                key: "by_group",
                reason: format!(
                    "{} {} cannot be dealt out to {} parts: train {:.2}, valid {}, test {}; give a part no share, or turn by_group off",
                    groups.len(),
                    if groups.len() == 1 { "group" } else { "groups" },
                    first.len(),
                    shares[0],
                    valid,
                    test
                ),
            });
        }
        let mut parts: [Vec<usize>; 3] = Default::default();
        for (n, group) in groups.into_iter().enumerate() {
            let lack = |p: usize| shares[p] - parts[p].len() as f64 / total;
            let worst = first.iter().max_by(|a, b| lack(**a).total_cmp(&lack(**b)));
            let part = first.get(n).or(worst).copied();
            parts[part.unwrap_or(0)].extend(group);
        }
        let [train, valid, test] = parts;
        Ok(Splits { train, valid, test })
    }
}

impl Splits {
    fn sorted(mut self) -> Self {
        for part in [&mut self.train, &mut self.valid, &mut self.test] {
            part.sort_unstable();
        }
        self
    }
}

fn no_groups() -> Error {
    Error::Split {
        key: "by",
        reason: "no row has a group: name the column that groups are told by".to_owned(),
    }
}

/// By the split that rows name themselves.
fn by_column(rows: &Rows) -> Result<Splits, Error> {
    let mut splits = Splits::default();
    for (i, row) in rows.refs().enumerate() {
        match row.split() {
            Some(Split::Train) => splits.train.push(i),
            Some(Split::Valid) => splits.valid.push(i),
            Some(Split::Test) => splits.test.push(i),
            None => {
                return Err(Error::Split {
                    key: "by_column",
                    reason: format!("{} names no split, but other rows do", row.place()),
                });
            }
        }
    }
    Ok(splits)
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
