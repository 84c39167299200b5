//! Rows with a label, and beside them others in two views.

use std::ops::Range;

use burn::tensor::Device;
use sensorium_train::Fed;

use super::{Batching, Draw, HostBatch, Learning, View, classes, ids, numbers};
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

    /// Which places of the order of all rows a batch has.
    fn places(&self, epoch: usize, batch: usize) -> Range<usize> {
        let (rows, size) = (self.all.len(), self.learning.size * self.times);
        let start = batch * size;
        epoch * rows + start..epoch * rows + (start + size).min(rows)
    }

    /// The labelled rows of a batch.
    fn labelled(&self, epoch: usize, batch: usize) -> Vec<Draw> {
        let start = (epoch * self.batches() + batch) * self.learning.size;
        let places = start..start + self.learning.size;
        self.learning.draw(&self.labelled, places)
    }
}

impl Batching for Semi {
    type Host = Both;
    type Batch = SemiBatch;

    fn learning(&self) -> &Learning {
        &self.learning
    }

    fn batches(&self) -> usize {
        self.all.len().div_ceil(self.learning.size * self.times)
    }

    fn extent(&self, epoch: usize, batch: usize) -> (usize, usize) {
        let rows = self.learning.size + 2 * self.places(epoch, batch).len();
        (rows, self.labelled(epoch, batch)[0].row)
    }

    fn prepare(&self, epoch: usize, batch: usize) -> Result<Option<Both>, Error> {
        let learning = &self.learning;
        let labelled = HostBatch::of(learning, &self.labelled(epoch, batch), View::Learned)?;
        let draws = learning.draw(&self.all, self.places(epoch, batch));
        let weak = HostBatch::of(learning, &draws, View::Whole)?;
        let (Some(labelled), Some(weak)) = (labelled, weak) else {
            return Ok(None);
        };
        // Of those rows alone that the first view could be read of.
        let readable: Vec<Draw> = draws
            .into_iter()
            .filter(|draw| weak.rows.contains(&draw.row))
            .collect();
        let other = HostBatch::of(learning, &readable, self.other)?;
        Ok(other
            .filter(|other| other.rows == weak.rows)
            .map(|other| Both {
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
