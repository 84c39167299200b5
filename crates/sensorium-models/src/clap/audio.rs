//! The audio tower: an HTSAT, a Swin transformer over a spectrogram.

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor};
use sensorium_audio::{AUDIO, SoundBatch};
use sensorium_core::nn::{Norm, NormConfig};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, assert_shape, present};

use super::patches::ClapPatches;
use super::spectrogram::SpectrogramImage;
use super::stage::SwinStage;
use super::{ClapAudioConfig, ClapProjection};

/// CLAP's audio tower without a projection: an HTSAT (arXiv 2202.00874), with fusion of crops (arXiv 2211.06687, section
/// 3.3) where [`ClapAudioConfig::fusion`] says so.
///
/// While it trains, bands, and features in fusing, are normalised by the sounds of the batch, and what they are on the whole
/// is learned; elsewhere, and in a frozen tower, by what was learned.
#[derive(Module, Debug)]
pub struct ClapAudioModel {
    /// Features to a square.
    pub spectrogram: SpectrogramImage,
    /// The square to tokens.
    pub patches: ClapPatches,
    /// The blocks.
    pub stages: Vec<SwinStage>,
    /// After the last.
    pub norm: Norm,
    #[module(skip)]
    views: usize,
    #[module(skip)]
    n_mels: usize,
    #[module(skip)]
    bands: usize,
    #[module(skip)]
    d_model: usize,
}

impl ClapAudioModel {
    pub(super) fn new(config: &ClapAudioConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let stages = 0..config.depths.len();
        let [bands, _] = config.places();
        Self {
            spectrogram: SpectrogramImage::new(config, device),
            patches: ClapPatches::new(config, device),
            stages: stages
                .map(|stage| SwinStage::new(config, stage, device))
                .collect(),
            norm: NormConfig::new(config.d_model).init(device),
            views: config.views(),
            n_mels: config.n_mels,
            bands,
            d_model: config.d_model,
        }
    }

    /// The pooled output, the mean over all places: `[batch, d_model]`. Unspecified where a sound is absent.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: SoundBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `pooled` and what [`encode_with`](Encoder::encode_with) shows to the tap.
    ///
    /// # Panics
    /// As [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: SoundBatch, tap: &mut T) -> Tensor<2> {
        let tokens = self.encode_with(batch, tap);
        let mean = tokens.embeds.mean_dim(1).squeeze_dim(1); // [B, N, D] -> [B, D]
        tap.tensor("pooled", mean)
    }

    /// Views apart from each other: `[batch, views * frames, bands]` → `[batch, views, frames, bands]`.
    fn apart(&self, features: Tensor<3>) -> Tensor<4> {
        let [batch, frames, _] = features.dims();
        let (views, n_mels, most) = (self.views, self.n_mels, self.spectrogram.max_frames());
        assert_shape!(features, [batch, frames, n_mels]);
        let fits = frames.is_multiple_of(views) && (1..=most).contains(&(frames / views));
        assert!(
            fits,
            "{frames} frames, but {views} views of the same number, at most {most}, are needed"
        );
        features.reshape([batch, views, frames / views, n_mels])
    }

    /// What comes out of the last stage, as places over bands and time: `[batch, rows, columns, d]` → `[batch, tokens, d]`.
    fn unfolded(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, rows, columns, d] = x.dims();
        let parts = rows / self.bands;
        x.reshape([batch, parts, self.bands, columns, d])
            .swap_dims(1, 2) // [B, P, F, C, D] -> [B, F, P, C, D]: parts in time follow each other
            .reshape([batch, rows * columns, d])
    }
}

impl Encoder for ClapAudioModel {
    const MODALITY: Modality = AUDIO;
    type Batch = SoundBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    /// `[batch, views * frames, n_mels]`, view after view, → `[batch, tokens, d_model]`: a token for each place, all times of
    /// the lowest bands first. Every sound is brought to the length that the model was made for: no token of a sound is
    /// padding. Shows `embeds` and `stages.N.output` `[batch, rows, columns, width]`, what a
    /// [`SwinBlock`](super::SwinBlock) shows under `stages.N.blocks.M`, and `output`, to the tap.
    ///
    /// # Panics
    /// If there are other bands or views than the model's, or more frames than
    /// [`ClapAudioConfig::spectrogram`] has.
    fn encode_with<T: Tap>(&self, batch: SoundBatch, tap: &mut T) -> Tokens {
        let SoundBatch {
            features,
            pad,
            longer,
        } = batch;
        let present = present(pad);
        let features = self.apart(features);
        // Only what learns from a batch asks which of it is there.
        let learns = self.spectrogram.learns(&features.device());
        let there = learns.then(|| places(&present));
        let is_there = |row: &usize| there.as_ref().is_none_or(|there| there.contains(row));
        let longer = longer.iter().enumerate().filter(|(_, longer)| **longer);
        let longer: Vec<usize> = longer.map(|(row, _)| row).filter(is_there).collect();
        let image = self.spectrogram.forward(features, there.as_deref());
        let mut x = tap.tensor("embeds", self.patches.forward(image, &longer));
        for (number, stage) in self.stages.iter().enumerate() {
            let layer = format!("stages.{number}");
            x = in_layer(tap, &layer, |tap| stage.forward_with(x, tap));
        }
        let embeds = self.unfolded(self.norm.forward(x));
        Tokens::with_presence(tap.tensor("output", embeds), present)
    }
}

/// The places where it is true.
fn places(found: &Tensor<1, Bool>) -> Vec<usize> {
    let found: Vec<bool> = found.clone().into_data().iter::<bool>().collect();
    let places = found.iter().enumerate().filter(|(_, found)| **found);
    places.map(|(place, _)| place).collect()
}

/// CLAP's audio tower with its projection into the space of both towers.
#[derive(Module, Debug)]
pub struct ClapAudioModelWithProjection {
    /// The tower.
    pub audio: ClapAudioModel,
    /// `d_model` → `d_embed`
    pub projection: ClapProjection,
}

impl ClapAudioModelWithProjection {
    pub(super) fn new(config: &ClapAudioConfig, device: &Device) -> Self {
        let (d_model, d_embed) = (config.d_model, config.d_embed);
        let activation = config.projection_activation;
        Self {
            audio: ClapAudioModel::new(config, device),
            projection: ClapProjection::new(d_model, d_embed, activation, device),
        }
    }

    /// The projected embedding, not normalised: `[batch, d_embed]`. Unspecified where a sound is absent.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](Encoder::encode_with).
    pub fn embed(&self, batch: SoundBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    /// The same, showing `embedding`, and under `audio` what the tower shows, to the tap.
    ///
    /// # Panics
    /// As the tower's [`encode_with`](Encoder::encode_with).
    pub fn embed_with<T: Tap>(&self, batch: SoundBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "audio", |tap| self.audio.embed_with(batch, tap));
        tap.tensor("embedding", self.projection.forward(pooled))
    }
}

impl Encoder for ClapAudioModelWithProjection {
    const MODALITY: Modality = AUDIO;
    type Batch = SoundBatch;

    fn d_output(&self) -> usize {
        self.projection.d_embed()
    }

    /// `[batch, views * frames, n_mels]` → `[batch, 1, d_embed]`: the embedding as the only token.
    ///
    /// # Panics
    /// As the tower's.
    fn encode_with<T: Tap>(&self, batch: SoundBatch, tap: &mut T) -> Tokens {
        let present = present(batch.pad.clone());
        let embedding = self.embed_with(batch, tap);
        Tokens::with_presence(embedding.unsqueeze_dim(1), present) // [B, E] -> [B, 1, E]
    }
}
