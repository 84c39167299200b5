//! What stands on the tower: characters, and classes.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor};
use sensorium_audio::AudioBatch;
use sensorium_core::nn::{Attend, linear};
use sensorium_core::tap::in_layer;
use sensorium_core::{Logits, Model, NoTap, Tap, Tokens};

use super::{Wav2Vec2Config, Wav2Vec2Input, Wav2Vec2Model};
use crate::Error;
use crate::ctc::CtcLoss;

/// How likely each character is in each token of a sound, before a softmax.
#[derive(Clone, Debug)]
pub struct CharacterLogits {
    /// `[batch, tokens, vocab_size]`
    pub logits: Tensor<3>,
    /// `[batch, tokens]`, true = padding
    pub pad: Tensor<2, Bool>,
}

/// A tower with what gives logits of characters and the blank, to be trained and decoded by connectionist temporal
/// classification (Graves et al., 2006).
#[derive(Module, Debug)]
pub struct Wav2Vec2ForCtc {
    /// The tower.
    pub wav2vec2: Wav2Vec2Model,
    /// On its tokens.
    pub dropout: Dropout,
    /// `d_model` → `vocab_size`
    pub head: Linear,
}

impl Wav2Vec2ForCtc {
    pub(super) fn new(config: &Wav2Vec2Config, device: &Device) -> Self {
        let Some(characters) = config.vocab_size else {
            panic!("config.json: vocab_size: is null, but characters need it");
        };
        Self {
            wav2vec2: config.init(device),
            dropout: DropoutConfig::new(config.final_dropout).init(),
            head: LinearConfig::new(config.d_model, characters).init(device),
        }
    }

    /// How unlikely texts are, as Transformers' `forward(labels=…)` has it: sounds, how many samples of each are its own, and
    /// the labels of its text, those below 0 and the blank being padding → `[1]`. `loss` is what
    /// [`Wav2Vec2Config::ctc_loss`] says.
    ///
    /// Where a model hears all there is ([`Wav2Vec2Input::pad`] is `None`), so does the reference's loss: all lengths are
    /// the longest.
    ///
    /// # Errors
    /// If a label is none of the characters: which, and of which sound.
    ///
    /// # Panics
    /// As [`Wav2Vec2Model::forward_with`]; if there are other sounds than lengths or texts; if one is longer than the samples.
    pub fn loss(
        &self,
        input: impl Into<Wav2Vec2Input>,
        lengths: &[usize],
        targets: &[Vec<i64>],
        loss: &CtcLoss,
    ) -> Result<Tensor<1>, Error> {
        let input = input.into();
        let [_, samples] = input.samples.dims();
        assert!(
            lengths.iter().all(|n| *n <= samples),
            "lengths of {lengths:?}, but there are {samples} samples"
        );
        let tokens: Vec<usize> = lengths
            .iter()
            .map(|n| self.wav2vec2.features.n_frames(*n))
            .collect();
        loss.forward(self.forward(input).logits, &tokens, targets)
    }

    /// Logits of characters in each token.
    ///
    /// # Panics
    /// As [`Wav2Vec2Model::forward_with`].
    pub fn forward(&self, input: impl Into<Wav2Vec2Input>) -> CharacterLogits {
        self.forward_with(input, &mut NoTap)
    }

    /// The same, showing under `wav2vec2` what the tower shows, and `logits`.
    ///
    /// # Panics
    /// As [`Wav2Vec2Model::forward_with`].
    pub fn forward_with<T: Tap>(
        &self,
        input: impl Into<Wav2Vec2Input>,
        tap: &mut T,
    ) -> CharacterLogits {
        let tokens = in_layer(tap, "wav2vec2", |tap| {
            self.wav2vec2.forward_with(input, tap)
        });
        let logits = linear(&self.head, self.dropout.forward(tokens.embeds));
        CharacterLogits {
            logits: tap.tensor("logits", logits),
            pad: tokens.pad,
        }
    }
}

impl Model for Wav2Vec2ForCtc {
    type Batch = AudioBatch;
    type Output = CharacterLogits;

    fn run_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> CharacterLogits {
        self.forward_with(batch, tap)
    }
}

/// A tower, and two linear maps with a mean over a sound's tokens between them.
#[derive(Module, Debug)]
pub struct Wav2Vec2ForSequenceClassification {
    /// The tower.
    pub wav2vec2: Wav2Vec2Model,
    /// `[n_layers + 1]`: how much what the blocks take, and what each gives, count, before a softmax; if more than the last
    /// is heard.
    pub layer_weights: Option<Param<Tensor<1>>>,
    /// `d_model` → `d_classifier`
    pub projector: Linear,
    /// `d_classifier` → classes
    pub classifier: Linear,
}

impl Wav2Vec2ForSequenceClassification {
    pub(super) fn new(config: &Wav2Vec2Config, device: &Device) -> Self {
        let layers = config.n_layers + 1;
        let even = Initializer::Constant {
            value: 1.0 / layers as f64,
        };
        let weighted = config.use_weighted_layer_sum;
        let (d_model, d_classifier) = (config.d_model, config.d_classifier);
        Self {
            wav2vec2: config.init(device),
            layer_weights: weighted.then(|| even.init([layers], device)),
            projector: LinearConfig::new(d_model, d_classifier).init(device),
            classifier: LinearConfig::new(d_classifier, config.labels().len()).init(device),
        }
    }

    /// `[batch, samples]` → `[batch, classes]`; unspecified where a sound is absent. Shows under `wav2vec2` what the tower
    /// shows, and `logits`.
    ///
    /// # Panics
    /// As [`Wav2Vec2Model::forward_with`].
    pub fn forward_with<T: Tap>(&self, input: impl Into<Wav2Vec2Input>, tap: &mut T) -> Logits {
        let tokens = in_layer(tap, "wav2vec2", |tap| match &self.layer_weights {
            Some(weights) => self.all_layers(input.into(), weights.val(), tap),
            None => self.wav2vec2.forward_with(input, tap),
        });
        let Tokens { embeds, pad } = tokens;
        let projected = Tokens::new(linear(&self.projector, embeds), pad);
        let there = projected.pad.clone().bool_not().float().sum_dim(1); // [B, T] -> [B, 1]
        let sum = projected
            .zero_padding()
            .embeds
            .sum_dim(1)
            .squeeze_dim::<2>(1); // [B, T, D] -> [B, D]
        let logits = linear(&self.classifier, sum / there.clamp_min(1.0));
        tap.tensor("logits", logits)
    }

    /// The mean of what the blocks take and of what each gives, as `weights` say.
    fn all_layers<T: Tap>(&self, input: Wav2Vec2Input, weights: Tensor<1>, tap: &mut T) -> Tokens {
        let (mut x, pad) = self.wav2vec2.embed_with(input, tap);
        let how = match &pad {
            Some(pad) => Attend::keys(pad.clone()),
            None => Attend::default(),
        };
        let weights = softmax(weights, 0);
        let weigh = |x: &Tensor<3>, layer: usize| {
            x.clone() * weights.clone().narrow(0, layer, 1).reshape([1, 1, 1])
        };
        let mut sum = weigh(&x, 0);
        in_layer(tap, "encoder", |tap| {
            for (i, block) in self.wav2vec2.encoder.blocks.iter().enumerate() {
                let layer = format!("blocks.{i}");
                x = in_layer(tap, &layer, |tap| {
                    block.forward_with(x.clone(), None, &how, tap)
                });
                sum = sum.clone() + weigh(&x, i + 1);
            }
        });
        match pad {
            Some(pad) => Tokens::new(sum, pad),
            None => Tokens::dense(sum),
        }
    }
}

impl Model for Wav2Vec2ForSequenceClassification {
    type Batch = AudioBatch;
    /// `[batch, classes]`; unspecified where a sound is absent.
    type Output = Logits;

    fn run_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Logits {
        self.forward_with(batch, tap)
    }
}
