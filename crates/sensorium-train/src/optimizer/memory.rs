//! What an optimizer remembers, as tensors by parameter path, and back.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::container::TensorContainer;
use burn::tensor::{Tensor, TensorData};

use super::Optimizer;
use super::rule::{Memory, Rule};
use crate::parameters::Path;
use crate::tensors::Tensors;

impl Optimizer {
    /// What is remembered, keyed by `NAME.PATH`, such as `moment_1.PATH`, and `steps.PATH`.
    pub(crate) fn save<M: Module>(&self, module: &M) -> Tensors {
        let mut save = Save {
            place: 0,
            path: Path::default(),
            optimizer: self,
            out: BTreeMap::new(),
        };
        module.visit(&mut save);
        save.out
    }

    /// Takes up what was saved.
    ///
    /// # Errors
    /// What is missing or has another shape.
    pub(crate) fn load<M: Module>(&mut self, module: &M, saved: Tensors) -> Result<(), String> {
        let mut load = Load {
            place: 0,
            path: Path::default(),
            saved,
            optimizer: self,
            memories: TensorContainer::new(),
            fault: None,
        };
        module.visit(&mut load);
        let Load {
            saved,
            memories,
            fault,
            ..
        } = load;
        if let Some(fault) = fault {
            return Err(fault);
        }
        if let Some(name) = saved.keys().next() {
            return Err(format!("{name} belongs to no parameter"));
        }
        self.memories = memories;
        Ok(())
    }
}

struct Save<'a> {
    place: usize,
    path: Path,
    optimizer: &'a Optimizer,
    out: Tensors,
}

impl ModuleVisitor for Save<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(memory) = self.optimizer.memories.get::<Memory<D>>(&self.place) {
            let path = self.path.dotted();
            let rule = self.optimizer.rule_of(&self.path, &param.base().dims());
            let names = rule.remembers(&param.base().dims());
            for ((name, _), tensor) in names.into_iter().zip(memory.tensors) {
                self.out
                    .insert(format!("{name}.{path}"), tensor.into_data());
            }
            let steps = TensorData::new(vec![memory.steps as i64], [1]);
            self.out.insert(format!("steps.{path}"), steps);
        }
        self.place += 1;
    }
}

struct Load<'a> {
    place: usize,
    path: Path,
    saved: Tensors,
    optimizer: &'a Optimizer,
    memories: TensorContainer<usize>,
    fault: Option<String>,
}

impl Load<'_> {
    fn tensor<const D: usize>(
        &mut self,
        name: &str,
        shape: &[usize],
        like: &Tensor<D>,
    ) -> Option<Tensor<D>> {
        let key = format!("{name}.{}", self.path.dotted());
        let fault = match self.saved.remove(&key) {
            None => format!("{key} is missing"),
            Some(data) if data.shape().as_slice() != shape => {
                format!(
                    "{key} has shape {:?} instead of {shape:?}",
                    data.shape().as_slice(),
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

impl ModuleVisitor for Load<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let place = self.place;
        self.place += 1;
        // A parameter that never had a gradient has no memory.
        let Some(steps) = self.saved.remove(&format!("steps.{}", self.path.dotted())) else {
            return;
        };
        let like = param.base();
        let rule = self.optimizer.rule_of(&self.path, &like.dims());
        let tensors: Option<Vec<Tensor<D>>> = rule
            .remembers(&like.dims())
            .into_iter()
            .map(|(name, shape)| self.tensor(name, &shape, &like))
            .collect();
        let steps = steps
            .iter::<i64>()
            .next()
            .and_then(|steps| usize::try_from(steps).ok());
        match (steps, tensors) {
            (Some(steps), Some(tensors)) => {
                self.memories.register(place, Memory { steps, tensors });
            }
            (None, _) => {
                let fault = format!("steps.{} is no number of steps", self.path.dotted());
                self.fault.get_or_insert(fault);
            }
            _ => {}
        }
    }
}
