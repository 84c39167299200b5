//! How good the model is between epochs: what early stopping and the choice of the best weights go by.

use std::collections::BTreeSet;

use burn::tensor::Device;
use sensorium_core::Modality;
use sensorium_train::{BoxError, Learner, Scores, Supervised, Validate};

use crate::Silent;
use crate::evaluate::Measure;
use crate::model::RecipeModel;
use crate::objective::{ClassObjective, SemiLearner};
use crate::prepare::Prepared;

/// What is measured; the first chooses the best weights unless the recipe names another.
pub(crate) const METRICS: [&str; 3] = ["accuracy", "macro_f1", "loss"];

/// What learns to answer with a class.
pub(crate) trait Classifies: Learner {
    /// What is judged and kept of it.
    fn trained(&self) -> &RecipeModel;
}

impl Classifies for Supervised<RecipeModel, ClassObjective> {
    fn trained(&self) -> &RecipeModel {
        &self.model
    }
}

impl Classifies for SemiLearner {
    fn trained(&self) -> &RecipeModel {
        self.judged()
    }
}

/// Measures on the validation rows.
pub(crate) struct Validation {
    pub rows: Prepared,
    pub classes: Vec<String>,
    pub of: BTreeSet<Modality>,
    pub device: Device,
    pub batch_size: usize,
    pub threads: usize,
}

impl<L: Classifies> Validate<L> for Validation {
    fn validate(&mut self, learner: &L, _epoch: usize) -> Result<Scores, BoxError> {
        if self.rows.is_empty() {
            return Ok(Scores::default());
        }
        let measure = Measure {
            classes: &self.classes,
            device: &self.device,
            batch_size: self.batch_size,
            threads: self.threads,
        };
        // Validation between epochs is short; its progress is not shown.
        let answers = measure.answers(learner.trained(), &self.rows, &self.of, &mut Silent)?;
        let report = measure.count(&self.rows, &answers)?;
        let surprise =
            |row: usize, p: &[f32]| -f64::from(p[self.rows.class(row)].max(f32::MIN_POSITIVE)).ln();
        let loss: f64 = answers
            .iter()
            .map(|a| surprise(a.row, &a.probabilities))
            .sum();
        let [accuracy, macro_f1, mean_loss] = METRICS;
        Ok(Scores::default()
            .higher(accuracy, report.accuracy.unwrap_or(0.0))
            .higher(macro_f1, report.macro_f1().unwrap_or(0.0))
            .lower(mean_loss, loss / answers.len().max(1) as f64))
    }
}
