//! Riddles about a digit: text whose words say something of each other, so that there is much to learn from it without a label.
//!
//! A riddle joins two things of which there are as many: "count the legs of a spider, or the bits of a byte". Each kind of thing is
//! told in the same words for several digits (the legs of a spider, of an ant, of a dog), so that a hidden word cannot be guessed
//! from those around it alone, but from the other thing. Which two stand together in validation or testing is never met in training.

use rand::RngExt;
use rand::seq::SliceRandom;
use sensorium_core::{SampleRng, Source, seed};

use crate::scenes::DIGITS;
use crate::{Error, Named, Place, Row, Split, Table};

/// What everything drawn derives from: the data set is the same everywhere.
const SEED: u64 = 0x51DD_1E00;

/// How many things each digit counts.
const THINGS: usize = 16;

/// Pairs of things of a digit, of all 120, and how often each is told.
const PAIRS: [(Split, &str, usize, usize); 3] = [
    (Split::Test, "test", 24, 2),
    (Split::Valid, "valid", 12, 2),
    (Split::Train, "train", 84, 4),
];

/// What there is none of, one of, and so on.
const COUNTED: [[&str; THINGS]; 10] = [
    [
        "the wheels of a sledge",
        "the legs of a snake",
        "the corners of a circle",
        "the points called love in tennis",
        "the sides of a ball",
        "the legs of a worm",
        "the moons of venus",
        "the moons of mercury",
        "the humps of a horse",
        "the teeth of a hen",
        "the strings of a flute",
        "the arms of a fish",
        "the freezing point of water in degrees",
        "the hour of midnight",
        "the hairs of a bald head",
        "what is left when all is gone",
    ],
    [
        "the horns of a unicorn",
        "the humps of a dromedary",
        "the wheels of a unicycle",
        "the moons of the earth",
        "the eyes of a cyclops",
        "the trunks of an elephant",
        "the players of a solo",
        "the tails of a dog",
        "the wheels of a wheelbarrow",
        "the noses of a face",
        "the protons of hydrogen",
        "the winner's place in a race",
        "the spots of an ace",
        "the horns of a rhino from india",
        "the suns of our sky",
        "the letters of the word a",
    ],
    [
        "the humps of a camel from mongolia",
        "the wheels of a bicycle",
        "the moons of mars",
        "the legs of a bird",
        "the players of a duet",
        "the babies of a twin birth",
        "the sides of a coin",
        "the poles of a magnet",
        "the horns of a cow",
        "the shoes of a pair",
        "the protons of helium",
        "the letters of the word me",
        "the lenses of spectacles",
        "the strings of a chinese erhu",
        "the noughts of a hundred",
        "the runners of a skate sledge",
    ],
    [
        "the sides of a triangle",
        "the wheels of a tricycle",
        "the players of a trio",
        "the musketeers of the title",
        "the colours of a traffic light",
        "the feet of a yard",
        "the prongs of a trident",
        "the leaves of a clover",
        "the steps of a podium",
        "the hearts of an octopus",
        "the little pigs of the tale",
        "the bears of goldilocks",
        "the valves of a trumpet",
        "the legs of a tripod",
        "the protons of lithium",
        "the letters of the word cat",
    ],
    [
        "the sides of a square",
        "the wheels of a car",
        "the legs of a dog",
        "the players of a quartet",
        "the seasons of a year",
        "the strings of a violin",
        "the suits of a deck of cards",
        "the points of a compass",
        "the letters of the word bird",
        "the chambers of a heart",
        "the moons that galileo saw",
        "the years of an olympiad",
        "the wings of a butterfly",
        "the legs of a table",
        "the quarts of a gallon",
        "the horsemen of the apocalypse",
    ],
    [
        "the sides of a pentagon",
        "the fingers of a hand",
        "the toes of a foot",
        "the players of a quintet",
        "the arms of a starfish",
        "the rings of the olympic flag",
        "the senses of a person",
        "the vowels of the alphabet",
        "the lines of a staff of music",
        "the lines of a limerick",
        "the players of a basketball team",
        "the letters of the word house",
        "the cents of a nickel",
        "the working days of a week",
        "the acts of hamlet",
        "the protons of boron",
    ],
    [
        "the sides of a hexagon",
        "the legs of an ant",
        "the faces of a cube",
        "the strings of a guitar",
        "the players of a volleyball team",
        "the players of an ice hockey team",
        "the balls of an over of cricket",
        "the wives of henry the eighth",
        "the dots of a braille cell",
        "the feet of a fathom",
        "the pockets of a snooker table",
        "the protons of carbon",
        "the walls of a honeycomb cell",
        "the letters of the word orange",
        "the flavours of quarks",
        "the legs of a bee",
    ],
    [
        "the days of a week",
        "the colours of the rainbow",
        "the dwarfs of snow white",
        "the wonders of the ancient world",
        "the continents of the earth",
        "the hills of rome",
        "the deadly sins",
        "the seas of the sailors",
        "the sides of a heptagon",
        "the stars of the plough",
        "the spots of a ladybird",
        "the voyages of sinbad",
        "the players of a handball team",
        "the players of a water polo team",
        "the letters of the word october",
        "the samurai of kurosawa",
    ],
    [
        "the legs of a spider",
        "the arms of an octopus",
        "the sides of an octagon",
        "the planets of the sun",
        "the bits of a byte",
        "the pawns of a chess player",
        "the players of an octet",
        "the reindeer of santa",
        "the legs of a scorpion",
        "the corners of a cube",
        "the letters of the word elephant",
        "the protons of oxygen",
        "the pints of a gallon",
        "the furlongs of a mile",
        "the sides of a stop sign",
        "the rowers of a racing boat",
    ],
    [
        "the lives of a cat",
        "the muses of greece",
        "the players of a baseball team",
        "the innings of a baseball game",
        "the months of a pregnancy",
        "the sides of a nonagon",
        "the tails of the fox of legend",
        "the worlds of the norse tree",
        "the pins of skittles",
        "the symphonies of beethoven",
        "the circles of hell in dante",
        "the letters of the word butterfly",
        "the justices of the supreme court",
        "the protons of fluorine",
        "the squares of tic tac toe",
        "the figures of a sudoku",
    ],
];

/// Riddles and the digit they are about: `text`, and its name as the label.
///
/// # Errors
/// None: all is in the program.
pub fn riddles() -> Result<Table, Error> {
    let mut rng = seed::rng(SEED, &[seed::of_name("pairs")]);
    let mut rows = Vec::new();
    for (digit, things) in COUNTED.iter().enumerate() {
        let mut pairs = pairs_of(things);
        pairs.shuffle(&mut rng);
        let mut pairs = pairs.into_iter();
        for (split, name, count, times) in PAIRS {
            for (n, (a, b)) in pairs.by_ref().take(count).enumerate() {
                for time in 0..times {
                    let (first, second) = if time % 2 == 0 { (a, b) } else { (b, a) };
                    let id = format!("{name}-{digit}-{n:02}-{time}");
                    let told = told(first, second, &mut rng);
                    rows.push((id, split, DIGITS[digit], told));
                }
            }
        }
    }
    rows.shuffle(&mut rng);
    let rows = rows.into_iter().enumerate();
    Ok(Table {
        name: NAME.to_owned(),
        rows: rows
            .map(|(i, (id, split, digit, told))| Row {
                id,
                label: Some(digit.to_owned()),
                split: Some(split),
                group: None,
                inputs: [("text", Source::text(told))].into(),
                meta: Named::default(),
                place: Place {
                    file: NAME.into(),
                    row: i as u64 + 1,
                },
            })
            .collect(),
    })
}

const NAME: &str = "riddles";

/// Each two of them once.
fn pairs_of<'a>(things: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let with_later = |(i, a): (usize, &&'a str)| {
        let a = *a;
        things[i + 1..]
            .iter()
            .map(move |b| (a, *b))
            .collect::<Vec<_>>()
    };
    things.iter().enumerate().flat_map(with_later).collect()
}

/// One of several ways to ask.
fn told(first: &str, second: &str, rng: &mut SampleRng) -> String {
    match rng.random_range(0..4) {
        0 => format!("{first}, {second}"),
        1 => format!("as many as {first} and {second}"),
        2 => format!("count {first}, or {second}"),
        _ => format!("i am {first} and {second}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_riddle_tells_two_things_of_its_digit_and_no_pair_is_in_two_parts() {
        let table = riddles().unwrap();
        let mut parts = [const { BTreeSet::new() }; 3];
        let mut rows = [0; 3];
        for row in &table.rows {
            let Source::Text(text) = &row.inputs["text"] else {
                panic!("{} is no text", row.id)
            };
            let digit = DIGITS
                .iter()
                .position(|name| Some(*name) == row.label.as_deref());
            let digit = digit.expect("a digit's name");
            // The longest alone, where one thing's words begin another's.
            let mut things: Vec<&str> = COUNTED[digit]
                .into_iter()
                .filter(|thing| text.contains(thing))
                .collect();
            let all = things.clone();
            things.retain(|thing| {
                !all.iter()
                    .any(|other| other != thing && other.contains(thing))
            });
            let [a, b] = things[..] else {
                panic!("{text}: {things:?}")
            };
            let part = PAIRS
                .iter()
                .position(|(split, ..)| row.split == Some(*split));
            let part = part.expect("a part");
            parts[part].insert([a.min(b), a.max(b)]);
            rows[part] += 1;
        }
        assert_eq!(rows, [480, 240, 3360]);
        for (i, own) in parts.iter().enumerate() {
            assert_eq!(own.len(), 10 * PAIRS[i].2);
            assert!(parts[i + 1..].iter().all(|other| own.is_disjoint(other)));
        }
        let ids: BTreeSet<&str> = table.rows.refs().map(crate::RowRef::id).collect();
        assert_eq!(ids.len(), table.rows.len());
    }

    #[test]
    fn everything_is_counted_once_and_met_in_training() {
        let all: BTreeSet<&str> = COUNTED.iter().flatten().copied().collect();
        assert_eq!(all.len(), 10 * THINGS);
        let table = riddles().unwrap();
        let training = table
            .rows
            .iter()
            .filter(|row| row.split == Some(Split::Train));
        let told: Vec<String> = training
            .map(|row| format!("{:?}", row.inputs["text"]))
            .collect();
        for thing in all {
            assert!(told.iter().any(|text| text.contains(thing)), "{thing}");
        }
    }

    #[test]
    fn it_is_the_same_each_time() {
        let texts = || {
            riddles()
                .unwrap()
                .rows
                .into_iter()
                .map(|row| (row.id, row.inputs))
        };
        assert!(
            texts()
                .map(|t| format!("{t:?}"))
                .eq(texts().map(|t| format!("{t:?}")))
        );
    }
}
