//! Labels that are numbers: how many each row has, and the scale they are learned in.

use sensorium_data::{Row, Rows, numbers};
use serde::{Deserialize, Serialize};

use super::separator;
use crate::{Error, Recipe};

/// The mean and the deviation of a number over the training rows: it is learned less the one and divided by the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What is answered where nothing is known.
    pub mean: f64,
    /// The root of the mean squared distance from it; 1 where all numbers are the same.
    pub deviation: f64,
}

impl Scale {
    /// As the numbers stand.
    const PLAIN: Self = Self {
        mean: 0.0,
        deviation: 1.0,
    };

    /// Of numbers.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count().max(1) as f64;
        // Each divided first: the sum of the largest numbers there are is none.
        let mean: f64 = values.clone().map(|value| value / n).sum();
        let variance: f64 = values.map(|value| (value - mean).powi(2) / n).sum();
        let deviation = short(variance.sqrt());
        Self {
            mean: short(mean),
            // What differs by rounding alone is the same.
            deviation: match deviation.is_finite() && deviation > 1e-9 * mean.abs() {
                true => deviation,
                false => 1.0,
            },
        }
    }

    /// As a number is learned.
    pub(crate) fn scaled(self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// As it stands in the data.
    pub(crate) fn plain(self, scaled: f64) -> f64 {
        scaled * self.deviation + self.mean
    }
}

/// Nine digits: so many come out of a JSON file as they went in.
fn short(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}

/// How far an answer is from its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// Squared.
    Squared,
    /// As it is.
    Absolute,
    /// Squared up to so much, and as it is beyond.
    Huber(f64),
}

impl Distance {
    /// Of an error.
    pub(crate) fn of(self, error: f64) -> f64 {
        match (self, error.abs()) {
            (Self::Squared, far) => far * far,
            (Self::Absolute, far) => far,
            (Self::Huber(delta), far) if far <= delta => far * far / 2.0,
            (Self::Huber(delta), far) => delta * (far - delta / 2.0),
        }
    }
}

/// Labels that are numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// How each of a row's numbers is learned.
    pub scales: Vec<Scale>,
    /// What an answer is judged by in training.
    pub distance: Distance,
    separator: String,
    /// The row that says how many numbers each row has.
    first: Option<String>,
}

impl Numbers {
    /// As many as the first row has, as they stand.
    pub(super) fn of_rows(recipe: &Recipe, rows: &Rows) -> Result<Self, Error> {
        let separator = separator(recipe);
        let labelled = || rows.iter().filter(|row| row.label.is_some());
        let read = |row: Row| Some((row.place.to_string(), numbers(&row, &separator).ok()?));
        let Some((first, found)) = labelled().find_map(read) else {
            return Err(match labelled().next() {
                // A row that holds no number says why.
                Some(row) => Error::Data(match numbers(&row, &separator) {
                    Err(error) => error,
                    Ok(_) => return Err(no_label()),
                }),
                None => no_label(),
            });
        };
        Ok(Self {
            scales: vec![Scale::PLAIN; found.len()],
            distance: recipe.objective.distance(),
            separator,
            first: Some(first),
        })
    }

    /// Of a model that exists.
    pub(super) fn saved(recipe: &Recipe, scales: Vec<Scale>) -> Result<Self, Error> {
        let possible = |scale: &Scale| {
            scale.mean.is_finite() && scale.deviation.is_finite() && scale.deviation > 0.0
        };
        match scales.is_empty() || !scales.iter().all(possible) {
            true => Err(Error::Recipe {
                place: "targets".to_owned(),
                message: "each needs a mean and a deviation above 0, and there is one at least"
                    .to_owned(),
            }),
            false => Ok(Self {
                scales,
                distance: recipe.objective.distance(),
                separator: separator(recipe),
                first: None,
            }),
        }
    }

    /// A row's numbers.
    pub(super) fn of(&self, row: &Row) -> Result<Vec<f64>, sensorium_data::Error> {
        let found = numbers(row, &self.separator)?;
        let count = self.scales.len();
        if found.len() == count {
            return Ok(found);
        }
        let whose = match &self.first {
            Some(first) => format!("the first row with a label, {first}, has {count}"),
            None => format!("the model answers with {count}"),
        };
        Err(sensorium_data::Error::Label {
            place: row.place.to_string(),
            reason: format!(
                "the row has {}, and {whose}: all rows need as many",
                match found.len() {
                    1 => "1 number".to_owned(),
                    n => format!("{n} numbers"),
                }
            ),
        })
    }

    /// Learned in the scale of these rows' numbers.
    pub(crate) fn fit(&mut self, rows: &[&[f64]]) {
        for (i, scale) in self.scales.iter_mut().enumerate() {
            *scale = Scale::of(rows.iter().map(|row| row[i]));
        }
    }
}

fn no_label() -> Error {
    Error::Data(sensorium_data::Error::Label {
        place: "data".to_owned(),
        reason: "no row has a label".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_of_its_numbers_and_is_undone() {
        let numbers = [1.0, 2.0, 6.0];
        let scale = Scale::of(numbers.into_iter());
        assert_eq!(scale.mean, 3.0);
        assert!((scale.deviation - (14.0f64 / 3.0).sqrt()).abs() < 1e-8);
        for number in numbers {
            assert!((scale.plain(scale.scaled(number)) - number).abs() < 1e-12);
        }
        let json = serde_json::to_string(&scale).unwrap();
        assert_eq!(serde_json::from_str::<Scale>(&json).unwrap(), scale);
    }

    #[test]
    fn numbers_that_are_all_the_same_are_not_divided_by_nothing() {
        for same in [0.0, 0.1, -1e12, 1e300] {
            let scale = Scale::of([same; 7].into_iter());
            assert_eq!(scale.deviation, 1.0, "{same}");
            assert!((scale.mean - same).abs() <= 1e-8 * same.abs(), "{same}");
        }
        let far = Scale::of([f64::MAX, -f64::MAX].into_iter());
        assert_eq!((far.mean, far.deviation), (0.0, 1.0));
    }

    #[test]
    fn distances_are_those_of_the_losses() {
        assert_eq!(Distance::Squared.of(-3.0), 9.0);
        assert_eq!(Distance::Absolute.of(-3.0), 3.0);
        assert_eq!(Distance::Huber(1.0).of(0.5), 0.125);
        assert_eq!(Distance::Huber(1.0).of(-3.0), 2.5);
    }
}
