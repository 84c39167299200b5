//! From a table of rows to prepared samples: every row is decoded once before training begins, so that
//! a bad one shows at once and not in the third epoch. What fits is kept in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use sensorium_core::{Modality, Source, seed};
use sensorium_data::{BadRow, Labels, OnError, Row, in_order};

use crate::modalities::{KNOWN, Processors, Samples};
use crate::registry::Refusal;
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
    inputs: Inputs,
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
    let shared = Arc::clone(processors);
    let work = move |inputs: &Inputs| shared.process(inputs);
    let (ready, bad) = prepare_with(rows, labels, how, observer, work)?;
    Ok(Preparing {
        prepared: Prepared {
            processors: Arc::clone(processors),
            rows: Arc::new(ready),
        },
        bad,
    })
}

type Inputs = BTreeMap<Modality, Source>;

fn prepare_with(
    rows: Vec<Row>,
    labels: &Labels,
    how: How,
    observer: &mut dyn Observer,
    work: impl Fn(&Inputs) -> Result<Samples, (Modality, Refusal)> + Send + Sync + 'static,
) -> Result<(Vec<PreparedRow>, Vec<BadRow>), Error> {
    observer.phase("preparing", rows.len());
    let rows: Arc<[Row]> = rows.into();
    let shared = Arc::clone(&rows);
    let jobs = (0..rows.len()).collect();
    let jobs = in_order(jobs, how.threads, 4 * how.threads, move |row: usize| {
        let inputs = inputs_of(&shared[row]);
        let result = work(&inputs);
        (inputs, result)
    });
    let (mut ready, mut bad) = (Vec::new(), Vec::new());
    for (i, (row, job)) in rows.iter().zip(jobs).enumerate() {
        observer.advance(i + 1);
        let error = match job {
            Ok((inputs, Ok(samples))) => match labels.index_of(row) {
                Ok(label) => {
                    let cached = (ready.len() < how.cache_rows).then_some(samples);
                    ready.push(PreparedRow {
                        id: row.id.clone(),
                        label,
                        inputs,
                        cached,
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
                reason,
            },
        };
        match how.on_error {
            OnError::Skip => bad.push(bad_row(row, error)?),
            OnError::Fail => return Err(error),
        }
    }
    observer.phase_end();
    Ok((ready, bad))
}

/// What is listed of a row that is left out; an error that is no row's stays one.
fn bad_row(row: &Row, error: Error) -> Result<BadRow, Error> {
    let (column, reason) = match error {
        Error::Row {
            modality, reason, ..
        } => (modality.name(), reason.to_string()),
        Error::Data(sensorium_data::Error::Label { reason, .. }) => ("label", reason),
        Error::Unprepared { reason, .. } => ("", reason.to_string()),
        other => return Err(other),
    };
    Ok(BadRow::new(row.place.clone(), column, reason))
}

/// A row's inputs by modality; columns of no known modality are not inputs.
pub(crate) fn inputs_of(row: &Row) -> Inputs {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use sensorium_data::Place;

    fn row(n: u64) -> Row {
        Row {
            id: format!("row {n}"),
            label: Some("a".to_owned()),
            split: None,
            group: None,
            inputs: [("text".to_owned(), Source::text(format!("text {n}")))].into(),
            meta: BTreeMap::new(),
            place: Place {
                file: "data.csv".to_owned(),
                row: n,
            },
        }
    }

    fn outcome(on_error: OnError) -> Result<(Vec<PreparedRow>, Vec<BadRow>), Error> {
        let labels = Labels::given(vec!["a".to_owned()])?;
        let how = How {
            on_error,
            threads: 2,
            cache_rows: 0,
        };
        let rows = (1..=4).map(row).collect();
        prepare_with(rows, &labels, how, &mut Silent, |inputs| {
            let (modality, source) = inputs.first_key_value().expect("an input");
            match source.describe().as_str() {
                "text \"text 2\"" => panic!("two is bad"),
                "text \"text 3\"" => Err((*modality, "three is refused".into())),
                _ => Ok(Samples::default()),
            }
        })
    }

    #[test]
    fn a_row_that_panics_is_that_row_s_error() {
        let error = outcome(OnError::Fail).expect_err("a bad row").to_string();
        let expected = "data.csv:2: a worker panicked while preparing it: two is bad";
        assert!(error.starts_with(expected), "{error}");
        let (ready, bad) = outcome(OnError::Skip).expect("bad rows are skipped");
        let ids: Vec<&str> = ready.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["row 1", "row 4"]);
        let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
        assert_eq!(bad, [expected, "data.csv:3, column text: three is refused"]);
    }
}
