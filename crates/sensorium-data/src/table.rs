//! Rows as they stand in a manifest: what each sample has, and where it came from.

use std::fmt;
use std::sync::Arc;

use sensorium_core::Source;
use serde::{Deserialize, Serialize};

use crate::{Named, Rows};

/// A data set's rows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What to call it in messages.
    pub name: String,
    /// The rows in their order.
    pub rows: Rows,
}

/// One sample, not yet decoded: what [`Rows`] are made of, and give.
#[derive(Clone, Debug)]
pub struct Row {
    /// Unique in its table.
    pub id: String,
    /// What its label cell says, if it has one: a class, or [several](crate::Labels::held), or [numbers](crate::numbers).
    pub label: Option<String>,
    /// Which part it belongs to, if the data says.
    pub split: Option<Split>,
    /// What it shares with others that must not stand on another side, such as its speaker.
    pub group: Option<String>,
    /// Content by column; a column it lacks is not there.
    pub inputs: Named<Source>,
    /// Everything else the manifest says.
    pub meta: Named<Arc<str>>,
    /// Where it stands.
    pub place: Place,
}

/// Where a row stands: the file, and the line for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The manifest, the shard or the folder; rows of one share it.
    pub file: Arc<str>,
    /// The row, counted from 1; in a text file, its line; 0 for the file as a whole.
    pub row: u64,
}

/// As it is written: an `Arc<str>` alone would need another feature of serde.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Place")]
struct PlaceText {
    file: String,
    row: u64,
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (file, row) = (self.file.to_string(), self.row);
        PlaceText { file, row }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let PlaceText { file, row } = PlaceText::deserialize(from)?;
        let file = file.into();
        Ok(Self { file, row })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            // The file as a whole.
            0 => f.write_str(&self.file),
            row => write!(f, "{}:{row}", self.file),
        }
    }
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Learned from.
    Train,
    /// Chosen by.
    Valid,
    /// Never seen.
    Test,
}

impl Split {
    /// The part of this name: `train`, `valid` (`validation`, `val`, `dev`) or `test`.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "valid" | "validation" | "val" | "dev" => Some(Self::Valid),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

/// A row that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// Where it stands.
    pub place: Place,
    /// Which column is at fault; empty if the row as a whole is.
    pub column: String,
    /// What is wrong.
    pub reason: String,
}

impl BadRow {
    /// A row, its column at fault and the reason.
    pub fn new(place: Place, column: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place,
            column: column.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.column.is_empty() {
            write!(f, "{}: {}", self.place, self.reason)
        } else {
            write!(f, "{}, column {}: {}", self.place, self.column, self.reason)
        }
    }
}

/// What a bad row leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It ends the run.
    #[default]
    Fail,
    /// It is left out and listed.
    Skip,
}
