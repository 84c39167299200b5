//! The classes of a data set, in a fixed order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::hint;
use crate::{Error, Row, RowRef, Rows};

/// What stands between the parts of a label cell unless a recipe says otherwise.
pub const SEPARATOR: &str = ";";

/// Class names in the order of a model's logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Labels {
    /// These classes in this order.
    ///
    /// # Errors
    /// If there is none, or one twice.
    pub fn given(names: Vec<String>) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        for (i, name) in names.iter().enumerate() {
            if places.insert(name.clone(), i).is_some() {
                return Err(Error::Label {
                    place: "data.labels".to_owned(),
                    reason: format!("{name:?} is named twice"),
                });
            }
        }
        if names.is_empty() {
            return Err(Error::Label {
                place: "data.labels".to_owned(),
                reason: "no row has a label, and none is given".to_owned(),
            });
        }
        Ok(Self { names, places })
    }

    /// The classes that rows name: numbers by value, then the rest by letters.
    ///
    /// # Errors
    /// If no row has a label.
    pub fn from_rows(rows: &Rows) -> Result<Self, Error> {
        let names: BTreeSet<&str> = rows.refs().filter_map(RowRef::label).collect();
        Self::sorted(names.into_iter().map(str::to_owned).collect())
    }

    /// The classes that rows name, of which each may name several, with `separator` between them or as a JSON list. A row whose list
    /// holds something else names none.
    ///
    /// # Errors
    /// If no row names a class.
    pub fn from_lists(rows: &Rows, separator: &str) -> Result<Self, Error> {
        let mut names = BTreeSet::new();
        for row in rows.refs() {
            let label = row.label().unwrap_or_default();
            names.extend(parts(label, separator).unwrap_or_default());
        }
        Self::sorted(names.into_iter().collect())
    }

    fn sorted(mut names: Vec<String>) -> Result<Self, Error> {
        names.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
            (Ok(_), Err(_)) => std::cmp::Ordering::Less,
            (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        });
        names.dedup();
        Self::given(names)
    }

    /// The class names in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a row's class.
    ///
    /// # Errors
    /// If it has none, or one outside the classes, with the nearest of them.
    pub fn index_of(&self, row: &Row) -> Result<usize, Error> {
        let place = label_of(row).and_then(|label| self.place(label));
        place.map_err(|reason| fault(row, reason))
    }

    /// Which of the classes hold of a row that may name several, in their order. A cell that is there and empty says that none does.
    ///
    /// # Errors
    /// If it has no label cell, or one that names something outside the classes, with the nearest of them.
    pub fn held(&self, row: &Row, separator: &str) -> Result<Vec<bool>, Error> {
        let places = || -> Result<Vec<usize>, String> {
            let named = parts(label_of(row)?, separator)?;
            named.iter().map(|name| self.place(name)).collect()
        };
        let places = places().map_err(|reason| fault(row, reason))?;
        let mut held = vec![false; self.names.len()];
        places.into_iter().for_each(|place| held[place] = true);
        Ok(held)
    }

    fn place(&self, label: &str) -> Result<usize, String> {
        self.places.get(label).copied().ok_or_else(|| {
            let hint = hint(label, self.names.iter().map(String::as_str));
            format!(
                "{label:?} is none of the {} classes{hint}",
                self.names.len()
            )
        })
    }
}

/// The numbers that a row's label cell holds, with `separator` between them or as a JSON list.
///
/// # Errors
/// If the row has no label, or something stands there that is no finite number.
///
/// ```
/// # use sensorium_data::{Row, numbers};
/// # let row = |label: &str| Row { id: "a".into(), label: Some(label.into()), split: None, group: None,
/// #     inputs: Default::default(), meta: Default::default(), place: Default::default() };
/// assert_eq!(numbers(&row("1.5; -2e3"), ";")?, [1.5, -2000.0]);
/// assert_eq!(numbers(&row("[3, 4]"), ";")?, [3.0, 4.0]);
/// assert!(numbers(&row("tall"), ";").is_err());
/// # Ok::<(), sensorium_data::Error>(())
/// ```
pub fn numbers(row: &Row, separator: &str) -> Result<Vec<f64>, Error> {
    let read = || -> Result<Vec<f64>, String> {
        let parts = parts(label_of(row)?, separator)?;
        if parts.is_empty() {
            return Err("the row has no label".to_owned());
        }
        parts.iter().map(|part| number(part)).collect()
    };
    read().map_err(|reason| fault(row, reason))
}

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("{text:?} is not finite: a number is needed")),
        Err(_) => Err(format!(
            "{text:?} is not a number such as 3, -0.5 or 2e3{}",
            match text.contains(',') {
                true => ": write a point before decimals",
                false => "",
            }
        )),
    }
}

fn label_of(row: &Row) -> Result<&str, String> {
    let label = row.label.as_deref();
    label.ok_or_else(|| "the row has no label".to_owned())
}

fn fault(row: &Row, reason: String) -> Error {
    Error::Label {
        place: row.place.to_string(),
        reason,
    }
}

/// The parts of a label cell: what a JSON list holds, else what stands between separators. Nothing between two is no part.
fn parts(cell: &str, separator: &str) -> Result<Vec<String>, String> {
    let cell = cell.trim();
    if cell.starts_with('[')
        && let Ok(Value::Array(list)) = serde_json::from_str(cell)
    {
        let text = |value: Value| match value {
            Value::String(text) => Ok(text.trim().to_owned()),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(format!(
                "the list holds {other}, which is neither a text nor a number"
            )),
        };
        return list.into_iter().map(text).collect();
    }
    let parts = cell.split(separator).map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    Ok(parts.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: Option<&str>) -> Row {
        Row {
            id: "a".to_owned(),
            label: label.map(str::to_owned),
            split: None,
            group: None,
            inputs: Default::default(),
            meta: Default::default(),
            place: crate::Place {
                file: "m.csv".into(),
                row: 3,
            },
        }
    }

    #[test]
    fn several_classes_are_held_as_they_are_named() {
        let cells = ["sun; rain", "[\"rain\", \"fog\"]", "", "fog;;", "10;2"];
        let rows: Rows = cells.iter().map(|cell| row(Some(cell))).collect();
        let labels = Labels::from_lists(&rows, ";").unwrap();
        assert_eq!(labels.names(), ["2", "10", "fog", "rain", "sun"]);
        let held: Vec<String> = rows
            .iter()
            .map(|row| {
                let held = labels.held(&row, ";").unwrap();
                held.iter()
                    .map(|held| if *held { '1' } else { '0' })
                    .collect()
            })
            .collect();
        assert_eq!(held, ["00011", "00110", "00000", "00100", "11000"]);
        let error = |cell| labels.held(&row(cell), ";").unwrap_err().to_string();
        assert_eq!(error(None), "m.csv:3, column label: the row has no label");
        assert_eq!(
            error(Some("fog; rian")),
            "m.csv:3, column label: \"rian\" is none of the 5 classes; did you mean \"rain\"?"
        );
        assert_eq!(
            error(Some("[null]")),
            "m.csv:3, column label: the list holds null, which is neither a text nor a number"
        );
        let other = Labels::from_lists(&vec![row(Some("a|b;c"))].into(), "|").unwrap();
        assert_eq!(other.names(), ["a", "b;c"]);
        let none = Labels::from_lists(&vec![row(Some("")), row(None)].into(), ";").unwrap_err();
        assert!(none.to_string().contains("no row has a label"), "{none}");
    }

    #[test]
    fn what_is_no_number_is_told() {
        for (cell, expected) in [
            ("tall", "\"tall\" is not a number such as 3, -0.5 or 2e3"),
            (
                "3,5",
                "\"3,5\" is not a number such as 3, -0.5 or 2e3: write a point before decimals",
            ),
            ("1;inf", "\"inf\" is not finite: a number is needed"),
            ("NaN", "\"NaN\" is not finite: a number is needed"),
            ("1e400", "\"1e400\" is not finite: a number is needed"),
            (";", "the row has no label"),
            ("[]", "the row has no label"),
        ] {
            let error = numbers(&row(Some(cell)), ";").unwrap_err().to_string();
            assert_eq!(error, format!("m.csv:3, column label: {expected}"));
        }
        assert!(numbers(&row(None), ";").is_err());
    }
}
