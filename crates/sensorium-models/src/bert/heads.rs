//! Heads: guessing masked words, and classifying texts.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Activation, Norm, NormConfig, affine, linear};
use sensorium_core::tap::in_layer;
use sensorium_core::{Logits, NoTap, Tap};

use super::model::first;
use super::{BertConfig, BertInput, BertKind, BertModel};

/// A tower and a head that guesses each token (arXiv 1810.04805, section 3.1).
#[derive(Module, Debug)]
pub struct BertForMaskedLm {
    /// The tower.
    pub bert: BertModel,
    /// On each token, before the activation.
    pub transform: Linear,
    /// After the activation.
    pub norm: Norm,
    /// `d_model` → `vocab_size`, if it is not the table of words.
    pub decoder: Option<Linear>,
    /// `[vocab_size]`; without a part in the output, and frozen, where the decoder has its own.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl BertForMaskedLm {
    /// A decoder that is not the table of words may have a bias of its own.
    pub(super) fn new(config: &BertConfig, decoder_bias: bool, device: &Device) -> Self {
        let (d, own_bias) = (config.d_model, !config.tied && decoder_bias);
        let untied = || LinearConfig::new(d, config.vocab_size).with_bias(own_bias);
        let bias = Param::from_tensor(Tensor::zeros([config.vocab_size], device));
        Self {
            bert: config.init(device),
            transform: LinearConfig::new(d, d).init(device),
            norm: NormConfig::new(d)
                .with_epsilon(config.norm_epsilon)
                .init(device),
            decoder: (!config.tied).then(|| untied().init(device)),
            bias: bias.set_require_grad(!own_bias),
            // RoBERTa's head has its own, whatever its blocks have.
            activation: match config.kind {
                BertKind::Bert => config.activation,
                _ => Activation::Gelu,
            },
        }
    }

    /// Logits over the vocabulary: `[batch, tokens, vocab_size]`.
    ///
    /// # Panics
    /// If there are more tokens than [`BertConfig::max_tokens`].
    pub fn forward(&self, input: impl Into<BertInput>) -> Tensor<3> {
        self.forward_with(input, &mut NoTap)
    }

    /// The same, showing the tower's intermediates under `bert`, and `logits`.
    ///
    /// # Panics
    /// If there are more tokens than [`BertConfig::max_tokens`].
    pub fn forward_with<T: Tap>(&self, input: impl Into<BertInput>, tap: &mut T) -> Tensor<3> {
        let tokens = in_layer(tap, "bert", |tap| self.bert.forward_with(input, tap));
        let hidden = self
            .activation
            .forward(linear(&self.transform, tokens.embeds));
        let hidden = self.norm.forward(hidden);
        let words = &self.bert.embeddings.word.weight;
        let logits = match &self.decoder {
            Some(decoder) if decoder.bias.is_some() => linear(decoder, hidden),
            Some(decoder) => affine(hidden, decoder.weight.val(), Some(self.bias.val())),
            None => affine(hidden, words.val().transpose(), Some(self.bias.val())),
        };
        tap.tensor("logits", logits)
    }
}

/// A tower and a head that classifies whole texts by the first token.
#[derive(Module, Debug)]
pub struct BertForSequenceClassification {
    /// The tower, with its pooler; in RoBERTa's checkpoints it belongs to the classifier.
    pub bert: BertModel,
    /// On what is pooled.
    pub dropout: Dropout,
    /// `d_model` → classes
    pub classifier: Linear,
    /// Whether dropout stands before the pooler too.
    #[module(skip)]
    dropout_first: bool,
}

impl BertForSequenceClassification {
    pub(super) fn new(config: &BertConfig, device: &Device) -> Self {
        let dropout = config.classifier_dropout.unwrap_or(config.dropout);
        Self {
            bert: config.init_with_pooler(device),
            dropout: DropoutConfig::new(dropout).init(),
            classifier: LinearConfig::new(config.d_model, config.labels().len()).init(device),
            dropout_first: config.kind != BertKind::Bert,
        }
    }

    /// Logits over the classes: `[batch, classes]`.
    ///
    /// # Panics
    /// If there are more tokens than [`BertConfig::max_tokens`].
    pub fn forward(&self, input: impl Into<BertInput>) -> Logits {
        self.forward_with(input, &mut NoTap)
    }

    /// The same, showing the tower's intermediates under `bert`, and `logits`.
    ///
    /// # Panics
    /// If there are more tokens than [`BertConfig::max_tokens`].
    pub fn forward_with<T: Tap>(&self, input: impl Into<BertInput>, tap: &mut T) -> Logits {
        let tokens = in_layer(tap, "bert", |tap| self.bert.forward_with(input, tap));
        let mut pooled = first(&tokens);
        if self.dropout_first {
            pooled = self.dropout.forward(pooled);
        }
        if let Some(pooler) = &self.bert.pooler {
            pooled = tanh(pooler.forward(pooled));
        }
        let logits = self.classifier.forward(self.dropout.forward(pooled));
        tap.tensor("logits", logits)
    }
}
