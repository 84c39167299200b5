//! The names of a module's parameters, which are the keys of its checkpoints.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};

#[derive(Default)]
struct Names {
    path: Vec<String>,
    lines: Vec<String>,
}

impl Names {
    fn note(&mut self, shape: &[usize]) {
        self.lines
            .push(format!("{} {shape:?}", self.path.join(".")));
    }
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.note(&param.val().dims());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.note(&param.val().dims());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.note(&param.val().dims());
    }
}

/// A line `path shape` for each parameter, in the module's order.
///
/// Renaming a field renames keys in every checkpoint: a test that compares this with a committed text makes that a
/// decision instead of an accident.
pub fn parameter_snapshot<M: Module>(module: &M) -> String {
    let mut names = Names::default();
    module.visit(&mut names);
    names.lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Pair {
        first: Linear,
        rest: Vec<Linear>,
    }

    fn pair(device: &Device) -> Pair {
        Pair {
            first: LinearConfig::new(2, 3).init(device),
            rest: vec![LinearConfig::new(3, 1).with_bias(false).init(device)],
        }
    }

    #[test]
    fn each_parameter_has_its_line() {
        for device in devices() {
            let expected = "first.weight [2, 3]\nfirst.bias [3]\nrest.0.weight [3, 1]";
            assert_eq!(parameter_snapshot(&pair(&device)), expected);
        }
    }
}
