//! Questions about a scene that have one answer.

use rand::RngExt;
use rand::seq::IndexedRandom;
use sensorium_core::SampleRng;

use super::Combination;
use super::words::{COLOURS, DIGITS};

/// A question, its kind and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub kind: &'static str,
    pub question: String,
    pub answer: String,
}

/// Draws a question, each kind that the scene allows as often as the next.
pub(super) fn ask(things: &[Combination], rng: &mut SampleRng) -> Asked {
    let kinds = [
        of_colour(things, rng),
        digit_there(things, rng),
        digit_coloured(things, rng),
        of_place(things, rng),
        Some(count(things)),
        presence(things, rng),
    ];
    let possible: Vec<&Asked> = kinds.iter().flatten().collect();
    possible[rng.random_range(0..possible.len())].clone()
}

/// A thing that is alone in what `of` tells of it.
fn only<K: PartialEq>(
    things: &[Combination],
    of: impl Fn(&Combination) -> K,
    rng: &mut SampleRng,
) -> Option<Combination> {
    let alone: Vec<Combination> = things
        .iter()
        .filter(|thing| things.iter().filter(|t| of(t) == of(thing)).count() == 1)
        .copied()
        .collect();
    alone.choose(rng).copied()
}

fn of_colour(things: &[Combination], rng: &mut SampleRng) -> Option<Asked> {
    let thing = only(things, |t| t.digit, rng)?;
    Some(Asked {
        kind: "colour",
        question: format!("what colour is the {}?", thing.digit()),
        answer: thing.colour().to_owned(),
    })
}

fn digit_there(things: &[Combination], rng: &mut SampleRng) -> Option<Asked> {
    let thing = only(things, |t| t.place, rng)?;
    Some(Asked {
        kind: "digit-there",
        question: format!("which digit is at the {}?", thing.place()),
        answer: thing.digit().to_owned(),
    })
}

fn digit_coloured(things: &[Combination], rng: &mut SampleRng) -> Option<Asked> {
    let thing = only(things, |t| t.colour, rng)?;
    Some(Asked {
        kind: "digit-coloured",
        question: format!("which digit is {}?", thing.colour()),
        answer: thing.digit().to_owned(),
    })
}

fn of_place(things: &[Combination], rng: &mut SampleRng) -> Option<Asked> {
    let thing = only(things, |t| (t.digit, t.colour), rng)?;
    Some(Asked {
        kind: "place",
        question: format!("where is the {} {}?", thing.colour(), thing.digit()),
        answer: thing.place().to_owned(),
    })
}

fn count(things: &[Combination]) -> Asked {
    Asked {
        kind: "count",
        question: "how many digits are there?".to_owned(),
        answer: DIGITS[things.len()].to_owned(),
    }
}

/// Whether there is a thing: one that is there, or one that differs from it in colour or digit alone.
fn presence(things: &[Combination], rng: &mut SampleRng) -> Option<Asked> {
    let mut thing = *things.choose(rng)?;
    let there = rng.random_bool(0.5);
    if !there {
        let is_there = |other: &Combination| {
            let same = |t: &Combination| (t.colour, t.digit) == (other.colour, other.digit);
            things.iter().any(same)
        };
        // Three things cannot be all that is near one of them.
        while is_there(&thing) {
            match rng.random_bool(0.5) {
                true => thing.colour = rng.random_range(0..COLOURS.len()),
                false => thing.digit = rng.random_range(0..DIGITS.len()),
            }
        }
    }
    Some(Asked {
        kind: "presence",
        question: format!("is there {}?", thing.named()),
        answer: if there { "yes" } else { "no" }.to_owned(),
    })
}
