//! Which rows are for training, validation and testing.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use sensorium_core::seed;
use serde::{Deserialize, Serialize};

use crate::{Error, Row, Split};

/// `[data.split]`: how rows without a split of their own are parted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Share of the rows for validation.
    pub valid: f64,
    /// Share of the rows for testing.
    pub test: f64,
    /// Keeps rows of a group (such as a speaker) on one side. On where rows name groups.
    pub by_group: bool,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            valid: 0.1,
            test: 0.1,
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
    /// Parts rows: by the split they name, if any does, else by share, stratified by label; whole groups
    /// at a time where rows name groups.
    ///
    /// # Errors
    /// If shares leave nothing to train on, there are fewer groups than parts, or only some rows name a split.
    pub fn split(&self, rows: &[Row], seed: u64) -> Result<Splits, Error> {
        if rows.iter().any(|row| row.split.is_some()) {
            return named(rows);
        }
        self.validate()?;
        if self.by_group && rows.iter().any(|row| row.group.is_some()) {
            return self.by_groups(rows, seed);
        }
        Ok(self.by_labels(rows, seed))
    }

    /// Checks that the shares are possible.
    ///
    /// # Errors
    /// If one is below 0, or both together leave nothing to train on.
    pub fn validate(&self) -> Result<(), Error> {
        for (key, value) in [("valid", self.valid), ("test", self.test)] {
            if !(0.0..1.0).contains(&value) || self.valid + self.test >= 1.0 {
                return Err(Error::Split {
                    key,
                    reason: format!("{value} must be at least 0, and both shares together below 1"),
                });
            }
        }
        Ok(())
    }

    /// Shuffles each class and cuts it by share.
    fn by_labels(&self, rows: &[Row], seed: u64) -> Splits {
        let mut classes: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            classes.entry(row.label.as_deref()).or_default().push(i);
        }
        let mut splits = Splits::default();
        // What rounding takes from one class it gives to the next, so that shares hold overall.
        let (mut owed_valid, mut owed_test) = (0.0, 0.0);
        for (label, mut indices) in classes {
            let name = seed::of_name(label.unwrap_or_default());
            indices.shuffle(&mut seed::rng(seed, &[seed::of_name("split"), name]));
            owed_valid += self.valid * indices.len() as f64;
            owed_test += self.test * indices.len() as f64;
            let n_test = (owed_test.round().max(0.0) as usize).min(indices.len());
            let n_valid = (owed_valid.round().max(0.0) as usize).min(indices.len() - n_test);
            owed_test -= n_test as f64;
            owed_valid -= n_valid as f64;
            splits.test.extend(indices.drain(..n_test));
            splits.valid.extend(indices.drain(..n_valid));
            splits.train.extend(indices);
        }
        splits.sorted()
    }

    /// Gives whole groups, in a drawn order: one to each part that has a share, the largest share first, and each
    /// further one to the part that is furthest below its share.
    fn by_groups(&self, rows: &[Row], seed: u64) -> Result<Splits, Error> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            // A row without a group is one of its own.
            let name = row
                .group
                .as_ref()
                .map_or_else(|| format!("\0{i}"), Clone::clone);
            groups.entry(name).or_default().push(i);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        groups.shuffle(&mut seed::rng(seed, &[seed::of_name("split-groups")]));
        let total = rows.len() as f64;
        let shares = [1.0 - self.valid - self.test, self.valid, self.test];
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
                    self.valid,
                    self.test
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
        Ok(Splits { train, valid, test }.sorted())
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

fn named(rows: &[Row]) -> Result<Splits, Error> {
    let mut splits = Splits::default();
    for (i, row) in rows.iter().enumerate() {
        match row.split {
            Some(Split::Train) => splits.train.push(i),
            Some(Split::Valid) => splits.valid.push(i),
            Some(Split::Test) => splits.test.push(i),
            None => {
                return Err(Error::Split {
                    key: "by_column",
                    reason: format!("{} names no split, but other rows do", row.place),
                });
            }
        }
    }
    Ok(splits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn row(label: usize, group: Option<usize>) -> Row {
        Row {
            id: String::new(),
            label: Some(label.to_string()),
            split: None,
            group: group.map(|g| g.to_string()),
            inputs: BTreeMap::new(),
            meta: BTreeMap::new(),
            place: crate::Place::default(),
        }
    }

    /// Rows of groups of these sizes.
    fn grouped(sizes: &[usize]) -> Vec<Row> {
        let of = |(group, size): (usize, &usize)| (0..*size).map(move |i| row(i % 2, Some(group)));
        sizes.iter().enumerate().flat_map(of).collect()
    }

    #[test]
    fn few_groups_leave_no_part_empty() {
        for seed in 0..20 {
            let parts = |config: &SplitConfig, sizes: &[usize]| {
                let splits = config.split(&grouped(sizes), seed).unwrap();
                (splits.train.len(), splits.valid.len(), splits.test.len())
            };
            let config = SplitConfig::default();
            assert_eq!(parts(&config, &[5; 3]), (5, 5, 5));
            assert_eq!(parts(&config, &[5; 4]), (10, 5, 5));
            assert_eq!(parts(&config, &[5; 10]), (40, 5, 5));
            assert_eq!(parts(&config, &[1; 100]), (80, 10, 10));
            let no_valid = SplitConfig {
                valid: 0.0,
                ..config
            };
            assert_eq!(parts(&no_valid, &[5; 2]), (5, 0, 5));
            assert_eq!(parts(&no_valid, &[5; 10]), (45, 0, 5));
        }
        let error = SplitConfig::default()
            .split(&grouped(&[5; 2]), 0)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "data.split.by_group: 2 groups cannot be dealt out to 3 parts: train 0.80, valid 0.1, test 0.1; \
             give a part no share, or turn by_group off"
        );
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_cover_all_and_can_be_had_again(
            labels in prop::collection::vec((0usize..4, prop::option::of(0usize..6)), 0..80),
            seed in any::<u64>(), valid in 0.0f64..0.4, test in 0.0f64..0.4,
        ) {
            let rows: Vec<Row> = labels.iter().map(|(l, g)| row(*l, *g)).collect();
            let config = SplitConfig { valid, test, by_group: true };
            let wanted = 1 + usize::from(valid > 0.0) + usize::from(test > 0.0);
            let groups: BTreeSet<_> = labels.iter().enumerate().map(|(i, (_, g))| g.ok_or(i)).collect();
            let grouped = labels.iter().any(|(_, group)| group.is_some());
            if grouped && groups.len() < wanted {
                prop_assert!(config.split(&rows, seed).is_err());
                return Ok(());
            }
            let splits = config.split(&rows, seed).unwrap();
            if grouped {
                let filled = [&splits.train, &splits.valid, &splits.test].iter().filter(|p| !p.is_empty()).count();
                prop_assert_eq!(filled, wanted, "a part with a share has no group");
            }
            prop_assert_eq!(&splits, &config.split(&rows, seed).unwrap());
            let mut all = [splits.train.clone(), splits.valid.clone(), splits.test.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>());
            let side = |i: &usize| [&splits.train, &splits.valid, &splits.test].iter().position(|p| p.contains(i));
            for (i, a) in labels.iter().enumerate() {
                for (j, b) in labels.iter().enumerate() {
                    if a.1.is_some() && a.1 == b.1 {
                        prop_assert_eq!(side(&i), side(&j));
                    }
                }
            }
        }

        #[test]
        fn shares_hold_within_a_row_per_class(n in 1usize..300, seed in any::<u64>()) {
            let rows: Vec<Row> = (0..n).map(|i| row(i % 7, None)).collect();
            let splits = SplitConfig::default().split(&rows, seed).unwrap();
            prop_assert!((splits.test.len() as f64 - 0.1 * n as f64).abs() <= 1.0);
            prop_assert!((splits.valid.len() as f64 - 0.1 * n as f64).abs() <= 1.0);
        }
    }
}
