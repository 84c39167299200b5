//! Normalisation by layer statistics or by root mean square, behind one name.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::host;

/// Which statistics a [`Norm`] divides by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Mean and variance (arXiv 1607.06450).
    #[default]
    Layer,
    /// Root mean square, no shift (arXiv 1910.07467).
    Rms,
}

/// Configuration of a [`Norm`].
#[derive(Clone, Debug)]
pub struct NormConfig {
    d_model: usize,
    kind: NormKind,
    epsilon: f64,
}

impl NormConfig {
    /// A layer norm over `d_model` features with the usual epsilon of 1e-5.
    pub fn new(d_model: usize) -> Self {
        Self {
            d_model,
            kind: NormKind::Layer,
            epsilon: 1e-5,
        }
    }

    /// The same over another number of features.
    pub fn with_d_model(mut self, d_model: usize) -> Self {
        self.d_model = d_model;
        self
    }

    /// Chooses the statistics.
    pub fn with_kind(mut self, kind: NormKind) -> Self {
        self.kind = kind;
        self
    }

    /// What is added before the root.
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// A norm that does nothing yet: scale one, shift zero.
    pub fn init(&self, device: &Device) -> Norm {
        match self.kind {
            NormKind::Layer => Norm {
                layer: Some(
                    LayerNormConfig::new(self.d_model)
                        .with_epsilon(self.epsilon)
                        .init(device),
                ),
                rms: None,
            },
            NormKind::Rms => Norm {
                layer: None,
                rms: Some(
                    RmsNormConfig::new(self.d_model)
                        .with_epsilon(self.epsilon)
                        .init(device),
                ),
            },
        }
    }
}

/// Layer or RMS norm over the last dimension. One of the two fields is set.
#[derive(Module, Debug)]
pub struct Norm {
    /// Set for [`NormKind::Layer`].
    pub layer: Option<LayerNorm>,
    /// Set for [`NormKind::Rms`].
    pub rms: Option<RmsNorm>,
}

impl Norm {
    /// Normalises over the last dimension; the shape is kept.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match (&self.layer, &self.rms) {
            (Some(norm), _) => norm.forward(x),
            (None, Some(norm)) if host::holds(&x) && host::holds(&norm.gamma.val()) => {
                rms_on_host(norm, x)
            }
            (None, Some(norm)) => norm.forward(x),
            (None, None) => x,
        }
    }
}

/// What an RMS norm gives, each row in its place: as one operation after the other it takes six, of which each takes longer than the
/// work on a single token.
fn rms_on_host<const D: usize>(norm: &RmsNorm, x: Tensor<D>) -> Tensor<D> {
    let [d_model] = norm.gamma.dims();
    assert_eq!(x.dims()[D - 1], d_model, "features of a norm");
    let gamma = norm.gamma.val().into_data();
    let gamma = host::numbers(&gamma);
    let epsilon = norm.epsilon as f32;
    host::rows(
        x,
        #[inline(always)]
        |_, row| {
            let mean = host::sum(row, |x| x * x) / d_model as f32;
            let root = (mean + epsilon).sqrt();
            for (x, gamma) in row.iter_mut().zip(gamma) {
                *x = *x / root * gamma;
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{assert_close, devices, floats, random};

    /// More than vector instructions take at a time, and some that are left.
    const D_MODEL: usize = 75;

    /// Rows, each normalised by `statistics`: what is taken off, and what the rest is divided by.
    fn check(norm: &Norm, gamma: &Tensor<1>, statistics: fn(&[f64]) -> (f64, f64)) {
        let x = random::<2>([3, D_MODEL], 1, &gamma.device());
        let found = floats(&norm.forward(x.clone()));
        let gamma: Vec<f64> = floats(gamma).into_iter().map(f64::from).collect();
        for (found, x) in found.chunks(D_MODEL).zip(floats(&x).chunks(D_MODEL)) {
            let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let (shift, scale) = statistics(&x);
            for i in 0..D_MODEL {
                let expected = (x[i] - shift) / scale * gamma[i];
                assert!((f64::from(found[i]) - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_root_mean_square_and_the_deviation_are_divided_by() {
        // Large enough to be seen if it stood in the wrong place.
        const EPSILON: f64 = 0.1;
        for device in devices() {
            let gamma = random::<1>([D_MODEL], 2, &device);
            let config = NormConfig::new(D_MODEL).with_epsilon(EPSILON);

            let mut norm = config.clone().with_kind(NormKind::Rms).init(&device);
            let rms = norm.rms.as_mut().unwrap();
            rms.gamma = Param::from_tensor(gamma.clone());
            check(&norm, &gamma, |x| {
                let square = x.iter().map(|x| x * x).sum::<f64>() / D_MODEL as f64;
                (0.0, (square + EPSILON).sqrt())
            });

            let mut norm = config.init(&device);
            let layer = norm.layer.as_mut().unwrap();
            layer.gamma = Param::from_tensor(gamma.clone());
            check(&norm, &gamma, |x| {
                let mean = x.iter().sum::<f64>() / D_MODEL as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / D_MODEL as f64;
                (mean, (variance + EPSILON).sqrt())
            });
        }
    }

    #[test]
    fn without_gradients_it_comes_to_the_same() {
        for device in devices() {
            let config = NormConfig::new(D_MODEL).with_kind(NormKind::Rms);
            // So many rows that threads share them.
            let x = random::<3>([2, 300, D_MODEL], 1, &device);
            let found = config.init(&device).forward(x.clone());
            let device = device.clone().autodiff();
            let x = Tensor::from_inner(x).to_device(&device);
            let expected = config.init(&device).forward(x).inner();
            assert_close(&found, &expected, 1e-6);
        }
    }
}
