//! The tower, and the head that classifies sounds.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_audio::{AUDIO, AudioBatch};
use sensorium_core::nn::{Norm, NormConfig, Transformer, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Logits, Modality, Model, NoTap, Tap, Tokens, assert_shape, present};

use super::AstConfig;

/// The deviation with which tokens and positions begin (`initializer_range`).
const BEGIN: f64 = 0.02;

/// A spectrogram as tokens: two of its own, and overlapping patches, all of the lowest bands first.
#[derive(Module, Debug)]
pub struct AstEmbeddings {
    /// `[1, 1, d_model]`, the token that comes first.
    pub class: Param<Tensor<3>>,
    /// `[1, 1, d_model]`, the second: DeiT's, whose weights the paper begins with.
    pub distillation: Param<Tensor<3>>,
    /// Patches to vectors.
    pub patch: Conv2d,
    /// `[1, 2 + patches, d_model]`
    pub position: Param<Tensor<3>>,
    /// On the sum.
    pub dropout: Dropout,
    #[module(skip)]
    max_length: usize,
    #[module(skip)]
    n_mels: usize,
}

impl AstEmbeddings {
    fn new(config: &AstConfig, device: &Device) -> Self {
        let (d_model, side) = (config.d_model, config.patch_size);
        let strides = [config.frequency_stride, config.time_stride];
        Self {
            class: trunc_normal([1, 1, d_model], BEGIN, device),
            distillation: trunc_normal([1, 1, d_model], BEGIN, device),
            patch: Conv2dConfig::new([1, d_model], [side; 2])
                .with_stride(strides)
                .init(device),
            position: trunc_normal([1, config.n_tokens(), d_model], BEGIN, device),
            dropout: DropoutConfig::new(config.dropout).init(),
            max_length: config.max_length,
            n_mels: config.n_mels,
        }
    }

    /// `[batch, frames, n_mels]` → `[batch, 2 + patches, d_model]`
    ///
    /// # Panics
    /// If there are other frames or bands than the model's.
    pub fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let [batch, _, _] = features.dims();
        assert_shape!(features, [batch, self.max_length, self.n_mels]);
        let spectrogram = features.swap_dims(1, 2).unsqueeze_dim(1); // [B, F, M] -> [B, 1, M, F]
        let patches = self.patch.forward(spectrogram).flatten::<3>(2, 3); // [B, D, rows * columns]
        let each = |token: Tensor<3>| {
            let [_, _, d_model] = token.dims();
            token.expand([batch, 1, d_model]) // [1, 1, D] -> [B, 1, D]
        };
        let (class, second) = (self.class.val(), self.distillation.val());
        let tokens = Tensor::cat(vec![each(class), each(second), patches.swap_dims(1, 2)], 1);
        self.dropout.forward(tokens + self.position.val())
    }
}

/// An audio spectrogram transformer without a head (arXiv 2104.01778).
#[derive(Module, Debug)]
pub struct AstModel {
    /// Features to tokens.
    pub embeddings: AstEmbeddings,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
}

impl AstModel {
    pub(super) fn new(config: &AstConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        Self {
            embeddings: AstEmbeddings::new(config, device),
            encoder: config.transformer().init(device),
        }
    }

    /// The model's own embedding, the mean of its own two tokens after the last norm: `[batch, d_model]`. Unspecified where
    /// a sound is absent.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: AudioBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing to the tap what [`encode_with`](Encoder::encode_with) shows.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tensor<2> {
        let tokens = self.encode_with(batch, tap);
        tokens.embeds.narrow(1, 0, 2).mean_dim(1).squeeze_dim(1) // [B, 2, D] -> [B, D]
    }
}

impl Encoder for AstModel {
    const MODALITY: Modality = AUDIO;
    type Batch = AudioBatch;

    fn d_output(&self) -> usize {
        let [_, _, d_model] = self.embeddings.class.shape().dims();
        d_model
    }

    /// `[batch, frames, n_mels]` → `[batch, 2 + patches, d_model]`. A sound is as long as the model was made for: what is
    /// filled at its end is heard, and no token of a sound is padding. Shows `embeds`, `encoder.blocks.N.output` and
    /// `encoder.output` to the tap, and `encoder.blocks.N.attention.weights` where weights are wanted.
    ///
    /// # Panics
    /// If there are other frames or bands than the model's.
    fn encode_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tokens {
        let AudioBatch { features, pad } = batch;
        let present = present(pad);
        let embeds = tap.tensor("embeds", self.embeddings.forward(features));
        let embeds = in_layer(tap, "encoder", |tap| {
            self.encoder.forward_dense_with(embeds, tap)
        });
        Tokens::with_presence(embeds, present)
    }
}

/// A tower, and a norm and a linear map on its embedding.
#[derive(Module, Debug)]
pub struct AstForAudioClassification {
    /// The tower.
    pub ast: AstModel,
    /// On the embedding.
    pub norm: Norm,
    /// `d_model` → classes
    pub classifier: Linear,
}

impl AstForAudioClassification {
    pub(super) fn new(config: &AstConfig, device: &Device) -> Self {
        let norm = NormConfig::new(config.d_model).with_epsilon(config.norm_epsilon);
        Self {
            ast: config.init(device),
            norm: norm.init(device),
            classifier: LinearConfig::new(config.d_model, config.labels().len()).init(device),
        }
    }
}

impl Model for AstForAudioClassification {
    type Batch = AudioBatch;
    /// `[batch, classes]`; unspecified where a sound is absent.
    type Output = Logits;

    /// Shows the tower's intermediates under `ast`, and `logits`.
    fn run_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Logits {
        let embedding = in_layer(tap, "ast", |tap| self.ast.embed_with(batch, tap));
        let embedding = self.norm.forward(embedding);
        tap.tensor("logits", self.classifier.forward(embedding))
    }
}
