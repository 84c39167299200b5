//! Every layout into every other and back: nothing of a row is lost that the layout has a place for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sensorium_core::Source;

use super::{Target, convert};
use crate::{Columns, Named, OnError, Place, Row, Split, Table, open};

fn row(i: u64, id: &str, inputs: &[(&str, Source)], meta: &[(&str, &str)]) -> Row {
    Row {
        id: id.to_owned(),
        label: (i != 3).then(|| format!("class {}", i % 2)),
        split: Some([Split::Train, Split::Valid, Split::Test][i as usize % 3]),
        group: i.is_multiple_of(2).then(|| format!("g{i}")),
        inputs: inputs.iter().cloned().collect(),
        meta: meta.iter().copied().collect(),
        place: Place {
            file: "made".into(),
            row: i,
        },
    }
}

/// Rows with all there can be.
fn table(dir: &Path, ids: [&str; 5]) -> Table {
    let file = dir.join("a.PNG");
    std::fs::write(&file, b"\x89PNG on disk").unwrap();
    let rows = vec![
        row(
            0,
            ids[0],
            &[
                ("image", Source::path(&file)),
                ("text", Source::text("a, \"b\"\nc ")),
            ],
            &[("width", "3")],
        ),
        row(
            1,
            ids[1],
            &[("audio", Source::bytes("x.wav", *b"RIFF....WAVE"))],
            &[("box", "[1,2]"), ("width", "x")],
        ),
        row(
            2,
            ids[2],
            &[
                ("image", Source::bytes("none", *b"\xff\xd8\xff what")),
                ("audio", Source::bytes("y.odd", *b"any")),
            ],
            &[],
        ),
        row(3, ids[3], &[("text", Source::text("alone"))], &[]),
        row(
            4,
            ids[4],
            &[("thermal", Source::bytes("t.npy", *b"numbers"))],
            &[("who", "é")],
        ),
    ];
    Table {
        name: "made".to_owned(),
        rows: rows.into(),
    }
}

fn columns() -> Columns {
    Columns::default().for_modalities(["text", "image", "audio", "thermal"].into_iter())
}

type Told = (
    Option<String>,
    Option<Split>,
    Option<String>,
    BTreeMap<Arc<str>, Vec<u8>>,
    Named<Arc<str>>,
);

/// All that a row is, by id.
fn told(table: &Table) -> BTreeMap<String, Told> {
    let inputs = |row: &Row| {
        let inputs = row.inputs.iter();
        inputs
            .map(|(k, source)| (k.clone(), source.read(1 << 20).unwrap().to_vec()))
            .collect()
    };
    let rows = table.rows.iter();
    rows.map(|row| {
        (
            row.id.clone(),
            (
                row.label.clone(),
                row.split,
                row.group.clone(),
                inputs(&row),
                row.meta.clone(),
            ),
        )
    })
    .collect()
}

fn all() -> [(Target, &'static str); 8] {
    [
        (Target::Manifest, "m.jsonl"),
        (Target::Shards, "shards"),
        (Target::Parquet, "tables"),
        (Target::Manifest, "n.csv"),
        (Target::Parquet, "one.parquet"),
        (Target::Shards, "one.tar"),
        (Target::Manifest, "o.tsv"),
        (Target::Manifest, "folder"),
    ]
}

#[test]
fn a_row_is_the_same_in_every_layout() {
    for ids in [["a", "b", "c", "d", "e"], ["a/1", "../b", "c.d", "", "A b"]] {
        let dir = tempfile::tempdir().unwrap();
        let ids = ids.map(|id| if id.is_empty() { "x" } else { id });
        let table = table(dir.path(), ids);
        let expected = told(&table);
        // One after the other, each out of the one before.
        let mut from = table;
        for (to, name) in all() {
            let out = dir.path().join(name);
            // A shard for each row: what is written is larger than this.
            let done = convert(&from, to, &out, 1, &mut |_, _| {})
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(done.rows, 5);
            let opened = open(&out, &columns(), OnError::Fail)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(told(&opened.table), expected, "{name}");
            from = opened.table;
        }
        let left = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert!(
            left.into_iter()
                .all(|name| !name.to_string_lossy().contains(".part-"))
        );
    }
}

#[test]
fn shards_are_begun_anew_where_they_are_full() {
    let dir = tempfile::tempdir().unwrap();
    let rows = (0..12).map(|i| Row {
        split: (i < 6).then_some(Split::Test),
        ..row(
            0,
            &format!("r{i}"),
            &[("text", Source::text("x".repeat(600)))],
            &[],
        )
    });
    let table = Table {
        name: "made".to_owned(),
        rows: rows.collect(),
    };
    let done = convert(
        &table,
        Target::Shards,
        &dir.path().join("s"),
        10_000,
        &mut |_, _| {},
    )
    .unwrap();
    let mut names: Vec<String> = std::fs::read_dir(dir.path().join("s"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // A row has 1536 bytes of text and 1024 of columns: three fit.
    assert_eq!(
        names,
        [
            "data-000000.tar",
            "data-000001.tar",
            "test-000000.tar",
            "test-000001.tar"
        ]
    );
    assert_eq!(done.files, 4);
}

#[test]
fn class_folders_take_what_they_have_a_place_for() {
    let dir = tempfile::tempdir().unwrap();
    let picture = Source::bytes("a.png", *b"picture");
    let mut table = Table {
        name: "made".to_owned(),
        rows: vec![row(
            0,
            "a",
            &[("image", picture.clone())],
            &[("width", "3")],
        )]
        .into(),
    };
    let out = dir.path().join("folders");
    let done = convert(&table, Target::Folders, &out, 0, &mut |_, _| {}).unwrap();
    assert_eq!(
        done.notes,
        ["class folders have no place for the columns group, width"]
    );
    let opened = open(&out, &columns(), OnError::Fail).unwrap().table;
    let only = opened.rows.get(0);
    assert_eq!(
        (only.label.as_deref(), only.split, only.id.as_str()),
        (Some("class 0"), Some(Split::Train), "train/class 0/a.png")
    );

    let mut refuse = |row: Row, expected: &str| {
        table.rows = vec![row].into();
        let error = convert(
            &table,
            Target::Folders,
            &dir.path().join("no"),
            0,
            &mut |_, _| {},
        )
        .unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    };
    let two = [("image", picture.clone()), ("text", Source::text("t"))];
    refuse(
        row(0, "a", &two, &[]),
        "made: a class folder holds one file a row, and this row has several inputs: write shards or a manifest",
    );
    let named = |label: &str| Row {
        label: Some(label.to_owned()),
        ..row(1, "a", &two[..1], &[])
    };
    let reason = "made:1: a class folder is named by the label, and this row has none that is a name of a folder";
    for label in ["../up", "a/b", "", ".", "c:"] {
        refuse(named(label), reason);
    }
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let table = table(dir.path(), ["a", "b", "c", "d", "e"]);
    for (to, name) in all() {
        let out = dir.path().join(name);
        std::fs::write(&out, "taken").unwrap();
        let error = convert(&table, to, &out, 1, &mut |_, _| {})
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("cannot be written: it exists; choose another name"),
            "{error}"
        );
        assert_eq!(std::fs::read(&out).unwrap(), b"taken");
        std::fs::remove_file(&out).unwrap();
    }
    // The last row's file has vanished.
    let gone = dir.path().join("gone.png");
    let mut spoilt = table.clone();
    let last = row(5, "f", &[("image", Source::path(&gone))], &[]);
    spoilt.rows = spoilt.rows.into_iter().chain([last]).collect();
    for (to, name) in all() {
        let error = convert(&spoilt, to, &dir.path().join(name), 1, &mut |_, _| {})
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("made:5: ") && error.contains("gone.png: cannot be read"),
            "{error}"
        );
    }
    let mut twice = table.clone();
    let mut first = twice.rows.get(0);
    first.meta.insert("image", "x");
    twice.rows = vec![first].into();
    let error = convert(
        &twice,
        Target::Shards,
        &dir.path().join("s"),
        1,
        &mut |_, _| {},
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        error,
        "made: has two things in a column \"image\": say which is which with --column"
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
