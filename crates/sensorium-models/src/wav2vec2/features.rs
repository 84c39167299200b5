//! From samples to frames: convolutions, each of which sees some frames of the one before.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{GroupNorm, GroupNormConfig};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::nn::{Activation, Norm, NormConfig};

use super::{FeatureNorm, Wav2Vec2Config};

/// Convolutions over the samples of a sound (arXiv 2006.11477, section 2).
///
/// # Differs from the reference
/// Where a [`FeatureNorm::Group`] is told what is padding, it takes mean and variance over each sound's own frames, so that
/// neighbours change nothing. The reference takes them over what is filled as well.
#[derive(Module, Debug)]
pub struct FeatureEncoder {
    /// First to last.
    pub layers: Vec<FeatureLayer>,
}

/// A convolution, its norm if it has one, and an activation.
#[derive(Module, Debug)]
pub struct FeatureLayer {
    /// Over frames.
    pub conv: Conv1d,
    /// Each channel over all frames.
    pub group: Option<GroupNorm>,
    /// Each frame over all channels.
    pub norm: Option<Norm>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    kernel: usize,
    #[module(skip)]
    stride: usize,
}

impl FeatureEncoder {
    pub(super) fn new(config: &Wav2Vec2Config, device: &Device) -> Self {
        let inputs = std::iter::once(1).chain(config.conv_dim.iter().copied());
        let layers = inputs.zip(&config.conv_dim).enumerate();
        let layer = |(i, (input, output)): (usize, (usize, &usize))| FeatureLayer {
            conv: Conv1dConfig::new(input, *output, config.conv_kernel[i])
                .with_stride(config.conv_stride[i])
                .with_bias(config.conv_bias)
                .init(device),
            group: (config.feature_norm == FeatureNorm::Group && i == 0)
                .then(|| GroupNormConfig::new(*output, *output).init(device)),
            norm: (config.feature_norm == FeatureNorm::Layer)
                .then(|| NormConfig::new(*output).init(device)),
            activation: config.feature_activation,
            kernel: config.conv_kernel[i],
            stride: config.conv_stride[i],
        };
        Self {
            layers: layers.map(layer).collect(),
        }
    }

    /// `[batch, samples]` → `[batch, frames, channels]`. What is padding, `[batch, samples]`, stands at the end of a sound;
    /// there is none where it is `None`.
    ///
    /// # Panics
    /// If there are fewer samples than a frame hears.
    pub fn forward(&self, samples: Tensor<2>, pad: Option<&Tensor<2, Bool>>) -> Tensor<3> {
        let mut x = samples.unsqueeze_dim(1); // [B, S] -> [B, 1, S]
        for layer in &self.layers {
            x = layer.forward(x, pad);
        }
        x.swap_dims(1, 2) // [B, C, F] -> [B, F, C]
    }

    /// Samples that a frame hears, and samples from one frame to the next.
    pub fn hears(&self) -> (usize, usize) {
        let steps = self.layers.iter().map(|layer| (layer.kernel, layer.stride));
        steps.fold((1, 1), |(heard, step), (kernel, stride)| {
            (heard + (kernel - 1) * step, step * stride)
        })
    }

    /// How many frames come of so many samples.
    pub fn n_frames(&self, samples: usize) -> usize {
        let (heard, step) = self.hears();
        samples.checked_sub(heard).map_or(0, |rest| rest / step + 1)
    }

    /// Which frames are padding, those that hear any: `[batch, samples]` → `[batch, frames]`, true = padding.
    ///
    /// # Panics
    /// If there are fewer samples than a frame hears.
    pub fn frame_pad(&self, pad: &Tensor<2, Bool>) -> Tensor<2, Bool> {
        let (heard, step) = self.hears();
        last_heard(pad, heard, step)
    }
}

/// Whether the last sample that each frame hears is padding, which stands at the end.
fn last_heard(pad: &Tensor<2, Bool>, heard: usize, step: usize) -> Tensor<2, Bool> {
    let [_, samples] = pad.dims();
    assert!(
        samples >= heard,
        "{samples} samples, but a frame hears {heard}"
    );
    let last: Vec<i64> = (heard - 1..samples)
        .step_by(step)
        .map(|i| i as i64)
        .collect();
    let count = last.len();
    let last = Tensor::<1, Int>::from_data(TensorData::new(last, [count]), &pad.device());
    // Backends do not all take truth values in `select`.
    pad.clone().int().select(1, last).equal_elem(1)
}

impl FeatureLayer {
    /// `[batch, channels, frames]` → `[batch, channels, frames]`, fewer of them.
    fn forward(&self, x: Tensor<3>, pad: Option<&Tensor<2, Bool>>) -> Tensor<3> {
        let x = self.conv.forward(x);
        let x = match &self.group {
            Some(norm) => {
                // Only the first convolution has one, which hears samples.
                let pad = pad.map(|pad| last_heard(pad, self.kernel, self.stride));
                each_channel(norm, x, pad)
            }
            None => x,
        };
        match &self.norm {
            Some(norm) => {
                let x = norm.forward(x.swap_dims(1, 2)); // [B, C, F] -> [B, F, C]
                self.activation.forward(x).swap_dims(1, 2)
            }
            None => self.activation.forward(x),
        }
    }
}

/// Each channel to mean 0 and variance 1 over the frames of a sound that are no padding, `[batch, frames]`, and then as
/// the norm scales and shifts it: `[batch, channels, frames]`, the shape is kept.
fn each_channel(norm: &GroupNorm, x: Tensor<3>, pad: Option<Tensor<2, Bool>>) -> Tensor<3> {
    let [batch, channels, frames] = x.dims();
    let there = pad.map(|pad| {
        let there = pad.bool_not().float().unsqueeze_dim::<3>(1); // [B, F] -> [B, 1, F]
        let count = there.clone().sum_dim(2).clamp_min(1.0); // [B, 1, 1]
        (there, count)
    });
    let mean = |x: Tensor<3>| match &there {
        Some((there, count)) => (x * there.clone()).sum_dim(2) / count.clone(),
        None => x.mean_dim(2),
    };
    let x = x.clone() - mean(x); // [B, C, F] - [B, C, 1]
    let variance = mean(x.clone().square());
    let scale = (variance + norm.epsilon).sqrt().recip(); // [B, C, 1]
    let along = |param: &burn::module::Param<Tensor<1>>| param.val().reshape([1, channels, 1]);
    let scale = match &norm.gamma {
        Some(gamma) => scale * along(gamma),
        None => scale,
    };
    let x = x * scale;
    let x = match &norm.beta {
        Some(beta) => x + along(beta),
        None => x,
    };
    debug_assert_eq!(x.dims(), [batch, channels, frames]);
    x
}
