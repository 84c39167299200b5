//! How large masked modelling over several modalities is.

use burn::module::Param;
use burn::nn::LinearConfig;
use burn::tensor::Device;
use sensorium_core::nn::{LearnedPositions, TransformerConfig, trunc_normal};
use sensorium_core::{Maskable, Modality, need};
use sensorium_train::MaskedPatches;

use super::{Guesser, MaskedModalities, Painter};
use crate::autoencoder::MOST_TOKENS;
use crate::{Error, LanguageHeadConfig, positions};

/// Configuration of [`MaskedModalities`].
#[derive(Clone, Debug)]
pub struct MaskedModalitiesConfig {
    d_model: usize,
    n_layers: usize,
    n_heads: usize,
    share: f64,
    patches: Vec<(Modality, Patches)>,
    words: Vec<(Modality, Words)>,
}

/// What an encoder of patches gives.
#[derive(Clone, Copy, Debug)]
struct Patches {
    d_encoder: usize,
    d_content: usize,
    n_extra: usize,
    grid: [usize; 2],
}

/// What an encoder of words gives.
#[derive(Clone, Copy, Debug)]
struct Words {
    d_encoder: usize,
    vocab_size: usize,
}

impl MaskedModalitiesConfig {
    /// A joint Transformer of so many features, layers and heads, for no modality yet; three quarters of patches are hidden.
    /// FLAVA's has 768 features, 6 layers and 12 heads.
    pub fn new(d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            d_model,
            n_layers,
            n_heads,
            share: 0.75,
            patches: Vec::new(),
            words: Vec::new(),
        }
    }

    /// The share of the patches that [`MaskedModalities::patches`] hides.
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// With a modality whose tokens stand for patches.
    pub fn with_patches<E: Maskable>(mut self, encoder: &E) -> Self {
        let patches = Patches {
            d_encoder: encoder.d_output(),
            d_content: encoder.d_content(),
            n_extra: encoder.n_extra(),
            grid: encoder.grid(),
        };
        self.patches.push((E::MODALITY, patches));
        self
    }

    /// With a modality whose tokens, so wide, stand for words of a vocabulary.
    pub fn with_words(mut self, modality: Modality, d_encoder: usize, vocab_size: usize) -> Self {
        let words = Words {
            d_encoder,
            vocab_size,
        };
        self.words.push((modality, words));
        self
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let mut names: Vec<Modality> = self.patches.iter().map(|(m, _)| *m).collect();
        names.extend(self.words.iter().map(|(m, _)| *m));
        need(names.len() > 1, "modalities", || {
            "one modality has no other to be guessed from: it needs two at least".to_owned()
        })?;
        names.sort();
        names.dedup();
        let all = self.patches.len() + self.words.len();
        need(names.len() == all, "modalities", || {
            "a modality is named twice".to_owned()
        })?;
        need(self.d_model.is_multiple_of(4), "d_model", || {
            let up = self.d_model.next_multiple_of(4);
            format!("{} is not a multiple of 4; use {up}", self.d_model)
        })?;
        need((0.0..1.0).contains(&self.share), "share", || {
            format!("{} must be at least 0 and below 1", self.share)
        })?;
        for (modality, patches) in &self.patches {
            let [rows, columns] = patches.grid;
            let tokens = rows.saturating_mul(columns);
            let tokens = tokens.saturating_add(patches.n_extra);
            need((1..=MOST_TOKENS).contains(&tokens), "grid", || {
                format!("{rows} x {columns} tokens of {modality}; use 1 to {MOST_TOKENS}")
            })?;
            need(patches.d_content > 1, "d_content", || {
                format!("a patch of {modality} is one number, which has no deviation")
            })?;
        }
        for (_, words) in &self.words {
            LanguageHeadConfig::new(self.d_model, words.vocab_size).validate()?;
        }
        Ok(self.transformer().validate()?)
    }

    /// Freshly initialised.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> MaskedModalities {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let painters = self.patches.iter();
        let guessers = self.words.iter();
        MaskedModalities {
            painters: painters
                .map(|(modality, patches)| (*modality, self.painter(patches, device)))
                .collect(),
            guessers: guessers
                .map(|(modality, words)| (*modality, self.guesser(words, device)))
                .collect(),
            transformer: self.transformer().init(device),
        }
    }

    fn painter(&self, patches: &Patches, device: &Device) -> Painter {
        let d = self.d_model;
        let places = positions::grid(patches.n_extra, patches.grid, d, device);
        Painter {
            embed: LinearConfig::new(patches.d_encoder, d).init(device),
            mask_token: trunc_normal([d], 0.02, device),
            position: LearnedPositions {
                weight: Param::from_tensor(places).set_require_grad(false),
            },
            modality: trunc_normal([d], 0.02, device),
            predict: LinearConfig::new(d, patches.d_content).init(device),
            objective: MaskedPatches::normalised(),
            n_extra: patches.n_extra,
            share: self.share,
        }
    }

    fn guesser(&self, words: &Words, device: &Device) -> Guesser {
        let d = self.d_model;
        Guesser {
            embed: LinearConfig::new(words.d_encoder, d).init(device),
            modality: trunc_normal([d], 0.02, device),
            head: LanguageHeadConfig::new(d, words.vocab_size).init(device),
        }
    }

    fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers).with_norm_epsilon(1e-6)
    }
}
