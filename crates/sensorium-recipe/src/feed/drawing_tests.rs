//! Draws are what they are asked to be, again and again the same, and each row comes once where none has a weight.

use std::sync::Arc;

use super::*;
use crate::Source;
use crate::encoder::OwnOrTower;
use crate::feed::Plan;
use crate::how::{How, Room, Wanted, When};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::prepare::prepare;
use crate::{Batching, Labelled, Silent};
use sensorium_data::{Labels, OnError, Place, Row};
use sensorium_text::{TEXT, TextProcessor, Tokenizer};

/// Rows of texts of one to twenty words, in shards of ten; every 13th cannot be prepared and is left out.
fn rows(n: usize, when: When) -> Prepared {
    let tokenizer = Tokenizer::fit(["aa bb"].into_iter(), 40).unwrap();
    let processors = Arc::new(Processors {
        text: Some(OwnOrTower::Own(TextProcessor::new(tokenizer, 64))),
        ..Processors::default()
    });
    let row = |i: usize| Row {
        id: i.to_string(),
        label: Some(if i % 13 == 12 { "none" } else { "a" }.to_owned()),
        split: None,
        group: None,
        inputs: [("text", Source::text("aa ".repeat(1 + i * 7 % 20)))].into(),
        meta: Default::default(),
        place: Place {
            file: format!("{}.tar", i / 10).into(),
            row: i as u64,
        },
    };
    let how = How {
        on_error: OnError::Skip,
        when,
        threads: 2,
        room: Room::ENDLESS,
    };
    let labels = LabelSet::Classes(Labels::given(vec!["a".to_owned(), "b".to_owned()]).unwrap());
    let all = (0..n).map(row).collect();
    let done = prepare(all, &processors, Wanted::Label(&labels), how, &mut Silent).unwrap();
    assert_eq!(done.bad.len(), n / 13);
    done.prepared
}

fn learning(rows: &Prepared, drawing: Drawing) -> Learning {
    Learning {
        rows: rows.clone(),
        size: 8,
        modality_dropout: 0.0,
        seed: 7,
        drawing,
    }
}

fn planned(learning: &Learning, epoch: usize) -> Vec<Vec<Draw>> {
    let plan = Labelled::new(learning.clone()).plan(epoch);
    plan.into_iter()
        .map(|Plan { labelled, .. }| labelled)
        .collect()
}

#[test]
fn a_mixture_has_its_shares_and_goes_through_each_data_set() {
    let rows = rows(130, When::First);
    // Of 130 rows, 26, 39 and 65 of which two, three and five were left out.
    let mix = Mix::new(&[2.0, 1.0, 1.0], &[26, 39, 65], &rows);
    let drawing = Drawing {
        mix: Some(Arc::new(mix.clone())),
        epoch_rows: Some(80),
        ..Drawing::default()
    };
    let learning = learning(&rows, drawing);
    let mut seen = [Vec::new(), Vec::new(), Vec::new()];
    for epoch in 0..3 {
        let batches = planned(&learning, epoch);
        assert_eq!(batches, planned(&learning, epoch));
        assert_eq!(batches.len(), 10);
        for batch in batches {
            let mut counts = [0usize; 3];
            for draw in batch {
                let source = mix.source(draw.row);
                assert_eq!(
                    source,
                    [0, 1, 2][usize::from(rows.nth(draw.row) >= 26)
                        + usize::from(rows.nth(draw.row) >= 65)]
                );
                counts[source] += 1;
                seen[source].push(draw);
            }
            assert!(
                counts[0].abs_diff(4) <= 1 && counts[1].abs_diff(2) <= 1,
                "{counts:?}"
            );
        }
    }
    assert_eq!([0, 1, 2].map(|i| seen[i].len()), [120, 60, 60]);
    for (draws, size) in seen.iter().zip([24, 36, 60]) {
        for (pass, of) in draws.chunks_exact(size).enumerate() {
            let own: std::collections::BTreeSet<usize> = of.iter().map(|draw| draw.row).collect();
            assert_eq!(own.len(), size, "a row comes twice before all have come");
            assert!(of.iter().all(|draw| draw.pass == pass as u64));
        }
    }
}

#[test]
fn batches_of_alike_rows_are_the_same_rows_with_less_padding() {
    for when in [When::First, When::Lazily] {
        let rows = rows(500, when);
        let drawing = Drawing {
            lengths: Some(lengths(&rows, TEXT, 3).unwrap()),
            ..Drawing::default()
        };
        let alike = learning(&rows, drawing);
        let ids = |batches: Vec<Vec<Draw>>| {
            let mut rows: Vec<usize> = batches.concat().iter().map(|draw| draw.row).collect();
            rows.sort_unstable();
            rows
        };
        let plain = learning(&rows, Drawing::default());
        assert_eq!(ids(planned(&alike, 1)), ids(planned(&plain, 1)));
        assert_eq!(planned(&alike, 1), planned(&alike, 1));
        assert_ne!(planned(&alike, 1), planned(&alike, 2));
        let all: Vec<usize> = (0..rows.len()).collect();
        let [with, without] = alike.padding(&all).unwrap();
        assert!(with < 0.1 && without > 0.3, "{with} {without}");
        assert_eq!(plain.padding(&all), None);
    }
}

#[test]
fn a_window_reads_shard_after_shard() {
    let rows = rows(500, When::First);
    let drawing = Drawing {
        buffer: Some(10),
        ..Drawing::default()
    };
    let learning = learning(&rows, drawing);
    let first = planned(&learning, 0).concat();
    let mut order: Vec<usize> = first.iter().map(|draw| draw.row).collect();
    // Ten rows stand in at most two or three of fifty shards.
    for stretch in order.chunks(10) {
        let files: std::collections::BTreeSet<Arc<str>> =
            stretch.iter().map(|row| rows.place(*row).file).collect();
        assert!(files.len() <= 4, "{files:?}");
    }
    assert_ne!(first, planned(&learning, 1).concat());
    order.sort_unstable();
    assert_eq!(order, (0..rows.len()).collect::<Vec<_>>());
}
