//! How good the model is between epochs: what early stopping and the choice of the best weights go by.

use std::collections::BTreeSet;

use burn::tensor::Device;
use sensorium_core::Modality;
use sensorium_train::{BoxError, Learner, Scores, Supervised, Together, Validate};

use crate::Silent;
use crate::evaluate::Measure;
use crate::labels::LabelSet;
use crate::model::RecipeModel;
use crate::objective::{ClassObjective, SemiLearner, TargetObjective, TaughtLearner};
use crate::prepare::Prepared;
use crate::writing::{Ask, TextLearner, TextModel};

/// What learns to answer.
pub(crate) trait Answers: Learner {
    /// What is judged and kept of it.
    type Trained: Ask;

    /// That.
    fn trained(&self) -> &Self::Trained;
}

impl Answers for Supervised<RecipeModel, ClassObjective> {
    type Trained = RecipeModel;

    fn trained(&self) -> &RecipeModel {
        &self.model
    }
}

impl Answers for Supervised<RecipeModel, TargetObjective> {
    type Trained = RecipeModel;

    fn trained(&self) -> &RecipeModel {
        &self.model
    }
}

impl Answers for SemiLearner {
    type Trained = RecipeModel;

    fn trained(&self) -> &RecipeModel {
        self.judged()
    }
}

impl Answers for TaughtLearner {
    type Trained = RecipeModel;

    fn trained(&self) -> &RecipeModel {
        &self.model
    }
}

impl Answers for TextLearner {
    type Trained = TextModel;

    fn trained(&self) -> &TextModel {
        &self.model
    }
}

/// Measures on the validation rows.
pub(crate) struct Validation {
    pub rows: Prepared,
    pub labels: LabelSet,
    pub of: BTreeSet<Modality>,
    pub device: Device,
    pub batch_size: usize,
    pub threads: usize,
    pub ranks: Together,
}

impl<L: Answers> Validate<L> for Validation {
    fn validate(&mut self, learner: &L, _epoch: usize) -> Result<Scores, BoxError> {
        if self.rows.is_empty() {
            return Ok(Scores::default());
        }
        let measure = Measure {
            labels: &self.labels,
            device: &self.device,
            batch_size: self.batch_size,
            threads: self.threads,
            ranks: &self.ranks,
        };
        // Validation between epochs is short; its progress is not shown.
        let answers = measure.answers(learner.trained(), &self.rows, &self.of, &mut Silent)?;
        Ok(self.labels.validation(&self.rows, &answers)?)
    }
}
