//! A module with the weights that a reference case holds for it.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::Reference;

impl Reference {
    /// `module` with every parameter as the case holds it, as `weights.` and the parameter's path.
    ///
    /// # Panics
    /// If the case lacks a parameter, holds one that the module has not, or of another shape.
    #[must_use]
    pub fn fill<M: Module>(&self, module: M) -> M {
        let mut fill = Fill {
            reference: self,
            path: Vec::new(),
            left: self.names("weights.").map(str::to_owned).collect(),
        };
        let module = module.map(&mut fill);
        assert!(
            fill.left.is_empty(),
            "the module has no place for {:?}",
            fill.left
        );
        module
    }
}

struct Fill<'a> {
    reference: &'a Reference,
    path: Vec<String>,
    left: BTreeSet<String>,
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = format!("weights.{}", self.path.join("."));
        let value = param.val();
        let held = self.reference.tensor::<D>(&name, &value.device());
        assert_eq!(held.dims(), value.dims(), "{name}: shapes differ");
        self.left.remove(&name);
        Param::from_tensor(held)
    }
}
