//! A learned factor per feature on a residual branch.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

/// Multiplies each feature by a learned factor (arXiv 2103.17239, section 2): factors that begin small let a deep
/// stack begin near the identity.
#[derive(Module, Debug)]
pub struct LayerScale {
    /// `[d_model]`
    pub gamma: Param<Tensor<1>>,
}

impl LayerScale {
    /// Factors that all begin as `value`.
    pub fn new(d_model: usize, value: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Constant { value }.init([d_model], device),
        }
    }

    /// `[batch, tokens, d_model]`, the shape is kept.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.gamma.val().unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, check_gradients, devices, random};

    #[test]
    fn each_feature_has_its_factor_which_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            let mut scale = LayerScale::new(4, 0.5, &device);
            let x = random::<3>([2, 3, 4], 1, &device);
            assert_close(&scale.forward(x.clone()), &(x.clone() * 0.5), 1e-6);

            scale.gamma = Param::from_data([0.0, 1.0, 2.0, -1.0], &device);
            let factors = Tensor::<1>::from_data([0.0, 1.0, 2.0, -1.0], &device);
            let expected = x.clone() * factors.reshape([1, 1, 4]);
            assert_close(&scale.forward(x.clone()), &expected, 1e-6);

            let w = random([2, 3, 4], 2, &device);
            check_gradients(scale, |scale| (scale.forward(x) * w).sum());
        }
    }
}
