//! Rows with their classes.

use burn::tensor::{Device, Int, Tensor};
use sensorium_train::Fed;

use super::{Batching, HostBatch, Learning, Plan, View, classes, ids};
use crate::Error;
use crate::modalities::Batch;

/// Batches of labelled rows. An epoch has as many samples as there are rows, with a label or without, so that learning from
/// few labels is measured as often as learning from all.
#[derive(Clone, Debug)]
pub struct Labelled {
    learning: Learning,
    labelled: Vec<usize>,
}

impl Labelled {
    /// Of those rows that have a label.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(learning: Learning) -> Self {
        let labelled = learning.rows.labelled();
        assert!(!labelled.is_empty(), "no row has a label");
        Self { learning, labelled }
    }
}

impl Batching for Labelled {
    type Host = HostBatch;
    type Batch = (Batch, Tensor<1, Int>);

    fn learning(&self) -> &Learning {
        &self.learning
    }

    fn batches(&self) -> usize {
        self.learning.rows.len().div_ceil(self.learning.size)
    }

    fn plan(&self, epoch: usize) -> Vec<Plan> {
        let (places, size) = (self.learning.rows.len(), self.learning.size);
        let batches = self.learning.epoch(&self.labelled, epoch, places, size);
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
        let targets = classes(rows, &host.rows, device);
        Fed {
            ids: ids(rows, &host.rows),
            batch: (rows.processors.collate(&host.samples, device), targets),
        }
    }
}
