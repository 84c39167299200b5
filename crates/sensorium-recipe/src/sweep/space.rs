//! What a sweep tries: values of keys, all with all, and values that are drawn.

use sensorium_core::seed;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The most runs of a sweep.
const MOST: usize = 10_000;

/// A key of the recipe with the values that it is tried with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    key: String,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    /// One of these.
    Listed(Vec<String>),
    /// A whole number from the first to the last.
    Whole(i64, i64),
    /// A number between two, as likely everywhere.
    Uniform(f64, f64),
    /// A number between two, as likely in each power of ten.
    Log(f64, f64),
}

/// One run of a sweep: the keys that it sets, as `--set` takes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its folder, below the sweep's.
    pub folder: String,
    /// `key=value` for each key.
    pub sets: Vec<String>,
}

impl Axis {
    /// `KEY=V1,V2,…`
    pub(super) fn grid(text: &str) -> Result<Self, Error> {
        let (key, values) = parted(text, "--grid")?;
        let values = listed(values);
        if values.iter().any(String::is_empty) {
            return Err(refuse("--grid", text, "has a value that is empty"));
        }
        Ok(Self {
            key,
            values: Values::Listed(values),
        })
    }

    /// `KEY=LOW..HIGH`, `KEY=log:LOW..HIGH`, or a list as in a grid.
    pub(super) fn random(text: &str) -> Result<Self, Error> {
        let (key, values) = parted(text, "--random")?;
        let wrong = |what| refuse("--random", text, what);
        let (is_log, range) = match values.strip_prefix("log:") {
            Some(range) => (true, range),
            None => (false, values),
        };
        let Some((low, high)) = range.split_once("..") else {
            return match is_log {
                true => Err(wrong("has no range after log:, such as log:1e-4..1e-2")),
                false => Self::grid(text).map_err(|_| wrong("has a value that is empty")),
            };
        };
        let (low, high) = (low.trim(), high.trim());
        let values = if let (Ok(low), Ok(high), false) = (low.parse(), high.parse(), is_log) {
            Values::Whole(low, high)
        } else {
            let numbers = (low.parse::<f64>(), high.parse::<f64>());
            let (Ok(low), Ok(high)) = numbers else {
                return Err(wrong("has a range of no numbers: write it like 0.1..0.5"));
            };
            match is_log {
                true => Values::Log(low, high),
                false => Values::Uniform(low, high),
            }
        };
        let possible = match values {
            Values::Whole(low, high) => low < high,
            Values::Uniform(low, high) => low.is_finite() && high.is_finite() && low < high,
            Values::Log(low, high) => low > 0.0 && high.is_finite() && low < high,
            Values::Listed(_) => true,
        };
        match possible {
            true => Ok(Self { key, values }),
            false => Err(wrong(
                "must go from a lower number to a higher one, with log: both above 0",
            )),
        }
    }

    /// The value of a run, drawn by the seed, the key and the run's number alone.
    fn drawn(&self, seed: u64, run: usize) -> String {
        let bits = seed::derive(seed, &[seed::of_name(&self.key), run as u64]);
        // The highest 53 bits are a number below 1 exactly.
        let share = (bits >> 11) as f64 / (1u64 << 53) as f64;
        match &self.values {
            Values::Listed(values) => {
                let at = (share * values.len() as f64) as usize;
                values[at.min(values.len() - 1)].clone()
            }
            Values::Whole(low, high) => {
                let width = (i128::from(*high) - i128::from(*low) + 1) as f64;
                let drawn = i128::from(*low) + (share * width) as i128;
                drawn.min(i128::from(*high)).to_string()
            }
            Values::Uniform(low, high) => spelled(low + share * (high - low)),
            Values::Log(low, high) => spelled((low.ln() + share * (high.ln() - low.ln())).exp()),
        }
    }
}

/// A number of four digits, as TOML writes it.
fn spelled(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    format!("{rounded:?}")
}

fn parted<'a>(text: &'a str, option: &str) -> Result<(String, &'a str), Error> {
    match text.split_once('=') {
        Some((key, values)) if !key.trim().is_empty() && !values.trim().is_empty() => {
            Ok((key.trim().to_owned(), values.trim()))
        }
        _ => Err(refuse(
            option,
            text,
            "is not of the form key=values, such as train.lr=1e-3,3e-4",
        )),
    }
}

/// The parts between commas, but for those inside of brackets and quotes.
fn listed(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quote) = (vec![String::new()], 0usize, None);
    for c in text.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The runs of a sweep: all values of the grid with all others; if there is something to draw, as often as `runs` says,
/// each run with draws of its own. Of a grid alone, `runs` takes so many, spread by the seed.
pub(super) fn settings(
    grid: &[Axis],
    random: &[Axis],
    runs: Option<usize>,
    seed: u64,
) -> Result<Vec<Setting>, Error> {
    let refuse = |message: &str| {
        Err(Error::Recipe {
            place: "sweep".to_owned(),
            message: message.to_owned(),
        })
    };
    let mut points: Vec<Vec<String>> = vec![Vec::new()];
    for Axis { key, values } in grid {
        let Values::Listed(values) = values else {
            continue;
        };
        if points.len().saturating_mul(values.len()) > MOST {
            return refuse(&format!(
                "there are more than {MOST} runs in the grid: give it fewer values"
            ));
        }
        let with = |point: &Vec<String>| -> Vec<Vec<String>> {
            let longer = |value| [point.as_slice(), &[format!("{key}={value}")]].concat();
            values.iter().map(longer).collect()
        };
        points = points.iter().flat_map(with).collect();
    }
    let chosen: Vec<Vec<String>> = match (grid.is_empty(), random.is_empty(), runs) {
        (true, true, _) => return refuse("there is nothing to try: give --grid or --random"),
        (_, _, Some(0)) => return refuse("--runs 0 tries nothing: use at least 1"),
        (_, _, Some(runs)) if runs > MOST => {
            return refuse(&format!("--runs {runs} is more than {MOST}"));
        }
        (_, false, None) => return refuse("values that are drawn need a number: give --runs"),
        (_, true, None) => points,
        (_, true, Some(runs)) => {
            let mut order: Vec<usize> = (0..points.len()).collect();
            order.sort_by_key(|at| seed::derive(seed, &[*at as u64]));
            order.truncate(runs);
            order.sort_unstable();
            order.into_iter().map(|at| points[at].clone()).collect()
        }
        (_, false, Some(runs)) => {
            let of = |run: usize| {
                let drawn = random
                    .iter()
                    .map(|axis| format!("{}={}", axis.key, axis.drawn(seed, run)));
                let point = &points[run % points.len()];
                point.iter().cloned().chain(drawn).collect()
            };
            (0..runs).map(of).collect()
        }
    };
    let numbered = chosen.into_iter().enumerate();
    Ok(numbered
        .map(|(at, sets)| Setting {
            folder: format!("{:03}", at + 1),
            sets,
        })
        .collect())
}

fn refuse(option: &str, text: &str, what: &str) -> Error {
    Error::Recipe {
        place: format!("{option} {text}"),
        message: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(grid: &[&str], random: &[&str], runs: Option<usize>, seed: u64) -> Vec<Vec<String>> {
        let grid: Vec<Axis> = grid.iter().map(|text| Axis::grid(text).unwrap()).collect();
        let random: Vec<Axis> = random
            .iter()
            .map(|text| Axis::random(text).unwrap())
            .collect();
        let settings = settings(&grid, &random, runs, seed).unwrap();
        settings.into_iter().map(|setting| setting.sets).collect()
    }

    #[test]
    fn a_grid_is_all_with_all_and_a_part_of_it_is_the_seeds() {
        let all = sets(&["a=1,2", "b=[0.9,0.99],\"x,y\""], &[], None, 0);
        assert_eq!(
            all,
            [
                ["a=1", "b=[0.9,0.99]"],
                ["a=1", "b=\"x,y\""],
                ["a=2", "b=[0.9,0.99]"],
                ["a=2", "b=\"x,y\""],
            ]
        );
        let part = |seed| sets(&["a=1,2,3,4,5,6,7,8"], &[], Some(3), seed);
        assert_eq!(part(1).len(), 3);
        assert_eq!(part(1), part(1));
        assert!((2..9).any(|seed| part(seed) != part(1)));
    }

    #[test]
    fn draws_are_the_seeds_within_their_range_and_the_same_in_a_longer_sweep() {
        let random = ["lr=log:1e-4..1e-2", "n=2..5", "p=0.0..0.5", "k=x,y"];
        let long = sets(&["a=1,2"], &random, Some(200), 3);
        assert_eq!(long[..50], sets(&["a=1,2"], &random, Some(50), 3));
        assert_ne!(long[..50], sets(&["a=1,2"], &random, Some(50), 4));
        let column = |at: usize| {
            let values = long
                .iter()
                .map(move |sets| sets[at].split_once('=').unwrap().1);
            values.map(str::to_owned).collect::<Vec<String>>()
        };
        assert_eq!(column(0).iter().filter(|value| *value == "1").count(), 100);
        let rates: Vec<f64> = column(1).iter().map(|rate| rate.parse().unwrap()).collect();
        assert!(rates.iter().all(|rate| (1e-4..=1e-2).contains(rate)));
        let low = rates.iter().filter(|rate| **rate < 1e-3).count();
        assert!((80..120).contains(&low), "{low} of 200 below the middle");
        for whole in ["2", "3", "4", "5"] {
            assert!(column(2).iter().any(|n| n == whole));
        }
        assert!(
            column(2)
                .iter()
                .all(|n| ["2", "3", "4", "5"].contains(&n.as_str()))
        );
        assert!(
            column(3)
                .iter()
                .all(|p| (0.0..=0.5).contains(&p.parse::<f64>().unwrap()))
        );
        assert!(column(4).contains(&"x".to_owned()) && column(4).contains(&"y".to_owned()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["lr", "=1", "lr=", "lr=1,,2"] {
            assert!(Axis::grid(text).is_err(), "{text}");
        }
        for text in [
            "lr=log:5",
            "lr=log:0..1",
            "lr=2..1",
            "lr=a..b",
            "lr=1..inf",
            "lr=3..3",
            "lr=1,,2",
        ] {
            assert!(Axis::random(text).is_err(), "{text}");
        }
        let axis = |text: &str| Axis::random(text).unwrap();
        let message = |grid: &[Axis], random: &[Axis], runs| {
            settings(grid, random, runs, 0).unwrap_err().to_string()
        };
        assert!(message(&[], &[], None).contains("nothing to try"));
        assert!(message(&[], &[axis("n=1..3")], None).contains("--runs"));
        assert!(message(&[], &[axis("n=1..3")], Some(0)).contains("at least 1"));
        let wide = Axis::grid(&format!("a={}", vec!["1"; 101].join(","))).unwrap();
        assert!(message(&[wide.clone(), wide], &[], None).contains("fewer values"));
    }
}
