//! Rows that are prepared, and what becomes of bad ones.

use super::*;
use crate::Silent;
use crate::labels::LabelSet;
use sensorium_data::Labels;
use sensorium_text::TextSample;

fn row(n: u64) -> Row {
    Row {
        id: format!("row {n}"),
        label: Some("a".to_owned()),
        split: None,
        group: None,
        inputs: [("text".to_owned(), Source::text(format!("text {n}")))].into(),
        meta: BTreeMap::new(),
        place: Place {
            file: "data.csv".into(),
            row: n,
        },
    }
}

fn sample(ids: usize) -> Samples {
    Samples {
        text: Some(TextSample { ids: vec![0; ids] }),
        ..Samples::default()
    }
}

fn outcome(on_error: OnError) -> Result<Done, Error> {
    let labels = LabelSet::Classes(Labels::given(vec!["a".to_owned()])?);
    let how = How {
        on_error,
        when: Default::default(),
        threads: 2,
        room: Room::ENDLESS,
    };
    let rows = (1..=5).map(row).collect();
    prepare_with(rows, Wanted::Label(&labels), how, &mut Silent, |inputs| {
        let (modality, source) = inputs.first_key_value().expect("an input");
        match source.describe().as_str() {
            "text \"text 2\"" => panic!("two is bad"),
            "text \"text 3\"" => Err((*modality, "three is refused".into())),
            "text \"text 5\"" => Ok((Samples::default(), 0)),
            _ => Ok((sample(1), 0)),
        }
    })
}

#[test]
fn a_row_that_panics_is_that_row_s_error() {
    let error = outcome(OnError::Fail).expect_err("a bad row").to_string();
    let expected = "data.csv:2: a worker panicked while preparing it: two is bad";
    assert!(error.starts_with(expected), "{error}");
    let (ready, bad, _) = outcome(OnError::Skip).expect("bad rows are skipped");
    let ids: Vec<&str> = ready.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["row 1", "row 4"]);
    let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
    let empty = format!("data.csv:5: {NOTHING}");
    let refused = "data.csv:3, column text: three is refused";
    assert_eq!(bad, [expected, refused, empty.as_str()]);
}

#[test]
fn memory_is_bounded_by_rows_and_by_bytes() {
    let size = sample(100).host_bytes();
    assert_eq!(size, sample(0).host_bytes() + 400);
    let mut room = Room {
        rows: 3,
        bytes: 2 * size + 10,
    };
    let kept: Vec<bool> = (0..4).map(|_| room.keep(sample(100)).is_some()).collect();
    assert_eq!(kept, [true, true, false, false]);
    assert_eq!(room, Room { rows: 1, bytes: 10 });
    let mut room = Room {
        rows: 1,
        bytes: usize::MAX,
    };
    assert!(room.keep(sample(100)).is_some() && room.keep(sample(0)).is_none());
}

#[test]
fn a_number_tells_other_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let of = |source: Source| content_of(&BTreeMap::from([(sensorium_text::TEXT, source)]));
    let file = |content: &str| {
        std::fs::write(&path, content).unwrap();
        of(Source::path(&path))
    };
    assert_eq!(file("one"), file("one"));
    assert_ne!(file("one"), file("two"));
    assert_ne!(of(Source::text("one")), of(Source::text("two")));
}
