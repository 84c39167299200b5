//! From a spectrogram to the square that the tower looks at.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::ClapAudioConfig;
use super::batch_norm::{batch_norm, learns};
use super::rows::{among, indices};

/// Normalises the bands of a spectrogram, cuts it in time, and lays the parts below each other (arXiv 2202.00874, section
/// 2.1): early times at the top, low bands first in each.
#[derive(Module, Debug)]
pub struct SpectrogramImage {
    /// Each band by what it is over time, in all views and sounds.
    pub norm: BatchNorm,
    #[module(skip)]
    spectrogram: [usize; 2],
    #[module(skip)]
    parts: usize,
}

impl SpectrogramImage {
    pub(super) fn new(config: &ClapAudioConfig, device: &Device) -> Self {
        Self {
            norm: BatchNormConfig::new(config.n_mels).init(device),
            spectrogram: config.spectrogram(),
            parts: config.freq_ratio(),
        }
    }

    /// The most frames of a view.
    pub fn max_frames(&self) -> usize {
        self.spectrogram[0]
    }

    /// Whether bands are normalised by the batch at hand.
    pub(super) fn learns(&self, device: &Device) -> bool {
        learns(&self.norm, device)
    }

    /// `[batch, views, frames, bands]` → `[batch, views, side, side]`. Bands are normalised in the sounds at `rows`, which rise,
    /// or in all: what is absent has no part in what a batch is.
    pub(super) fn forward(&self, features: Tensor<4>, rows: Option<&[usize]>) -> Tensor<4> {
        let bands = features.swap_dims(1, 3); // [B, V, T, F] -> [B, F, T, V]
        let bands = match rows {
            Some(rows) => among(bands, rows, |bands| batch_norm(&self.norm, bands)),
            None => batch_norm(&self.norm, bands),
        };
        let [frames, height] = self.spectrogram;
        let x = stretched(bands.swap_dims(1, 3), 2, frames);
        let x = stretched(x, 3, height);
        let [batch, views, _, _] = x.dims();
        let (parts, width) = (self.parts, frames / self.parts);
        x.reshape([batch, views * parts, width, height]) // [B, V, T, F] -> [B, V * P, T / P, F]
            .swap_dims(2, 3)
            .reshape([batch, views, parts * height, width])
    }
}

/// Cubic convolution along one dimension over four neighbours (Keys 1981, a = -0.75), the ends on the ends and repeated:
/// PyTorch's bicubic `interpolate` with `align_corners=True`.
fn stretched(x: Tensor<4>, dim: usize, to: usize) -> Tensor<4> {
    let from = x.dims()[dim];
    if from == to {
        return x;
    }
    let device = x.device();
    let scale = match to {
        1 => 0.0,
        to => (from - 1) as f32 / (to - 1) as f32,
    };
    let neighbours = [-1i64, 0, 1, 2].map(|neighbour| {
        let (mut places, mut weights) = (Vec::with_capacity(to), Vec::with_capacity(to));
        for place in 0..to {
            let centre = scale * place as f32;
            let at = centre.floor();
            let near = (at as i64 + neighbour).clamp(0, from as i64 - 1);
            places.push(near as usize);
            weights.push(keys(at + neighbour as f32 - centre));
        }
        let mut shape = [1; 4];
        shape[dim] = to;
        let weights = Tensor::<4>::from_data(TensorData::new(weights, shape), &device);
        x.clone().select(dim, indices(&places, &device)) * weights
    });
    let [before, first, second, after] = neighbours;
    before + first + second + after
}

/// The kernel of cubic convolution.
fn keys(x: f32) -> f32 {
    const A: f32 = -0.75;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}
