//! No part shares a group with another, none is empty, named groups go where they are named, and the same seed parts alike.

use super::*;
use crate::Row;
use proptest::prelude::*;

fn row(label: usize, group: Option<usize>) -> Row {
    Row {
        id: String::new(),
        label: Some(label.to_string()),
        split: None,
        group: group.map(|g| g.to_string()),
        inputs: Default::default(),
        meta: Default::default(),
        place: crate::Place::default(),
    }
}

/// Rows of groups of these sizes.
fn grouped(sizes: &[usize]) -> Rows {
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
            valid: Take::Share(0.0),
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

/// Twelve rows of three speakers and four takes, in columns of these names; each speaker is a class.
fn recordings() -> Rows {
    let mut rows: Vec<Row> = (0..12).map(|i| row(i % 3, None)).collect();
    for (i, row) in rows.iter_mut().enumerate() {
        let speaker = ["ann", "ben", "cy"][i % 3].to_owned();
        let take = (i / 3).to_string();
        row.place.row = i as u64 + 2;
        row.meta = [("speaker", speaker), ("take", take)].into();
    }
    rows.into()
}

/// A split by a column, its parts as in a recipe.
fn by(column: &str, valid: &str, test: &str, by_group: bool) -> SplitConfig {
    let take = |text| serde_json::from_str(text).unwrap();
    SplitConfig {
        by: Some(column.to_owned()),
        valid: take(valid),
        test: take(test),
        by_group,
    }
}

#[test]
fn named_groups_stand_where_they_are_named() {
    let rows = recordings();
    let parts = |config: &SplitConfig| config.split(&rows, 3).unwrap();
    let one = parts(&by("speaker", "0", r#"["ben"]"#, true));
    assert_eq!(one.test, [1, 4, 7, 10]);
    assert_eq!((one.train.len(), one.valid.len()), (8, 0));
    let two = parts(&by("take", r#"["3"]"#, r#"["0", "1"]"#, true));
    assert_eq!(
        (two.test, two.valid),
        (vec![0, 1, 2, 3, 4, 5], vec![9, 10, 11])
    );

    // A share of the rest: whole groups, or a part of each class.
    let whole = parts(&by("speaker", "0.5", r#"["ben"]"#, true));
    assert!(whole.valid == [0, 3, 6, 9] || whole.valid == [2, 5, 8, 11]);
    let apart = parts(&by("speaker", "0.25", r#"["ben"]"#, false));
    assert_eq!((apart.valid.len(), apart.train.len()), (2, 6));
    assert!(apart.valid.iter().all(|i| i % 3 != 1));

    // What a recipe names counts more than what rows do.
    let trained = |row| Row {
        split: Some(Split::Train),
        ..row
    };
    let rows = rows.iter().map(trained).collect();
    let named = by("speaker", "0", r#"["ben"]"#, true);
    assert_eq!(named.split(&rows, 3).unwrap().test, [1, 4, 7, 10]);
    let shares = by("speaker", "0", "0.3", true);
    assert!(shares.split(&rows, 3).unwrap().test.is_empty());
}

#[test]
fn shares_by_a_column_keep_its_groups_whole() {
    let splits = by("take", "0", "0.25", true)
        .split(&recordings(), 5)
        .unwrap();
    assert_eq!(splits.test.len(), 3);
    assert!(splits.test.iter().all(|i| i / 3 == splits.test[0] / 3));
}

#[test]
fn groups_are_listed_as_they_come() {
    let config = by("speaker", "0", "0.5", true);
    assert_eq!(config.groups(&recordings()).unwrap(), ["ann", "ben", "cy"]);
    let none = SplitConfig::default().groups(&recordings()).unwrap_err();
    let expected = "data.split.by: no row has a group: name the column that groups are told by";
    assert_eq!(none.to_string(), expected);
}

#[test]
fn names_that_cannot_be_followed_say_why() {
    let check = |config: SplitConfig, expected: &str| {
        let error = config.split(&recordings(), 0).unwrap_err();
        assert_eq!(error.to_string(), format!("data.split.{expected}"));
    };
    check(
        by("speaker", "0", r#"["bem"]"#, true),
        r#"test: no row has speaker "bem"; did you mean "ben"? (ann, ben, cy)"#,
    );
    check(
        by("speakers", "0", r#"["ben"]"#, true),
        r#"by: :2 has nothing in column speakers; it has speaker, take; did you mean "speaker"?"#,
    );
    check(
        by("speaker", r#"["cy"]"#, r#"["ben", "cy"]"#, true),
        r#"test: "cy" is named twice, in one part or in two"#,
    );
    check(
        by("speaker", "0", "[]", true),
        "test: names no group: use 0 for a part without rows",
    );
    check(
        by("speaker", r#"["ann"]"#, r#"["ben", "cy"]"#, true),
        "test: every row is of a named group, and none is left to train on",
    );
    let unnamed = SplitConfig {
        by: None,
        ..by("", "0", r#"["ben"]"#, true)
    };
    check(
        unnamed,
        "by: no row has a group: name the column that groups are told by",
    );
}

#[test]
fn a_part_is_a_share_or_names() {
    let read = serde_json::from_str::<SplitConfig>;
    let config = read(r#"{"by": "take", "valid": 0, "test": ["1"]}"#).unwrap();
    assert_eq!(config, by("take", "0.0", r#"["1"]"#, true));
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(read(&written).unwrap(), config, "{written}");
    let error = read(r#"{"test": "theo"}"#).unwrap_err().to_string();
    let expected = r#"a share such as 0.1, or a list of groups such as ["theo"]"#;
    assert!(error.contains(expected), "{error}");
}

proptest! {
    #[test]
    fn parts_are_disjoint_cover_all_and_can_be_had_again(
        labels in prop::collection::vec((0usize..4, prop::option::of(0usize..6)), 0..80),
        seed in any::<u64>(), valid in 0.0f64..0.4, test in 0.0f64..0.4,
    ) {
        let rows: Rows = labels.iter().map(|(l, g)| row(*l, *g)).collect();
        let config = SplitConfig { valid: Take::Share(valid), test: Take::Share(test), ..SplitConfig::default() };
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
        let rows: Rows = (0..n).map(|i| row(i % 7, None)).collect();
        let splits = SplitConfig::default().split(&rows, seed).unwrap();
        prop_assert!((splits.test.len() as f64 - 0.1 * n as f64).abs() <= 1.0);
        prop_assert!((splits.valid.len() as f64 - 0.1 * n as f64).abs() <= 1.0);
    }
}
