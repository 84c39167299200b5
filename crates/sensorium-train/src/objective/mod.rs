//! What a model is to become good at.

mod balanced;
mod binary;
mod contrastive;
mod cross_entropy;
mod distillation;
mod focal;
mod masking;
mod matching;
mod nt_xent;
mod ordinal;
mod pairs;
mod regression;
mod semi;
mod sigmoid_contrastive;
mod softmax_rows;
mod targets;

pub use balanced::class_balanced_weights;
pub use binary::BinaryCrossEntropy;
pub use contrastive::Contrastive;
pub use cross_entropy::CrossEntropy;
pub use distillation::{Distillation, Taught};
pub use focal::{BinaryFocal, Focal};
pub use masking::{
    MaskTokens, MaskedPatches, MaskedTokens, PatchMask, PatchTargets, TokenMask, patches,
};
pub use matching::{HardNegatives, ImageTextMatching};
pub use nt_xent::NtXent;
pub use ordinal::Ordinal;
pub use pairs::Pairs;
pub(crate) use pairs::constant;
pub use regression::Regression;
pub use semi::{
    Collapse, CollapseDetector, Consistency, FixMatch, FlexMatch, FlexTarget, LearningStatus,
    MeanTeacher, PseudoLabels, SemiLogits, SemiParts, StopOnCollapse, ramp_up,
};
pub use sigmoid_contrastive::SigmoidContrastive;
pub use targets::Targets;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use sensorium_core::Losses;
use serde::{Deserialize, Serialize};

use crate::Tally;
use crate::precision::full;

/// Measures how far an output is from its target. A module, because an objective may learn (a temperature).
pub trait Objective: Module + ModuleDisplay {
    /// What it judges.
    type Output;
    /// What the output should have been.
    type Target: Clone + core::fmt::Debug + Send + 'static;

    /// The loss, averaged over the batch.
    fn loss(&self, output: Self::Output, target: Self::Target) -> Loss;

    /// How many answers are right, where that means something: of classes, and not by default.
    fn tally(&self, _output: &Self::Output, _target: &Self::Target) -> Option<Tally> {
        None
    }

    /// Writes down what its losses noted, all of a step's in the order of the whole batch: see
    /// [`Learner::remember`](crate::Learner::remember).
    ///
    /// # Panics
    /// By default, if there is anything: it would be forgotten.
    fn remember(&self, noted: &[Noted]) {
        nobody_remembers(noted);
    }
}

/// What an objective is to remember of a sample once the step is over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    /// Which of all samples it is, from 0.
    pub sample: usize,
    /// What is remembered of it, such as the number of a class.
    pub value: f32,
}

/// Refuses to forget.
pub(crate) fn nobody_remembers(noted: &[Noted]) {
    assert!(
        noted.is_empty(),
        "a loss notes what is to be remembered, and nobody does: implement `remember`"
    );
}

/// A loss with the parts it is made of.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What is minimised, `[1]`.
    pub total: Tensor<1>,
    /// Named parts for the log, each `[1]`; need not add up to the total.
    pub terms: Vec<(String, Tensor<1>)>,
    /// What the total is a mean over, `[1]`: how many samples or words, or the sum of their weights. Where a step is made of several
    /// batches, or of several processes' shares of one, each loss counts by it, so that the step is that of all of them in one. None:
    /// the samples of the batch.
    pub over: Option<Tensor<1>>,
    /// What is to be remembered of samples. The next step sees it, and not the batches of this one that come later or are learned from
    /// elsewhere.
    pub noted: Vec<Noted>,
}

impl Loss {
    /// A loss of one part.
    pub fn new(total: Tensor<1>) -> Self {
        Self {
            total,
            terms: Vec::new(),
            over: None,
            noted: Vec::new(),
        }
    }

    /// Says what the total is a mean over, where that is not the samples of the batch.
    #[must_use]
    pub fn over(mut self, over: Tensor<1>) -> Self {
        self.over = Some(over);
        self
    }

    /// Adds what layers of the model have seen as a loss of their own, each under its full name.
    #[must_use]
    pub fn and(self, losses: Losses) -> Self {
        let add =
            |loss: Self, (name, term, weight): (String, _, _)| loss.plus(&name, full(term), weight);
        losses.seen.into_iter().fold(self, add)
    }

    /// Adds `weight` times a part to the total, and the part itself to the log.
    #[must_use]
    pub fn plus(mut self, name: &str, term: Tensor<1>, weight: f64) -> Self {
        self.total = self.total + term.clone().mul_scalar(weight);
        self.terms.push((name.to_owned(), term));
        self
    }
}

fn checked_share(share: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&share),
        "the share must lie between 0 and 1, not at {share}"
    );
    share
}

#[cfg(test)]
mod tests {
    use sensorium_core::Tap;
    use sensorium_testkit::devices;

    use super::*;

    #[test]
    fn losses_of_layers_are_added_with_their_weights_under_their_names() {
        for device in devices() {
            let number = |x: f32| Tensor::<1>::from_floats([x], &device);
            let mut losses = Losses::default();
            losses.enter("fusion");
            losses.loss("balance", number(3.0), 0.5);
            losses.exit();
            losses.loss("other", number(1.0), 2.0);
            let loss = Loss::new(number(10.0)).and(losses);
            assert_eq!(loss.total.into_scalar::<f32>(), 13.5);
            let terms = loss.terms.into_iter();
            let terms: Vec<_> = terms.map(|(n, t)| (n, t.into_scalar::<f32>())).collect();
            let expected = [("fusion.balance", 3.0), ("other", 1.0)];
            assert_eq!(terms, expected.map(|(n, t)| (n.to_owned(), t)));
        }
    }
}
