//! AdamW (arXiv 1711.05101): Burn's update of a single tensor.

use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::Tensor;

use super::rule::{Memory, Pace, Rule};

/// Adam with decay that is no part of the gradient.
#[derive(Clone, Debug)]
pub(crate) struct AdamW {
    pub(crate) betas: [f64; 2],
    pub(crate) eps: f64,
}

impl Rule for AdamW {
    fn remembers(&self, shape: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
        ["moment_1", "moment_2"]
            .map(|name| (name, shape.to_vec()))
            .to_vec()
    }

    fn step<const D: usize>(
        &self,
        pace: Pace,
        value: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Memory<D>) {
        let rule = AdamWConfig::new()
            .with_beta_1(self.betas[0] as f32)
            .with_beta_2(self.betas[1] as f32)
            .with_epsilon(self.eps as f32)
            .with_weight_decay(pace.weight_decay as f32)
            .build();
        let state = memory.and_then(|memory| {
            let steps = memory.steps;
            let [moment_1, moment_2] = <[Tensor<D>; 2]>::try_from(memory.tensors).ok()?;
            let momentum = AdaptiveMomentumState {
                time: steps,
                moment_1,
                moment_2,
                max_moment_2: None,
            };
            Some(AdamWState { momentum })
        });
        let (value, state) = rule.step(pace.lr, value, grad, state);
        let AdamWState { momentum } = state.expect("Burn's AdamW always gives a state back");
        let memory = Memory {
            steps: momentum.time,
            tensors: vec![momentum.moment_1, momentum.moment_2],
        };
        (value, memory)
    }
}
