//! Regression: numbers that should come close to others.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Loss, Objective, Targets};

/// The distance of outputs `[batch, outputs]` from numbers, averaged over the targets that are known.
///
/// Squared error finds the mean and is led by the farthest sample; absolute error finds the median and forgives
/// outliers; Huber's loss is the one near the target and the other far from it. All are defined as by PyTorch's
/// `MSELoss`, `L1Loss` and `HuberLoss`. Give targets a scale of about 1 (subtract their mean, divide by their
/// deviation): learning rates and Huber's δ are meant for that. A batch without any known target has loss 0.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Objective, Regression};
/// # let device = Device::flex();
/// let output = Tensor::from_data([[0.5], [3.0]], &device);
/// let target = Tensor::from_data([[0.0], [0.0]], &device);
/// let loss = Regression::huber(1.0).loss(output, target.into()).total.into_scalar::<f32>();
/// assert_eq!(loss, (0.125 + 2.5) / 2.0);
/// ```
#[derive(Module, Debug)]
pub struct Regression {
    #[module(skip)]
    distance: Distance,
}

#[derive(Clone, Copy, Debug)]
enum Distance {
    Squared,
    Absolute,
    Huber(f64),
}

impl Regression {
    /// Mean squared error.
    pub fn squared() -> Self {
        Self {
            distance: Distance::Squared,
        }
    }

    /// Mean absolute error.
    pub fn absolute() -> Self {
        Self {
            distance: Distance::Absolute,
        }
    }

    /// Huber's loss (Annals of Mathematical Statistics 35, 1964): e² / 2 up to an error of δ, δ (|e| - δ / 2) beyond.
    ///
    /// # Panics
    /// If δ is not positive and finite.
    pub fn huber(delta: f64) -> Self {
        assert!(
            delta > 0.0 && delta.is_finite(),
            "delta must be positive, not {delta}"
        );
        Self {
            distance: Distance::Huber(delta),
        }
    }
}

impl Objective for Regression {
    type Output = Tensor<2>;
    type Target = Targets;

    fn loss(&self, output: Tensor<2>, targets: Targets) -> Loss {
        let values = targets.filled(output.dims());
        let error = output - values;
        let distance = match self.distance {
            Distance::Squared => error.square(),
            Distance::Absolute => error.abs(),
            Distance::Huber(delta) => {
                let far = error.abs();
                let near = far.clone().clamp_max(delta);
                near.clone().square().mul_scalar(0.5) + (far - near).mul_scalar(delta)
            }
        };
        Loss::new(targets.mean(distance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, floats, random};

    #[test]
    fn it_equals_the_definition_over_what_is_known() {
        type Definition = fn(f64) -> f64;
        let cases: [(Regression, Definition); 3] = [
            (Regression::squared(), |e| e * e),
            (Regression::absolute(), f64::abs),
            (Regression::huber(0.7), |e| match e.abs() {
                e if e <= 0.7 => e * e / 2.0,
                e => 0.7 * (e - 0.35),
            }),
        ];
        for device in devices() {
            let output = random::<2>([4, 3], 3, &device).mul_scalar(3.0);
            let target = random::<2>([4, 3], 4, &device);
            let unknown = random::<2>([4, 3], 5, &device).greater_elem(0.3);
            let pairs = floats(&output).into_iter().zip(floats(&target));
            let unknowns = sensorium_testkit::bools(&unknown);
            let known = pairs.zip(unknowns).filter(|(_, unknown)| !unknown);
            let errors: Vec<f64> = known.map(|((a, b), _)| f64::from(a - b)).collect();
            assert!(errors.len() > 4 && errors.len() < 12);
            // What is unknown may be anything.
            let values = target.clone().mask_fill(unknown.clone(), f32::NAN);
            for (objective, definition) in &cases {
                let targets = Targets::partly(values.clone(), unknown.clone());
                let found = objective
                    .loss(output.clone(), targets)
                    .total
                    .into_scalar::<f32>();
                let sum: f64 = errors.iter().copied().map(definition).sum();
                let expected = sum / errors.len() as f64;
                assert!(
                    (f64::from(found) - expected).abs() < 1e-5,
                    "{objective:?}: {found}"
                );
            }
        }
    }

    #[test]
    fn the_gradient_reaches_the_output_and_none_of_what_is_unknown() {
        for device in devices() {
            let output = Param::from_tensor(random([3, 2], 7, &device));
            let target = Tensor::zeros([3, 2], &device.clone().autodiff());
            for objective in [
                Regression::squared(),
                Regression::absolute(),
                Regression::huber(0.5),
            ] {
                check_gradients(output.clone(), |output| {
                    objective
                        .loss(output.val(), Targets::all(target.clone()))
                        .total
                });
            }
            let on = device.autodiff();
            let output = random::<2>([1, 2], 8, &on).require_grad();
            let values = Tensor::<2>::from_data([[0.0, f32::NAN]], &on);
            let targets = Targets::partly(values.clone(), values.is_nan());
            let total = Regression::squared().loss(output.clone(), targets).total;
            let grads = floats(&output.grad(&total.backward()).unwrap());
            assert!(grads[0] != 0.0 && grads[1] == 0.0, "{grads:?}");
        }
    }
}
