//! The words of scenes: names of digits, colours and places, and captions.

use rand::RngExt;
use rand::seq::SliceRandom;
use sensorium_core::SampleRng;

use super::Combination;

pub(crate) const DIGITS: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];

/// Names and how much red, green and blue.
pub(super) const COLOURS: [(&str, [f32; 3]); 6] = [
    ("red", [0.95, 0.2, 0.2]),
    ("green", [0.2, 0.85, 0.3]),
    ("blue", [0.3, 0.45, 1.0]),
    ("yellow", [0.95, 0.9, 0.2]),
    ("purple", [0.75, 0.3, 0.9]),
    ("white", [0.95, 0.95, 0.95]),
];

/// In reading order.
pub(super) const PLACES: [&str; 4] = ["top left", "top right", "bottom left", "bottom right"];

impl Combination {
    pub(super) fn digit(self) -> &'static str {
        DIGITS[self.digit]
    }

    pub(super) fn colour(self) -> &'static str {
        COLOURS[self.colour].0
    }

    pub(super) fn place(self) -> &'static str {
        PLACES[self.place]
    }

    /// "a red three"
    pub(super) fn named(self) -> String {
        let (colour, digit) = (self.colour(), self.digit());
        format!("a {colour} {digit}")
    }
}

/// A sentence that says all there is, in one of several ways and any order.
pub(super) fn caption(things: &[Combination], rng: &mut SampleRng) -> String {
    let mut things = things.to_vec();
    things.shuffle(rng);
    let way = rng.random_range(0..3);
    let told: Vec<String> = things
        .iter()
        .map(|thing| match way {
            0 => format!("{} at the {}", thing.named(), thing.place()),
            1 => format!("{} in the {} corner", thing.named(), thing.place()),
            _ => format!("at the {}, {}", thing.place(), thing.named()),
        })
        .collect();
    match way {
        0 => joined(&told),
        1 => format!("there is {}", joined(&told)),
        _ => told.join("; "),
    }
}

/// A sentence that says all there is, in one way, and in reading order: one picture has one sentence.
pub(super) fn sentence(things: &[Combination]) -> String {
    let told = things
        .iter()
        .map(|thing| format!("{} at the {}", thing.named(), thing.place()));
    joined(&told.collect::<Vec<_>>())
}

/// "x", "x and y", "x, y and z"
fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// All things in one form, for the row's notes: "red three top left, blue seven bottom right".
pub(super) fn listing(things: &[Combination]) -> String {
    let told: Vec<String> = things
        .iter()
        .map(|thing| format!("{} {} {}", thing.colour(), thing.digit(), thing.place()))
        .collect();
    told.join(", ")
}
