//! Stochastic depth: a residual branch is skipped for a random part of the samples.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;

/// Drops a residual branch per sample in training (arXiv 1603.09382); does nothing at inference.
#[derive(Module, Debug)]
pub struct DropPath {
    dropout: Dropout,
}

impl DropPath {
    /// Drops with probability `prob`, and scales what is kept so that the mean stays.
    pub fn new(prob: f64) -> Self {
        Self {
            dropout: DropoutConfig::new(prob).init(),
        }
    }

    /// The chance that a sample's branch is dropped.
    pub fn prob(&self) -> f64 {
        self.dropout.prob
    }

    /// `[batch, tokens, d_model]`, the shape is kept.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if self.dropout.prob == 0.0 || !x.device().is_autodiff() {
            return x;
        }
        let [batch, _, _] = x.dims();
        // A dropout of one number per sample, broadcast over tokens and features.
        let one = Tensor::ones([batch, 1, 1], (&x.device(), x.dtype()));
        let keep = self.dropout.forward(one);
        x * keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use sensorium_testkit::{assert_close, devices, floats, random};

    #[test]
    fn a_sample_is_dropped_whole_or_scaled_up() {
        const SAMPLES: usize = 400;
        for device in devices().into_iter().map(Device::autodiff) {
            device.seed(1);
            let x = random::<3>([SAMPLES, 2, 3], 1, &device);
            let out = floats(&DropPath::new(0.25).forward(x.clone()));
            let mut dropped = 0;
            for (out, x) in out.chunks(6).zip(floats(&x).chunks(6)) {
                if out.iter().all(|o| *o == 0.0) {
                    dropped += 1;
                    continue;
                }
                for (out, x) in out.iter().zip(x) {
                    assert!((out - x / 0.75).abs() < 1e-5, "{out} of {x}");
                }
            }
            // A quarter, give or take four deviations.
            assert!((65..=135).contains(&dropped), "{dropped} of {SAMPLES}");
        }
    }

    #[test]
    fn nothing_is_dropped_at_inference_or_by_chance_zero() {
        for device in devices() {
            let x = random::<3>([8, 2, 3], 1, &device);
            assert_close(&x, &DropPath::new(0.5).forward(x.clone()), 0.0);
            let x = random::<3>([8, 2, 3], 1, &device.autodiff());
            assert_close(&x, &DropPath::new(0.0).forward(x.clone()), 0.0);
        }
    }
}
