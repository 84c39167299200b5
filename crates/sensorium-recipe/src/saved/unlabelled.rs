//! A run that learned without labels, measured again.

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_data::{BadRow, OnError};
use sensorium_eval::{Search, Told};
use serde::Serialize;

use super::embedder::Trained;
use super::part::prepared;
use super::{Opened, Part, RunEmbedder};
use crate::how::Wanted;
use crate::pretext::{Scored, measure};
use crate::{Error, Observer};

/// What measuring a run that learned without labels gives.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredUnlabelled {
    /// Which data.
    pub data: String,
    /// Which rows of it.
    pub part: Part,
    /// Rows left out because they are bad.
    pub skipped_rows: usize,
    /// Which rows these are, and why each was left out.
    pub skipped: Vec<BadRow>,
    /// The loss and its parts, and what else is measured, by name.
    pub scores: BTreeMap<String, f64>,
    /// How well modalities that share a space find each other in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<Search>,
    /// Classes that were told by what they are called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Told>,
}

impl RunEmbedder {
    /// Measures as at the end of training, on a part of the run's data, or of `data`. Without a part it is the test part, or every
    /// row of a `data` that names no split.
    ///
    /// # Errors
    /// If the run learned from labels (see [`SavedModel`](crate::SavedModel)), or the data is bad or empty.
    pub fn measure(
        &self,
        data: Option<&Path>,
        part: Option<Part>,
        on_error: Option<OnError>,
        observer: &mut dyn Observer,
    ) -> Result<MeasuredUnlabelled, Error> {
        let Trained::Pretext(model) = &self.trained else {
            return Err(Error::Modality {
                what: self.config.recipe.name.clone(),
                reason: "learned from labels, and is measured by its answers".into(),
            });
        };
        let mut recipe = self.config.recipe.clone();
        recipe.data.on_error = on_error.unwrap_or(recipe.data.on_error);
        let Opened {
            data,
            part,
            rows,
            bad,
        } = Opened::of(&recipe, data, part, None, observer)?;
        let (own, wanted) = (rows.clone(), Wanted::Nothing);
        let (rows, mut skipped) = prepared(rows, bad, &self.processors, wanted, &recipe, observer)?;
        if rows.is_empty() {
            return Err(part.empty(&data, "; see --split and --data"));
        }
        let Scored {
            scores,
            search,
            told,
        } = measure(model, &recipe, &rows, own, &self.device, observer)?;
        skipped.extend(rows.lost_rows());
        Ok(MeasuredUnlabelled {
            data,
            part,
            skipped_rows: skipped.len(),
            skipped,
            scores,
            search,
            told,
        })
    }
}
