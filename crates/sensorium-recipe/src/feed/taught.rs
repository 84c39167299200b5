//! Rows with what a teacher says of them, and their classes where they have one.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_train::Taught;

use super::{Teaching, classes};
use crate::prepare::Prepared;

/// A teacher's logits for each row, in the order of this run's classes; none where it has no answer.
#[derive(Debug)]
pub(crate) struct Lessons {
    pub logits: Vec<Option<Vec<f32>>>,
    pub n_classes: usize,
}

impl Lessons {
    /// The rows that the teacher has an answer to.
    pub(crate) fn rows(&self) -> Vec<usize> {
        let answered = |row: &usize| self.logits[*row].is_some();
        (0..self.logits.len()).filter(answered).collect()
    }
}

impl Teaching for Arc<Lessons> {
    type Target = Taught;

    fn targets(&self, rows: &Prepared, of: &[usize], device: &Device) -> Taught {
        let said = of.iter().flat_map(|row| &self.logits[*row]);
        let said: Vec<f32> = said.flatten().copied().collect();
        let shape = [of.len(), self.n_classes];
        Taught {
            logits: Tensor::from_data(TensorData::new(said, shape), device),
            classes: Some(classes(rows, of, device)),
        }
    }
}
