//! Texts that rows are to be answered with.

use std::sync::Arc;

use burn::tensor::Device;
use sensorium_text::{TargetBatch, TargetProcessor};

use super::Teaching;
use crate::Error;
use crate::labels::Texts;
use crate::prepare::Prepared;

/// The texts of rows as tokens, split once.
#[derive(Clone, Debug)]
pub(crate) struct Wordings {
    processor: TargetProcessor,
    ids: Arc<Vec<Vec<u32>>>,
}

impl Wordings {
    /// Of these rows.
    pub(crate) fn of(texts: &Texts, rows: &Prepared) -> Result<Self, Error> {
        let ids = (0..rows.len()).map(|row| texts.ids(rows, row));
        Ok(Self {
            ids: Arc::new(ids.collect::<Result<_, Error>>()?),
            processor: texts.processor().clone(),
        })
    }

    /// How many are cut, since they are longer than a text may be.
    pub(crate) fn cut(&self) -> usize {
        let end = self.processor.end();
        self.ids
            .iter()
            .filter(|ids| ids.last() != Some(&end))
            .count()
    }
}

impl Teaching for Wordings {
    type Target = TargetBatch;

    fn targets(&self, _rows: &Prepared, of: &[usize], device: &Device) -> TargetBatch {
        let texts: Vec<Vec<u32>> = of.iter().map(|row| self.ids[*row].clone()).collect();
        self.processor.collate(&texts, device)
    }
}
