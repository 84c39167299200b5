//! The tower: convolutions over samples, what tells positions apart, and blocks.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_audio::{AUDIO, AudioBatch};
use sensorium_core::nn::{Norm, NormConfig, Transformer, linear};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, Tap, Tokens, assert_shape};

use super::{FeatureEncoder, PositionalConv, Wav2Vec2Config};

/// Sounds as samples, and what training hides of them.
#[derive(Clone, Debug)]
pub struct Wav2Vec2Input {
    /// `[batch, samples]`
    pub samples: Tensor<2>,
    /// `[batch, samples]`, true = padding, which stands at the end of a sound. `None` hears all there is, as the base models
    /// were trained to.
    pub pad: Option<Tensor<2, Bool>>,
    /// `[batch, tokens]`, true = hidden.
    pub hidden: Option<Tensor<2, Bool>>,
    /// `[batch, d_model]`, true = zero in all tokens.
    pub hidden_features: Option<Tensor<2, Bool>>,
}

impl Wav2Vec2Input {
    /// Sounds of one length: `[batch, samples]`.
    pub fn dense(samples: Tensor<2>) -> Self {
        Self {
            samples,
            pad: None,
            hidden: None,
            hidden_features: None,
        }
    }

    /// Tokens to be hidden, `[batch, tokens]`, true = hidden; see [`hidden_spans`](super::hidden_spans).
    pub fn with_hidden(mut self, hidden: Tensor<2, Bool>) -> Self {
        self.hidden = Some(hidden);
        self
    }

    /// Features to be zero in all tokens, `[batch, d_model]`.
    pub fn with_hidden_features(mut self, hidden: Tensor<2, Bool>) -> Self {
        self.hidden_features = Some(hidden);
        self
    }
}

impl From<AudioBatch> for Wav2Vec2Input {
    /// `[batch, samples, 1]`, as [`SoundProcessor`](sensorium_audio::SoundProcessor) makes them.
    fn from(AudioBatch { features, pad }: AudioBatch) -> Self {
        let [batch, samples, _] = features.dims();
        assert_shape!(features, [batch, samples, 1]);
        Self {
            pad: Some(pad),
            ..Self::dense(features.reshape([batch, samples]))
        }
    }
}

/// From channels to tokens.
#[derive(Module, Debug)]
pub struct FeatureProjection {
    /// On what the convolutions give.
    pub norm: Option<Norm>,
    /// The last convolution's channels → `d_model`
    pub linear: Linear,
    /// On the tokens.
    pub dropout: Dropout,
}

impl FeatureProjection {
    fn new(config: &Wav2Vec2Config, device: &Device) -> Self {
        let channels = config.conv_dim.last().copied().unwrap_or(1);
        let norm = NormConfig::new(channels).with_epsilon(config.norm_epsilon);
        Self {
            norm: config.projection_norm.then(|| norm.init(device)),
            linear: LinearConfig::new(channels, config.d_model).init(device),
            dropout: DropoutConfig::new(config.projection_dropout).init(),
        }
    }

    /// `[batch, frames, channels]` → `[batch, frames, d_model]`
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        self.dropout.forward(linear(&self.linear, x))
    }
}

/// wav2vec 2.0 or HuBERT without a head (arXiv 2006.11477, 2106.07447).
#[derive(Module, Debug)]
pub struct Wav2Vec2Model {
    /// Samples to channels.
    pub features: FeatureEncoder,
    /// Channels to tokens.
    pub projection: FeatureProjection,
    /// `[d_model]`: what stands for a token that is hidden. A model that never hides any has none, and so have some
    /// checkpoints of models that do: see [`with_mask`](Self::with_mask).
    pub mask: Option<Param<Tensor<1>>>,
    /// What is added to tell positions apart.
    pub position: PositionalConv,
    /// Before the blocks, if norms do not stand inside them.
    pub norm: Option<Norm>,
    /// On what the blocks take.
    pub dropout: Dropout,
    /// The blocks, and the norm after them where norms stand inside.
    pub encoder: Transformer,
    #[module(skip)]
    d_model: usize,
}

impl Wav2Vec2Model {
    pub(super) fn new(config: &Wav2Vec2Config, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let norm = NormConfig::new(config.d_model).with_epsilon(config.norm_epsilon);
        let model = Self {
            features: FeatureEncoder::new(config, device),
            projection: FeatureProjection::new(config, device),
            mask: None,
            position: PositionalConv::new(config, device),
            norm: (!config.pre_norm).then(|| norm.init(device)),
            dropout: DropoutConfig::new(config.dropout).init(),
            encoder: config.transformer().init(device),
            d_model: config.d_model,
        };
        match config.masks() {
            true => model.with_mask(device),
            false => model,
        }
    }

    /// With a freshly drawn embedding for tokens that are hidden, unless there is one.
    pub fn with_mask(mut self, device: &Device) -> Self {
        let drawn = Initializer::Uniform { min: 0.0, max: 1.0 };
        let d_model = self.d_model;
        self.mask = self.mask.or_else(|| Some(drawn.init([d_model], device)));
        self
    }

    /// Without what stands for hidden tokens, where none are to be hidden.
    pub fn without_mask(mut self) -> Self {
        self.mask = None;
        self
    }

    /// `[batch, samples]` → `[batch, tokens, d_model]`, after the last norm. A sound that is shorter than what a token hears
    /// is absent. Shows `features` (what the convolutions give), `embeds` (what the blocks take),
    /// `encoder.blocks.N.output` and `encoder.output` to the tap, and `encoder.blocks.N.attention.weights` where weights
    /// are wanted.
    ///
    /// # Panics
    /// If shapes differ, or tokens are to be hidden and there is nothing that stands for them.
    pub fn forward_with<T: Tap>(&self, input: impl Into<Wav2Vec2Input>, tap: &mut T) -> Tokens {
        let Tokens { embeds, pad } = match self.embed_with(input.into(), tap) {
            (embeds, Some(pad)) => {
                let tokens = Tokens::new(embeds, pad);
                return in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap));
            }
            (embeds, None) => Tokens::dense(embeds),
        };
        let embeds = in_layer(tap, "encoder", |tap| {
            self.encoder.forward_dense_with(embeds, tap)
        });
        Tokens::new(embeds, pad)
    }

    /// What the blocks take, `[batch, tokens, d_model]`, and which of it is padding, if any may be.
    pub(super) fn embed_with<T: Tap>(
        &self,
        input: Wav2Vec2Input,
        tap: &mut T,
    ) -> (Tensor<3>, Option<Tensor<2, Bool>>) {
        let (heard, _) = self.features.hears();
        let (samples, pad) = at_least(heard, input.samples, input.pad);
        let x = self.features.forward(samples, pad.as_ref());
        let x = self.projection.forward(tap.tensor("features", x));
        let x = self.hide(x, input.hidden, input.hidden_features);
        let pad = pad.map(|pad| self.features.frame_pad(&pad));
        // What is around a token tells its position: padding must not.
        let x = match &pad {
            Some(pad) => Tokens::new(x, pad.clone()).zero_padding().embeds,
            None => x,
        };
        let x = x.clone() + self.position.forward(x);
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        (tap.tensor("embeds", self.dropout.forward(x)), pad)
    }

    fn hide(
        &self,
        x: Tensor<3>,
        tokens: Option<Tensor<2, Bool>>,
        features: Option<Tensor<2, Bool>>,
    ) -> Tensor<3> {
        let shape @ [batch, count, d_model] = x.dims();
        let x = match tokens {
            Some(hidden) => {
                assert_shape!(hidden, [batch, count]);
                let mask = self.mask.as_ref().expect(
                    "nothing stands for hidden tokens: the checkpoint lacks masked_spec_embed; call with_mask",
                );
                let mask = mask.val().reshape([1, 1, d_model]).expand(shape); // [D] -> [B, T, D]
                x.mask_where(hidden.unsqueeze_dim::<3>(2).expand(shape), mask)
            }
            None => x,
        };
        match features {
            Some(hidden) => {
                assert_shape!(hidden, [batch, d_model]);
                x.mask_fill(hidden.unsqueeze_dim::<3>(1).expand(shape), 0.0) // [B, D] -> [B, T, D]
            }
            None => x,
        }
    }
}

/// What is shorter than a token hears is filled, as padding.
fn at_least(
    heard: usize,
    samples: Tensor<2>,
    pad: Option<Tensor<2, Bool>>,
) -> (Tensor<2>, Option<Tensor<2, Bool>>) {
    let [batch, count] = samples.dims();
    if count >= heard {
        return (samples, pad);
    }
    let device = samples.device();
    let fill = [batch, heard - count];
    let pad = pad.unwrap_or_else(|| Tensor::full([batch, count], false, &device));
    (
        Tensor::cat(vec![samples, Tensor::zeros(fill, &device)], 1),
        Some(Tensor::cat(vec![pad, Tensor::full(fill, true, &device)], 1)),
    )
}

impl Encoder for Wav2Vec2Model {
    const MODALITY: Modality = AUDIO;
    type Batch = AudioBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    /// `[batch, samples, 1]` → `[batch, tokens, d_model]`, of which those are padding that hear any; as
    /// [`forward_with`](Self::forward_with).
    ///
    /// # Panics
    /// If a sound has more than one number at a time.
    fn encode_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tokens {
        self.forward_with(batch, tap)
    }
}
