//! Rows with a label, and beside them others in two views.

use burn::tensor::Device;
use sensorium_train::Fed;

use super::{Batching, HostBatch, Learning, Plan, View, classes, ids, numbers};
use crate::Error;
use crate::objective::SemiBatch;

/// Batches of so many labelled rows, and some times as many that are learned from without their label. These are all rows, one
/// epoch once through them; the labelled ones are drawn anew as often as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Semi {
    learning: Learning,
    labelled: Vec<usize>,
    all: Vec<usize>,
    /// How many without a label for each with one.
    times: usize,
    /// How their second view is changed.
    other: View,
}

/// A batch on the host. Both views are of the same rows.
pub(crate) struct Both {
    labelled: HostBatch,
    weak: HostBatch,
    other: HostBatch,
}

impl Semi {
    pub(crate) fn new(learning: Learning, times: usize, other: View) -> Self {
        let labelled = learning.rows.labelled();
        assert!(!labelled.is_empty(), "no row has a label");
        Self {
            labelled,
            all: (0..learning.rows.len()).collect(),
            learning,
            times,
            other,
        }
    }
}

impl Batching for Semi {
    type Host = Both;
    type Batch = SemiBatch;

    fn learning(&self) -> &Learning {
        &self.learning
    }

    fn batches(&self) -> usize {
        let rows = self.learning.epoch_rows(self.all.len());
        rows.div_ceil(self.learning.size * self.times)
    }

    fn plan(&self, epoch: usize) -> Vec<Plan> {
        let (learning, batches) = (&self.learning, self.batches());
        let size = learning.size;
        let labelled = learning.epoch(&self.labelled, epoch, batches * size, size);
        let places = learning.epoch_rows(self.all.len());
        let others = learning.epoch(&self.all, epoch, places, size * self.times);
        let both = labelled.into_iter().zip(others);
        both.map(|(labelled, others)| Plan { labelled, others })
            .collect()
    }

    fn prepare(&self, plan: &Plan) -> Result<Option<Both>, Error> {
        let labelled = HostBatch::of(&self.learning, &plan.labelled, View::Learned)?;
        let others = HostBatch::views(&self.learning, &plan.others, [View::Whole, self.other])?;
        let both = labelled.zip(others);
        Ok(both.map(|(labelled, [weak, other])| Both {
            labelled,
            weak,
            other,
        }))
    }

    fn collate(&self, host: Both, device: &Device) -> Fed<SemiBatch> {
        let rows = &self.learning.rows;
        let collate =
            |batch: &HostBatch, device: &Device| rows.processors.collate(&batch.samples, device);
        let samples = host.weak.rows.iter().map(|row| *row as i64).collect();
        Fed {
            ids: ids(rows, &[&host.labelled.rows[..], &host.weak.rows].concat()),
            batch: SemiBatch {
                labelled: collate(&host.labelled, device),
                classes: classes(rows, &host.labelled.rows, device),
                weak: collate(&host.weak, &device.clone().inner()),
                other: collate(&host.other, device),
                samples: numbers(samples, device),
            },
        }
    }
}
