//! Numbers an output should have been, some of them unknown.

use burn::tensor::{Bool, Tensor};
use sensorium_core::assert_shape;

/// A number for each output, and which of them nobody knows.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Objective, Regression, Targets};
/// # let device = Device::flex();
/// let values = Tensor::from_data([[1.0, f32::NAN]], &device);
/// let targets = Targets::partly(values.clone(), values.is_nan());
/// let loss = Regression::absolute().loss(Tensor::from_data([[3.0, 9.0]], &device), targets);
/// assert_eq!(loss.total.into_scalar::<f32>(), 2.0);
/// ```
#[derive(Clone, Debug)]
pub struct Targets {
    /// What the output should have been, `[batch, outputs]`. Where it is unknown any number will do, NaN too.
    pub values: Tensor<2>,
    /// True where it is unknown, `[batch, outputs]`; none: all is known.
    pub unknown: Option<Tensor<2, Bool>>,
}

impl Targets {
    /// Targets that are all known.
    pub fn all(values: Tensor<2>) -> Self {
        Self {
            values,
            unknown: None,
        }
    }

    /// Targets that are unknown where the mask is true.
    ///
    /// # Panics
    /// If the mask has another shape.
    pub fn partly(values: Tensor<2>, unknown: Tensor<2, Bool>) -> Self {
        assert_shape!(unknown, values.dims());
        Self {
            values,
            unknown: Some(unknown),
        }
    }

    /// The values, 0 where unknown, for outputs of this shape.
    pub(super) fn filled(&self, shape: [usize; 2]) -> Tensor<2> {
        assert_shape!(self.values, shape);
        let values = self.values.clone();
        match &self.unknown {
            Some(unknown) => values.mask_fill(unknown.clone(), 0.0),
            None => values,
        }
    }

    /// The mean of a loss `[batch, outputs]` over what is known; 0 where nothing is.
    pub(super) fn mean(&self, loss: Tensor<2>) -> Tensor<1> {
        let Some(unknown) = &self.unknown else {
            return loss.mean();
        };
        let known = unknown.clone().bool_not().float().sum().clamp_min(1.0);
        loss.mask_fill(unknown.clone(), 0.0).sum() / known
    }
}

impl From<Tensor<2>> for Targets {
    fn from(values: Tensor<2>) -> Self {
        Self::all(values)
    }
}
