//! Rows with what a teacher says of them, and their classes where they have one.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_train::{Fed, Taught};

use super::{Batching, HostBatch, Learning, Plan, View, classes, ids};
use crate::Error;
use crate::modalities::Batch;

/// A teacher's logits for each row, in the order of this run's classes; none where it has no answer.
#[derive(Debug)]
pub(crate) struct Lessons {
    pub logits: Vec<Option<Vec<f32>>>,
    pub n_classes: usize,
}

/// Batches of all rows that a teacher has an answer to, an epoch once through them.
#[derive(Clone, Debug)]
pub(crate) struct TaughtRows {
    learning: Learning,
    taught: Vec<usize>,
    lessons: Arc<Lessons>,
}

impl TaughtRows {
    pub(crate) fn new(learning: Learning, lessons: Lessons) -> Self {
        let has_answer = |row: &usize| lessons.logits[*row].is_some();
        let taught: Vec<usize> = (0..learning.rows.len()).filter(has_answer).collect();
        assert!(!taught.is_empty(), "the teacher has no answer");
        Self {
            learning,
            taught,
            lessons: Arc::new(lessons),
        }
    }
}

impl Batching for TaughtRows {
    type Host = HostBatch;
    type Batch = (Batch, Taught);

    fn learning(&self) -> &Learning {
        &self.learning
    }

    fn batches(&self) -> usize {
        self.taught.len().div_ceil(self.learning.size)
    }

    fn plan(&self, epoch: usize) -> Vec<Plan> {
        let (places, size) = (self.taught.len(), self.learning.size);
        let batches = self.learning.epoch(&self.taught, epoch, places, size);
        let plan = |others| Plan {
            others,
            ..Plan::default()
        };
        batches.into_iter().map(plan).collect()
    }

    fn prepare(&self, plan: &Plan) -> Result<Option<HostBatch>, Error> {
        HostBatch::of(&self.learning, &plan.others, View::Learned)
    }

    fn collate(&self, host: HostBatch, device: &Device) -> Fed<Self::Batch> {
        let rows = &self.learning.rows;
        let said = host.rows.iter().flat_map(|row| &self.lessons.logits[*row]);
        let said: Vec<f32> = said.flatten().copied().collect();
        let shape = [host.rows.len(), self.lessons.n_classes];
        let taught = Taught {
            logits: Tensor::from_data(TensorData::new(said, shape), device),
            classes: Some(classes(rows, &host.rows, device)),
        };
        Fed {
            ids: ids(rows, &host.rows),
            batch: (rows.processors.collate(&host.samples, device), taught),
        }
    }
}
