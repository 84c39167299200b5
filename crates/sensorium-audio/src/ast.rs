//! The audio spectrogram transformer: features cut into patches, each a token.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::nn::{Transformer, TransformerConfig, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Maskable, Modality, Opened, Tap, Tokens, assert_shape, need};

use crate::{AUDIO, AudioBatch, Error};

/// Configuration of an [`Ast`].
#[derive(Clone, Debug, PartialEq)]
pub struct AstConfig {
    /// Bands of the features.
    pub n_mels: usize,
    /// The most frames.
    pub max_frames: usize,
    /// Frames of a patch.
    pub patch_frames: usize,
    /// Bands of a patch; a divisor of `n_mels`.
    pub patch_mels: usize,
    /// Width of the tokens.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part.
    pub d_ff: usize,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// Chance of skipping the last block's residual branches in training.
    pub drop_path: f64,
}

impl AstConfig {
    /// Square patches of `patch` frames and bands, and a feed-forward width of `4 * d_model`.
    pub fn new(
        n_mels: usize,
        max_frames: usize,
        patch: usize,
        d_model: usize,
        n_layers: usize,
        n_heads: usize,
    ) -> Self {
        Self {
            n_mels,
            max_frames,
            patch_frames: patch,
            patch_mels: patch,
            d_model,
            n_layers,
            n_heads,
            d_ff: d_model.saturating_mul(4),
            dropout: 0.0,
            drop_path: 0.0,
        }
    }

    /// The sizes of the paper (arXiv 2104.01778, section 2): 128 bands, ten seconds of frames, patches of 16 x 16,
    /// the transformer of ViT-B. Patches do not overlap here; the paper's overlap by 6.
    pub fn base() -> Self {
        Self::new(128, 1024, 16, 768, 12, 12)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_ff: 12,
            ..Self::new(8, 12, 4, 8, 2, 2)
        }
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        need(
            (1..=1 << 20).contains(&self.patch_frames),
            "patch_frames",
            || format!("{} must be at least 1", self.patch_frames),
        )?;
        let divides = self.patch_mels > 0 && self.n_mels.is_multiple_of(self.patch_mels);
        need(divides, "patch_mels", || {
            format!("{} must divide n_mels = {}", self.patch_mels, self.n_mels)
        })?;
        Ok(self.transformer().validate()?)
    }

    /// Patches over time, and over the bands.
    pub fn grid(&self) -> [usize; 2] {
        [
            self.max_frames.div_ceil(self.patch_frames),
            self.n_mels / self.patch_mels,
        ]
    }

    /// A freshly initialised encoder.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> Ast {
        let [times, bands] = self.grid();
        Ast {
            patch: LinearConfig::new(self.patch_frames * self.patch_mels, self.d_model)
                .init(device),
            position: trunc_normal([times, bands, self.d_model], 0.02, device),
            transformer: self.transformer().init(device),
            patch_frames: self.patch_frames,
            patch_mels: self.patch_mels,
            d_model: self.d_model,
        }
    }

    fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_dropout(self.dropout)
            .with_drop_path(self.drop_path)
            .with_fused_qkv(true)
    }
}

/// Sound tokens from log-mel features (arXiv 2104.01778), without a class token: pool what comes out.
///
/// # Shapes
/// `[batch, frames, n_mels]` → `[batch, frames / patch_frames * n_mels / patch_mels, d_model]`, time first.
#[derive(Module, Debug)]
pub struct Ast {
    /// A patch's numbers → `d_model`.
    pub patch: Linear,
    /// `[patches over time, patches over bands, d_model]`
    pub position: Param<Tensor<3>>,
    /// The blocks.
    pub transformer: Transformer,
    #[module(skip)]
    patch_frames: usize,
    #[module(skip)]
    patch_mels: usize,
    #[module(skip)]
    d_model: usize,
}

impl Ast {
    /// `[B, F, M]` → `[B, T, N, patch]`: T patches over time, N over bands.
    fn patches(&self, features: Tensor<3>) -> Tensor<4> {
        let [batch, frames, mels] = features.dims();
        let (pf, pm) = (self.patch_frames, self.patch_mels);
        assert!(
            frames.is_multiple_of(pf) && mels.is_multiple_of(pm),
            "{frames} frames of {mels} bands do not make whole patches of {pf} x {pm}"
        );
        features
            .reshape([batch, frames / pf, pf, mels / pm, pm]) // [B, T, pf, N, pm]
            .swap_dims(2, 3)
            .reshape([batch, frames / pf, mels / pm, pf * pm])
    }

    /// A patch is padding if all of its frames are: `[B, F]` → `[B, T * N]`.
    fn pad(&self, pad: Tensor<2, Bool>, bands: usize) -> Tensor<2, Bool> {
        let [batch, frames] = pad.dims();
        let times = frames / self.patch_frames;
        let sound = pad
            .bool_not()
            .reshape([batch, times, self.patch_frames])
            .any_dim(2); // [B, T, 1]
        sound
            .bool_not()
            .expand([batch, times, bands])
            .reshape([batch, times * bands])
    }
}

impl Encoder for Ast {
    const MODALITY: Modality = AUDIO;
    type Batch = AudioBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    fn encode_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tokens {
        let opened = self.open_with(batch, tap);
        self.close_with(opened.tokens, tap)
    }
}

impl Maskable for Ast {
    fn d_content(&self) -> usize {
        self.patch_frames * self.patch_mels
    }

    fn grid(&self) -> [usize; 2] {
        let [times, bands, _] = self.position.shape().dims();
        [times, bands]
    }

    /// Contents are the features of a patch, frame by frame. A patch at the end of a sound may hold frames of padding; they
    /// count as they are.
    ///
    /// # Panics
    /// If there are more frames than positions, or they do not make whole patches.
    fn open_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Opened {
        let AudioBatch { features, pad } = batch;
        let patches = self.patches(features.cast(self.patch.weight.val().dtype()));
        let [most, bands, d] = self.position.shape().dims();
        let [n, times, _, patch] = patches.dims();
        assert_shape!(patches, [n, times, bands, patch]);
        assert!(
            times <= most,
            "{times} patches over time, but there are only {most} positions"
        );
        let positions = self
            .position
            .val()
            .slice([0..times, 0..bands, 0..d])
            .unsqueeze_dim(0);
        let embeds = self.patch.forward(patches.clone()) + positions;
        let embeds = tap.tensor("patches", embeds.reshape([n, times * bands, d]));
        let contents = patches.reshape([n, times * bands, patch]);
        Opened::new(Tokens::new(embeds, self.pad(pad, bands)), contents)
    }

    fn close_with<T: Tap>(&self, tokens: Tokens, tap: &mut T) -> Tokens {
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(tokens, tap)
        })
    }
}
