//! The functions between the two linear maps of a feed-forward layer.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::activation::{gelu, gelu_approximate, relu, sigmoid, silu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::host;

/// What happens between the two linear maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x·Φ(x), exact (arXiv 1606.08415).
    #[default]
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// x·σ(1.702x), as in OpenAI's CLIP.
    QuickGelu,
    /// max(x, 0)
    Relu,
    /// x·σ(x)
    Silu,
    /// silu(gate)·up: three linear maps instead of two (arXiv 2002.05202).
    SwiGlu,
}

impl Activation {
    /// Applies the activation; for [`Activation::SwiGlu`], the one on its gate.
    ///
    /// Where tensors live in the host's memory and no gradient is wanted, many numbers go through vector instructions at
    /// once; the framework asks the C library for each.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if host::holds(&x) {
            return match self {
                Self::Gelu => host::map(x, host::gelu),
                Self::GeluTanh => host::map(x, host::gelu_tanh),
                Self::QuickGelu => host::map(x, host::quick_gelu),
                Self::Relu => relu(x),
                Self::Silu | Self::SwiGlu => host::map(x, host::silu),
            };
        }
        match self {
            Self::Gelu if !gelu_knows_infinity(&x.device()) => {
                // From far below infinity on, a number is its own GELU; shaders may not know it to compare with.
                let large = x.clone().greater_elem(1e30);
                gelu(x.clone()).mask_where(large, x)
            }
            Self::Gelu if gelu_gradient_is_right(&x.device()) => gelu(x),
            Self::Gelu => gelu_written_out(x),
            Self::GeluTanh => gelu_approximate(x),
            Self::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
            Self::Relu => relu(x),
            Self::Silu | Self::SwiGlu => silu(x),
        }
    }

    /// What [`forward`](Self::forward) gives for `gate`, times `up`: of one shape, and so is the product.
    pub(super) fn gated<const D: usize>(self, gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Silu | Self::SwiGlu if host::holds(&gate) && host::holds(&up) => host::map_both(
                gate,
                up,
                #[inline(always)]
                |gate, up| host::silu(gate) * up,
            ),
            _ => self.forward(gate) * up,
        }
    }

    /// Whether the activation multiplies with a second linear map.
    pub fn is_gated(self) -> bool {
        self == Self::SwiGlu
    }
}

/// x·Φ(x) out of the error function, whose gradient the framework has right everywhere.
fn gelu_written_out<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let share = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x * share.mul_scalar(0.5)
}

/// Whether a device's GELU of infinity is infinity.
static GELU_KNOWS_INFINITY: Asked<bool> = Asked::nobody();

/// Whether the framework's GELU of infinity is that on a device: some say that it is no number where several are worked out at once.
/// True where there are gradients, which have no meaning there.
fn gelu_knows_infinity(device: &Device) -> bool {
    device.is_autodiff()
        || GELU_KNOWS_INFINITY.answer(device, |device| {
            let mut x = [f32::INFINITY; 33];
            x[0] = f32::NAN;
            let said = gelu(Tensor::<1>::from_data(x, device)).into_data();
            said.iter::<f32>().skip(1).all(|y| y == f32::INFINITY)
        })
}

/// Whether a device's gradient of GELU is its own.
static GELU_IS_RIGHT: Asked<bool> = Asked::nobody();

/// Whether the framework's gradient of GELU is right on a device: on some it is that of the approximation by tanh, 5e-4 off, and
/// none of them says so. True where there are no gradients.
fn gelu_gradient_is_right(device: &Device) -> bool {
    !device.is_autodiff() || GELU_IS_RIGHT.answer(device, ask_gelu)
}

fn ask_gelu(device: &Device) -> bool {
    let gradient_of = |f: fn(Tensor<1>) -> Tensor<1>| {
        let x = Tensor::<1>::from_data([-2.0, -0.7, 0.4, 1.1, 2.3], device).require_grad();
        let gradients = f(x.clone()).sum().backward();
        x.grad(&gradients)
    };
    match (gradient_of(gelu), gradient_of(gelu_written_out)) {
        (Some(theirs), Some(ours)) => (theirs - ours).abs().max().into_scalar::<f32>() < 1e-5,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use sensorium_testkit::{devices, floats, random};

    /// Written out in float64, with the error function as a sum.
    fn written_out(activation: Activation, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt())),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::QuickGelu => x * sigmoid(1.702 * x),
            Activation::Relu => x.max(0.0),
            Activation::Silu | Activation::SwiGlu => x * sigmoid(x),
        }
    }

    /// Maclaurin's series near zero; beyond 4.2, where it loses digits, the error function is 1 to 3e-9.
    fn erf(x: f64) -> f64 {
        if x.abs() > 4.2 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..120 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn a_gate_multiplies_what_it_is_given_however_much_that_is() {
        for device in devices() {
            // The last are so many that threads share them.
            for shape in [[1, 7], [5, 16], [3, 30_001]] {
                let [gate, up] = [1, 2].map(|seed| random::<2>(shape, seed, &device));
                for activation in [Activation::SwiGlu, Activation::Gelu] {
                    let found = activation.gated(gate.clone(), up.clone());
                    let expected = floats(&gate).into_iter().zip(floats(&up));
                    for (found, (gate, up)) in floats(&found).into_iter().zip(expected) {
                        let gate = written_out(activation, gate.into());
                        let expected = gate * f64::from(up);
                        assert!((f64::from(found) - expected).abs() < 2e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn every_gradient_is_its_formulas_slope_on_every_device() {
        let all = [
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::QuickGelu,
            Activation::Silu,
        ];
        // Where the sum beneath has no seam.
        let xs: Vec<f32> = (-50..=50).map(|i| i as f32 * 0.1).collect();
        for device in devices().into_iter().map(Device::autodiff) {
            for activation in all {
                let x = Tensor::<1>::from_data(&xs[..], &device).require_grad();
                let gradients = activation.forward(x.clone()).sum().backward();
                let found = floats(&x.grad(&gradients).expect("a gradient"));
                for (x, found) in xs.iter().zip(found) {
                    let at = |x: f64| written_out(activation, x);
                    let expected = (at(f64::from(*x) + 1e-5) - at(f64::from(*x) - 1e-5)) / 2e-5;
                    let off = (f64::from(found) - expected).abs();
                    assert!(off < 2e-6, "{activation:?} at {x}: {found}, {expected}");
                }
            }
        }
    }

    #[test]
    fn every_activation_is_what_its_formula_says_on_every_device() {
        let all = [
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::QuickGelu,
            Activation::Relu,
            Activation::Silu,
        ];
        // An odd number, so that some are left over after whole vectors.
        let xs: Vec<f32> = (-1207..=1207).map(|i| i as f32 * 0.01).collect();
        let far = [
            0.0, -0.0, 1e-30, -1e-30, 40.0, -40.0, 200.0, -200.0, 1e8, -1e8,
        ];
        let xs = [&xs[..], &far].concat();
        for device in devices() {
            for activation in all {
                let x =
                    Tensor::<2>::from_data(TensorData::new(xs.clone(), [5, xs.len() / 5]), &device);
                let found = floats(&activation.forward(x));
                for (x, found) in xs.iter().zip(found) {
                    let expected = written_out(activation, f64::from(*x));
                    let error = (f64::from(found) - expected).abs();
                    // Elsewhere the error function may be a polynomial in single precision.
                    let exact = host::is_memory_of_the_host(&device);
                    let allowed = if exact { 4e-7 } else { 1e-6 } * expected.abs().max(1.0);
                    assert!(
                        error < allowed,
                        "{activation:?}({x}) is {found}, not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_so_and_infinities_go_where_they_should() {
        for device in devices() {
            let x = Tensor::<1>::from_floats([f32::NAN, f32::INFINITY], &device);
            let found = floats(&Activation::Gelu.forward(x.clone()));
            assert!(found[0].is_nan() && found[1] == f32::INFINITY, "{found:?}");
            let found = floats(&Activation::Silu.forward(x));
            assert!(found[0].is_nan() && found[1] == f32::INFINITY, "{found:?}");
        }
    }

    #[test]
    fn what_others_hold_and_views_are_left_as_they_are() {
        for device in devices() {
            let x = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
            let kept = x.clone();
            let turned = floats(&Activation::Silu.forward(x.clone().transpose()));
            let straight = floats(&Activation::Silu.forward(x));
            assert_eq!(turned, [straight[0], straight[2], straight[1], straight[3]]);
            assert_eq!(floats(&kept), [1.0, 2.0, 3.0, 4.0]);
        }
    }
}
