//! Stages of a Swin transformer: blocks that attend within windows, and halving the grid after them.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::Tap;
use sensorium_core::nn::{
    Attend, Attention, AttentionConfig, DropPath, FeedForward, FeedForwardConfig, Norm, NormConfig,
    linear, trunc_normal,
};
use sensorium_core::tap::in_layer;

use super::ClapAudioConfig;
use super::window::{Windows, distances};

/// The deviation with which distances begin (arXiv 2103.14030, in its code).
const BEGIN: f64 = 0.02;

/// Attention within windows, and a feed-forward part (arXiv 2103.14030, section 3.2).
#[derive(Module, Debug)]
pub struct SwinBlock {
    /// Before attention.
    pub norm_attention: Norm,
    /// Of the tokens of a window to each other.
    pub attention: Attention,
    /// `[(2 * window - 1)², heads]`: what is added to the score of two tokens by how they lie to each other.
    pub relative_position: Param<Tensor<2>>,
    /// On what attention gives.
    pub drop_path: DropPath,
    /// Before the feed-forward part.
    pub norm_feed_forward: Norm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    #[module(skip)]
    window: usize,
    #[module(skip)]
    shift: usize,
}

impl SwinBlock {
    fn new(config: &ClapAudioConfig, stage: usize, block: usize, device: &Device) -> Self {
        let (width, heads) = (config.width(stage), config.n_heads[stage]);
        let window = config.window_size;
        let norm = NormConfig::new(width).with_epsilon(config.norm_epsilon);
        let wide = 2 * window - 1;
        Self {
            norm_attention: norm.init(device),
            attention: AttentionConfig::new(width, heads)
                .with_qkv_bias(config.qkv_bias)
                .with_dropout(config.attention_dropout)
                .init(device),
            relative_position: trunc_normal([wide * wide, heads], BEGIN, device),
            drop_path: DropPath::new(drop_path(config, stage, block)),
            norm_feed_forward: norm.init(device),
            feed_forward: FeedForwardConfig::new(width, config.d_ff(stage))
                .with_activation(config.activation)
                .with_dropout(config.dropout)
                .init(device),
            window,
            shift: if block % 2 == 1 { window / 2 } else { 0 },
        }
    }

    /// `[batch, rows, columns, width]`, the shape is kept. Shows `attention.weights`
    /// `[batch * windows, heads, window², window²]`, where weights are wanted, and `output`.
    pub fn forward_with<T: Tap>(&self, x: Tensor<4>, tap: &mut T) -> Tensor<4> {
        let [batch, rows, columns, width] = x.dims();
        let windows = Windows::new([rows, columns], self.window, self.shift);
        let how = Attend {
            bias: Some(self.bias(&windows, batch, &x.device())),
            ..Attend::default()
        };
        let parts = windows.cut(self.norm_attention.forward(x.clone()));
        let parts = in_layer(tap, "attention", |tap| {
            self.attention.self_attend_with(parts, None, &how, tap)
        });
        let seen = windows.join(parts).reshape([batch, rows * columns, width]);
        let seen = self.drop_path.forward(seen);
        let x = x + seen.reshape([batch, rows, columns, width]);
        let x = x.clone() + self.feed_forward.forward(self.norm_feed_forward.forward(x));
        tap.tensor("output", x)
    }

    /// What is added to scores: `[1 or batch * windows, heads, window², window²]`.
    fn bias(&self, windows: &Windows, batch: usize, device: &Device) -> Tensor<4> {
        let tokens = self.window * self.window;
        let table = self.relative_position.val();
        let [_, heads] = table.dims();
        let places = Tensor::<1, Int>::from_data(distances(self.window).as_slice(), device);
        let near = table
            .select(0, places)
            .reshape([1, tokens, tokens, heads])
            .permute([0, 3, 1, 2]); // [T * T, H] -> [1, H, T, T]
        match windows.apart(device) {
            Some(apart) => (near + apart).repeat_dim(0, batch),
            None => near,
        }
    }
}

/// The chance of skipping a block: from nothing at the first to all of it at the last.
fn drop_path(config: &ClapAudioConfig, stage: usize, block: usize) -> f64 {
    let before: usize = config.depths[..stage].iter().sum();
    let all: usize = config.depths.iter().sum();
    match all {
        0 | 1 => 0.0,
        all => config.drop_path * (before + block) as f64 / (all - 1) as f64,
    }
}

/// Four neighbours become one token of twice the width (arXiv 2103.14030, section 3.1).
#[derive(Module, Debug)]
pub struct PatchMerging {
    /// On the four, one after the other.
    pub norm: Norm,
    /// `4 * width` → `2 * width`
    pub reduction: Linear,
}

impl PatchMerging {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            norm: NormConfig::new(4 * width).init(device),
            reduction: LinearConfig::new(4 * width, 2 * width)
                .with_bias(false)
                .init(device),
        }
    }

    /// `[batch, rows, columns, width]` → `[batch, rows / 2, columns / 2, 2 * width]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, rows, columns, width] = x.dims();
        let [down, across] = [rows / 2, columns / 2];
        // Those on the left come first.
        let four = x
            .reshape([batch, down, 2, across, 2, width])
            .permute([0, 1, 3, 4, 2, 5]) // [B, R, 2, C, 2, D] -> [B, R, C, 2, 2, D]
            .reshape([batch, down, across, 4 * width]);
        linear(&self.reduction, self.norm.forward(four))
    }
}

/// Blocks of one width, of which every second is shifted by half a window.
#[derive(Module, Debug)]
pub struct SwinStage {
    /// First to last.
    pub blocks: Vec<SwinBlock>,
    /// After them, unless it is the last stage.
    pub merging: Option<PatchMerging>,
}

impl SwinStage {
    pub(super) fn new(config: &ClapAudioConfig, stage: usize, device: &Device) -> Self {
        let is_last = stage + 1 == config.depths.len();
        let blocks = 0..config.depths[stage];
        Self {
            blocks: blocks
                .map(|block| SwinBlock::new(config, stage, block, device))
                .collect(),
            merging: (!is_last).then(|| PatchMerging::new(config.width(stage), device)),
        }
    }

    /// `[batch, rows, columns, width]` → the same, or `[batch, rows / 2, columns / 2, 2 * width]`. Shows what the blocks show
    /// under `blocks.N`, and `output`.
    pub fn forward_with<T: Tap>(&self, x: Tensor<4>, tap: &mut T) -> Tensor<4> {
        let mut x = x;
        for (number, block) in self.blocks.iter().enumerate() {
            let layer = format!("blocks.{number}");
            x = in_layer(tap, &layer, |tap| block.forward_with(x, tap));
        }
        if let Some(merging) = &self.merging {
            x = merging.forward(x);
        }
        tap.tensor("output", x)
    }
}
