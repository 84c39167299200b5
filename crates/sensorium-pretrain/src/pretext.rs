//! An encoder and what it learns from, as one thing that the trainer takes.

use core::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use sensorium_core::Encoder;
use sensorium_train::{Learned, Learner};

/// A task that needs no labels, around an encoder.
pub trait Pretext<E: Encoder>: Module + ModuleDisplay {
    /// What the task needs besides the encoder's batch.
    type Target: Clone + Debug + Send + 'static;

    /// The loss of a batch, and how many of its answers were right, where that means something.
    fn learn(&self, encoder: &E, batch: E::Batch, target: Self::Target) -> Learned;
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
}
