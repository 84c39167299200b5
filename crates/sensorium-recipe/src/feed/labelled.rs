//! Rows with their labels.

use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_train::{Fed, Targets};

use super::{Batching, HostBatch, Learning, Plan, View, classes, ids};
use crate::Error;
use crate::labels::{Label, Scale};
use crate::modalities::Batch;
use crate::prepare::Prepared;

/// How the labels of rows become what an objective is given.
pub trait Teaching: Clone + Send + Sync + 'static {
    /// What it is given.
    type Target;

    /// The labels of these rows.
    fn targets(&self, rows: &Prepared, of: &[usize], device: &Device) -> Self::Target;
}

/// Classes by their place: `[rows]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Classes;

impl Teaching for Classes {
    type Target = Tensor<1, Int>;

    fn targets(&self, rows: &Prepared, of: &[usize], device: &Device) -> Self::Target {
        classes(rows, of, device)
    }
}

/// Numbers in the scale that they are learned in, or 1 for each class that holds and 0 for the others: `[rows, width]`.
#[derive(Clone, Debug)]
pub struct Values {
    /// How numbers are scaled.
    pub scales: Vec<Scale>,
}

impl Teaching for Values {
    type Target = Targets;

    fn targets(&self, rows: &Prepared, of: &[usize], device: &Device) -> Targets {
        let mut values: Vec<f32> = Vec::new();
        for row in of {
            match rows.label(*row) {
                Some(Label::Several(held)) => {
                    values.extend(held.iter().map(|held| f32::from(u8::from(*held))));
                }
                Some(Label::Numbers(numbers)) => {
                    let pairs = self.scales.iter().zip(numbers);
                    values.extend(pairs.map(|(scale, number)| scale.scaled(*number) as f32));
                }
                _ => unreachable!("rows are drawn that have several classes or numbers"),
            }
        }
        let shape = [of.len(), values.len() / of.len().max(1)];
        Tensor::from_data(TensorData::new(values, shape), device).into()
    }
}

/// Batches of those rows that something is known of.
#[derive(Clone, Debug)]
pub struct Labelled<T = Classes> {
    learning: Learning,
    known: Vec<usize>,
    /// How many samples an epoch has.
    places: usize,
    teaching: T,
}

impl Labelled {
    /// Of those rows that have a class.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(learning: Learning) -> Self {
        Self::with(learning, Classes)
    }
}

impl<T> Labelled<T> {
    /// Of those rows that have a label, which is taught so. An epoch has as many samples as there are rows, with a label or without, so
    /// that learning from few labels is measured as often as learning from all.
    ///
    /// # Panics
    /// If there is none.
    pub fn with(learning: Learning, teaching: T) -> Self {
        let labelled = learning.rows.labelled();
        assert!(!labelled.is_empty(), "no row has a label");
        Self {
            places: learning.epoch_rows(learning.rows.len()),
            known: labelled,
            learning,
            teaching,
        }
    }

    /// Of these rows, an epoch once through them.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn once(learning: Learning, known: Vec<usize>, teaching: T) -> Self {
        assert!(!known.is_empty(), "nothing is known of any row");
        Self {
            places: learning.epoch_rows(known.len()),
            known,
            learning,
            teaching,
        }
    }
}

impl<T: Teaching> Batching for Labelled<T> {
    type Host = HostBatch;
    type Batch = (Batch, T::Target);

    fn learning(&self) -> &Learning {
        &self.learning
    }

    fn batches(&self) -> usize {
        self.places.div_ceil(self.learning.size)
    }

    fn plan(&self, epoch: usize) -> Vec<Plan> {
        let (places, size) = (self.places, self.learning.size);
        let batches = self.learning.epoch(&self.known, epoch, places, size);
        let plan = |labelled| Plan {
            labelled,
            ..Plan::default()
        };
        batches.into_iter().map(plan).collect()
    }

    fn prepare(&self, plan: &Plan) -> Result<Option<HostBatch>, Error> {
        HostBatch::of(&self.learning, &plan.labelled, View::Learned)
    }

    fn collate(&self, host: HostBatch, device: &Device) -> Fed<Self::Batch> {
        let rows = &self.learning.rows;
        let targets = self.teaching.targets(rows, &host.rows, device);
        Fed {
            ids: ids(rows, &host.rows),
            batch: (rows.processors.collate(&host.samples, device), targets),
        }
    }
}
