//! A row that cannot be prepared is one row's error.

use super::*;
use crate::Silent;
use crate::labels::LabelSet;
use sensorium_data::{Labels, Row};
use sensorium_text::TextSample;

fn row(n: u64) -> Row {
    Row {
        id: format!("row {n}"),
        label: Some("a".to_owned()),
        split: None,
        group: None,
        inputs: [("text", Source::text(format!("text {n}")))].into(),
        meta: Default::default(),
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
    let rows: Rows = (1..=5).map(row).collect();
    prepare_with(&rows, Wanted::Label(&labels), how, &mut Silent, |inputs| {
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
    let nth: Vec<u32> = ready.iter().map(|row| row.nth).collect();
    assert_eq!(nth, [0, 3]);
    let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
    let empty = format!("data.csv:5: {NOTHING}");
    let refused = "data.csv:3, column text: three is refused";
    assert_eq!(bad, [expected, refused, empty.as_str()]);
}
