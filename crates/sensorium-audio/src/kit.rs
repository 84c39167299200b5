//! What a recipe needs to know of sound: one flat table, a processor and an encoder made of it.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Modality, ModalityKit, Source};
use serde::{Deserialize, Serialize};

use crate::{
    AUDIO, Ast, AstConfig, AudioProcessor, AugmentConfig, Error, LogMel, MelConfig, MelScale,
    NormalizeConfig, NormalizeOver,
};

/// A recipe's table for sound: its features, how they are changed in training, and an [`Ast`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AudioConfig {
    /// Samples a second that sounds are brought to.
    pub sample_rate_hz: u32,
    /// The longest sound, in seconds; what is longer is cut at its end.
    pub max_seconds: f64,
    /// Samples of a window; 32 ms by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_fft: Option<usize>,
    /// Samples from one frame to the next; 10 ms by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop: Option<usize>,
    /// Bands.
    pub n_mels: usize,
    /// Cepstral coefficients that are taken of the bands, instead of the bands themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_mfcc: Option<usize>,
    /// The lowest frequency, in Hz.
    pub f_min: f32,
    /// The highest frequency, in Hz; half the sample rate by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f_max: Option<f32>,
    /// How a frequency becomes a pitch.
    pub mel_scale: MelScale,
    /// Over what the features' mean is taken, which becomes 0.
    pub normalize: NormalizeOver,
    /// How many decibels below the loudest a band counts as silent; without it, the floor is that of the logarithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor_db: Option<f32>,
    /// Frames of a patch.
    pub patch_frames: usize,
    /// Bands, or coefficients, of a patch; all of them by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_mels: Option<usize>,
    /// Width of the tokens; a multiple of `n_heads`.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part; four times `d_model` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_ff: Option<usize>,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// Chance of skipping the last block's residual branches in training.
    pub drop_path: f64,
    /// Random changes in training.
    pub augment: AugmentConfig,
    /// What a strongly changed copy is instead, where training compares such copies;
    /// [`stronger`](AugmentConfig::stronger) than `augment` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strong: Option<AugmentConfig>,
}

impl Default for AudioConfig {
    /// A small model for short speech.
    fn default() -> Self {
        Self {
            sample_rate_hz: 16_000,
            max_seconds: 10.0,
            n_fft: None,
            hop: None,
            n_mels: 40,
            n_mfcc: None,
            f_min: 0.0,
            f_max: None,
            mel_scale: MelScale::Slaney,
            normalize: NormalizeOver::Sound,
            floor_db: None,
            patch_frames: 4,
            patch_mels: None,
            d_model: 64,
            n_layers: 2,
            n_heads: 4,
            d_ff: None,
            dropout: 0.0,
            drop_path: 0.0,
            augment: AugmentConfig::default(),
            strong: None,
        }
    }
}

impl AudioConfig {
    /// How features are computed.
    pub fn mel(&self) -> MelConfig {
        let usual = MelConfig::new(self.sample_rate_hz, self.n_mels);
        MelConfig {
            n_fft: self.n_fft.unwrap_or(usual.n_fft),
            hop: self.hop.unwrap_or(usual.hop),
            f_min: self.f_min,
            f_max: self.f_max.unwrap_or(usual.f_max),
            scale: self.mel_scale,
            ..usual
        }
    }

    /// The encoder for so many frames.
    pub fn ast(&self, max_frames: usize) -> AstConfig {
        let width = self.n_mfcc.unwrap_or(self.n_mels);
        let d_ff = self.d_ff.unwrap_or(self.d_model.saturating_mul(4));
        AstConfig {
            patch_frames: self.patch_frames,
            patch_mels: self.patch_mels.unwrap_or(width),
            d_ff,
            dropout: self.dropout,
            drop_path: self.drop_path,
            ..AstConfig::new(
                width,
                max_frames,
                1,
                self.d_model,
                self.n_layers,
                self.n_heads,
            )
        }
    }

    fn processor(&self) -> Result<AudioProcessor, Error> {
        let mel = LogMel::new(self.mel())?;
        let normalize = NormalizeConfig {
            over: self.normalize,
            floor_db: self.floor_db,
        };
        let mut processor = AudioProcessor::new(mel, self.max_seconds, self.patch_frames)?;
        if let Some(n_mfcc) = self.n_mfcc {
            processor = processor.with_mfcc(n_mfcc)?;
        }
        processor
            .with_normalize(normalize)?
            .with_augment(self.augment)?
            .with_strong(self.strong)
    }
}

/// Sound for recipes.
#[derive(Clone, Copy, Debug)]
pub struct AudioKit;

impl ModalityKit for AudioKit {
    const MODALITY: Modality = AUDIO;
    type Config = AudioConfig;
    type Processor = AudioProcessor;
    type Encoder = Ast;
    type Error = Error;

    fn validate(config: &AudioConfig) -> Result<(), Error> {
        config.processor()?;
        config.ast(1).validate()
    }

    /// Nothing is learned from the sounds: the processor is the config's.
    fn fit(
        config: &AudioConfig,
        _samples: &mut dyn Iterator<Item = Source>,
    ) -> Result<AudioProcessor, Error> {
        Self::validate(config)?;
        config.processor()
    }

    fn open(config: &AudioConfig, _dir: &Path) -> Result<AudioProcessor, Error> {
        config.processor()
    }

    fn encoder(
        config: &AudioConfig,
        processor: &AudioProcessor,
        device: &Device,
    ) -> Result<Ast, Error> {
        Ok(config.ast(processor.max_frames()).init(device))
    }
}
