//! What a recipe learns from beside its data set, looked at with it.

use sensorium_data::{Columns, Row, Rows, Split};
use serde::Serialize;

use super::Survey;
use crate::dataset::besides;
use crate::{Error, Recipe};

/// A data set of several that are learned from together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mixed {
    /// What it is called; ids of all but the first begin with it.
    pub name: String,
    /// Its rows that can be opened: of the first all, of the others those that are learned from.
    pub rows: usize,
    /// How much is drawn of it, where that goes by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

/// Adds the rows of what a recipe learns from besides.
pub(super) fn mix(
    recipe: &Recipe,
    columns: &Columns,
    rows: &mut Rows,
    survey: &mut Survey,
) -> Result<(), Error> {
    if recipe.data.also.is_empty() {
        return Ok(());
    }
    let weight = |place: usize| recipe.data.weights.get(place).copied();
    survey.data_sets.push(Mixed {
        name: survey.data.clone(),
        rows: rows.len(),
        weight: weight(0),
    });
    let mut all = vec![rows.clone()];
    for (place, name) in recipe.data.also.iter().enumerate() {
        let (others, bad, notes) = besides(name, columns)?;
        survey.data_sets.push(Mixed {
            name: name.clone(),
            rows: others.len(),
            weight: weight(place + 1),
        });
        survey.broken.extend(bad);
        survey.notes.extend(notes);
        let named = others.iter().map(|row| Row {
            id: format!("{name}/{}", row.id),
            split: Some(Split::Train),
            ..row
        });
        all.push(named.collect());
    }
    *rows = Rows::joined(all);
    Ok(())
}
