//! Classes from what another model says of the same rows.

use burn::module::Module;
use sensorium_core::{Losses, Model};
use sensorium_train::{Distillation, Learned, Learner, Objective, Tally, Taught};

use super::ObjectiveConfig;
use crate::modalities::Batch;
use crate::model::RecipeModel;

impl ObjectiveConfig {
    /// The share of the labels beside what the teacher says: the truth counts less, as the paper found best.
    pub(crate) fn truth(&self) -> f64 {
        self.truth.unwrap_or(0.1)
    }
}

/// A model that comes to say what a teacher has said. The teacher is no part of it: what it says of a row is always the same.
#[derive(Module, Debug)]
pub struct TaughtLearner {
    /// What is to be trained.
    pub model: RecipeModel,
    /// What it is to become good at.
    pub objective: Distillation,
}

impl TaughtLearner {
    pub(crate) fn new(model: RecipeModel, config: &ObjectiveConfig) -> Self {
        let objective = Distillation::new(config.temperature());
        Self {
            model,
            objective: objective.with_truth(config.truth(), config.cross_entropy()),
        }
    }
}

impl Learner for TaughtLearner {
    type Batch = (Batch, Taught);

    fn learn(&self, (batch, taught): Self::Batch) -> Learned {
        let mut losses = Losses::default();
        let logits = self.model.run_with(batch, &mut losses);
        let classes = taught.classes.clone();
        let tally = classes.map(|classes| Tally::of_classes(logits.clone(), classes));
        let loss = self.objective.loss(logits, taught);
        Learned {
            loss: loss.and(losses),
            tally,
        }
    }
}
