//! The gradient guarantee: every trainable parameter receives a finite, non-zero gradient.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

struct Untrained<'a> {
    grads: &'a Gradients,
    path: Vec<String>,
    found: Vec<String>,
    seen: usize,
}

impl ModuleVisitor for Untrained<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            return;
        }
        self.seen += 1;
        let fault = match value.grad(self.grads) {
            None => "no gradient",
            Some(grad) => {
                let values = crate::floats(&grad);
                if values.iter().any(|v| !v.is_finite()) {
                    "gradient is not finite"
                } else if values.iter().all(|v| *v == 0.0) {
                    "gradient is all zero"
                } else {
                    return;
                }
            }
        };
        self.found.push(format!("{}: {fault}", self.path.join(".")));
    }
}

/// The trainable parameters that `grads` does not train, with the reason.
pub fn untrained_parameters<M: Module>(module: &M, grads: &Gradients) -> (Vec<String>, usize) {
    let mut visitor = Untrained {
        grads,
        path: Vec::new(),
        found: Vec::new(),
        seen: 0,
    };
    module.visit(&mut visitor);
    (visitor.found, visitor.seen)
}

/// Runs `loss` on a trainable copy of `module` and panics unless it trains every parameter.
///
/// `loss` should depend on all of the output unevenly: `(out * random).sum()`, not `out.sum()`,
/// whose gradient through a softmax or a normalisation is zero by symmetry.
///
/// # Panics
/// If a parameter gets no gradient, a zero one, or one that is not finite, or there is no parameter.
#[track_caller]
pub fn check_gradients<M: Module>(module: M, loss: impl FnOnce(&M) -> Tensor<1>) {
    let module = module.train();
    let grads = loss(&module).backward();
    let (untrained, seen) = untrained_parameters(&module, &grads);
    assert!(seen > 0, "the module has no trainable parameter");
    assert!(
        untrained.is_empty(),
        "{} of {seen} parameters do not train:\n  {}",
        untrained.len(),
        untrained.join("\n  ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{devices, random};
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Pair {
        used: Linear,
        unused: Linear,
    }

    fn pair(device: &Device) -> Pair {
        Pair {
            used: LinearConfig::new(3, 2).init(device),
            unused: LinearConfig::new(3, 2).init(device),
        }
    }

    fn caught(module: Pair, loss: impl FnOnce(&Pair) -> Tensor<1>) -> Vec<String> {
        let module = module.train();
        let grads = loss(&module).backward();
        let (untrained, seen) = untrained_parameters(&module, &grads);
        assert_eq!(seen, 4);
        untrained
    }

    #[test]
    fn a_dead_parameter_is_found_and_named() {
        for device in devices().into_iter().map(Device::autodiff) {
            let x = random::<2>([4, 3], 1, &device);
            let w = random::<2>([4, 2], 2, &device);

            let left_out = caught(pair(&device), |m| {
                (m.used.forward(x.clone()) * w.clone()).sum()
            });
            assert_eq!(
                left_out,
                ["unused.weight: no gradient", "unused.bias: no gradient"]
            );

            let silenced = caught(pair(&device), |m| {
                let muted = m.unused.forward(x.clone()) * 0.0;
                ((m.used.forward(x.clone()) + muted) * w.clone()).sum()
            });
            assert_eq!(
                silenced,
                [
                    "unused.weight: gradient is all zero",
                    "unused.bias: gradient is all zero"
                ]
            );

            let broken = caught(pair(&device), |m| {
                let wild = m.unused.forward(x.clone()) * f32::NAN;
                ((m.used.forward(x.clone()) + wild) * w.clone()).sum()
            });
            assert_eq!(
                broken,
                [
                    "unused.weight: gradient is not finite",
                    "unused.bias: gradient is not finite"
                ]
            );

            check_gradients(pair(&device), |m| {
                ((m.used.forward(x.clone()) + m.unused.forward(x.clone())) * w).sum()
            });
        }
    }

    #[test]
    fn a_frozen_parameter_owes_no_gradient() {
        for device in devices().into_iter().map(Device::autodiff) {
            let mut module = pair(&device);
            module.unused = module.unused.no_grad();
            let x = random::<2>([4, 3], 1, &device);
            let w = random::<2>([4, 2], 2, &device);
            check_gradients(module, |m| (m.used.forward(x) * w).sum());
        }
    }

    #[test]
    #[should_panic(expected = "2 of 4 parameters do not train")]
    fn the_check_fails_on_a_dead_parameter() {
        let device = devices().remove(0).autodiff();
        let x = random::<2>([4, 3], 1, &device);
        check_gradients(pair(&device), |m| m.used.forward(x).sum());
    }
}
