//! Which column of a manifest holds what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[data.columns]`: names of the columns that mean something; all others are kept as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// A name of its own for each row; rows are numbered without.
    pub id: String,
    /// The class, or several of them, or numbers.
    pub label: String,
    /// What stands between classes or numbers of which a label cell holds several, `;` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,
    /// Whether an empty label cell is a label, that says that none of the classes holds, and not a label that is lacking.
    #[serde(skip)]
    pub empty_labels: bool,
    /// `train`, `valid` or `test`.
    pub split: String,
    /// What rows share that must not stand on two sides of a split.
    pub group: String,
    /// Modalities in columns of another name, or whose cells are not what their names suggest:
    /// `image = { column = "photo" }`. By default a column is named like its modality; `text` holds the
    /// text itself, every other one the path of a file, relative to the manifest.
    pub inputs: BTreeMap<String, InputColumn>,
}

/// Where a modality's content stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputColumn {
    /// The column's name.
    pub column: String,
    /// Whether a cell is the content itself, or a file's path.
    #[serde(default)]
    pub holds: Holds,
}

/// What a cell is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// A file's path.
    #[default]
    File,
    /// The content itself.
    Text,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            id: "id".to_owned(),
            label: "label".to_owned(),
            label_separator: None,
            empty_labels: false,
            split: "split".to_owned(),
            group: "group".to_owned(),
            inputs: BTreeMap::new(),
        }
    }
}

impl Columns {
    /// The same with a column for each of these modalities that has none yet.
    pub fn for_modalities<'a>(&self, modalities: impl Iterator<Item = &'a str>) -> Self {
        let mut columns = self.clone();
        for modality in modalities {
            columns
                .inputs
                .entry(modality.to_owned())
                .or_insert_with(|| InputColumn {
                    column: modality.to_owned(),
                    holds: if modality == "text" {
                        Holds::Text
                    } else {
                        Holds::File
                    },
                });
        }
        columns
    }
}
