//! What a model is to become good at.

mod cross_entropy;

pub use cross_entropy::CrossEntropy;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use sensorium_core::Losses;

/// Measures how far an output is from its target. A module, because an objective may learn (a temperature).
pub trait Objective: Module + ModuleDisplay {
    /// What it judges.
    type Output;
    /// What the output should have been.
    type Target: Clone + core::fmt::Debug + Send + 'static;

    /// The loss, averaged over the batch.
    fn loss(&self, output: Self::Output, target: Self::Target) -> Loss;
}

/// A loss with the parts it is made of.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What is minimised, `[1]`.
    pub total: Tensor<1>,
    /// Named parts for the log, each `[1]`; need not add up to the total.
    pub terms: Vec<(String, Tensor<1>)>,
}

impl Loss {
    /// A loss of one part.
    pub fn new(total: Tensor<1>) -> Self {
        Self {
            total,
            terms: Vec::new(),
        }
    }

    /// Adds what layers of the model have seen as a loss of their own, each under its full name.
    #[must_use]
    pub fn and(self, losses: Losses) -> Self {
        let add = |loss: Self, (name, term, weight): (String, _, _)| loss.plus(&name, term, weight);
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
