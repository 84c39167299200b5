//! What an encoder gives and a fusion takes: embeddings with a padding mask, one set per modality.

use std::collections::BTreeMap;

use burn::tensor::{Bool, Device, Tensor};

use crate::{Modality, assert_shape};

/// A batch of token sequences: embeddings and which of them are padding.
///
/// # Shapes
/// - `embeds`: `[batch, tokens, d_model]`
/// - `pad`: `[batch, tokens]`, true = padding
///
/// A sample that lacks the modality is all padding. What stands in a padded embedding is
/// unspecified but finite; whoever reads tokens must go by `pad`.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// `[batch, tokens, d_model]`
    pub embeds: Tensor<3>,
    /// `[batch, tokens]`, true = padding
    pub pad: Tensor<2, Bool>,
}

impl Tokens {
    /// Joins embeddings and their padding mask.
    ///
    /// # Panics
    /// If `pad` is not `[batch, tokens]` of `embeds`.
    pub fn new(embeds: Tensor<3>, pad: Tensor<2, Bool>) -> Self {
        let [batch, tokens, _] = embeds.dims();
        assert_shape!(pad, [batch, tokens]);
        Self { embeds, pad }
    }

    /// Tokens without any padding.
    pub fn dense(embeds: Tensor<3>) -> Self {
        let [batch, tokens, _] = embeds.dims();
        let pad = Tensor::<2, Bool>::full([batch, tokens], false, &embeds.device());
        Self { embeds, pad }
    }

    /// Tokens of which whole samples may be absent: `present` is `[batch]`, true = there.
    pub fn with_presence(embeds: Tensor<3>, present: Tensor<1, Bool>) -> Self {
        let [batch, tokens, _] = embeds.dims();
        assert_shape!(present, [batch]);
        let pad = present
            .bool_not()
            .reshape([batch, 1])
            .expand([batch, tokens]); // [B] -> [B, T]
        Self { embeds, pad }
    }

    /// `[batch, tokens, d_model]`
    pub fn dims(&self) -> [usize; 3] {
        self.embeds.dims()
    }

    /// The device both tensors live on.
    pub fn device(&self) -> Device {
        self.embeds.device()
    }

    /// Which samples have at least one token that is not padding: `[batch]`.
    pub fn present(&self) -> Tensor<1, Bool> {
        present(self.pad.clone())
    }

    /// The same tokens with every padded embedding set to zero.
    pub fn zero_padding(self) -> Self {
        let [batch, tokens, d_model] = self.dims();
        let blocked = self
            .pad
            .clone()
            .reshape([batch, tokens, 1])
            .expand([batch, tokens, d_model]); // [B, T] -> [B, T, D]
        Self {
            embeds: self.embeds.mask_fill(blocked, 0.0),
            pad: self.pad,
        }
    }

    /// Puts sequences one after the other along the token dimension.
    ///
    /// # Panics
    /// If `sequences` is empty, or batch or width differ.
    pub fn concat(sequences: Vec<Self>) -> Self {
        assert!(!sequences.is_empty(), "no token sequences to concatenate");
        let (embeds, pads): (Vec<_>, Vec<_>) =
            sequences.into_iter().map(|t| (t.embeds, t.pad)).unzip();
        Self {
            embeds: Tensor::cat(embeds, 1),
            pad: Tensor::cat(pads, 1),
        }
    }
}

/// The tokens of each modality, ordered by modality name.
#[derive(Clone, Debug, Default)]
pub struct Parts(BTreeMap<Modality, Tokens>);

impl Parts {
    /// No modality yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces the tokens of a modality.
    pub fn insert(&mut self, modality: Modality, tokens: Tokens) {
        self.0.insert(modality, tokens);
    }

    /// The same, for chaining.
    pub fn with(mut self, modality: Modality, tokens: Tokens) -> Self {
        self.insert(modality, tokens);
        self
    }

    /// The tokens of a modality, if the batch has it at all.
    pub fn get(&self, modality: Modality) -> Option<&Tokens> {
        self.0.get(&modality)
    }

    /// Takes the tokens of a modality out.
    pub fn remove(&mut self, modality: Modality) -> Option<Tokens> {
        self.0.remove(&modality)
    }

    /// Modalities and tokens in order of the modality's name.
    pub fn iter(&self) -> impl Iterator<Item = (Modality, &Tokens)> {
        self.0.iter().map(|(m, t)| (*m, t))
    }

    /// The modalities there are, in order.
    pub fn modalities(&self) -> impl Iterator<Item = Modality> {
        self.0.keys().copied()
    }

    /// How many modalities there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no modality.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Batch size and device, taken from the first modality; `None` when there is none.
    pub fn batch(&self) -> Option<(usize, Device)> {
        self.0.values().next().map(|t| (t.dims()[0], t.device()))
    }
}

impl FromIterator<(Modality, Tokens)> for Parts {
    fn from_iter<I: IntoIterator<Item = (Modality, Tokens)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Parts {
    type Item = (Modality, Tokens);
    type IntoIter = std::collections::btree_map::IntoIter<Modality, Tokens>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Which samples have at least one place that is not padding: `[batch, places]`, true = padding → `[batch]`
pub fn present(pad: Tensor<2, Bool>) -> Tensor<1, Bool> {
    pad.bool_not().any_dim(1).squeeze_dim(1)
}
