//! The optimizer: a rule applied to the parameters of a module, with decay only where it belongs, a pace for each group,
//! and a memory that can be saved by parameter path.

mod adafactor;
mod adamw;
mod lion;
mod memory;
mod muon;
mod rule;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::container::TensorContainer;
use sensorium_core::with_autodiff_of;

use crate::gradients::GradientSum;
use crate::groups::Groups;
use crate::parameters::Path;
use crate::{OptimizerKind, TrainConfig};
use adafactor::Adafactor;
use adamw::AdamW;
use lion::Lion;
use muon::Muon;
pub(crate) use rule::Pace;
use rule::{AnyRule, Memory, Rule};

/// Updates the parameters of a module by their place in its order.
pub(crate) struct Optimizer {
    rule: AnyRule,
    /// For what `rule` is not made for.
    rest: AnyRule,
    weight_decay: f64,
    no_decay: Vec<String>,
    groups: Arc<Groups>,
    memories: TensorContainer<usize>,
}

impl Optimizer {
    pub(crate) fn new(config: &TrainConfig, groups: Arc<Groups>) -> Self {
        let keys = config.optimizer_keys();
        let adamw = AnyRule::AdamW(AdamW {
            betas: keys.betas,
            eps: keys.eps,
        });
        let rule = match config.optimizer {
            OptimizerKind::Adamw => adamw.clone(),
            OptimizerKind::Lion => AnyRule::Lion(Lion { betas: keys.betas }),
            OptimizerKind::Adafactor => AnyRule::Adafactor(Adafactor {
                decay_rate: keys.decay_rate,
                update_clip: keys.update_clip,
                scale_parameter: keys.scale_parameter,
                momentum: keys.momentum,
            }),
            OptimizerKind::Muon => AnyRule::Muon(Muon {
                momentum: keys.momentum,
                ns_steps: keys.ns_steps,
            }),
        };
        Self {
            rule,
            rest: adamw,
            weight_decay: config.weight_decay,
            no_decay: config
                .no_decay
                .iter()
                .map(|part| part.to_lowercase())
                .collect(),
            groups,
            memories: TensorContainer::new(),
        }
    }

    /// The module, with what begins to train at this step, counted from 0.
    pub(crate) fn before_step<M: Module>(&self, module: M, step: usize) -> M {
        self.groups.before_step(module, step)
    }

    /// Takes one step with gradients scaled by `scale`. Parameters without a gradient stay as they are.
    pub(crate) fn step<M: Module>(
        &mut self,
        lr: f64,
        module: M,
        grads: GradientSum,
        scale: f64,
    ) -> M {
        module.map(&mut Step {
            place: 0,
            path: Path::default(),
            lr,
            scale,
            grads,
            optimizer: self,
        })
    }

    /// The rule for a parameter.
    fn rule_of(&self, path: &Path, shape: &[usize]) -> &AnyRule {
        match self.rule {
            AnyRule::Muon(_) if !is_hidden_matrix(path, shape, &self.no_decay) => &self.rest,
            _ => &self.rule,
        }
    }

    /// How hard a parameter is moved in a step of this learning rate.
    pub(crate) fn pace_of(&self, place: usize, path: &Path, shape: &[usize], lr: f64) -> Pace {
        let setting = self.groups.of(place);
        let weight_decay = match decays(path, shape, &self.no_decay) {
            true => setting.weight_decay.unwrap_or(self.weight_decay),
            false => 0.0,
        };
        Pace {
            lr: lr * setting.lr_scale,
            weight_decay,
        }
    }

    /// How many numbers it remembers of a parameter.
    pub(crate) fn remembered(&self, path: &Path, shape: &[usize]) -> usize {
        let remembered = self.rule_of(path, shape).remembers(shape);
        remembered
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }
}

/// Whether weight decay applies to a parameter: the rule is told at [`TrainConfig::no_decay`].
fn decays(path: &Path, shape: &[usize], no_decay: &[String]) -> bool {
    let (name, holder) = path.name_and_holder();
    let (name, holder) = (name.to_lowercase(), holder.to_lowercase());
    shape.iter().filter(|size| **size > 1).count() >= 2
        && !no_decay
            .iter()
            .any(|part| name.contains(part.as_str()) || holder.contains(part.as_str()))
}

/// Whether a parameter is a matrix that stands between layers: what Muon is for. What comes first (embeddings of words,
/// patches and places) and last (heads) is not, nor what does not decay, nor the kernel of a convolution.
fn is_hidden_matrix(path: &Path, shape: &[usize], no_decay: &[String]) -> bool {
    let is_end = |name: &str| name == "head" || name.to_lowercase().contains("embed");
    shape.len() == 2 && decays(path, shape, no_decay) && !path.names().any(is_end)
}

struct Step<'a> {
    place: usize,
    path: Path,
    lr: f64,
    scale: f64,
    grads: GradientSum,
    optimizer: &'a mut Optimizer,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let place = self.place;
        self.place += 1;
        let Some(mut grad) = self.grads.take::<D>(place) else {
            return param;
        };
        if self.scale != 1.0 {
            grad = grad.mul_scalar(self.scale);
        }
        let (id, value, mapper) = param.consume();
        let device = value.device();
        let optimizer = &mut *self.optimizer;
        let shape = value.dims();
        let memory = optimizer.memories.remove::<Memory<D>>(&place);
        let pace = optimizer.pace_of(place, &self.path, &shape, self.lr);
        let rule = optimizer.rule_of(&self.path, &shape);
        let (value, memory) = rule.step(pace, value.inner(), grad, memory);
        optimizer.memories.register(place, memory);
        let value = with_autodiff_of(value, &device);
        Param::from_mapped_value(id, value.require_grad(), mapper)
    }
}
