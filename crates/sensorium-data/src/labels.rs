//! The classes of a data set, in a fixed order.

use std::collections::BTreeMap;

use crate::error::hint;
use crate::{Error, Row};

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
    pub fn from_rows(rows: &[Row]) -> Result<Self, Error> {
        let mut names: Vec<String> = rows.iter().filter_map(|row| row.label.clone()).collect();
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
        self.find(row).map_err(|reason| Error::Label {
            place: row.place.to_string(),
            reason,
        })
    }

    /// The same, with the reason alone.
    pub(crate) fn find(&self, row: &Row) -> Result<usize, String> {
        let Some(label) = &row.label else {
            return Err("the row has no label".to_owned());
        };
        self.places.get(label).copied().ok_or_else(|| {
            let hint = hint(label, self.names.iter().map(String::as_str));
            format!(
                "{label:?} is none of the {} classes{hint}",
                self.names.len()
            )
        })
    }
}
