//! Memory for time: of what the backward pass needs, only products of matrices and the like are kept, and the rest is computed once more
//! (after Chen et al., arXiv 1604.06174). The numbers are the same to the last bit.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::kind::Autodiff;
use burn::tensor::{Bool, Device, GradientCheckpointingStrategy, Int, Tensor};

/// Where a learner's batches lie.
pub(crate) fn training_device(device: &Device, recompute: bool) -> Device {
    let training = device.clone().autodiff();
    match recompute {
        true => training.gradient_checkpointing(),
        false => training,
    }
}

/// The module in training mode, with all its tensors as those of that device are: what is computed of tensors that are not is refused.
pub(crate) fn recomputing<M: Module>(module: M, recompute: bool) -> M {
    match recompute {
        true => module.map(&mut Recompute),
        false => module,
    }
}

struct Recompute;

const STRATEGY: GradientCheckpointingStrategy = GradientCheckpointingStrategy::Balanced;

/// The tensor as those of the training device are; one that takes no part in training stays as it is.
fn recomputed<const D: usize, K: Autodiff>(value: Tensor<D, K>) -> Tensor<D, K> {
    match value.is_autodiff() {
        true => value.with_gradient_checkpointing_strategy(STRATEGY),
        false => value,
    }
}

impl ModuleMapper for Recompute {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(recomputed)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        param.map(recomputed)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        param.map(recomputed)
    }
}
