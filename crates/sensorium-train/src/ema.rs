//! An exponential moving average of the weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::container::TensorContainer;
use sensorium_core::with_autodiff_of;

/// A running average of a module's trainable parameters, on the plain device. What does not train (frozen parameters,
/// running statistics) is copied.
#[derive(Clone, Debug)]
pub(crate) struct Ema<M> {
    /// The averaged module, in `valid()` mode.
    pub(crate) average: M,
    decay: f64,
    /// How many updates went into it.
    pub(crate) updates: usize,
}

impl<M: Module> Ema<M> {
    /// Starts at the module as it is, or goes on with an average of so many updates.
    pub(crate) fn new(module: &M, decay: f64, updates: usize) -> Self {
        Self {
            average: module.valid(),
            decay,
            updates,
        }
    }

    /// average ← d · average + (1 - d) · module. After t updates d is min(decay, (1 + t) / (10 + t)), so that the
    /// first weights, which are noise, are soon forgotten: the warm-up of TensorFlow's `ExponentialMovingAverage`.
    pub(crate) fn update(self, module: &M) -> Self {
        let t = self.updates as f64;
        let decay = self.decay.min((1.0 + t) / (10.0 + t));
        Self {
            average: averaged(self.average, module, decay),
            decay: self.decay,
            updates: self.updates + 1,
        }
    }
}

/// decay · average + (1 - decay) · module for what trains in the module; the rest is copied. The average stays on its
/// device, with or without autodiff.
pub(crate) fn averaged<M: Module>(average: M, module: &M, decay: f64) -> M {
    let mut look = Look {
        place: 0,
        values: TensorContainer::new(),
    };
    module.visit(&mut look);
    average.map(&mut Average {
        place: 0,
        decay,
        values: look.values,
    })
}

/// Collects the values, and whether they train, by their place in the module's order.
struct Look {
    place: usize,
    values: TensorContainer<usize>,
}

#[derive(Clone)]
struct Seen<const D: usize> {
    value: Tensor<D>,
    trains: bool,
}

impl ModuleVisitor for Look {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.base();
        let trains = value.is_require_grad();
        self.values.register(
            self.place,
            Seen {
                value: value.inner(),
                trains,
            },
        );
        self.place += 1;
    }
}

struct Average {
    place: usize,
    decay: f64,
    values: TensorContainer<usize>,
}

impl ModuleMapper for Average {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let place = self.place;
        self.place += 1;
        let Some(Seen { value, trains }) = self.values.remove::<Seen<D>>(&place) else {
            return param;
        };
        let decay = self.decay;
        param.map(|average| {
            let value = with_autodiff_of(value, &average.device());
            match trains {
                true => average.mul_scalar(decay) + value.mul_scalar(1.0 - decay),
                false => value,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{devices, floats};

    #[derive(Module, Debug)]
    struct Net {
        trained: Param<Tensor<1>>,
        frozen: Param<Tensor<1>>,
    }

    #[test]
    fn it_warms_up_to_the_decay_and_copies_what_is_frozen() {
        for device in devices() {
            let net = |value: f32| {
                let tensor = || Tensor::from_data([value], &device);
                Net {
                    trained: Param::from_tensor(tensor()),
                    frozen: Param::from_tensor(tensor()).set_require_grad(false),
                }
                .train()
            };
            let mut ema = Ema::new(&net(0.0), 0.15, 0);
            let mut expected = 0.0;
            for decay in [0.1, 0.15, 0.15] {
                ema = ema.update(&net(1.0));
                expected = decay * expected + (1.0 - decay);
                let found = floats(&ema.average.trained.val())[0];
                assert!(
                    (f64::from(found) - expected).abs() < 1e-6,
                    "{found} instead of {expected}"
                );
                assert_eq!(floats(&ema.average.frozen.val()), [1.0]);
            }
            assert_eq!(ema.updates, 3);
            assert!(!ema.average.trained.val().is_autodiff());
        }
    }
}
