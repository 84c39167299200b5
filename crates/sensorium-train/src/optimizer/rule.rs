//! What an optimizer's rule is: how one tensor is changed by its gradient, and what is remembered of it.

use burn::tensor::Tensor;

use super::adafactor::Adafactor;
use super::adamw::AdamW;
use super::lion::Lion;
use super::muon::Muon;

/// How hard a parameter is moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Its learning rate in this step.
    pub(crate) lr: f64,
    /// Its decoupled weight decay, which the learning rate is multiplied with; 0 if it does not decay.
    pub(crate) weight_decay: f64,
}

impl Pace {
    /// What decay leaves of a weight.
    pub(crate) fn kept(self) -> f64 {
        1.0 - self.lr * self.weight_decay
    }
}

/// What is remembered of a parameter from step to step.
#[derive(Clone, Debug)]
pub(crate) struct Memory<const D: usize> {
    /// Steps that it took.
    pub(crate) steps: usize,
    /// In the order of [`Rule::remembers`].
    pub(crate) tensors: Vec<Tensor<D>>,
}

impl<const D: usize> Memory<D> {
    /// The one tensor that is remembered, as zeros at first, and the steps so far.
    pub(crate) fn momentum(memory: Option<Self>, grad: &Tensor<D>) -> (usize, Tensor<D>) {
        let steps = memory.as_ref().map_or(0, |memory| memory.steps);
        let momentum = memory.and_then(|mut memory| memory.tensors.pop());
        (steps, momentum.unwrap_or_else(|| grad.zeros_like()))
    }
}

/// A way to change a tensor by its gradient. A rule keeps no tensors of its own.
pub(crate) trait Rule {
    /// What it remembers of a tensor of this shape: names and shapes, of as many dimensions. The names are keys of
    /// checkpoints.
    fn remembers(&self, shape: &[usize]) -> Vec<(&'static str, Vec<usize>)>;

    /// The tensor after a step, and what is to be remembered of it.
    fn step<const D: usize>(
        &self,
        pace: Pace,
        value: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Memory<D>);
}

/// Whichever of them.
#[derive(Clone, Debug)]
pub(crate) enum AnyRule {
    AdamW(AdamW),
    Lion(Lion),
    Adafactor(Adafactor),
    Muon(Muon),
}

macro_rules! each {
    ($any:expr, $rule:ident => $does:expr) => {
        match $any {
            AnyRule::AdamW($rule) => $does,
            AnyRule::Lion($rule) => $does,
            AnyRule::Adafactor($rule) => $does,
            AnyRule::Muon($rule) => $does,
        }
    };
}

impl Rule for AnyRule {
    fn remembers(&self, shape: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
        each!(self, rule => rule.remembers(shape))
    }

    fn step<const D: usize>(
        &self,
        pace: Pace,
        value: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Memory<D>) {
        each!(self, rule => rule.step(pace, value, grad, memory))
    }
}
