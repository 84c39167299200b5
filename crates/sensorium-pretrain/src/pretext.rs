//! An encoder and what it learns from, as one thing that the trainer takes.

use core::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use sensorium_core::Encoder;
use sensorium_train::{Compared, Learned, Learner, Others};

/// A task that needs no labels, around an encoder.
pub trait Pretext<E: Encoder>: Module + ModuleDisplay {
    /// What the task needs besides the encoder's batch.
    type Target: Clone + Debug + Send + 'static;

    /// The loss of a batch, and how many of its answers were right, where that means something.
    fn learn(&self, encoder: &E, batch: E::Batch, target: Self::Target) -> Learned;

    /// What samples are compared by, if the task compares them: see [`Learner::compared`].
    fn compared(&self, _encoder: &E, _batch: E::Batch, _target: Self::Target) -> Option<Compared> {
        None
    }

    /// The loss of a whole batch of which this is a part: see [`Learner::learn_among`].
    fn learn_among(
        &self,
        encoder: &E,
        batch: E::Batch,
        target: Self::Target,
        _others: &Others,
    ) -> Learned {
        self.learn(encoder, batch, target)
    }
}

/// An encoder and its task: a [`Learner`]. Parameter paths begin with `encoder` and `task`; what is wanted afterwards is
/// the encoder.
#[derive(Module, Debug)]
pub struct Pretraining<E: Encoder, P: Pretext<E>> {
    /// What is to learn.
    pub encoder: E,
    /// What it learns from.
    pub task: P,
}

impl<E: Encoder, P: Pretext<E>> Pretraining<E, P> {
    /// Puts both together.
    pub fn new(encoder: E, task: P) -> Self {
        Self { encoder, task }
    }
}

impl<E: Encoder, P: Pretext<E>> Learner for Pretraining<E, P> {
    type Batch = (E::Batch, P::Target);

    fn learn(&self, (batch, target): Self::Batch) -> Learned {
        self.task.learn(&self.encoder, batch, target)
    }

    fn compared(&self, (batch, target): Self::Batch) -> Option<Compared> {
        self.task.compared(&self.encoder, batch, target)
    }

    fn learn_among(&self, (batch, target): Self::Batch, others: &Others) -> Learned {
        let encoder = &self.encoder;
        self.task.learn_among(encoder, batch, target, others)
    }
}
