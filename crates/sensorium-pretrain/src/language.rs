//! Guessing hidden words, and whether one text follows another: what BERT learned from.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_core::nn::{Activation, Norm, NormConfig, affine, linear};
use sensorium_core::{Encoder, Logits, Tokens, assert_shape, need};
use sensorium_train::{Compared, CrossEntropy, Learned, Loss, Objective, Others, Tally};

use crate::{Error, Pretext};

/// The terms of the loss.
const WORDS: &str = "words";
const NEXT: &str = "next_sentence";

/// Configuration of a [`LanguageHead`].
#[derive(Clone, Debug)]
pub struct LanguageHeadConfig {
    d_model: usize,
    vocab_size: usize,
    tied: bool,
    next_sentence: bool,
    activation: Activation,
    norm_epsilon: f64,
}

impl LanguageHeadConfig {
    /// From tokens of a width to a vocabulary, with a table of its own, exact GELU and BERT's epsilon of 1e-12.
    pub fn new(d_model: usize, vocab_size: usize) -> Self {
        Self {
            d_model,
            vocab_size,
            tied: false,
            next_sentence: false,
            activation: Activation::Gelu,
            norm_epsilon: 1e-12,
        }
    }

    /// Whether the table of the vocabulary is that of the encoder, given at each call.
    pub fn with_tied(mut self, tied: bool) -> Self {
        self.tied = tied;
        self
    }

    /// Whether there is a [`NextSentence`] head as well.
    pub fn with_next_sentence(mut self, next_sentence: bool) -> Self {
        self.next_sentence = next_sentence;
        self
    }

    /// The activation before the norm.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// What the norm adds before the root.
    pub fn with_norm_epsilon(mut self, norm_epsilon: f64) -> Self {
        self.norm_epsilon = norm_epsilon;
        self
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let Self {
            d_model,
            vocab_size,
            norm_epsilon,
            ..
        } = *self;
        need((1..=65_536).contains(&d_model), "d_model", || {
            format!("{d_model} must be 1 to 65536")
        })?;
        need((1..=1 << 24).contains(&vocab_size), "vocab_size", || {
            format!("{vocab_size} must be 1 to {}", 1 << 24)
        })?;
        need(
            norm_epsilon > 0.0 && norm_epsilon < 1.0,
            "norm_epsilon",
            || format!("{norm_epsilon} must be above 0 and below 1"),
        )?;
        Ok(())
    }

    /// A freshly initialised head.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> LanguageHead {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let (d, vocabulary) = (self.d_model, self.vocab_size);
        let own = LinearConfig::new(d, vocabulary).with_bias(false);
        let bias = Tensor::zeros([vocabulary], device);
        LanguageHead {
            transform: LinearConfig::new(d, d).init(device),
            norm: NormConfig::new(d)
                .with_epsilon(self.norm_epsilon)
                .init(device),
            decoder: (!self.tied).then(|| own.init(device)),
            bias: Param::from_tensor(bias),
            next_sentence: self.next_sentence.then(|| NextSentence::new(d, device)),
            cross_entropy: CrossEntropy::default(),
            activation: self.activation,
        }
    }
}

/// What the texts of a batch should have been.
#[derive(Clone, Debug)]
pub struct LanguageTargets {
    /// The ids of hidden tokens, -1 elsewhere: `[batch, tokens]`, as `sensorium_train::MaskTokens` gives them.
    pub words: Tensor<2, Int>,
    /// 0 where the second part of a text follows the first, 1 where it does not, -1 where nobody knows: `[batch]`.
    pub next: Option<Tensor<1, Int>>,
}

impl From<Tensor<2, Int>> for LanguageTargets {
    fn from(words: Tensor<2, Int>) -> Self {
        Self { words, next: None }
    }
}

/// The head of masked language modelling (BERT, arXiv 1810.04805, section 3.1): a linear map, GELU, a norm, and a map to the
/// vocabulary with a bias, which may be the table of the encoder's own embeddings.
///
/// Logits are computed where a token was hidden alone; which ones is read on the host.
#[derive(Module, Debug)]
pub struct LanguageHead {
    /// On each token, before the activation.
    pub transform: Linear,
    /// After the activation.
    pub norm: Norm,
    /// `d_model` → `vocab_size`, without a bias; none if it is given at each call.
    pub decoder: Option<Linear>,
    /// `[vocab_size]`
    pub bias: Param<Tensor<1>>,
    /// Whether one text follows another.
    pub next_sentence: Option<NextSentence>,
    cross_entropy: CrossEntropy,
    #[module(skip)]
    activation: Activation,
}

impl LanguageHead {
    /// Logits over the vocabulary: `[.., d_model]` → `[.., vocab_size]`. `table` `[vocab_size, d_model]` is that of the
    /// encoder's embeddings, for a head that was made for it.
    ///
    /// # Panics
    /// If there is a table and the head has its own, or there is none and it has not.
    pub fn logits<const D: usize>(&self, embeds: Tensor<D>, table: Option<Tensor<2>>) -> Tensor<D> {
        let hidden = self.activation.forward(linear(&self.transform, embeds));
        let hidden = self.norm.forward(hidden);
        let weight = match (&self.decoder, table) {
            (Some(own), None) => own.weight.val(),
            (None, Some(table)) => table.transpose(),
            (Some(_), Some(_)) => panic!("the head has a table of its own; it cannot be given one"),
            (None, None) => panic!("the head has no table of its own; give it the encoder's"),
        };
        affine(hidden, weight, Some(self.bias.val()))
    }

    /// The loss of a batch.
    ///
    /// # Panics
    /// If the head has no table of its own, or targets do not fit the tokens.
    pub fn loss<E: Encoder>(
        &self,
        encoder: &E,
        batch: E::Batch,
        targets: impl Into<LanguageTargets>,
    ) -> Loss {
        self.learn_tokens(encoder.encode(batch), None, targets.into())
            .loss
    }

    /// Loss and tally of hidden words for tokens that an encoder gave: `[batch, tokens, d_model]`. Terms: `words`, the
    /// cross-entropy averaged over the hidden tokens, and `next_sentence`; the total is their sum. Padding is never
    /// guessed.
    ///
    /// # Panics
    /// As [`logits`](Self::logits); if targets do not fit the tokens; if it is to be told whether texts follow each other by a
    /// head that was not made for it.
    pub fn learn_tokens(
        &self,
        tokens: Tokens,
        table: Option<Tensor<2>>,
        targets: LanguageTargets,
    ) -> Learned {
        self.learn_among(tokens, table, targets, &Others::default())
    }

    /// What other parts of a batch have to know of one with these targets.
    pub fn compared(&self, targets: &LanguageTargets) -> Compared {
        let [rows, _] = targets.words.dims();
        let known = Compared::new(rows, []).counting(WORDS, there(targets.words.clone()));
        match &targets.next {
            Some(next) => known.counting(NEXT, there(next.clone())),
            None => known,
        }
    }

    /// As [`learn_tokens`](Self::learn_tokens), of a part of a batch, such that all parts come to the loss of the whole.
    ///
    /// # Panics
    /// As [`learn_tokens`](Self::learn_tokens).
    pub fn learn_among(
        &self,
        tokens: Tokens,
        table: Option<Tensor<2>>,
        targets: LanguageTargets,
        others: &Others,
    ) -> Learned {
        let [batch, n_tokens, d_model] = tokens.dims();
        assert_shape!(targets.words, [batch, n_tokens]);
        let words = targets.words.mask_fill(tokens.pad.clone(), -1);
        let (places, classes) = hidden(words);
        let rows = tokens.embeds.clone().reshape([batch * n_tokens, d_model]);
        let logits = self.logits(rows.select(0, places), table);
        let tally = Tally::of_classes(logits.clone(), classes.clone());
        let mut loss = self.cross_entropy.loss(logits, classes);
        loss.total = others.mean(WORDS, loss.clone());
        loss.terms.push((WORDS.to_owned(), loss.total.clone()));
        if let Some(next) = targets.next {
            let head = self.next_sentence.as_ref();
            let head = head.expect("the head was made without one for whether texts follow");
            let term = others.mean(NEXT, head.loss(tokens, next));
            loss = loss.plus(NEXT, term, 1.0);
        }
        Learned {
            loss,
            tally: Some(tally),
        }
    }
}

/// How many of these are to be told.
fn there<const D: usize>(classes: Tensor<D, Int>) -> f64 {
    let there = classes.greater_equal_elem(0).float().sum();
    there.into_scalar::<f32>().into()
}

/// Where something is to be guessed, counted through the batch, and what: `[hidden]` each. If nothing is, one place and a
/// class of -1.
fn hidden(targets: Tensor<2, Int>) -> (Tensor<1, Int>, Tensor<1, Int>) {
    let device = targets.device();
    let targets: Vec<i64> = targets.into_data().iter::<i64>().collect();
    let mut places: Vec<i64> = (0..targets.len() as i64)
        .filter(|place| targets[*place as usize] >= 0)
        .collect();
    if places.is_empty() {
        places.push(0);
    }
    let classes: Vec<i64> = places.iter().map(|p| targets[*p as usize]).collect();
    let ints = |values: Vec<i64>| {
        let shape = [values.len()];
        Tensor::from_data(TensorData::new(values, shape), &device)
    };
    (ints(places), ints(classes))
}

impl<E: Encoder> Pretext<E> for LanguageHead {
    type Target = LanguageTargets;

    fn learn(&self, encoder: &E, batch: E::Batch, targets: LanguageTargets) -> Learned {
        self.learn_tokens(encoder.encode(batch), None, targets)
    }
}

/// Whether the second part of a text follows the first, told by its first token (BERT, arXiv 1810.04805, section 3.1): BERT's
/// pooler, which is part of its tower elsewhere, and a map to two classes.
#[derive(Module, Debug)]
pub struct NextSentence {
    /// `d_model` → `d_model`, with a hyperbolic tangent.
    pub pool: Linear,
    /// `d_model` → 2
    pub output: Linear,
    cross_entropy: CrossEntropy,
}

impl NextSentence {
    /// A freshly initialised head.
    pub fn new(d_model: usize, device: &Device) -> Self {
        Self {
            pool: LinearConfig::new(d_model, d_model).init(device),
            output: LinearConfig::new(d_model, 2).init(device),
            cross_entropy: CrossEntropy::default(),
        }
    }

    /// `[batch, tokens, d_model]` → `[batch, 2]`: that it follows, and that it does not.
    pub fn logits(&self, tokens: Tokens) -> Logits {
        let [batch, _, d_model] = tokens.dims();
        let first = tokens.embeds.narrow(1, 0, 1).reshape([batch, d_model]);
        linear(&self.output, tanh(linear(&self.pool, first)))
    }

    /// Cross-entropy with `next` `[batch]`: 0 where it follows, 1 where it does not, -1 where nobody knows. A text whose
    /// first token is padding does not count.
    pub fn loss(&self, tokens: Tokens, next: Tensor<1, Int>) -> Loss {
        let absent = tokens.pad.clone().narrow(1, 0, 1).squeeze_dim(1);
        let next = next.mask_fill(absent, -1);
        self.cross_entropy.loss(self.logits(tokens), next)
    }
}
