//! Both towers together: embeddings in one space, and how well they fit each other.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use sensorium_audio::SoundBatch;
use sensorium_core::tap::in_layer;
use sensorium_core::{Model, NoTap, Tap};
use sensorium_text::TextBatch;

use super::{ClapAudioModel, ClapConfig, ClapProjection, ClapTextModel};
use crate::clip::{cosines, unit};

/// CLAP: sounds and texts in one space (arXiv 2211.06687).
#[derive(Module, Debug)]
pub struct ClapModel {
    /// The text tower.
    pub text: ClapTextModel,
    /// The audio tower.
    pub audio: ClapAudioModel,
    /// From the width of the text tower to that of embeddings.
    pub text_projection: ClapProjection,
    /// From the width of the audio tower to that of embeddings.
    pub audio_projection: ClapProjection,
    /// `[1]`, the logarithm of the scale of scores of texts for a sound.
    pub logit_scale_a: Param<Tensor<1>>,
    /// `[1]`, the logarithm of the scale of scores of sounds for a text.
    pub logit_scale_t: Param<Tensor<1>>,
}

impl ClapModel {
    pub(super) fn new(config: &ClapConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let (d_embed, activation) = (config.d_embed, config.projection_activation);
        let projection = |d_model| ClapProjection::new(d_model, d_embed, activation, device);
        let value = config.logit_scale.ln();
        let scale = || Initializer::Constant { value }.init([1], device);
        Self {
            text: config.text.init(device),
            audio: config.audio.init(device),
            text_projection: projection(config.text.d_model),
            audio_projection: projection(config.audio.d_model),
            logit_scale_a: scale(),
            logit_scale_t: scale(),
        }
    }

    /// Projected embeddings of sounds, of length one: `[batch, d_embed]`. Unspecified where a sound is absent.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](sensorium_core::Encoder::encode_with).
    pub fn embed_sounds(&self, batch: SoundBatch) -> Tensor<2> {
        self.embed_sounds_with(batch, &mut NoTap)
    }

    /// The same, showing what the tower shows under `audio`, and `audio_embeds`, to the tap.
    ///
    /// # Panics
    /// As [`embed_sounds`](Self::embed_sounds).
    pub fn embed_sounds_with<T: Tap>(&self, batch: SoundBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "audio", |tap| self.audio.embed_with(batch, tap));
        let embeds = unit(self.audio_projection.forward(pooled));
        tap.tensor("audio_embeds", embeds)
    }

    /// Projected embeddings of texts, of length one: `[batch, d_embed]`. Unspecified where a text is absent.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn embed_texts(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_texts_with(batch, &mut NoTap)
    }

    /// The same, showing what the tower shows under `text`, and `text_embeds`, to the tap.
    ///
    /// # Panics
    /// As [`embed_texts`](Self::embed_texts).
    pub fn embed_texts_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "text", |tap| self.text.embed_with(batch, tap));
        let embeds = unit(self.text_projection.forward(pooled));
        tap.tensor("text_embeds", embeds)
    }

    /// How well each text fits each sound, the scaled cosine of their embeddings: `[sounds, d_embed]` and
    /// `[texts, d_embed]` → `[sounds, texts]`. Embeddings need not be normalised.
    pub fn scores(&self, sounds: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
        cosines(sounds, texts) * self.logit_scale_a.val().exp().unsqueeze()
    }

    /// How well each sound fits each text, which has a scale of its own: `[texts, d_embed]` and `[sounds, d_embed]` →
    /// `[texts, sounds]`. Embeddings need not be normalised.
    pub fn scores_of_texts(&self, texts: Tensor<2>, sounds: Tensor<2>) -> Tensor<2> {
        cosines(texts, sounds) * self.logit_scale_t.val().exp().unsqueeze()
    }

    /// Which of the texts a sound fits: a softmax over the texts of [`scores`](Self::scores), `[sounds, texts]`.
    pub fn probabilities(&self, scores: Tensor<2>) -> Tensor<2> {
        softmax(scores, 1)
    }
}

/// How sounds and texts fit each other.
#[derive(Clone, Debug)]
pub struct ClapScores {
    /// Of texts for each sound: `[sounds, texts]`.
    pub per_sound: Tensor<2>,
    /// Of sounds for each text: `[texts, sounds]`.
    pub per_text: Tensor<2>,
}

impl Model for ClapModel {
    type Batch = (SoundBatch, TextBatch);
    type Output = ClapScores;

    /// Scores of all sounds of the batch with all of its texts, both ways. Shows what
    /// [`embed_sounds_with`](Self::embed_sounds_with) and [`embed_texts_with`](Self::embed_texts_with) show.
    fn run_with<T: Tap>(&self, (sounds, texts): Self::Batch, tap: &mut T) -> ClapScores {
        let sounds = self.embed_sounds_with(sounds, tap);
        let texts = self.embed_texts_with(texts, tap);
        ClapScores {
            per_sound: tap.tensor(
                "logits_per_sound",
                self.scores(sounds.clone(), texts.clone()),
            ),
            per_text: tap.tensor("logits_per_text", self.scores_of_texts(texts, sounds)),
        }
    }
}
