//! Names are read in the one way they can be, what does not fit is named, and what is written can be opened.

use proptest::prelude::*;

use super::*;
use crate::{Columns, open};

fn pattern(text: &str) -> NamePattern {
    text.parse().unwrap()
}

#[test]
fn a_name_says_what_stands_between() {
    let check = |text: &str, path: &str, expected: Result<&[&str], Unfit>| {
        let pattern = pattern(text);
        let found = pattern.read(path);
        let values = found.map(|found| {
            found
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        });
        assert_eq!(
            values.as_deref(),
            expected.as_ref().map(|e| *e),
            "{text}, {path}"
        );
    };
    let digits = "{label}_{speaker}_{index}.wav";
    check(digits, "7_theo_12.wav", Ok(&["7", "theo", "12"]));
    check(digits, "7_theo.wav", Err(Unfit::Different));
    check(digits, "7__12.wav", Err(Unfit::Different));
    check(digits, "7_theo_12.WAV", Err(Unfit::Different));
    check(digits, "a/7_theo_12.wav", Err(Unfit::Different));
    check(digits, "7_theo_b_12.wav", Err(Unfit::Ambiguous));
    check("{x}_{y}", "a__b", Err(Unfit::Ambiguous));
    check("{label}", "ä", Ok(&["ä"]));
    check("{x}ö{y}", "äöü", Ok(&["ä", "ü"]));
    check("{}_{label}.wav", "theo_7.wav", Ok(&["7"]));
    check("take-{label}", "take-", Err(Unfit::Different));
    check("raw/{label}-{n}/x.wav", "raw/a-b/x.wav", Ok(&["a", "b"]));
    check("raw/{label}/x.wav", "row/a/x.wav", Err(Unfit::Different));
}

#[test]
fn a_pattern_that_cannot_be_followed_says_why() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<NamePattern>().unwrap_err().to_string();
        assert_eq!(error, format!("the pattern {text:?} {expected}"));
    };
    check(
        "*.wav",
        "names no column: write {label} where the class stands",
    );
    check(
        "{}.wav",
        "names no column: write {label} where the class stands",
    );
    check(
        "{a}{b}.wav",
        "has nothing between {a} and the next column to tell where one ends",
    );
    check("{a}_{a}", "names the column \"a\" twice");
    check("{a", "does not close {a");
    check("a}_{b}", "closes } without opening {");
    check(
        "{a!}",
        "{a!} is no column's name: use letters, digits, _ and -",
    );
    check("/{a}", "has an empty name between slashes");
    let long = "x".repeat(2000) + "{a}";
    assert!(long.parse::<NamePattern>().is_err());
}

/// Empty files of these names.
fn files(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    dir
}

#[test]
fn what_is_written_can_be_opened() {
    let dir = files(&[
        "d/0_ann_0.wav",
        "d/0_ben_0.wav",
        "d/1_an, \"n\"_1.wav",
        "d/.hidden",
    ]);
    let pattern = pattern("{label}_{speaker}_{take}.wav");
    for name in ["m.csv", "m.tsv", "m.jsonl", "d/m.csv"] {
        let out = dir.path().join(name);
        let listing = list(&dir.path().join("d"), &pattern, None, &out, OnError::Fail).unwrap();
        assert_eq!((listing.rows, listing.left_out.len()), (3, 0));
        assert_eq!(listing.columns[1].name, "speaker");
        assert_eq!(listing.columns[1].first, ["an, \"n\"", "ann", "ben"]);
        let columns = Columns::default().for_modalities(["audio"].into_iter());
        let rows = open(&out, &columns, OnError::Fail).unwrap().table.rows;
        let told: Vec<(&str, &str, &str)> = rows
            .refs()
            .map(|row| (row.id(), row.label().unwrap(), row.meta("speaker").unwrap()))
            .collect();
        let expected = [
            ("0_ann_0.wav", "0", "ann"),
            ("0_ben_0.wav", "0", "ben"),
            ("1_an, \"n\"_1.wav", "1", "an, \"n\""),
        ];
        assert_eq!(told, expected, "{name}");
        let text = std::fs::read_to_string(&out).unwrap();
        let root = dir.path().display().to_string();
        assert!(!text.contains(&root), "paths are relative: {text}");
        let again = list(&dir.path().join("d"), &pattern, None, &out, OnError::Fail).unwrap_err();
        assert!(
            again
                .to_string()
                .ends_with("it exists; choose another --out")
        );
        // The last one would be a file of the folder it lists.
        std::fs::remove_file(&out).unwrap();
    }
}

#[test]
fn files_elsewhere_are_named_by_their_whole_path() {
    let (dir, other) = (files(&["ann/7.wav"]), files(&[]));
    let out = other.path().join("m.csv");
    list(
        dir.path(),
        &pattern("{speaker}/{label}.wav"),
        None,
        &out,
        OnError::Fail,
    )
    .unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let path = std::fs::canonicalize(dir.path().join("ann/7.wav")).unwrap();
    let expected = format!(
        "id,speaker,label,audio\nann/7.wav,ann,7,{}\n",
        path.display()
    );
    assert_eq!(text, expected);
}

#[test]
fn what_does_not_fit_is_named_or_left_out() {
    let names = [
        "a_1.wav",
        "a_b_1.wav",
        "README.md",
        "b_2.txt",
        "more/a_1.wav",
        "c_3.bin",
    ];
    let dir = files(&names);
    let out = dir.path().join("m.csv");
    let list = |text: &str, column, on_error| {
        super::list(dir.path(), &pattern(text), column, &out, on_error)
    };
    let error = list("{speaker}_{label}.wav", None, OnError::Fail)
        .unwrap_err()
        .to_string();
    let expected = "5 of its files do not fit {speaker}_{label}.wav: README.md: does not fit; \
                    a_b_1.wav: fits in more than one way; b_2.txt: does not fit; … \
                    (use --on-error skip to leave them out)";
    assert!(error.ends_with(expected), "{error}");
    assert!(!out.exists());
    let listing = list("{speaker}_{label}.wav", None, OnError::Skip).unwrap();
    assert_eq!((listing.rows, listing.left_out.len()), (1, 5));
    assert!(listing.left_out.contains(&"more: is a folder".to_owned()));
    std::fs::remove_file(&out).unwrap();

    let listing = list("{s}_{label}.{}", None, OnError::Skip).unwrap();
    assert_eq!(
        listing.rows, 1,
        "texts and unknown files need a column's name"
    );
    assert!(
        listing
            .left_out
            .iter()
            .any(|line| line.starts_with("c_3.bin: is by its extension"))
    );
    std::fs::remove_file(&out).unwrap();
    assert_eq!(
        list("{s}_{label}.{}", Some("raw"), OnError::Skip)
            .unwrap()
            .rows,
        3
    );
    std::fs::remove_file(&out).unwrap();

    let taken = list("{audio}_{label}.wav", None, OnError::Fail)
        .unwrap_err()
        .to_string();
    assert!(taken.contains("its path stands in the column audio, which the pattern names too"));
    let none = list("{s}-{label}.wav", None, OnError::Skip)
        .unwrap_err()
        .to_string();
    assert!(
        none.ends_with("by the pattern {s}-{label}.wav: has no rows"),
        "{none}"
    );
    let named = super::list(
        dir.path(),
        &pattern("{label}"),
        None,
        Path::new("m.txt"),
        OnError::Fail,
    );
    let expected = "m.txt: cannot be written: a manifest's name ends in .csv, .tsv or .jsonl";
    assert_eq!(named.unwrap_err().to_string(), expected);
}

proptest! {
    /// By all ways there are to part a short name, found the long way.
    #[test]
    fn a_name_is_read_if_there_is_one_way_alone(
        text in "[ab_{}]{0,9}", name in "[ab_]{0,9}"
    ) {
        let Ok(pattern) = text.parse::<NamePattern>() else { return Ok(()) };
        let ways = ways(&text, &name);
        match pattern.read(&name) {
            Ok(_) => prop_assert_eq!(ways, 1),
            Err(Unfit::Different) => prop_assert_eq!(ways, 0),
            Err(Unfit::Ambiguous) => prop_assert!(ways > 1),
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(text in ".{0,30}", name in ".{0,30}") {
        if let Ok(pattern) = text.parse::<NamePattern>() {
            let _ = pattern.read(&name);
        }
    }
}

/// In how many ways a name can be had from a pattern.
fn ways(pattern: &str, name: &str) -> usize {
    match pattern.chars().next() {
        None => usize::from(name.is_empty()),
        Some('{') => {
            let rest = &pattern[pattern.find('}').unwrap() + 1..];
            (1..=name.len()).map(|n| ways(rest, &name[n..])).sum()
        }
        Some(c) => name
            .strip_prefix(c)
            .map_or(0, |name| ways(&pattern[1..], name)),
    }
}
