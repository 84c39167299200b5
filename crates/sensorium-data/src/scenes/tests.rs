//! Scenes are what they say: parts apart, captions and answers true, each caption of one picture alone.

use std::collections::BTreeMap;

use std::sync::{Arc, LazyLock};

use super::*;
use crate::RowRef;

// Each is drawn once for all tests.
static TOLD: LazyLock<Table> = LazyLock::new(|| captions().unwrap());
static ASKED: LazyLock<Table> = LazyLock::new(|| questions().unwrap());

fn by_part(table: &Table, split: Split) -> impl Iterator<Item = Row> {
    table
        .rows
        .iter()
        .filter(move |row| row.split == Some(split))
}

/// "red three top left" for each thing of a row.
fn things(row: &Row) -> Vec<&str> {
    row.meta["things"].split(", ").collect()
}

fn text(row: &Row) -> &str {
    match &row.inputs["text"] {
        Source::Text(text) => text,
        other => panic!("{other:?} is no text"),
    }
}

const PARTS: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

#[test]
fn no_part_has_a_combination_a_voice_or_a_writing_of_another() {
    let (glyphs, clips) = embedded_parts().unwrap();
    let scenes = scenes(&glyphs, &clips);
    let of = |split: Split| scenes.iter().filter(move |scene| scene.split == split);
    let combinations =
        |split| -> BTreeSet<Combination> { of(split).flat_map(Scene::all).collect() };
    let voices = |split| -> BTreeSet<String> {
        let said = of(split).flat_map(|scene| scene.spoken.iter().map(|c| c.voice.clone()));
        said.collect()
    };
    let writings = |split| -> BTreeSet<usize> {
        of(split)
            .flat_map(|scene| scene.things.iter().map(|t| t.glyph.index))
            .collect()
    };
    for (i, a) in PARTS.iter().enumerate() {
        for b in &PARTS[i + 1..] {
            assert!(combinations(*a).is_disjoint(&combinations(*b)));
            assert!(voices(*a).is_disjoint(&voices(*b)));
            assert!(writings(*a).is_disjoint(&writings(*b)));
        }
    }
    let seen = PARTS.map(|split| combinations(split).len());
    assert_eq!(seen, [160, VALID_COMBINATIONS, TEST_COMBINATIONS]);
    for scene in &scenes {
        assert_eq!(scene.things.len(), scene.spoken.len(), "{}", scene.id);
        for (thing, clip) in scene.things.iter().zip(&scene.spoken) {
            assert_eq!(usize::from(thing.glyph.digit), thing.is.digit);
            assert_eq!(usize::from(clip.digit), thing.is.digit);
            assert_eq!(
                (clip.split, &clip.voice),
                (scene.split, &scene.spoken[0].voice)
            );
        }
    }
    // All that is asked of the test is met in training, in other combinations.
    for part in [Split::Valid, Split::Test] {
        for is in combinations(part) {
            let met = |of: fn(Combination) -> usize| {
                combinations(Split::Train)
                    .into_iter()
                    .any(|other| of(other) == of(is))
            };
            assert!(met(|c| c.digit) && met(|c| c.colour) && met(|c| c.place));
        }
    }
}

#[test]
fn a_sentence_says_all_there_is_in_reading_order() {
    let table = sentences().unwrap();
    assert_eq!(table.rows.len(), TOLD.rows.len() + MORE);
    for (row, told) in table.rows.iter().zip(&TOLD.rows) {
        assert_eq!(row.meta["things"], told.meta["things"], "the same scenes");
    }
    for row in &table.rows {
        assert_eq!(
            row.inputs.keys().map(|key| &**key).collect::<Vec<_>>(),
            ["image", "text"]
        );
        let label = row.label.as_deref().unwrap();
        let said: Vec<String> = label
            .split(", ")
            .flat_map(|part| part.split(" and "))
            .map(|part| part.replacen("a ", "", 1).replace(" at the ", " "))
            .collect();
        assert_eq!(said, things(&row), "{label}");
    }
    // What more there is for training is of its combinations, and each sentence is of one picture of a part.
    let known = combinations(Split::Train);
    let known: BTreeSet<String> = known.iter().map(|is| listing(&[*is])).collect();
    for row in table.rows.iter().skip(TOLD.rows.len()) {
        assert_eq!(row.split, Some(Split::Train));
        assert!(things(&row).iter().all(|thing| known.contains(*thing)));
    }
    for (split, count) in PARTS.into_iter().zip([4000 + MORE, 400, 800]) {
        let mut said: Vec<Arc<str>> = by_part(&table, split)
            .map(|row| row.meta["things"].clone())
            .collect();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), count);
    }
    let ids: BTreeSet<&str> = table.rows.refs().map(RowRef::id).collect();
    assert_eq!(ids.len(), table.rows.len());
}

#[test]
fn a_caption_says_what_is_there_and_is_of_one_picture_alone() {
    let table = &*TOLD;
    assert_eq!(
        PARTS.map(|split| by_part(table, split).count()),
        [4000, 400, 800]
    );
    for split in PARTS {
        let mut told = BTreeSet::new();
        let mut counts = [0; MOST_THINGS];
        for row in by_part(table, split) {
            assert!(row.label.is_none());
            assert_eq!(
                row.inputs.keys().map(|key| &**key).collect::<Vec<_>>(),
                ["audio", "image", "text"]
            );
            let mut known = things(&row);
            counts[known.len() - 1] += 1;
            for thing in &known {
                let words: Vec<&str> = thing.splitn(3, ' ').collect();
                let [colour, digit, place] = words[..] else {
                    panic!("{thing}")
                };
                let named = format!("a {colour} {digit}");
                let ways = [
                    format!("{named} at the {place}"),
                    format!("{named} in the {place} corner"),
                    format!("at the {place}, {named}"),
                ];
                assert!(
                    ways.iter().any(|way| text(&row).contains(way)),
                    "{}",
                    text(&row)
                );
            }
            assert_eq!(
                text(&row).matches("a ").count(),
                known.len(),
                "{}",
                text(&row)
            );
            known.sort_unstable();
            let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
            assert!(told.insert(known), "{} is there twice", row.meta["things"]);
        }
        // The fewer combinations, the sooner those of one thing are used up.
        assert!(
            counts.iter().all(|count| *count >= 32),
            "{split:?}: {counts:?}"
        );
    }
}

/// The answer, worked out of the row's notes by another way than it was made.
fn answer(row: &Row) -> String {
    let known = things(row);
    let question = text(row);
    let one = |of: &dyn Fn(&str) -> bool| -> Vec<&str> {
        let fit: Vec<&str> = known.iter().copied().filter(|thing| of(thing)).collect();
        assert_eq!(fit.len(), 1, "{question}: {known:?}");
        fit[0].splitn(3, ' ').collect()
    };
    let between = |start: &str, end: &str| question.strip_prefix(start)?.strip_suffix(end);
    if let Some(digit) = between("what colour is the ", "?") {
        one(&|thing| thing.contains(&format!(" {digit} ")))[0].to_owned()
    } else if let Some(place) = between("which digit is at the ", "?") {
        one(&|thing| thing.ends_with(place))[1].to_owned()
    } else if let Some(colour) = between("which digit is ", "?") {
        one(&|thing| thing.starts_with(&format!("{colour} ")))[1].to_owned()
    } else if let Some(named) = between("where is the ", "?") {
        one(&|thing| thing.starts_with(&format!("{named} ")))[2].to_owned()
    } else if let Some(named) = between("is there a ", "?") {
        let there = known
            .iter()
            .any(|thing| thing.starts_with(&format!("{named} ")));
        if there { "yes" } else { "no" }.to_owned()
    } else {
        assert_eq!(question, "how many digits are there?");
        ["one", "two", "three"][known.len() - 1].to_owned()
    }
}

#[test]
fn every_question_has_one_answer_and_it_is_the_one_given() {
    let table = &*ASKED;
    for split in PARTS {
        let mut kinds: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let (mut yes, mut no) = (0, 0);
        for row in by_part(table, split) {
            let label = row.label.as_deref().unwrap();
            assert_eq!(
                answer(&row),
                label,
                "{}: {}",
                text(&row),
                row.meta["things"]
            );
            *kinds.entry(row.meta["kind"].clone()).or_default() += 1;
            yes += usize::from(label == "yes");
            no += usize::from(label == "no");
        }
        let rows: usize = kinds.values().sum();
        assert_eq!(kinds.len(), 6, "{kinds:?}");
        assert!(kinds.values().all(|n| n * 10 > rows), "{kinds:?}");
        assert!(yes.abs_diff(no) * 3 < yes + no, "{yes} yes, {no} no");
    }
    let labels = crate::Labels::from_rows(&table.rows).unwrap();
    assert_eq!(labels.names().len(), 22);
}

#[test]
fn pictures_are_of_one_size_and_show_their_colours() {
    let table = &*TOLD;
    for row in by_part(table, Split::Test).take(60) {
        let bytes = row.inputs["image"].read(1 << 20).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes[..]))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(
            (info.width, info.height),
            (draw::PIXELS as u32, draw::PIXELS as u32)
        );
        for thing in things(&row) {
            let words: Vec<&str> = thing.splitn(3, ' ').collect();
            let paint = COLOURS
                .iter()
                .find(|(name, _)| *name == words[0])
                .unwrap()
                .1;
            let place = PLACES.iter().position(|place| *place == words[2]).unwrap();
            let half = draw::PIXELS / 2;
            let (left, top) = (place % 2 * half, place / 2 * half);
            // Where a quarter has most ink, above the canvas it is of the thing's colour.
            let quarter: Vec<[f32; 3]> = (0..half * half)
                .map(|i| 3 * ((top + i / half) * draw::PIXELS + left + i % half))
                .map(|at| [0, 1, 2].map(|c| f32::from(pixels[at + c])))
                .collect();
            let mut order: Vec<usize> = (0..quarter.len()).collect();
            order.sort_by(|a, b| {
                let light = |i: &usize| quarter[*i].iter().sum::<f32>();
                light(b).total_cmp(&light(a))
            });
            let mean = |of: &[usize]| {
                [0, 1, 2].map(|c| of.iter().map(|i| quarter[*i][c]).sum::<f32>() / of.len() as f32)
            };
            let (ink, canvas) = (mean(&order[..12]), mean(&order[order.len() / 2..]));
            let found = [0, 1, 2].map(|c| ink[c] - canvas[c]);
            let cosine = |colour: &[f32; 3]| {
                let dot =
                    |a: &[f32; 3], b: &[f32; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                dot(&found, colour) / (dot(&found, &found) * dot(colour, colour)).sqrt()
            };
            let colours = COLOURS.iter().map(|(_, colour)| colour);
            let nearest = colours.max_by(|a, b| cosine(a).total_cmp(&cosine(b)));
            assert_eq!(nearest, Some(&paint), "{thing}: {found:?}");
        }
    }
}

#[test]
fn the_picture_of_a_scene_is_the_same_for_captions_and_questions() {
    let (told, asked) = (&*TOLD, &*ASKED);
    for (a, b) in told.rows.iter().zip(&asked.rows).step_by(101) {
        assert_eq!((&a.id, a.split), (&b.id, b.split));
        let bytes = |row: &Row| row.inputs["image"].read(1 << 20).unwrap();
        assert!(bytes(&a) == bytes(&b), "{}", a.id);
    }
    let again = captions().unwrap();
    for (a, b) in told.rows.iter().zip(&again.rows).step_by(101) {
        for (name, source) in &a.inputs {
            let bytes = |source: &Source| match source {
                Source::Text(text) => text.as_bytes().to_vec(),
                other => other.read(1 << 20).unwrap().to_vec(),
            };
            assert!(bytes(source) == bytes(&b.inputs[name]), "{} {name}", a.id);
        }
    }
}

#[test]
fn a_digit_alone_is_of_its_part_and_its_name() {
    let table = digits().unwrap();
    assert_eq!(table.rows.len(), 240 * TIMES_ALONE);
    for split in [Split::Train, Split::Valid, Split::Test] {
        let known: BTreeSet<String> = combinations(split)
            .iter()
            .map(|is| listing(&[*is]))
            .collect();
        for row in by_part(&table, split) {
            assert!(known.contains(&*row.meta["things"]), "{}", row.id);
            let digit = row.meta["things"].split(' ').nth(1);
            assert_eq!(row.label.as_deref(), digit);
            assert!(row.inputs.contains_key("image") && row.inputs.contains_key("audio"));
        }
    }
}
