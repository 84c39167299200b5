//! From a table of rows to prepared samples: every row is decoded once before training begins, so that
//! a bad one shows at once and not in the third epoch, unless it is to be decoded when it is needed. What fits is kept in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sensorium_core::{Modality, Source, quietly, seed};
use sensorium_data::{BadRow, Few, OnError, Place, Row, in_order};

use crate::content::{content_of, inputs_of};
use crate::how::{How, Room, Wanted, When};
use crate::labels::Label;
use crate::lazily::{Later, place_of};
use crate::modalities::{Processors, Samples};
use crate::registry::Refusal;
use crate::{Error, Observer};

/// Rows ready to be batched. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Prepares what is not in memory.
    pub processors: Arc<Processors>,
    rows: Arc<Vec<PreparedRow>>,
    on_error: OnError,
    /// What is kept of rows that are decoded when they are needed.
    later: Option<Arc<Later>>,
    /// Rows that could be decoded once and no longer can, if such rows are skipped; of rows that are decoded when they are needed
    /// those that could not.
    lost: Arc<Mutex<BTreeMap<usize, BadRow>>>,
}

#[derive(Clone, Debug)]
struct PreparedRow {
    id: String,
    place: Place,
    /// Which it is of the rows that were to be prepared.
    nth: usize,
    /// Its label; none in training rows that are learned from without.
    label: Option<Label>,
    inputs: Few<Modality, Source>,
    /// A number for the content of its inputs.
    content: u64,
    cached: Option<Box<Samples>>,
}

impl PreparedRow {
    fn inputs(&self) -> Inputs {
        let inputs = self.inputs.iter();
        inputs.map(|(of, source)| (*of, source.clone())).collect()
    }
}

/// What preparing a table gives.
#[derive(Debug)]
pub struct Preparing {
    /// The rows that could be prepared, in the order asked for.
    pub prepared: Prepared,
    /// The rows that could not, if they were to be skipped.
    pub bad: Vec<BadRow>,
    /// The memory that is left for other rows.
    pub room: Room,
}

/// Decodes and prepares rows in parallel.
///
/// # Errors
/// The first bad row, unless bad rows are skipped.
pub fn prepare(
    rows: Vec<Row>,
    processors: &Arc<Processors>,
    labels: Wanted<'_>,
    how: How,
    observer: &mut dyn Observer,
) -> Result<Preparing, Error> {
    if how.when == When::Lazily {
        return lazily(rows, processors, labels, how);
    }
    let shared = Arc::clone(processors);
    let work = move |inputs: &Inputs| {
        let samples = shared.process(inputs)?;
        Ok((samples, content_of(inputs)))
    };
    let (ready, bad, room) = prepare_with(rows, labels, how, observer, work)?;
    Ok(Preparing {
        prepared: Prepared {
            processors: Arc::clone(processors),
            rows: Arc::new(ready),
            on_error: how.on_error,
            later: None,
            lost: Arc::default(),
        },
        bad,
        room,
    })
}

/// Rows as they stand, with their labels: nothing is decoded yet.
fn lazily(
    rows: Vec<Row>,
    processors: &Arc<Processors>,
    labels: Wanted<'_>,
    how: How,
) -> Result<Preparing, Error> {
    let of = processors.modalities();
    let (mut ready, mut bad) = (Vec::with_capacity(rows.len()), Vec::new());
    for (nth, row) in rows.into_iter().enumerate() {
        let mut inputs = inputs_of(&row);
        inputs.retain(|modality, _| of.contains(modality));
        let place = || row.place.to_string();
        let label = match inputs.is_empty() {
            true => Err(Error::Nothing { place: place() }),
            false => labels.of(&row).map_err(Error::Data),
        };
        match (label, how.on_error) {
            (Ok(label), _) => ready.push(PreparedRow {
                nth,
                label,
                content: place_of(&inputs),
                inputs: inputs.into_iter().collect(),
                cached: None,
                id: row.id,
                place: row.place,
            }),
            (Err(error), OnError::Skip) => bad.push(bad_row(&row.place, error)?),
            (Err(error), OnError::Fail) => return Err(error),
        }
    }
    let (later, room) = Later::new(ready.len(), how.room);
    Ok(Preparing {
        prepared: Prepared {
            processors: Arc::clone(processors),
            rows: Arc::new(ready),
            on_error: how.on_error,
            later: Some(Arc::new(later)),
            lost: Arc::default(),
        },
        bad,
        room,
    })
}

type Inputs = BTreeMap<Modality, Source>;

/// Samples, and a number for the content that they were made of.
type Work = Result<(Samples, u64), (Modality, Refusal)>;

/// Rows that are ready, those that are bad, and the memory that is left.
type Done = (Vec<PreparedRow>, Vec<BadRow>, Room);

fn prepare_with(
    rows: Vec<Row>,
    labels: Wanted<'_>,
    how: How,
    observer: &mut dyn Observer,
    work: impl Fn(&Inputs) -> Work + Send + Sync + 'static,
) -> Result<Done, Error> {
    observer.phase("preparing", rows.len());
    let rows: Arc<[Row]> = rows.into();
    let shared = Arc::clone(&rows);
    let jobs = (0..rows.len()).collect();
    let jobs = in_order(jobs, how.threads, 4 * how.threads, move |row: usize| {
        let inputs = inputs_of(&shared[row]);
        let result = work(&inputs);
        (inputs, result)
    });
    let (mut ready, mut bad, mut room) = (Vec::new(), Vec::new(), how.room);
    for (i, (row, job)) in rows.iter().zip(jobs).enumerate() {
        observer.advance(i + 1);
        let error = match job {
            Ok((_, Ok((samples, _)))) if samples.modalities().is_empty() => Error::Nothing {
                place: row.place.to_string(),
            },
            Ok((inputs, Ok((samples, content)))) => match labels.of(row) {
                Ok(label) => {
                    ready.push(PreparedRow {
                        nth: i,
                        id: row.id.clone(),
                        place: row.place.clone(),
                        label,
                        inputs: inputs.into_iter().collect(),
                        content,
                        cached: room.keep(samples).map(Box::new),
                    });
                    continue;
                }
                Err(error) => Error::Data(error),
            },
            Ok((_, Err((modality, reason)))) => Error::Row {
                place: row.place.to_string(),
                modality,
                reason,
            },
            // It panicked or hung, and the pipeline does not know at which input.
            Err(reason) => Error::Unprepared {
                place: row.place.to_string(),
                reason: Box::new(reason),
            },
        };
        match how.on_error {
            OnError::Skip => bad.push(bad_row(&row.place, error)?),
            OnError::Fail => return Err(error),
        }
    }
    observer.phase_end();
    Ok((ready, bad, room))
}

/// What is listed of a row that is left out; an error that is no row's stays one.
fn bad_row(place: &Place, error: Error) -> Result<BadRow, Error> {
    let (column, reason) = match error {
        Error::Nothing { .. } => ("", NOTHING.to_owned()),
        Error::Row {
            modality, reason, ..
        } => (modality.name(), reason.to_string()),
        Error::Data(sensorium_data::Error::Label { reason, .. }) => ("label", reason),
        Error::Unprepared { reason, .. } => ("", reason.to_string()),
        other => return Err(other),
    };
    Ok(BadRow::new(place.clone(), column, reason))
}

/// What is wrong with a row that has no content.
pub(crate) const NOTHING: &str = "the row has nothing of the modalities that are asked about";

impl Prepared {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// A number for these rows, their labels and their content: another number is other data.
    pub fn identity(&self) -> String {
        let hash = self.rows.iter().fold(0, |hash, row| {
            let label = row.label.as_ref().map_or(vec![u64::MAX], Label::numbers);
            let row = [&[seed::of_name(&row.id)], &label[..], &[row.content]].concat();
            seed::derive(hash, &row)
        });
        format!("{} rows, {hash:016x}", self.rows.len())
    }

    /// How many rows are decoded anew each time.
    pub fn uncached(&self) -> usize {
        match self.later {
            // Nobody knows yet.
            Some(_) => 0,
            None => self.rows.iter().filter(|row| row.cached.is_none()).count(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row's id.
    pub fn id(&self, row: usize) -> &str {
        &self.rows[row].id
    }

    /// Where a row stands.
    pub fn place(&self, row: usize) -> &Place {
        &self.rows[row].place
    }

    /// Which of the rows that were to be prepared a row is: some may have been left out.
    pub(crate) fn nth(&self, row: usize) -> usize {
        self.rows[row].nth
    }

    /// The words of a row that stand in its table.
    pub(crate) fn words(&self, row: usize) -> Option<&str> {
        self.rows[row]
            .inputs
            .values()
            .find_map(|source| match source {
                Source::Text(text) => Some(&**text),
                _ => None,
            })
    }

    /// A row's label, if it has one.
    pub fn label(&self, row: usize) -> Option<&Label> {
        self.rows[row].label.as_ref()
    }

    /// The class of a row that was prepared with its class wanted.
    ///
    /// # Panics
    /// If it has none.
    pub fn class(&self, row: usize) -> usize {
        match self.label(row) {
            Some(Label::Class(class)) => *class,
            _ => panic!("the row's class was wanted"),
        }
    }

    /// Which classes hold of a row that was prepared with several wanted.
    ///
    /// # Panics
    /// If nobody knows.
    pub fn held(&self, row: usize) -> &[bool] {
        match self.label(row) {
            Some(Label::Several(held)) => held,
            _ => panic!("the row's classes were wanted"),
        }
    }

    /// The numbers of a row that was prepared with numbers wanted.
    ///
    /// # Panics
    /// If it has none.
    pub fn numbers(&self, row: usize) -> &[f64] {
        match self.label(row) {
            Some(Label::Numbers(numbers)) => numbers,
            _ => panic!("the row's numbers were wanted"),
        }
    }

    /// The text that a row is to be answered with, of a row that was prepared with one wanted.
    pub fn text(&self, row: usize) -> Option<&str> {
        match self.label(row) {
            Some(Label::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The rows that have a label.
    pub fn labelled(&self) -> Vec<usize> {
        (0..self.len())
            .filter(|row| self.label(*row).is_some())
            .collect()
    }

    /// A row's raw inputs, for showing them.
    pub fn inputs(&self, row: usize) -> BTreeMap<Modality, Source> {
        self.rows[row].inputs()
    }

    /// A row's prepared samples, from memory or decoded anew; none if it can no longer be decoded and bad rows are
    /// skipped.
    ///
    /// # Errors
    /// If a file that could be decoded before no longer can, unless bad rows are skipped.
    pub fn samples(&self, row: usize) -> Result<Option<Samples>, Error> {
        let prepared = &self.rows[row];
        if let Some(samples) = &prepared.cached {
            return Ok(Some(Samples::clone(samples)));
        }
        if let Some(samples) = self.later.as_ref().and_then(|later| later.get(row)) {
            return Ok(Some(samples));
        }
        match self.decoded(prepared) {
            Ok(samples) => {
                if let Some(later) = &self.later {
                    later.keep(row, &samples);
                }
                Ok(Some(samples))
            }
            Err(error) if self.on_error == OnError::Fail => Err(error),
            Err(error) => {
                let bad = bad_row(&prepared.place, error)?;
                self.lost().entry(row).or_insert(bad);
                Ok(None)
            }
        }
    }

    fn decoded(&self, row: &PreparedRow) -> Result<Samples, Error> {
        let place = row.place.to_string();
        let inputs = row.inputs();
        let process = || self.processors.process(&inputs);
        let processed = match self.later {
            // It was tried before, and what panics now is a fault of ours.
            None => Ok(process()),
            Some(_) => quietly(process),
        };
        match processed {
            Ok(Ok(samples)) => Ok(samples),
            Ok(Err((modality, reason))) => Err(Error::Row {
                place,
                modality,
                reason,
            }),
            Err(reason) => Err(Error::Unprepared {
                place,
                reason: Box::new(sensorium_data::Error::Worker { reason }),
            }),
        }
    }

    /// Rows that were skipped since, because they could no longer be decoded.
    pub fn lost_rows(&self) -> Vec<BadRow> {
        self.lost().values().cloned().collect()
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, BadRow>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
