//! AdamW over a module, with decay only where it belongs and a state that can be saved by parameter path.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::container::TensorContainer;
use burn::tensor::{Tensor, TensorData};

use crate::TrainConfig;
use crate::gradients::GradientSum;
use crate::parameters::Path;
use crate::tensors::Tensors;

/// AdamW (arXiv 1711.05101): Burn's update of single tensors, applied to the parameters of a module by their place in
/// its order.
pub(crate) struct AdamW {
    decaying: burn::optim::AdamW,
    plain: burn::optim::AdamW,
    no_decay: Vec<String>,
    states: TensorContainer<usize>,
}

impl AdamW {
    pub(crate) fn new(config: &TrainConfig) -> Self {
        let adam = AdamWConfig::new()
            .with_beta_1(config.betas[0] as f32)
            .with_beta_2(config.betas[1] as f32)
            .with_epsilon(config.eps as f32);
        Self {
            decaying: adam
                .clone()
                .with_weight_decay(config.weight_decay as f32)
                .build(),
            plain: adam.with_weight_decay(0.0).build(),
            no_decay: config
                .no_decay
                .iter()
                .map(|part| part.to_lowercase())
                .collect(),
            states: TensorContainer::new(),
        }
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

    /// The state, keyed by `moment_1.PATH`, `moment_2.PATH` and `steps.PATH`.
    pub(crate) fn save<M: Module>(&self, module: &M) -> Tensors {
        let mut save = Save {
            place: 0,
            path: Path::default(),
            states: &self.states,
            out: BTreeMap::new(),
        };
        module.visit(&mut save);
        save.out
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// What is missing or has another shape.
    pub(crate) fn load<M: Module>(&mut self, module: &M, saved: Tensors) -> Result<(), String> {
        let mut load = Load {
            place: 0,
            path: Path::default(),
            saved,
            states: TensorContainer::new(),
            fault: None,
        };
        module.visit(&mut load);
        if let Some(fault) = load.fault {
            return Err(fault);
        }
        if let Some(name) = load.saved.keys().next() {
            return Err(format!("{name} belongs to no parameter"));
        }
        self.states = load.states;
        Ok(())
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

struct Step<'a> {
    place: usize,
    path: Path,
    lr: f64,
    scale: f64,
    grads: GradientSum,
    optimizer: &'a mut AdamW,
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
        let strategy = value.gradient_checkpointing_strategy();
        let rule = match decays(&self.path, &value.dims(), &self.optimizer.no_decay) {
            true => &self.optimizer.decaying,
            false => &self.optimizer.plain,
        };
        let state = self.optimizer.states.remove::<AdamWState<D>>(&place);
        let (value, state) = rule.step(self.lr, value.inner(), grad, state);
        if let Some(state) = state {
            self.optimizer.states.register(place, state);
        }
        // Back to autodiff as it was: another checkpointing strategy would be refused in the next forward pass.
        let mut value = Tensor::from_inner(value);
        if let Some(strategy) = strategy {
            value = value.with_gradient_checkpointing_strategy(strategy);
        }
        Param::from_mapped_value(id, value.require_grad(), mapper)
    }
}

struct Save<'a> {
    place: usize,
    path: Path,
    states: &'a TensorContainer<usize>,
    out: Tensors,
}

impl ModuleVisitor for Save<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        if let Some(AdamWState { momentum }) = self.states.get::<AdamWState<D>>(&self.place) {
            let path = self.path.dotted();
            self.out
                .insert(format!("moment_1.{path}"), momentum.moment_1.into_data());
            self.out
                .insert(format!("moment_2.{path}"), momentum.moment_2.into_data());
            let steps = TensorData::new(vec![momentum.time as i64], [1]);
            self.out.insert(format!("steps.{path}"), steps);
        }
        self.place += 1;
    }
}

struct Load {
    place: usize,
    path: Path,
    saved: Tensors,
    states: TensorContainer<usize>,
    fault: Option<String>,
}

impl Load {
    fn moment<const D: usize>(&mut self, name: &str, like: &Tensor<D>) -> Option<Tensor<D>> {
        let key = format!("{name}.{}", self.path.dotted());
        let fault = match self.saved.remove(&key) {
            None => format!("{key} is missing"),
            Some(data) if data.shape().as_slice() != like.dims() => {
                format!(
                    "{key} has shape {:?} instead of {:?}",
                    data.shape().as_slice(),
                    like.dims()
                )
            }
            Some(data) => {
                return Some(Tensor::from_data(
                    data,
                    (&like.device().inner(), like.dtype()),
                ));
            }
        };
        self.fault.get_or_insert(fault);
        None
    }
}

impl ModuleVisitor for Load {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let place = self.place;
        self.place += 1;
        // A parameter that never had a gradient has no state.
        let Some(steps) = self.saved.remove(&format!("steps.{}", self.path.dotted())) else {
            return;
        };
        let like = param.base();
        let (moment_1, moment_2) = (
            self.moment("moment_1", &like),
            self.moment("moment_2", &like),
        );
        let time = steps
            .iter::<i64>()
            .next()
            .and_then(|steps| usize::try_from(steps).ok());
        if let (Some(time), Some(moment_1), Some(moment_2)) = (time, moment_1, moment_2) {
            let momentum = AdaptiveMomentumState {
                time,
                moment_1,
                moment_2,
                max_moment_2: None,
            };
            self.states.register(place, AdamWState { momentum });
        }
    }
}
