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
