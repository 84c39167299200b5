//! Single answers as a report shows them: what the model was given, what is true, and what it said.

use sensorium_core::Source;
use sensorium_eval::{Example, ExampleInput, Media};

use crate::labels::{Answer, Label, LabelSet};
use crate::prepare::Prepared;

/// How many right and how many wrong answers are shown. Wrong ones teach more.
const SHOWN_RIGHT: usize = 6;
const SHOWN_WRONG: usize = 12;

/// The largest file shown in the report, in bytes.
const LARGEST_SHOWN: u64 = 4 << 20;

/// The most confident mistakes, and right answers spread over the test rows; of numbers the farthest off, and some of all.
pub(crate) fn examples(labels: &LabelSet, test: &Prepared, answers: &[Answer]) -> Vec<Example> {
    let judged = answers
        .iter()
        .map(|answer| (off(labels, test, answer), answer));
    let (mut wrong, mut right): (Vec<_>, Vec<_>) = judged.partition(|((wrong, _), _)| *wrong);
    wrong.sort_by(|((_, a), _), ((_, b), _)| b.total_cmp(a));
    let mut others = wrong.split_off(wrong.len().min(SHOWN_WRONG));
    if let LabelSet::Numbers(_) = labels {
        right.append(&mut others);
        right.sort_by_key(|(_, answer)| answer.row);
    }
    let stride = right.len().div_ceil(SHOWN_RIGHT).max(1);
    let right = right.into_iter().step_by(stride);
    let shown = wrong.into_iter().chain(right);
    shown
        .map(|(_, answer)| example(labels, test, answer))
        .collect()
}

/// Whether an answer is wrong, and how much so. A number always is.
fn off(labels: &LabelSet, test: &Prepared, answer: &Answer) -> (bool, f64) {
    match test.label(answer.row) {
        Some(Label::Class(class)) => {
            let (best, sure) = answer.ranked()[0];
            (best != *class, f64::from(sure))
        }
        Some(Label::Several(held)) => {
            let pairs = held.iter().zip(&answer.probabilities);
            let far = pairs.map(|(held, p)| f64::from(if *held { 1.0 - p } else { *p }));
            (answer.given() != **held, far.fold(0.0, f64::max))
        }
        Some(Label::Numbers(numbers)) => {
            let pairs = numbers.iter().zip(&answer.numbers);
            let far = labels.scales().iter().zip(pairs);
            let far = far.map(|(scale, (a, b))| (scale.scaled(*a) - scale.scaled(*b)).abs());
            (true, far.fold(0.0, f64::max))
        }
        Some(Label::Text(text)) => {
            let written = answer.written.as_ref();
            let wrong = written.is_none_or(|written| *written.text != **text);
            (wrong, written.map_or(0.0, |written| written.surprise))
        }
        None => (false, 0.0),
    }
}

fn example(labels: &LabelSet, test: &Prepared, answer: &Answer) -> Example {
    let names = labels.names();
    let inputs = test.inputs(answer.row);
    let inputs = inputs.iter().filter_map(|(modality, source)| {
        Some(ExampleInput {
            modality: modality.to_string(),
            content: media(source)?,
        })
    });
    let top = answer.ranked().into_iter().take(3);
    let example = Example {
        id: test.id(answer.row).to_owned(),
        inputs: inputs.collect(),
        top: top
            .map(|(class, p)| (names[class].clone(), f64::from(p)))
            .collect(),
        ..Example::default()
    };
    match test.label(answer.row) {
        Some(Label::Class(class)) => Example {
            target: names[*class].clone(),
            ..example
        },
        Some(Label::Several(held)) => {
            let pairs = names.iter().zip(held).filter(|(_, held)| **held);
            let truths: Vec<String> = pairs.map(|(name, _)| name.clone()).collect();
            Example {
                target: match truths.is_empty() {
                    true => "none".to_owned(),
                    false => truths.join(", "),
                },
                several: Some((truths, answer.given() == **held)),
                ..example
            }
        }
        Some(Label::Numbers(numbers)) => Example {
            target: listed(numbers),
            answer: Some(listed(&answer.numbers)),
            ..example
        },
        Some(Label::Text(text)) => Example {
            target: text.to_string(),
            written: answer.written.as_ref().map(|written| written.text.clone()),
            ..example
        },
        None => example,
    }
}

/// Numbers with about four digits each.
fn listed(numbers: &[f64]) -> String {
    let read = |value: &f64| {
        let size = value.abs().max(1e-9).log10().floor() as i32;
        format!("{value:.*}", (3 - size).clamp(0, 9) as usize)
    };
    numbers.iter().map(read).collect::<Vec<_>>().join(", ")
}

/// What a browser can show of a source; by its extension, which is all a browser needs.
fn media(source: &Source) -> Option<Media> {
    if let Source::Text(text) = source {
        return Some(Media::Text(text.to_string()));
    }
    let extension = source.extension()?;
    let bytes = || Some(source.read(LARGEST_SHOWN).ok()?.to_vec());
    let image = |mime: &str| {
        Some(Media::Image {
            mime: mime.to_owned(),
            bytes: bytes()?,
        })
    };
    let sound = |mime: &str| {
        Some(Media::Sound {
            mime: mime.to_owned(),
            bytes: bytes()?,
        })
    };
    match extension.as_str() {
        "png" => image("image/png"),
        "jpg" | "jpeg" => image("image/jpeg"),
        "gif" => image("image/gif"),
        "webp" => image("image/webp"),
        "bmp" => image("image/bmp"),
        "wav" => sound("audio/wav"),
        "flac" => sound("audio/flac"),
        "mp3" => sound("audio/mpeg"),
        "ogg" | "oga" => sound("audio/ogg"),
        "aac" => sound("audio/aac"),
        "m4a" | "mp4" => sound("audio/mp4"),
        "webm" => sound("audio/webm"),
        "txt" => Some(Media::Text(String::from_utf8(bytes()?).ok()?)),
        _ => None,
    }
}
