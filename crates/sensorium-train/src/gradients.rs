//! The gradients of one step: added up over batches, measured, clipped.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::container::TensorContainer;
use burn::tensor::{FloatDType, Gradients, Tensor, TensorData};

use crate::lora::FIRST_FACTOR;
use crate::parameters::Path;
use crate::precision::full;
use crate::{Error, Precision, Together};

/// How many numbers are told to others at a time: 16 MiB.
const BUCKET: usize = 4 << 20;

/// Added to the norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;

/// Gradients summed over batches, by the place of their parameter in the module's order. Not by parameter id: a
/// module may hold copies of a parameter under one id, of which only the last gradient would survive.
#[derive(Debug, Default)]
pub(crate) struct GradientSum {
    sums: TensorContainer<usize>,
    precision: Precision,
}

impl GradientSum {
    /// Nothing yet, of backward passes in this precision. Sums are as wide as the parameters all the same.
    pub(crate) fn new(precision: Precision) -> Self {
        Self {
            precision,
            ..Self::default()
        }
    }

    /// Adds the gradients of one backward pass.
    pub(crate) fn add<M: Module>(&mut self, module: &M, grads: &Gradients) {
        struct Add<'a> {
            place: usize,
            grads: &'a Gradients,
            precision: Precision,
            sums: &'a mut TensorContainer<usize>,
        }
        impl ModuleVisitor for Add<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let place = self.place;
                self.place += 1;
                let value = param.base();
                if !value.is_require_grad() {
                    return;
                }
                if let Some(grad) = value.grad(self.grads) {
                    let grad = match self.precision {
                        Precision::F32 => grad,
                        Precision::Bf16 => full(grad),
                    };
                    let sum = match self.sums.remove::<Tensor<D>>(&place) {
                        Some(sum) => sum + grad,
                        None => grad,
                    };
                    self.sums.register(place, sum);
                }
            }
        }
        module.visit(&mut Add {
            place: 0,
            grads,
            precision: self.precision,
            sums: &mut self.sums,
        });
    }

    /// Adds up what all ranks have. A parameter that none has a gradient of stays without.
    ///
    /// # Errors
    /// If a rank is lost.
    pub(crate) fn add_up<M: Module>(&mut self, module: &M, ranks: &Together) -> Result<(), Error> {
        let mut flat = Flat {
            sums: std::mem::take(&mut self.sums),
            ..Flat::default()
        };
        module.visit(&mut flat);
        ranks.sum(&mut flat.there)?;
        flat.place = 0;
        flat.numbers = Some(Vec::new());
        module.visit(&mut flat);
        let mut numbers = flat.numbers.unwrap_or_default();
        for bucket in numbers.chunks_mut(BUCKET) {
            ranks.sum(bucket)?;
        }
        let mut split = Split {
            place: 0,
            there: &flat.there,
            numbers: &numbers,
            sums: TensorContainer::new(),
        };
        module.visit(&mut split);
        self.sums = split.sums;
        Ok(())
    }

    /// Takes the gradient of the parameter at this place.
    pub(crate) fn take<const D: usize>(&mut self, place: usize) -> Option<Tensor<D>> {
        self.sums.remove::<Tensor<D>>(&place)
    }

    /// The square of the global norm, on the device; nothing if there is no gradient.
    pub(crate) fn squared_norm<M: Module>(&self, module: &M) -> Option<Tensor<1>> {
        struct Squares<'a> {
            place: usize,
            sums: &'a TensorContainer<usize>,
            total: Option<Tensor<1>>,
        }
        impl ModuleVisitor for Squares<'_> {
            fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
                if let Some(grad) = self.sums.get::<Tensor<D>>(&self.place) {
                    // A sum of half-precision squares would overflow at a norm of 256.
                    let square = grad.cast(FloatDType::F32).square().sum();
                    self.total = Some(match self.total.take() {
                        Some(total) => total + square,
                        None => square,
                    });
                }
                self.place += 1;
            }
        }
        let mut squares = Squares {
            place: 0,
            sums: &self.sums,
            total: None,
        };
        module.visit(&mut squares);
        squares.total
    }

    /// The trainable parameters that these gradients do not train, with the reason. Reads every gradient back.
    pub(crate) fn untrained<M: Module>(&self, module: &M) -> Vec<(String, &'static str)> {
        struct Untrained<'a> {
            place: usize,
            path: Path,
            sums: &'a TensorContainer<usize>,
            found: Vec<(String, &'static str)>,
        }
        impl ModuleVisitor for Untrained<'_> {
            fn enter_module(&mut self, name: &str, holder: &str) {
                self.path.enter(name, holder);
            }
            fn exit_module(&mut self, _name: &str, _holder: &str) {
                self.path.exit();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let grad = self.sums.get::<Tensor<D>>(&self.place);
                self.place += 1;
                if !param.is_require_grad() {
                    return;
                }
                let reason = match grad {
                    None => "it has no gradient, so it takes no part in the loss",
                    // The second factor of an addition begins at zero, and until it has moved the first waits.
                    Some(_) if self.path.dotted().ends_with(FIRST_FACTOR) => return,
                    Some(grad) if grad.clone().abs().max().into_scalar::<f32>() == 0.0 => {
                        "its gradient is zero everywhere"
                    }
                    Some(_) => return,
                };
                self.found.push((self.path.dotted(), reason));
            }
        }
        let mut untrained = Untrained {
            place: 0,
            path: Path::default(),
            sums: &self.sums,
            found: Vec::new(),
        };
        module.visit(&mut untrained);
        untrained.found
    }
}

/// Gradients as one row of numbers: first, which there are; then, of those that any rank has, the numbers.
#[derive(Default)]
struct Flat {
    place: usize,
    sums: TensorContainer<usize>,
    there: Vec<f32>,
    numbers: Option<Vec<f32>>,
}

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let place = self.place;
        self.place += 1;
        let grad = self.sums.get::<Tensor<D>>(&place);
        let Some(numbers) = &mut self.numbers else {
            self.there.push(f32::from(u8::from(grad.is_some())));
            return;
        };
        if self.there[place] == 0.0 {
            return;
        }
        match grad {
            Some(grad) => numbers.extend(grad.clone().into_data().iter::<f32>()),
            None => numbers.resize(
                numbers.len() + param.base().dims().iter().product::<usize>(),
                0.0,
            ),
        }
    }
}

/// The numbers as gradients again.
struct Split<'a> {
    place: usize,
    there: &'a [f32],
    numbers: &'a [f32],
    sums: TensorContainer<usize>,
}

impl ModuleVisitor for Split<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let place = self.place;
        self.place += 1;
        if self.there[place] == 0.0 {
            return;
        }
        let value = param.base();
        let shape = value.dims();
        let (own, left) = self.numbers.split_at(shape.iter().product());
        self.numbers = left;
        let data = TensorData::new(own.to_vec(), shape);
        let grad = Tensor::<D>::from_data(data, (&value.device().inner(), value.dtype()));
        self.sums.register(place, grad);
    }
}

/// What to scale gradients of this global norm by so that it is at most `max_norm`: PyTorch's `clip_grad_norm_`.
pub(crate) fn clip_scale(norm: f64, max_norm: f64) -> f64 {
    if max_norm == 0.0 {
        return 1.0;
    }
    (max_norm / (norm + CLIP_EPS)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::devices;

    #[derive(Module, Debug)]
    struct Net {
        used: Param<Tensor<2>>,
        twice: Vec<Param<Tensor<1>>>,
        unused: Param<Tensor<1>>,
        zero: Param<Tensor<1>>,
        frozen: Param<Tensor<1>>,
    }

    fn net(device: &burn::tensor::Device) -> Net {
        let param = |values: [f32; 2]| Param::from_tensor(Tensor::from_data(values, device));
        // One parameter under one id at two places.
        let shared = param([1.0, 2.0]);
        Net {
            used: Param::from_tensor(Tensor::from_data([[1.0, -2.0], [0.5, 0.0]], device)),
            twice: vec![shared.clone(), shared.map(|value| value + 1.0)],
            unused: param([1.0, 1.0]),
            zero: param([1.0, 1.0]),
            frozen: param([1.0, 1.0]).set_require_grad(false),
        }
        .train()
    }

    /// Gradients: used 3 everywhere, the first of twice 1, the second 2.
    fn sum(net: &Net) -> GradientSum {
        let loss = net.used.val().sum().mul_scalar(3.0)
            + net.twice[0].val().sum()
            + net.twice[1].val().sum().mul_scalar(2.0)
            + net.zero.val().sum().mul_scalar(0.0)
            + net.frozen.val().sum();
        let mut sum = GradientSum::default();
        sum.add(net, &loss.backward());
        sum
    }

    #[test]
    fn the_norm_and_its_clipping_equal_pytorch() {
        for device in devices() {
            let net = net(&device);
            let squared = sum(&net).squared_norm(&net).unwrap().into_scalar::<f32>();
            // 4 * 3² + 2 * 1² + 2 * 2² = 46
            assert!((squared - 46.0).abs() < 1e-4);
            // torch.nn.utils.clip_grad_norm_ scales by min(1, 2 / (√46 + 1e-6)).
            assert!((clip_scale(46f64.sqrt(), 2.0) - 0.294883869).abs() < 1e-8);
            assert_eq!(clip_scale(46f64.sqrt(), 10.0), 1.0);
            assert_eq!(clip_scale(46f64.sqrt(), 0.0), 1.0);
        }
    }

    #[test]
    fn copies_under_one_id_have_their_own_gradients_and_batches_add_up() {
        for device in devices() {
            let net = net(&device);
            assert_eq!(net.twice[0].id, net.twice[1].id);
            let mut sum = sum(&net);
            sum.add(&net, &net.twice[0].val().sum().backward());
            // The order of the fields: used, twice.0, twice.1.
            let values = |grad: Option<Tensor<1>>| sensorium_testkit::floats(&grad.unwrap());
            assert_eq!(values(sum.take(1)), [2.0, 2.0]);
            assert_eq!(values(sum.take(2)), [2.0, 2.0]);
        }
    }

    #[test]
    fn parameters_that_do_not_train_are_named() {
        for device in devices() {
            let net = net(&device);
            let names: Vec<String> = sum(&net)
                .untrained(&net)
                .into_iter()
                .map(|(path, _)| path)
                .collect();
            assert_eq!(names, ["unused", "zero"]);
        }
    }
}
