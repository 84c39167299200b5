//! Lion (arXiv 2302.06675, algorithm 2): steps of one length, in the direction of the sign of a momentum.

use burn::tensor::Tensor;

use super::rule::{Memory, Pace, Rule};

/// It remembers half of what Adam does. A step moves every weight by the learning rate itself, which has to be three to
/// ten times smaller than AdamW's, and the decay as much larger.
#[derive(Clone, Debug)]
pub(crate) struct Lion {
    /// How much of the momentum is in the step, and how much of it stays.
    pub(crate) betas: [f64; 2],
}

impl Rule for Lion {
    fn remembers(&self, shape: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
        vec![("momentum", shape.to_vec())]
    }

    fn step<const D: usize>(
        &self,
        pace: Pace,
        value: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Memory<D>) {
        let [in_step, stays] = self.betas;
        let (steps, momentum) = Memory::momentum(memory, &grad);
        let direction =
            momentum.clone().mul_scalar(in_step) + grad.clone().mul_scalar(1.0 - in_step);
        let value = value.mul_scalar(pace.kept()) - direction.sign().mul_scalar(pace.lr);
        let momentum = momentum.mul_scalar(stays) + grad.mul_scalar(1.0 - stays);
        let memory = Memory {
            steps: steps + 1,
            tensors: vec![momentum],
        };
        (value, memory)
    }
}
