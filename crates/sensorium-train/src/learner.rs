//! What the loop trains: a module that turns a batch into a loss.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Int, Tensor};
use sensorium_core::{Logits, Losses, Model};

use crate::objective::nobody_remembers;
use crate::precision::full;
use crate::{Compared, Loss, Noted, Objective, Others};

/// Anything that learns from batches. [`Supervised`] makes one of a model and an objective; write your own for
/// contrastive, self-supervised or multi-task training.
pub trait Learner: Module + ModuleDisplay {
    /// What it learns from. Tensors lie on the autodiff device.
    type Batch: Clone + core::fmt::Debug + Send + 'static;

    /// The loss of a batch, and how many of its answers were right.
    ///
    /// Randomness may come from the device alone, which is seeded before each call.
    fn learn(&self, batch: Self::Batch) -> Learned;

    /// What the samples of a batch are compared by, if the loss compares them with each other, and how many there are of what, if it is a
    /// sum of means over different things: then a batch that comes in parts, one after the other or on several processes, is learned
    /// from by [`learn_among`](Self::learn_among). By default samples have nothing to do with each other, and the loss of a batch
    /// is the mean of its parts'.
    ///
    /// The device is seeded as before learning from the same batch, so that both see the same.
    fn compared(&self, _batch: Self::Batch) -> Option<Compared> {
        None
    }

    /// The loss of the whole batch, of which this is a part and the others are known by what they are compared by: see
    /// [`Others::around`] and [`Others::part`].
    fn learn_among(&self, batch: Self::Batch, _others: &Others) -> Learned {
        self.learn(batch)
    }

    /// Writes down what the losses of a step noted ([`Loss::noted`]), all parts' in the order of the whole batch: the same on all
    /// processes that train together. Of a step that is not applied nothing is remembered.
    ///
    /// # Panics
    /// By default, if there is anything: it would be forgotten.
    fn remember(&self, noted: &[Noted]) {
        nobody_remembers(noted);
    }

    /// The learner as it takes a step, `step` being how many came before: for what follows the weights (a
    /// [`MeanTeacher`](crate::MeanTeacher)) or depends on the step (a weight that rises). A resumed run calls it with the
    /// same numbers.
    #[must_use]
    fn before_step(self, _step: usize) -> Self {
        self
    }
}

/// What one batch taught.
#[derive(Clone, Debug)]
pub struct Learned {
    /// What is minimised.
    pub loss: Loss,
    /// How many answers were right, where that means something.
    pub tally: Option<Tally>,
}

impl Learned {
    /// A loss without right or wrong.
    pub fn new(loss: Loss) -> Self {
        Self { loss, tally: None }
    }
}

/// A count of right answers, on the device.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many were right, `[1]`.
    pub correct: Tensor<1>,
    /// Of how many, `[1]`: samples without a label do not count.
    pub counted: Tensor<1>,
}

impl Tally {
    /// Counts the rows of logits `[batch, classes]` whose highest is their class `[batch]`. Negative classes do not
    /// count.
    pub fn of_classes(logits: Logits, classes: Tensor<1, Int>) -> Self {
        let guess: Tensor<1, Int> = logits.inner().argmax(1).squeeze_dim(1); // [B]
        let classes = classes.inner();
        Self {
            correct: guess.equal(classes.clone()).float().sum(),
            counted: classes.greater_equal_elem(0).float().sum(),
        }
    }
}

/// A model that learns from labelled batches. Parameter paths begin with `model` and `objective`.
#[derive(Module, Debug)]
pub struct Supervised<M: Model<Output = Logits>, O: Objective<Output = Logits>> {
    /// What is to be trained.
    pub model: M,
    /// What it is to become good at.
    pub objective: O,
}

impl<M, O> Supervised<M, O>
where
    M: Model<Output = Logits>,
    O: Objective<Output = Logits>,
{
    /// Puts both together.
    pub fn new(model: M, objective: O) -> Self {
        Self { model, objective }
    }
}

impl<M, O> Learner for Supervised<M, O>
where
    M: Model<Output = Logits>,
    O: Objective<Output = Logits>,
{
    type Batch = (M::Batch, O::Target);

    fn learn(&self, (batch, target): Self::Batch) -> Learned {
        let mut losses = Losses::default();
        let logits = full(self.model.run_with(batch, &mut losses));
        let tally = self.objective.tally(&logits, &target);
        let loss = self.objective.loss(logits, target);
        Learned {
            loss: loss.and(losses),
            tally,
        }
    }

    fn remember(&self, noted: &[Noted]) {
        self.objective.remember(noted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::devices;

    #[test]
    fn a_tally_leaves_out_what_has_no_label() {
        for device in devices() {
            let logits = Tensor::from_data([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]], &device);
            let tally = Tally::of_classes(logits, Tensor::from_data([1, 1, -1], &device));
            assert_eq!(tally.correct.into_scalar::<f32>(), 1.0);
            assert_eq!(tally.counted.into_scalar::<f32>(), 2.0);
        }
    }
}
