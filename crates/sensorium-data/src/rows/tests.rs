//! What is packed comes out as it went in, whatever it is; what is taken of it is in the order asked for; and it is small.

use std::path::PathBuf;

use proptest::prelude::*;
use sensorium_core::{Source, SourceError, Store};

use super::*;
use crate::{Columns, OnError, Place, Split, open};

/// A store that holds nothing and can be told from others.
struct Shelf(u8);

impl Store for Shelf {
    fn describe(&self, at: u64) -> String {
        format!("shelf {}: {at}", self.0)
    }

    fn extension(&self, _at: u64) -> Option<String> {
        None
    }

    fn size(&self, _at: u64) -> Option<u64> {
        None
    }

    fn read(&self, at: u64, limit: u64) -> Result<Arc<[u8]>, SourceError> {
        let (name, size) = (self.describe(at), at);
        Err(SourceError::TooLarge { name, size, limit })
    }
}

/// All that a row says, and which of the shared things it holds.
fn all_of(row: &Row) -> String {
    let inputs = row.inputs.iter().map(|(column, source)| match source {
        Source::Text(text) => format!("{column:?}: text {text:?}"),
        Source::Path(path) => format!("{column:?}: path {path:?}"),
        Source::Bytes { name, data } => format!("{column:?}: {name:?} {:p}", Arc::as_ptr(data)),
        Source::Stored { store, at } => {
            format!(
                "{column:?}: {} {at} {:p}",
                store.describe(*at),
                Arc::as_ptr(store)
            )
        }
    });
    let inputs: Vec<String> = inputs.collect();
    let Row {
        id,
        label,
        split,
        group,
        meta,
        place,
        ..
    } = row;
    format!("{id:?} {label:?} {split:?} {group:?} {inputs:?} {meta:?} {place:?}")
}

/// Texts that come again, odd ones, and such as are too long to be held once.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ab]{1,2}",
        ".{0,8}",
        "[äλ漢🎈\0/\\\\]{0,9}",
        (250usize..600).prop_map(|n| "long é".repeat(n / 6)),
    ]
}

#[cfg(unix)]
fn no_text() -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(b"folder/\xff\xfe.png").into()
}

#[cfg(not(unix))]
fn no_text() -> PathBuf {
    "folder/x.png".into()
}

fn source() -> impl Strategy<Value = Source> {
    let shelves: [Arc<dyn Store>; 3] = [0, 1, 2].map(|n| Arc::new(Shelf(n)) as _);
    let files = vec!["", "a.png", "/x/y/", "/x/y/b.png", "x//c", "/", "..\\d"];
    let stored = move |(shelf, at): (usize, u64)| Source::Stored {
        store: Arc::clone(&shelves[shelf]),
        at,
    };
    prop_oneof![
        text().prop_map(Source::text),
        text().prop_map(Source::path),
        prop::sample::select(files).prop_map(Source::path),
        Just(Source::path(no_text())),
        (text(), prop::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(name, data)| Source::bytes(name, data)),
        (0usize..3, any::<u64>()).prop_map(stored),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let said = (text(), prop::option::of(text()), prop::option::of(text()));
    let split = prop::sample::select(vec![
        None,
        Some(Split::Train),
        Some(Split::Valid),
        Some(Split::Test),
    ]);
    let inputs = prop::collection::vec((text(), source()), 0..4);
    let meta = prop_oneof![
        prop::collection::vec((text(), text()), 0..4),
        prop::collection::vec((".{0,5}", text()), 300),
    ];
    let place = (text(), any::<u64>());
    (said, split, inputs, meta, place).prop_map(
        |((id, label, group), split, inputs, meta, place)| Row {
            id,
            label,
            split,
            group,
            inputs: inputs.into_iter().collect(),
            meta: meta.into_iter().collect(),
            place: Place {
                file: place.0.into(),
                row: place.1,
            },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_comes_out_as_it_went_in(rows in prop::collection::vec(row(), 0..20)) {
        let packed: Rows = rows.iter().cloned().collect();
        prop_assert_eq!(packed.len(), rows.len());
        prop_assert_eq!(packed.iter().len(), rows.len());
        for (i, (row, known)) in packed.iter().zip(&rows).enumerate() {
            prop_assert_eq!(all_of(&row), all_of(known));
            let seen = packed.at(i);
            let said = (seen.id(), seen.label(), seen.group(), seen.split(), seen.place());
            let told = (&*row.id, row.label.as_deref(), row.group.as_deref(), row.split, row.place.clone());
            prop_assert_eq!(said, told);
            for (column, source) in &row.inputs {
                let found = seen.input(column).unwrap();
                prop_assert_eq!(found.describe(), source.describe());
                prop_assert!(seen.has_input(column));
                let text = match source {
                    Source::Text(text) => Some(&**text),
                    _ => None,
                };
                prop_assert_eq!(seen.text(column), text);
            }
            prop_assert_eq!(seen.has_input("none"), row.inputs.contains_key("none"));
            for (column, cell) in &row.meta {
                prop_assert_eq!(seen.meta(column), Some(&**cell));
            }
            prop_assert_eq!(seen.meta("none"), row.meta.get("none").map(|cell| &**cell));
        }
        // Packed out of packed rows, it is the same again.
        let again: Rows = packed.iter().collect();
        prop_assert!(again.iter().map(|row| all_of(&row)).eq(rows.iter().map(all_of)));
    }

    #[test]
    fn what_is_taken_is_in_the_order_asked_for(
        sizes in prop::collection::vec(0usize..7, 1..6),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut all = Vec::new();
        let parts = sizes.iter().map(|size| {
            let own: Vec<Row> = (0..*size).map(|i| plain(all.len() + i)).collect();
            all.extend(own.iter().map(|row| row.id.clone()));
            Rows::from(own)
        });
        let rows = Rows::joined(parts.collect::<Vec<_>>());
        prop_assert_eq!(&ids(&rows), &all);
        let take = |rows: &Rows, picks: &[prop::sample::Index]| match rows.is_empty() {
            true => Vec::new(),
            false => picks.iter().map(|pick| pick.index(rows.len())).collect(),
        };
        let first = take(&rows, &picks);
        let some = rows.select(first.iter().copied());
        let expected: Vec<String> = first.iter().map(|i| all[*i].clone()).collect();
        prop_assert_eq!(&ids(&some), &expected);
        let second = take(&some, &again);
        let fewer = some.select(second.iter().copied());
        let expected_fewer: Vec<String> = second.iter().map(|i| expected[*i].clone()).collect();
        prop_assert_eq!(&ids(&fewer), &expected_fewer);
        let even = some.filter(|row| row.place().row.is_multiple_of(2));
        let expected_even: Vec<String> = some.iter().filter(|row| row.place.row.is_multiple_of(2)).map(|row| row.id).collect();
        prop_assert_eq!(ids(&even), expected_even);
        let both = Rows::joined([fewer, rows.clone(), Rows::default(), some]);
        prop_assert_eq!(ids(&both), [expected_fewer, all, expected].concat());
        prop_assert!(rows.iter().step_by(3).map(|row| row.id).eq(ids(&rows).into_iter().step_by(3)));
    }
}

fn plain(i: usize) -> Row {
    Row {
        id: format!("row {i}"),
        label: None,
        split: None,
        group: None,
        inputs: [("text", Source::text("x"))].into(),
        meta: Default::default(),
        place: Place {
            file: "m.csv".into(),
            row: i as u64,
        },
    }
}

fn ids(rows: &Rows) -> Vec<String> {
    let refs: Vec<String> = rows.refs().map(|row| row.id().to_owned()).collect();
    assert!(rows.iter().map(|row| row.id).eq(refs.iter().cloned()));
    refs
}

#[test]
fn a_large_data_set_is_in_many_pieces_and_says_the_same() {
    // More words and names than are held once for a piece, and enough text for three pieces.
    let row = |i: usize| Row {
        label: Some(format!("label {}", i % 70_000)),
        inputs: [(
            format!("column {}", i % 5000),
            Source::text("words ".repeat(60)),
        )]
        .into(),
        ..plain(i)
    };
    let rows: Rows = (0..100_000).map(row).collect();
    assert!(rows.packs.all.len() > 2, "{}", rows.packs.all.len());
    for i in (0..100_000).step_by(997).chain([99_999]) {
        assert_eq!(all_of(&rows.get(i)), all_of(&row(i)));
    }
    let shared = rows.clone();
    std::thread::scope(|scope| {
        for step in [1, 3, 7] {
            let shared = &shared;
            scope.spawn(move || {
                for i in (0..1000).map(|i| i * step) {
                    assert_eq!(shared.at(i).id(), format!("row {i}"));
                }
            });
        }
    });
}

#[test]
fn a_store_that_no_row_holds_any_more_is_let_go() {
    let shelf: Arc<dyn Store> = Arc::new(Shelf(0));
    let stored = |at| Row {
        inputs: [(
            "image",
            Source::Stored {
                store: Arc::clone(&shelf),
                at,
            },
        )]
        .into(),
        ..plain(at as usize)
    };
    let rows: Rows = (0..100).map(stored).collect();
    assert_eq!(Arc::strong_count(&shelf), 2, "it is held once for all rows");
    drop(rows);
    assert_eq!(Arc::strong_count(&shelf), 1);
}

#[test]
fn a_row_that_is_not_there_is_not_another() {
    let rows: Rows = (0..3).map(plain).collect();
    for rows in [rows.select([2]), Rows::joined([rows.clone(), rows])] {
        let beyond = std::panic::AssertUnwindSafe(|| rows.get(rows.len()));
        assert!(std::panic::catch_unwind(beyond).is_err());
    }
}

/// As `examples/million_rows.rs` makes them.
#[test]
fn a_row_takes_less_than_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.jsonl");
    let lines = (0..10_000usize).map(|i| {
        let line = serde_json::json!({
            "id": format!("{i:08}"),
            "text": format!("row {i} says that {} is not {}", i * 31 % 10_007, i % 13),
            "label": format!("class-{}", i % 10),
            "group": format!("speaker-{:03}", i * 7 % 1000),
            "language": (["de", "en", "fr"][i % 3]),
            "seconds": ((i % 977) as f64 / 100.0),
        });
        format!("{line}\n")
    });
    let text: String = lines.collect();
    std::fs::write(&path, &text).unwrap();
    let columns = Columns::default().for_modalities(["text"].into_iter());
    let rows = open(&path, &columns, OnError::Fail).unwrap().table.rows;
    // 127 bytes a line.
    let each = rows.host_bytes() / rows.len();
    assert!(each < 75 && each < text.len() / rows.len(), "{each} bytes");
    let part = rows.select((0..5000).rev());
    assert_eq!(part.host_bytes(), rows.host_bytes() + 4 * 5000);
}
