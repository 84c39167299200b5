//! Phrases that say the same in other words: dates, times, amounts and numbers, from one language or notation into another.
//!
//! Little of it can be copied: German tells units before tens (`vierundachtzig`), a time before the hour that comes (`halb fünf` is
//! 4:30), English a time before the day. Which notation an answer is in follows from the phrase's own. What is told in a phrase of
//! validation or testing, such as a number, is told in no phrase of training, in neither direction.

mod moments;
mod words;

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use sensorium_core::{SampleRng, Source, seed};

use crate::{Error, Named, Place, Row, Split, Table};
use moments::{Day, Time};
use words::{LARGEST, english, german, german_before, grouped};

const NAME: &str = "phrases";

/// What everything drawn derives from: the data set is the same everywhere.
const SEED: u64 = 0x9D8A_5E50;

/// How many things of each kind validation and testing tell, each in both directions; a kind says itself how many training does.
const TESTED: usize = 100;
const VALIDATED: usize = 40;

/// What a phrase tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Number(usize),
    /// Pounds and pence.
    Pounds(usize, usize),
    /// Euros and cents.
    Euros(usize, usize),
    Day(Day),
    Moment(Day, Time),
}

/// What each kind is called, how many of it training tells, and what draws one. Moments have the most to learn.
type Kind = (&'static str, usize, fn(&mut SampleRng) -> Thing);

const KINDS: [Kind; 5] = [
    ("number", 2400, |rng| Thing::Number(sized(rng, LARGEST))),
    ("pounds", 2400, |rng| {
        Thing::Pounds(sized(rng, 9999), hundredths(rng))
    }),
    ("euros", 2400, |rng| {
        Thing::Euros(sized(rng, 9999), hundredths(rng))
    }),
    ("day", 2400, |rng| Thing::Day(day(rng))),
    ("moment", 6000, |rng| Thing::Moment(day(rng), time(rng))),
];

/// The parts, and how many things of a kind each tells.
fn parts(trained: usize) -> [(Split, &'static str, usize); 3] {
    [
        (Split::Test, "test", TESTED),
        (Split::Valid, "valid", VALIDATED),
        (Split::Train, "train", trained),
    ]
}

/// A number from 1 on, of one to as many digits as the largest has: each as often.
fn sized(rng: &mut SampleRng, largest: usize) -> usize {
    let digits = rng.random_range(1..=largest.ilog10() + 1);
    rng.random_range(10usize.pow(digits - 1)..10usize.pow(digits))
}

/// Pence or cents; one time in ten none.
fn hundredths(rng: &mut SampleRng) -> usize {
    match rng.random_range(0..10) {
        0 => 0,
        _ => rng.random_range(1..100),
    }
}

fn day(rng: &mut SampleRng) -> Day {
    let (year, month) = (rng.random_range(1900..2100), rng.random_range(1..=12));
    let day = rng.random_range(1..=Day::of_month(year, month));
    Day { year, month, day }
}

/// Every second time one that is told by the quarter or by five minutes.
fn time(rng: &mut SampleRng) -> Time {
    let minute = match rng.random_bool(0.5) {
        true => 5 * rng.random_range(0..12),
        false => rng.random_range(0..60),
    };
    Time {
        hour: rng.random_range(0..24),
        minute,
    }
}

impl Thing {
    /// Whether it can be kept from training without leaving nothing of its size there: of numbers below a hundred there are few.
    fn is_one_of_many(self) -> bool {
        !matches!(self, Self::Number(..100))
    }

    /// A phrase and what it is to become, in both directions.
    fn told(self) -> [(String, String); 2] {
        let both = |one: String, other: String| [(one.clone(), other.clone()), (other, one)];
        match self {
            Self::Number(number) => both(german(number), english(number)),
            Self::Pounds(pounds, pence) => both(
                english_amount(pounds, pence),
                format!("{},{pence:02} £", grouped(pounds, '.')),
            ),
            Self::Euros(euros, cents) => both(
                german_amount(euros, cents),
                format!("€{}.{cents:02}", grouped(euros, ',')),
            ),
            Self::Day(day) => both(day.told(), day.dotted()),
            Self::Moment(day, time) => {
                let written = format!("{} {}", day.iso(), time.iso());
                [
                    (
                        format!("{} {}", day.german(), time.german()),
                        written.clone(),
                    ),
                    (written, format!("{} on {}", time.english(), day.american())),
                ]
            }
        }
    }
}

/// `forty-two pounds and five pence`
fn english_amount(pounds: usize, pence: usize) -> String {
    let pound = if pounds == 1 { "pound" } else { "pounds" };
    let pounds = format!("{} {pound}", english(pounds));
    match pence {
        0 => pounds,
        1 => format!("{pounds} and one penny"),
        _ => format!("{pounds} and {} pence", english(pence)),
    }
}

/// `zweiundvierzig Euro und fünf Cent`
fn german_amount(euros: usize, cents: usize) -> String {
    let euros = format!("{} Euro", german_before(euros));
    match cents {
        0 => euros,
        _ => format!("{euros} und {} Cent", german_before(cents)),
    }
}

/// Phrases as `text`, and what each is to become as the label.
///
/// # Errors
/// None: all is made by the program.
pub fn phrases() -> Result<Table, Error> {
    let mut rows = Vec::new();
    for (kind, trained, draw) in KINDS {
        let mut rng = seed::rng(SEED, &[seed::of_name(kind)]);
        let mut known = BTreeSet::new();
        for (split, part, count) in parts(trained) {
            let mut told = 0;
            while told < count {
                let thing = draw(&mut rng);
                let fits = split == Split::Train || thing.is_one_of_many();
                if !fits || !known.insert(thing) {
                    continue;
                }
                for (way, (from, to)) in thing.told().into_iter().enumerate() {
                    let id = format!("{part}-{kind}-{told:04}-{way}");
                    rows.push((id, split, from, to));
                }
                told += 1;
            }
        }
    }
    rows.shuffle(&mut seed::rng(SEED, &[seed::of_name("order")]));
    let row = |(i, (id, split, from, to)): (usize, (String, Split, String, String))| Row {
        id,
        label: Some(to),
        split: Some(split),
        group: None,
        inputs: [("text", Source::text(from))].into(),
        meta: Named::default(),
        place: Place {
            file: NAME.into(),
            row: i as u64 + 1,
        },
    };
    Ok(Table {
        name: NAME.to_owned(),
        rows: rows.into_iter().enumerate().map(row).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(row: &Row) -> &str {
        match &row.inputs["text"] {
            Source::Text(text) => text,
            _ => panic!("{} is no text", row.id),
        }
    }

    #[test]
    fn phrases_are_told_in_both_directions() {
        let day = Day {
            year: 1984,
            month: 5,
            day: 3,
        };
        let time = Time {
            hour: 16,
            minute: 15,
        };
        for (thing, one, other) in [
            (
                Thing::Number(84),
                ("vierundachtzig", "eighty-four"),
                ("eighty-four", "vierundachtzig"),
            ),
            (
                Thing::Pounds(42, 5),
                ("forty-two pounds and five pence", "42,05 £"),
                ("42,05 £", "forty-two pounds and five pence"),
            ),
            (
                Thing::Euros(1001, 0),
                ("eintausendein Euro", "€1,001.00"),
                ("€1,001.00", "eintausendein Euro"),
            ),
            (
                Thing::Day(day),
                ("the third of May, 1984", "03.05.1984"),
                ("03.05.1984", "the third of May, 1984"),
            ),
            (
                Thing::Moment(day, time),
                (
                    "den 3. Mai 1984 nachmittags um Viertel nach vier",
                    "1984-05-03 16:15",
                ),
                (
                    "1984-05-03 16:15",
                    "a quarter past four in the afternoon on May 3, 1984",
                ),
            ),
        ] {
            let told = thing.told();
            let told = told.each_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            assert_eq!(told, [one, other]);
        }
    }

    #[test]
    fn a_phrase_has_one_answer_and_what_is_held_out_is_met_in_no_direction() {
        let table = phrases().unwrap();
        let mut answers = BTreeMap::new();
        let told = [
            (Split::Test, 2 * 5 * 100),
            (Split::Valid, 2 * 5 * 40),
            (Split::Train, 2 * (4 * 2400 + 6000)),
        ];
        let mut parts = [const { (0, BTreeSet::new()) }; 3];
        for row in &table.rows {
            let (from, to) = (text(&row).to_owned(), row.label.clone().unwrap());
            assert_eq!(answers.insert(from.clone(), to.clone()), None, "{from}");
            let part = told.iter().position(|(split, _)| row.split == Some(*split));
            let (rows, texts): &mut (usize, BTreeSet<String>) = &mut parts[part.unwrap()];
            *rows += 1;
            texts.extend([from, to]);
        }
        for (i, (rows, texts)) in parts.iter().enumerate() {
            assert_eq!(*rows, told[i].1);
            let others = parts[i + 1..].iter();
            assert!(others.clone().all(|(_, other)| texts.is_disjoint(other)));
        }
    }

    #[test]
    fn it_is_the_same_each_time() {
        let rows = || phrases().unwrap().rows.into_iter();
        let told = || rows().map(|row| (text(&row).to_owned(), row.label, row.id));
        assert!(told().eq(told()));
    }
}
