//! Objectives of a few labelled rows and many without a label.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{Logits, Losses, Model, one_of, with_autodiff_of};
use sensorium_train::{
    CollapseDetector, Compared, Consistency, CrossEntropy, FixMatch, FlexMatch, FlexTarget,
    Learned, Learner, Loss, MeanTeacher, Noted, Objective, Others, SemiLogits, SemiParts, Tally,
    ramp_up,
};

use super::{ObjectiveConfig, ObjectiveKind};
use crate::modalities::Batch;
use crate::model::RecipeModel;

/// Over how many batches a model's answers are watched for being all the same: a tenth of the run, so that it has learned
/// something before it is judged, and at least so many.
fn watched(steps: usize) -> usize {
    (steps / 10).max(50)
}

/// Labelled samples, and two views of samples without a label.
#[derive(Clone, Debug)]
pub struct SemiBatch {
    /// Those with a label, barely changed.
    pub labelled: Batch,
    /// Their classes, `[labelled]`.
    pub classes: Tensor<1, Int>,
    /// Those without, barely changed; on the plain device, since nothing is learned through them.
    pub weak: Batch,
    /// The same, changed in another way: much, or again barely.
    pub other: Batch,
    /// Which of all training rows they are, `[unlabelled]`.
    pub samples: Tensor<1, Int>,
}

/// A model that learns from both.
#[derive(Module, Debug)]
pub struct SemiLearner {
    /// What is to be trained.
    pub model: RecipeModel,
    /// An average of its weights, for what is taught by one.
    pub teacher: Option<RecipeModel>,
    /// What it is to become good at.
    pub objective: SemiObjective,
    #[module(skip)]
    step: usize,
    #[module(skip)]
    decay: f64,
    #[module(skip)]
    weight: f64,
    #[module(skip)]
    ramp_steps: usize,
}

/// Whichever of them a recipe names.
#[derive(Clone, Debug)]
pub enum SemiObjective {
    /// For its own answers too: of the same view, or of a barely changed one.
    FixMatch(FixMatch),
    /// With a threshold for each class.
    FlexMatch(FlexMatch),
    /// For agreeing with its average.
    Agreement(Agreement),
}

one_of!(SemiObjective {
    FixMatch,
    FlexMatch,
    Agreement
});

/// Cross-entropy of labelled samples, and agreement with a teacher about the others.
#[derive(Module, Debug)]
pub struct Agreement {
    supervised: CrossEntropy,
    consistency: Consistency,
    #[module(skip)]
    detector: CollapseDetector,
}

/// Whether the other view of a sample without a label is much changed.
pub(crate) fn strong(kind: ObjectiveKind) -> bool {
    matches!(kind, ObjectiveKind::FixMatch | ObjectiveKind::FlexMatch)
}

impl SemiLearner {
    /// A learner for so many training rows, classes and steps, and what watches it for collapse.
    pub(crate) fn new(
        model: RecipeModel,
        config: &ObjectiveConfig,
        rows: usize,
        n_classes: usize,
        steps: usize,
        device: &Device,
    ) -> (Self, CollapseDetector) {
        let detector = CollapseDetector::new(watched(steps));
        let learner = Self {
            teacher: (config.kind == ObjectiveKind::MeanTeacher)
                .then(|| MeanTeacher::new(model.clone()).teacher),
            model,
            objective: SemiObjective::new(config, rows, n_classes, detector.clone(), device),
            step: 0,
            decay: config.decay(),
            weight: config.weight(),
            ramp_steps: config.ramp_steps.unwrap_or(0),
        };
        (learner, detector)
    }

    /// Learns from a batch, or from a part of one that counts so much.
    fn learn_part(&self, batch: SemiBatch, parts: SemiParts) -> Learned {
        let mut losses = Losses::default();
        let labelled = self.model.run_with(batch.labelled, &mut losses);
        let tally = Tally::of_classes(labelled.clone(), batch.classes.clone());
        let output = SemiLogits {
            weak: self.calm(batch.weak, &labelled),
            labelled,
            strong: self.model.run_with(batch.other, &mut Losses::default()),
        };
        let weight = self.weight * ramp_up(self.step, self.ramp_steps);
        let target = FlexTarget {
            classes: batch.classes,
            samples: batch.samples,
        };
        let loss = self.objective.loss(output, target, weight, parts);
        Learned {
            loss: loss.and(losses),
            tally: Some(tally),
        }
    }

    /// The model to be judged and kept: the teacher, if there is one.
    pub(crate) fn judged(&self) -> &RecipeModel {
        self.teacher.as_ref().unwrap_or(&self.model)
    }

    /// Answers to samples without a label, as the model or its teacher gives them when nothing is learned; on the device of others.
    fn calm(&self, batch: Batch, others: &Logits) -> Logits {
        let logits = self.judged().clone().valid().run(batch);
        with_autodiff_of(logits, &others.device())
    }
}

impl SemiObjective {
    fn new(
        config: &ObjectiveConfig,
        rows: usize,
        n_classes: usize,
        detector: CollapseDetector,
        device: &Device,
    ) -> Self {
        let supervised = config.cross_entropy();
        let threshold = config.threshold();
        match config.kind {
            ObjectiveKind::MeanTeacher => Self::Agreement(Agreement {
                supervised,
                consistency: Consistency,
                detector,
            }),
            ObjectiveKind::FlexMatch => Self::FlexMatch(
                FlexMatch::new(rows, n_classes, device)
                    .with_supervised(supervised)
                    .with_threshold(threshold)
                    .with_weight(config.weight.unwrap_or(1.0))
                    .with_detector(detector),
            ),
            _ => Self::FixMatch(
                FixMatch::new()
                    .with_supervised(supervised)
                    .with_threshold(threshold)
                    .with_detector(detector),
            ),
        }
    }

    /// The loss of a part of a batch, with so much weight on samples without a label.
    fn loss(&self, output: SemiLogits, target: FlexTarget, weight: f64, parts: SemiParts) -> Loss {
        match self {
            Self::FixMatch(objective) => {
                let objective = objective.clone().with_weight(weight);
                objective.loss_of(output, target.classes, parts)
            }
            Self::FlexMatch(objective) => objective.loss_of(output, target, parts),
            Self::Agreement(objective) => objective.loss(output, target.classes, weight, parts),
        }
    }

    /// The loss of labelled samples.
    fn supervised(&self) -> &CrossEntropy {
        match self {
            Self::FixMatch(objective) => &objective.supervised,
            Self::FlexMatch(objective) => &objective.supervised,
            Self::Agreement(objective) => &objective.supervised,
        }
    }
}

impl Agreement {
    fn loss(
        &self,
        output: SemiLogits,
        classes: Tensor<1, Int>,
        weight: f64,
        parts: SemiParts,
    ) -> Loss {
        self.detector.see(output.weak.clone());
        let labelled = self.supervised.loss(output.labelled, classes).total;
        let labelled = parts.labelled(labelled);
        let agreement = self.consistency.loss(output.strong, output.weak).total;
        let mut loss = Loss::new(labelled.clone());
        loss.terms.push(("labelled".to_owned(), labelled));
        loss.plus("unlabelled", parts.unlabelled(agreement), weight)
    }
}

impl Learner for SemiLearner {
    type Batch = SemiBatch;

    fn learn(&self, batch: SemiBatch) -> Learned {
        self.learn_part(batch, SemiParts::default())
    }

    fn compared(&self, batch: SemiBatch) -> Option<Compared> {
        let [unlabelled] = batch.samples.dims();
        let supervised = self.objective.supervised();
        Some(SemiParts::compared(supervised, &batch.classes, unlabelled))
    }

    fn learn_among(&self, batch: SemiBatch, others: &Others) -> Learned {
        let [unlabelled] = batch.samples.dims();
        let supervised = self.objective.supervised();
        let parts = SemiParts::among(others, supervised, &batch.classes, unlabelled);
        self.learn_part(batch, parts)
    }

    fn remember(&self, noted: &[Noted]) {
        if let SemiObjective::FlexMatch(objective) = &self.objective {
            objective.remember(noted);
        }
    }

    fn before_step(self, step: usize) -> Self {
        let Some(teacher) = self.teacher else {
            return Self { step, ..self };
        };
        let models = MeanTeacher {
            student: self.model,
            teacher,
        };
        let models = models.follow(self.decay, step);
        Self {
            model: models.student,
            teacher: Some(models.teacher),
            step,
            ..self
        }
    }
}
