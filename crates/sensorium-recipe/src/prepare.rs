//! From a table of rows to prepared samples: every row is decoded once before training begins, so that
//! a bad one shows at once and not in the third epoch. What fits is kept in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use sensorium_core::{Modality, Source, seed};
use sensorium_data::{BadRow, Labels, OnError, Row, in_order};

use crate::modalities::{KNOWN, Processors, Samples};
use crate::{Error, Observer};

/// Rows ready to be batched. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Prepares what is not in memory.
    pub processors: Arc<Processors>,
    rows: Arc<Vec<PreparedRow>>,
}

#[derive(Clone, Debug)]
struct PreparedRow {
    id: String,
    label: usize,
    inputs: BTreeMap<Modality, Source>,
    cached: Option<Samples>,
}

/// What preparing a table gives.
#[derive(Debug)]
pub struct Preparing {
    /// The rows that could be prepared, in the order asked for.
    pub prepared: Prepared,
    /// The rows that could not, if they were to be skipped.
    pub bad: Vec<BadRow>,
}

/// How rows are prepared.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// What a bad row leads to.
    pub on_error: OnError,
    /// Threads that decode.
    pub threads: usize,
    /// Rows to keep in memory.
    pub cache_rows: usize,
}

/// Decodes and prepares rows in parallel.
///
/// # Errors
/// The first bad row, unless bad rows are skipped.
pub fn prepare(
    rows: Vec<Row>,
    processors: &Arc<Processors>,
    labels: &Labels,
    how: How,
    observer: &mut dyn Observer,
) -> Result<Preparing, Error> {
    observer.phase("preparing", rows.len());
    let shared = Arc::clone(processors);
    let jobs = in_order(rows, how.threads, 4 * how.threads, move |row: Row| {
        let inputs = inputs_of(&row);
        let result = shared.process(&inputs);
        (row, inputs, result)
    });
    let (mut ready, mut bad) = (Vec::new(), Vec::new());
    for (done, job) in jobs.enumerate() {
        let (row, inputs, result) = job?;
        observer.advance(done + 1);
        match result {
            Ok(samples) => {
                let label = match labels.index_of(&row) {
                    Ok(label) => label,
                    Err(sensorium_data::Error::Label { reason, .. })
                        if how.on_error == OnError::Skip =>
                    {
                        bad.push(BadRow::new(row.place, "label", reason));
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let cached = (ready.len() < how.cache_rows).then_some(samples);
                ready.push(PreparedRow {
                    id: row.id,
                    label,
                    inputs,
                    cached,
                });
            }
            Err((modality, reason)) if how.on_error == OnError::Skip => {
                bad.push(BadRow::new(row.place, modality.name(), reason.to_string()));
            }
            Err((modality, reason)) => {
                return Err(Error::Row {
                    place: row.place.to_string(),
                    modality,
                    reason,
                });
            }
        }
    }
    observer.phase_end();
    Ok(Preparing {
        prepared: Prepared {
            processors: Arc::clone(processors),
            rows: Arc::new(ready),
        },
        bad,
    })
}

/// A row's inputs by modality; columns of no known modality are not inputs.
pub(crate) fn inputs_of(row: &Row) -> BTreeMap<Modality, Source> {
    KNOWN
        .iter()
        .filter_map(|m| Some((*m, row.inputs.get(m.name())?.clone())))
        .collect()
}

impl Prepared {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// A number for these rows and their classes: another number is other data.
    pub fn identity(&self) -> String {
        let hash = self.rows.iter().fold(0, |hash, row| {
            seed::derive(hash, &[seed::of_name(&row.id), row.label as u64])
        });
        format!("{} rows, {hash:016x}", self.rows.len())
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row's id.
    pub fn id(&self, row: usize) -> &str {
        &self.rows[row].id
    }

    /// A row's class.
    pub fn label(&self, row: usize) -> usize {
        self.rows[row].label
    }

    /// A row's raw inputs, for showing them.
    pub fn inputs(&self, row: usize) -> &BTreeMap<Modality, Source> {
        &self.rows[row].inputs
    }

    /// A row's prepared samples, from memory or decoded anew.
    ///
    /// # Errors
    /// If a file that could be decoded before no longer can.
    pub fn samples(&self, row: usize) -> Result<Samples, Error> {
        let row = &self.rows[row];
        match &row.cached {
            Some(samples) => Ok(samples.clone()),
            None => self
                .processors
                .process(&row.inputs)
                .map_err(|(modality, reason)| Error::Row {
                    place: row.id.clone(),
                    modality,
                    reason,
                }),
        }
    }
}
