//! The embedded data set is what it says: parts share neither writing nor voice, hints are true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::{Columns, OnError, open, write_table};

fn values(table: &Table, split: Split, key: &str) -> BTreeSet<String> {
    let of = |row: &Row| row.split == Some(split);
    table
        .rows
        .iter()
        .filter(of)
        .map(|row| row.meta[key].to_string())
        .collect()
}

#[test]
fn the_embedded_rows_are_balanced_and_apart() {
    let table = embedded().unwrap();
    let mut counts: BTreeMap<(String, Option<&str>), usize> = BTreeMap::new();
    for row in &table.rows {
        let split = row.split.map(|s| match s {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        });
        *counts
            .entry((row.label.clone().unwrap(), split))
            .or_default() += 1;
        assert_eq!(
            row.inputs.keys().map(|key| &**key).collect::<Vec<_>>(),
            ["audio", "image", "text"]
        );
    }
    for ((_, split), count) in counts {
        let expected = match split {
            Some("train") => 360,
            Some("valid") => 40,
            _ => 80,
        };
        assert_eq!(count, expected, "{split:?}");
    }
    let parts = [Split::Train, Split::Valid, Split::Test];
    for key in ["writing", "voice"] {
        for (i, a) in parts.iter().enumerate() {
            for b in &parts[i + 1..] {
                let (a, b) = (values(&table, *a, key), values(&table, *b, key));
                assert!(
                    !a.is_empty() && a.is_disjoint(&b),
                    "{key} stands on two sides"
                );
            }
        }
    }
    assert!(values(&table, Split::Train, "voice").len() >= 24);
}

#[test]
fn it_is_the_same_every_time() {
    let digest = || {
        let table = embedded().unwrap();
        table.rows.iter().step_by(97).fold(0u64, |hash, row| {
            row.inputs.values().fold(hash, |hash, source| {
                let bytes = source.read(1 << 20).unwrap();
                bytes
                    .iter()
                    .fold(hash, |h, b| seed::derive(h, &[u64::from(*b)]))
            })
        })
    };
    assert_eq!(digest(), digest());
}

#[test]
fn hints_are_true_of_some_and_never_of_one_alone() {
    for (hint, of) in hints::HINTS {
        assert!(of.len() >= 2, "{hint} gives the digit away");
    }
    let words = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    for (hint, of) in hints::HINTS {
        let expected = |d: &u8| -> Option<bool> {
            let word = words[usize::from(*d)];
            if let Some(letter) = hint.strip_prefix("its word has the letter ") {
                return Some(word.contains(letter));
            }
            Some(match hint {
                "it is even" => d.is_multiple_of(2),
                "it is odd" => d % 2 == 1,
                "it is less than five" => *d < 5,
                "it is five or more" => *d >= 5,
                "it is a prime number" => [2, 3, 5, 7].contains(d),
                "it can be divided by three" => d.is_multiple_of(3),
                "it cannot be divided by three" => !d.is_multiple_of(3),
                "it is a square number" => [0, 1, 4, 9].contains(d),
                "it is a power of two" => d.is_power_of_two(),
                "its word has three letters" => word.len() == 3,
                "its word has four letters" => word.len() == 4,
                "its word has five letters" => word.len() == 5,
                "its word ends in e" => word.ends_with('e'),
                "it stands between two and seven" => (3..=6).contains(d),
                _ => return None,
            })
        };
        for d in 0..10u8 {
            if let Some(expected) = expected(&d) {
                assert_eq!(of.contains(&d), expected, "{hint}: {d}");
            }
        }
    }
}

#[test]
fn a_drawn_hint_is_true_and_leaves_digits_open() {
    let of = |statement: &str| {
        let known = hints::HINTS.iter().find(|(hint, _)| *hint == statement);
        known
            .unwrap_or_else(|| panic!("{statement} is no statement"))
            .1
    };
    let mut joined = 0;
    for n in 0..2000u64 {
        let digit = (n % 10) as u8;
        let hint = hints::draw(digit, &mut seed::rng(1, &[n]));
        let statements: Vec<&[u8]> = hint.split(", and ").map(of).collect();
        assert!(
            statements.iter().all(|of| of.contains(&digit)),
            "{digit}: {hint}"
        );
        let open = (0..10u8)
            .filter(|d| statements.iter().all(|of| of.contains(d)))
            .count();
        assert!(
            open > statements.len(),
            "{digit}: {hint} leaves {open} open"
        );
        joined += usize::from(statements.len() == 2);
    }
    assert!(
        (1000..1900).contains(&joined),
        "{joined} of 2000 hints join two statements"
    );
}

fn shared() -> Option<std::path::PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

#[test]
fn recordings_of_people_become_the_same_data_set() {
    let Some(shared) = shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("digits");
    let rows = [(Split::Train, 40), (Split::Valid, 20), (Split::Test, 20)];
    let digits = shared.join("digits/digits.csv.gz");
    let mut seen = 0;
    let mut progress = |done, _| seen = done;
    let summary = make_rows(&digits, &shared.join("fsdd"), &out, &rows, &mut progress).unwrap();
    assert_eq!(
        (summary.train, summary.valid, summary.test, seen),
        (40, 20, 20, 80)
    );
    let columns = Columns::default().for_modalities(["text", "image", "audio"].into_iter());
    let table = open(&out, &columns, OnError::Fail).unwrap().table;
    assert_eq!(table.rows.len(), 80);
    let speaker = |split| values(&table, split, "voice");
    assert_eq!(
        speaker(Split::Test),
        summary.test_speaker.into_iter().collect()
    );
    assert!(speaker(Split::Train).is_disjoint(&speaker(Split::Test)));
    let again = make_rows(&digits, &shared.join("fsdd"), &out, &rows, &mut |_, _| {}).unwrap_err();
    assert!(
        again
            .to_string()
            .ends_with("exists and is not empty: choose another --out")
    );
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn the_embedded_rows_can_be_written_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("av-digits");
    let table = embedded().unwrap();
    write_table(&table, ATTRIBUTION, &out, &mut |_, _| ()).unwrap();
    let summary = Summary::of(&table);
    assert_eq!(
        (summary.train, summary.valid, summary.test),
        (3600, 400, 800)
    );
    let read = open(
        &out,
        &Columns::default().for_modalities(["image", "audio", "text"].into_iter()),
        OnError::Fail,
    )
    .unwrap();
    for (ours, theirs) in table.rows.iter().zip(&read.table.rows) {
        assert_eq!(
            (&ours.id, &ours.label, ours.split),
            (&theirs.id, &theirs.label, theirs.split)
        );
        for (name, source) in &ours.inputs {
            let bytes = |source: &Source| match source {
                Source::Text(text) => text.as_bytes().to_vec(),
                other => other.read(1 << 20).unwrap().to_vec(),
            };
            assert_eq!(
                bytes(source),
                bytes(&theirs.inputs[name]),
                "{} {name}",
                ours.id
            );
        }
    }
    let again = write_table(&table, ATTRIBUTION, &out, &mut |_, _| ()).unwrap_err();
    assert!(again.to_string().contains("is not empty"), "{again}");
}

#[test]
fn a_part_never_lacks_a_digit() {
    let (glyphs, mut clips) = embedded_parts().unwrap();
    let rows = [(Split::Train, 40), (Split::Valid, 20), (Split::Test, 20)];
    clips.retain(|clip| clip.digit != 3 || clip.split != Split::Test);
    let message = |glyphs: &[Glyph]| {
        let made = specs(Path::new("fsdd"), glyphs, &clips, &rows);
        made.err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(
        message(&glyphs),
        "fsdd: has no recording of a 3 by who is heard in that part: the part test would lack that digit, add some"
    );
    let unwritten: Vec<Glyph> = glyphs.into_iter().filter(|g| g.digit != 1).collect();
    assert!(
        message(&unwritten).starts_with("fsdd: has no handwritten 1: the part train would lack")
    );
}

#[test]
fn broken_raw_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let digits = dir.path().join("d.csv");
    let out = dir.path().join("out");
    let check = |content: &str, expected: &str| {
        std::fs::write(&digits, content).unwrap();
        let error = make(&digits, dir.path(), &out, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(!out.exists());
    };
    check("1,2,3\n", "d.csv:1: has 3 values, not 64 and the digit");
    check(
        &format!("{}17,3\n", "0,".repeat(63)),
        "d.csv:1: has a value outside 0 to 16",
    );
    check(
        &format!("{}x,3\n", "0,".repeat(63)),
        "d.csv:1: \"x\" is not a number",
    );
    check(
        &format!("{}1,11\n", "0,".repeat(63)),
        "d.csv:1: ends in 11, which is no digit",
    );
    let good: String = (0..100)
        .map(|i| format!("{}1,{}\n", "0,".repeat(63), i % 10))
        .collect();
    check(&good, "to keep one for validation and one for testing");
}
