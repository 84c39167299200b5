//! From a table of rows to prepared samples: every row is decoded once before training begins, so that
//! a bad one shows at once and not in the third epoch, unless it is to be decoded when it is needed. What fits is kept in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sensorium_core::{Modality, Source, quietly, seed};
use sensorium_data::{BadRow, OnError, Place, RowRef, Rows, in_order};

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
    /// The rows that were to be prepared.
    table: Rows,
    rows: Arc<[PreparedRow]>,
    on_error: OnError,
    /// What is kept of rows that are decoded when they are needed.
    later: Option<Arc<Later>>,
    /// Rows that could be decoded once and no longer can, if such rows are skipped; of rows that are decoded when they are needed
    /// those that could not.
    lost: Arc<Mutex<BTreeMap<usize, BadRow>>>,
}

/// What is known of a row besides what its table says.
#[derive(Clone, Debug)]
struct PreparedRow {
    /// Which it is of the rows that were to be prepared.
    nth: u32,
    /// Its label; none in training rows that are learned from without.
    label: Option<Label>,
    /// A number for the content of its inputs.
    content: u64,
    cached: Option<Box<Samples>>,
}

/// The number of a row.
fn nth(row: usize) -> u32 {
    u32::try_from(row).expect("there are fewer rows than 2³²")
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
    rows: Rows,
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
    let (ready, bad, room) = prepare_with(&rows, labels, how, observer, work)?;
    Ok(Preparing {
        prepared: Prepared {
            processors: Arc::clone(processors),
            table: rows,
            rows: ready.into(),
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
    rows: Rows,
    processors: &Arc<Processors>,
    labels: Wanted<'_>,
    how: How,
) -> Result<Preparing, Error> {
    let of = processors.modalities();
    let (mut ready, mut bad) = (Vec::with_capacity(rows.len()), Vec::new());
    for (i, row) in rows.iter().enumerate() {
        let mut inputs = inputs_of(&row);
        inputs.retain(|modality, _| of.contains(modality));
        let place = || row.place.to_string();
        let label = match inputs.is_empty() {
            true => Err(Error::Nothing { place: place() }),
            false => labels.of(&row).map_err(Error::Data),
        };
        match (label, how.on_error) {
            (Ok(label), _) => ready.push(PreparedRow {
                nth: nth(i),
                label,
                content: place_of(&inputs),
                cached: None,
            }),
            (Err(error), OnError::Skip) => bad.push(bad_row(&row.place, error)?),
            (Err(error), OnError::Fail) => return Err(error),
        }
    }
    let (later, room) = Later::new(ready.len(), how.room);
    Ok(Preparing {
        prepared: Prepared {
            processors: Arc::clone(processors),
            table: rows,
            rows: ready.into(),
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
    rows: &Rows,
    labels: Wanted<'_>,
    how: How,
    observer: &mut dyn Observer,
    work: impl Fn(&Inputs) -> Work + Send + Sync + 'static,
) -> Result<Done, Error> {
    observer.phase("preparing", rows.len());
    let shared = rows.clone();
    let jobs = (0..rows.len()).collect();
    let jobs = in_order(jobs, how.threads, 4 * how.threads, move |row: usize| {
        work(&inputs_of(&shared.get(row)))
    });
    let (mut ready, mut bad, mut room) = (Vec::new(), Vec::new(), how.room);
    for (i, (row, job)) in rows.iter().zip(jobs).enumerate() {
        observer.advance(i + 1);
        let error = match job {
            Ok(Ok((samples, _))) if samples.modalities().is_empty() => Error::Nothing {
                place: row.place.to_string(),
            },
            Ok(Ok((samples, content))) => match labels.of(&row) {
                Ok(label) => {
                    ready.push(PreparedRow {
                        nth: nth(i),
                        label,
                        content,
                        cached: room.keep(samples).map(Box::new),
                    });
                    continue;
                }
                Err(error) => Error::Data(error),
            },
            Ok(Err((modality, reason))) => Error::Row {
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
            let id = self.table.at(row.nth as usize).id();
            let row = [&[seed::of_name(id)], &label[..], &[row.content]].concat();
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
        self.seen(row).id()
    }

    /// Where a row stands.
    pub fn place(&self, row: usize) -> Place {
        self.seen(row).place()
    }

    /// A row in its table.
    fn seen(&self, row: usize) -> RowRef<'_> {
        self.table.at(self.nth(row))
    }

    /// Which of the rows that were to be prepared a row is: some may have been left out.
    pub(crate) fn nth(&self, row: usize) -> usize {
        self.rows[row].nth as usize
    }

    /// The words of a row that stand in its table.
    pub(crate) fn words(&self, row: usize) -> Option<&str> {
        let (row, of) = (self.seen(row), self.processors.modalities());
        of.iter().find_map(|modality| row.text(modality.name()))
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
        let mut inputs = inputs_of(&self.seen(row).row());
        if self.later.is_some() {
            let of = self.processors.modalities();
            inputs.retain(|modality, _| of.contains(modality));
        }
        inputs
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
        match self.decoded(row) {
            Ok(samples) => {
                if let Some(later) = &self.later {
                    later.keep(row, &samples);
                }
                Ok(Some(samples))
            }
            Err(error) if self.on_error == OnError::Fail => Err(error),
            Err(error) => {
                let bad = bad_row(&self.place(row), error)?;
                self.lost().entry(row).or_insert(bad);
                Ok(None)
            }
        }
    }

    fn decoded(&self, row: usize) -> Result<Samples, Error> {
        let place = self.place(row).to_string();
        let inputs = self.inputs(row);
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
