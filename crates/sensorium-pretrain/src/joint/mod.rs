//! Masked modelling over several modalities: what is hidden of one may be guessed from the others.

mod config;
mod glimpse;

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Bool, Int, Tensor};
use sensorium_core::nn::{LearnedPositions, Transformer, linear};
use sensorium_core::tap::in_layer;
use sensorium_core::{Maskable, Modality, NoTap, SampleRng, Tap, Tokens, assert_shape};
use sensorium_train::{Learned, Loss, MaskedPatches, Objective, Others, PatchTargets, Tally};

pub use config::MaskedModalitiesConfig;
pub use glimpse::Glimpse;

use crate::autoencoder::Canvas;
use crate::{ByModality, LanguageHead, LanguageTargets, PatchMasks};
use glimpse::Hidden;

/// Masked modelling over several modalities, in one sequence (FLAVA's masked multimodal modelling, arXiv 2112.04482, section
/// 4.1.2; MultiMAE, arXiv 2204.01678): something is hidden in each, each encoder encodes the rest of its own, and a Transformer
/// over the tokens of all says what was hidden: patches are painted, words are guessed. So one modality helps to guess the other.
///
/// Patches are hidden as a masked autoencoder hides them ([`MaskedAutoencoder`](crate::MaskedAutoencoder)): the encoder does not
/// see them, and one learned vector stands in their places. Words are hidden as BERT hides them, before the text is encoded.
/// What each encoder gave goes through a linear map of its own to the Transformer's width, and a learned vector says of which
/// modality it is.
///
/// A sample may lack any modality: what is not there is padding, is not guessed and helps nobody. The loss of a modality is
/// averaged over what is hidden of it in the batch, and the total is the sum over the modalities.
///
/// # Differs from the papers
/// FLAVA encodes pictures with hidden patches in them and guesses words of an image codebook; here the encoder sees what is
/// kept alone, and the pixels are painted, as in MultiMAE. MultiMAE has one encoder for all modalities and a decoder for each;
/// here it is the other way round, so that each encoder can be taken for itself afterwards.
#[derive(Module, Debug)]
pub struct MaskedModalities {
    /// What stands for the tokens of a modality made of patches, and paints them.
    pub painters: ByModality<Painter>,
    /// What stands for the tokens of a modality made of words, and guesses them.
    pub guessers: ByModality<Guesser>,
    /// Over the tokens of all modalities.
    pub transformer: Transformer,
}

/// What the joint Transformer needs for patches.
#[derive(Module, Debug)]
pub struct Painter {
    /// The encoder's width → the Transformer's.
    pub embed: Linear,
    /// `[d_model]`, in the place of what is hidden.
    pub mask_token: Param<Tensor<1>>,
    /// A vector for each of the encoder's own tokens (zero) and each place of the grid, which is not trained.
    pub position: LearnedPositions,
    /// `[d_model]`, on every token: that it is of this modality.
    pub modality: Param<Tensor<1>>,
    /// The Transformer's width → what a token stands for.
    pub predict: Linear,
    objective: MaskedPatches,
    #[module(skip)]
    n_extra: usize,
    #[module(skip)]
    share: f64,
}

/// What the joint Transformer needs for words.
#[derive(Module, Debug)]
pub struct Guesser {
    /// The encoder's width → the Transformer's.
    pub embed: Linear,
    /// `[d_model]`, on every token: that it is of this modality.
    pub modality: Param<Tensor<1>>,
    /// The Transformer's width → the vocabulary.
    pub head: LanguageHead,
}

impl MaskedModalities {
    /// What is left of a modality of patches once a share of each sample's is hidden, encoded.
    ///
    /// # Panics
    /// If it was not made for this modality or this encoder, or there are fewer generators than samples.
    pub fn patches<E: Maskable>(
        &self,
        encoder: &E,
        batch: E::Batch,
        rngs: impl IntoIterator<Item = SampleRng>,
    ) -> Glimpse {
        let painter = self.painter(E::MODALITY);
        let masks = |pad| PatchMasks::random(pad, painter.share, rngs);
        painter.glimpse(encoder, batch, masks)
    }

    /// The same with chosen patches hidden.
    ///
    /// # Panics
    /// If it was not made for this modality or this encoder, or masks are for another number of samples or tokens.
    pub fn patches_hidden_by<E: Maskable>(
        &self,
        encoder: &E,
        batch: E::Batch,
        masks: &PatchMasks,
    ) -> Glimpse {
        let painter = self.painter(E::MODALITY);
        painter.glimpse(encoder, batch, |_| masks.clone())
    }

    /// How many patches [`patches`](Self::patches) hides with the same generators, of which the loss is a mean: nothing is encoded.
    ///
    /// # Panics
    /// As [`patches`](Self::patches).
    pub fn hidden_patches<E: Maskable>(
        &self,
        encoder: &E,
        batch: E::Batch,
        rngs: impl IntoIterator<Item = SampleRng>,
    ) -> f64 {
        let pad = encoder.open(batch).tokens.pad;
        let masks = PatchMasks::random(pad.clone(), self.painter(E::MODALITY).share, rngs);
        masks.guessed(pad).float().sum().into_scalar::<f32>().into()
    }

    /// What an encoder made of words some of which were hidden before: its tokens `[batch, tokens, d_encoder]`, and the ids of
    /// those that are hidden, -1 elsewhere, `[batch, tokens]`, as `sensorium_train::MaskTokens` gives them.
    ///
    /// # Panics
    /// If it was not made for this modality, or the words do not fit the tokens.
    pub fn words(&self, modality: Modality, tokens: Tokens, words: Tensor<2, Int>) -> Glimpse {
        let guesser = self.guesser(modality);
        let [batch, n_tokens, _] = tokens.dims();
        assert_shape!(words, [batch, n_tokens]);
        let embeds = of_modality(linear(&guesser.embed, tokens.embeds), &guesser.modality);
        Glimpse {
            tokens: Tokens::new(embeds, tokens.pad),
            hidden: Hidden::Words(words),
        }
    }

    /// Loss and tally of hidden words of a batch, of which a modality that no sample has may be left out. Terms: one of each
    /// modality that is there, by its name.
    ///
    /// # Panics
    /// If there is no modality, or one was not made for.
    pub fn learn(&self, glimpses: BTreeMap<Modality, Glimpse>) -> Learned {
        self.learn_with(glimpses, &mut NoTap)
    }

    /// The same, showing `embeds` and what the Transformer shows under `transformer`.
    ///
    /// # Panics
    /// As [`learn`](Self::learn).
    pub fn learn_with<T: Tap>(
        &self,
        glimpses: BTreeMap<Modality, Glimpse>,
        tap: &mut T,
    ) -> Learned {
        self.learn_among(glimpses, &Others::default(), tap)
    }

    /// The same of a part of a batch, such that all parts come to the loss of the whole: each has told the others how much it hides of
    /// each modality, under the modality's name (`Compared::counting`).
    ///
    /// # Panics
    /// As [`learn`](Self::learn).
    pub fn learn_among<T: Tap>(
        &self,
        glimpses: BTreeMap<Modality, Glimpse>,
        others: &Others,
        tap: &mut T,
    ) -> Learned {
        assert!(!glimpses.is_empty(), "a batch has a modality at least");
        let all = glimpses.values().map(|glimpse| glimpse.tokens.clone());
        let mut joined = Tokens::concat(all.collect()); // [B, ΣT, D]
        joined.embeds = tap.tensor("embeds", joined.embeds);
        let joined = in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(joined, tap)
        });
        let mut loss = Loss::new(Tensor::zeros([1], &joined.device()));
        let mut tally: Option<Tally> = None;
        let mut start = 0;
        for (modality, glimpse) in glimpses {
            let [_, n_tokens, _] = glimpse.tokens.dims();
            let own = Tokens::new(
                joined.embeds.clone().narrow(1, start, n_tokens),
                glimpse.tokens.pad,
            );
            start += n_tokens;
            let learned = match glimpse.hidden {
                Hidden::Patches(targets) => self.painter(modality).learn(own, *targets),
                Hidden::Words(words) => self.guesser(modality).learn(own, words),
            };
            let term = others.mean(modality.name(), learned.loss);
            loss = loss.plus(modality.name(), term, 1.0);
            tally = match (tally, learned.tally) {
                (Some(a), Some(b)) => Some(Tally {
                    correct: a.correct + b.correct,
                    counted: a.counted + b.counted,
                }),
                (a, b) => a.or(b),
            };
        }
        Learned { loss, tally }
    }

    fn painter(&self, modality: Modality) -> &Painter {
        let painter = self.painters.get(modality);
        painter.unwrap_or_else(|| panic!("this was not made for patches of {modality}"))
    }

    fn guesser(&self, modality: Modality) -> &Guesser {
        let guesser = self.guessers.get(modality);
        guesser.unwrap_or_else(|| panic!("this was not made for words of {modality}"))
    }
}

impl Painter {
    fn glimpse<E: Maskable>(
        &self,
        encoder: &E,
        batch: E::Batch,
        masks: impl FnOnce(Tensor<2, Bool>) -> PatchMasks,
    ) -> Glimpse {
        let opened = encoder.open(batch);
        let masks = masks(opened.tokens.pad.clone());
        let latent = encoder.close(masks.keep(opened.tokens.clone()));
        let canvas = Canvas {
            embed: &self.embed,
            mask_token: &self.mask_token,
            position: &self.position,
            n_extra: self.n_extra,
        };
        let tokens = canvas.in_place(latent, &opened.tokens.pad, &masks);
        Glimpse {
            tokens: Tokens::new(of_modality(tokens.embeds, &self.modality), tokens.pad),
            hidden: Hidden::Patches(Box::new(PatchTargets {
                masked: masks.guessed(opened.tokens.pad),
                patches: opened.contents,
            })),
        }
    }

    fn learn(&self, tokens: Tokens, targets: PatchTargets) -> Learned {
        let [_, n_tokens, _] = tokens.dims();
        let (first, n) = (self.n_extra, n_tokens - self.n_extra);
        let painted = linear(&self.predict, tokens.embeds.narrow(1, first, n));
        Learned::new(self.objective.loss(painted, targets))
    }
}

impl Guesser {
    fn learn(&self, tokens: Tokens, words: Tensor<2, Int>) -> Learned {
        let targets = LanguageTargets::from(words);
        self.head.learn_tokens(tokens, None, targets)
    }
}

/// Tokens marked as being of a modality: `[batch, tokens, d]`.
fn of_modality(embeds: Tensor<3>, modality: &Param<Tensor<1>>) -> Tensor<3> {
    embeds + modality.val().unsqueeze::<3>()
}
