//! Patches of the square, and crops of a sound that is too long, fused with all of it.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Norm, NormConfig};

use super::ClapAudioConfig;
use super::batch_norm::batch_norm;
use super::rows::{among, pick};

/// A square as tokens.
#[derive(Module, Debug)]
pub struct ClapPatches {
    /// Patches to vectors: of the whole sound, where views are fused.
    pub patch: Conv2d,
    /// Crops and how they are fused with the whole, where they are.
    pub crops: Option<Crops>,
    /// On the tokens, if there is one.
    pub norm: Option<Norm>,
}

/// Crops of a sound that is too long.
#[derive(Module, Debug)]
pub struct Crops {
    /// Patches of three times the width to vectors.
    pub patch: Conv2d,
    /// Joins them with the whole.
    pub fusion: AttentionalFusion,
}

fn patch(config: &ClapAudioConfig, wider: usize, device: &Device) -> Conv2d {
    let ([height, width], [down, across]) = (config.patch_size, config.patch_stride);
    let [vertical, horizontal] = [(height - down) / 2, (width - across) / 2];
    Conv2dConfig::new([config.channels, config.d_patch], [height, wider * width])
        .with_stride([down, wider * across])
        .with_padding(PaddingConfig2d::Explicit(
            vertical, horizontal, vertical, horizontal,
        ))
        .init(device)
}

impl ClapPatches {
    pub(super) fn new(config: &ClapAudioConfig, device: &Device) -> Self {
        let crops = || Crops {
            patch: patch(config, 3, device),
            fusion: AttentionalFusion::new(config, device),
        };
        Self {
            patch: patch(config, 1, device),
            crops: config.fusion.then(crops),
            norm: config
                .patch_norm
                .then(|| NormConfig::new(config.d_patch).init(device)),
        }
    }

    /// `[batch, views, side, side]` → `[batch, rows, columns, d_patch]`. Of the sounds at `longer`, which rise, the crops are
    /// fused with the whole; nobody looks at those of others.
    pub(super) fn forward(&self, image: Tensor<4>, longer: &[usize]) -> Tensor<4> {
        let whole = self.patch.forward(image.clone().narrow(1, 0, 1)); // [B, 1, S, S] -> [B, D, R, C]
        let x = match &self.crops {
            Some(crops) if !longer.is_empty() => {
                let [_, _, _, columns] = whole.dims();
                let seen = crops.see(pick(image, longer), columns);
                among(whole, longer, |whole| crops.fusion.forward(whole, seen))
            }
            _ => whole,
        };
        let x = x.permute([0, 2, 3, 1]); // [B, D, R, C] -> [B, R, C, D]
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

impl Crops {
    /// Patches of the crops beside each other, as wide as the whole: `[n, views, side, side]` → `[n, d_patch, rows, columns]`.
    fn see(&self, image: Tensor<4>, columns: usize) -> Tensor<4> {
        let [n, views, side, _] = image.dims();
        let crops = views - 1;
        let image = image
            .narrow(1, 1, crops)
            .reshape([n * crops, 1, side, side]);
        let seen = self.patch.forward(image); // [n * 3, D, R, C']
        let [_, d, rows, part] = seen.dims();
        let seen = seen
            .reshape([n, crops, d, rows, part])
            .permute([0, 2, 3, 1, 4]) // [n, 3, D, R, C'] -> [n, D, R, 3, C']
            .reshape([n, d, rows, crops * part]);
        match columns - crops * part {
            0 => seen,
            missing => {
                let missing = Tensor::zeros([n, d, rows, missing], &seen.device());
                Tensor::cat(vec![seen, missing], 3)
            }
        }
    }
}

/// Attentional feature fusion: of two maps, place by place and feature by feature, a share of each (arXiv 2009.14082).
#[derive(Module, Debug)]
pub struct AttentionalFusion {
    /// What each place says.
    pub local: Bottleneck,
    /// What the mean of all places says.
    pub global: Bottleneck,
}

impl AttentionalFusion {
    fn new(config: &ClapAudioConfig, device: &Device) -> Self {
        let bottleneck =
            || Bottleneck::new(config.d_patch, config.d_patch / config.fusion_ratio, device);
        Self {
            local: bottleneck(),
            global: bottleneck(),
        }
    }

    /// Two maps `[n, d, rows, columns]` → one.
    pub fn forward(&self, a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
        let both = a.clone() + b.clone();
        let mean = both.clone().mean_dim(2).mean_dim(3); // [n, D, 1, 1]
        let share = sigmoid(self.local.forward(both) + self.global.forward(mean));
        let rest = share.clone().neg().add_scalar(1.0);
        (a * share + b * rest).mul_scalar(2.0)
    }
}

/// Two maps of features, each normalised over the batch, the first to fewer. What their biases add is taken off again while
/// a batch norm learns, so that no loss sees them: they are not trained.
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// To fewer features.
    pub down: Conv2d,
    /// On them.
    pub norm_down: BatchNorm,
    /// Back to all features.
    pub up: Conv2d,
    /// On them.
    pub norm_up: BatchNorm,
}

impl Bottleneck {
    fn new(d: usize, inside: usize, device: &Device) -> Self {
        let map = |from, to| {
            let mut map = Conv2dConfig::new([from, to], [1, 1]).init(device);
            map.bias = map.bias.map(|bias| bias.set_require_grad(false));
            map
        };
        Self {
            down: map(d, inside),
            norm_down: BatchNormConfig::new(inside).init(device),
            up: map(inside, d),
            norm_up: BatchNormConfig::new(d).init(device),
        }
    }

    /// `[n, d, rows, columns]`, the shape is kept.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inside = relu(batch_norm(&self.norm_down, self.down.forward(x)));
        batch_norm(&self.norm_up, self.up.forward(inside))
    }
}
