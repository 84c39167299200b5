//! The features of the published audio spectrogram transformer: Kaldi's, of one length, normalised.

use super::kaldi::{KaldiConfig, KaldiMel};
use super::{MOST_NUMBERS, Window, within};
use crate::Error;

/// The settings of the audio spectrogram transformer, by the names of `preprocessor_config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AstMelConfig {
    /// Bands.
    pub num_mel_bins: usize,
    /// Samples a second.
    pub sampling_rate: u32,
    /// Frames that every sound is cut or filled to.
    pub max_length: usize,
    /// Whether mean and deviation are taken out.
    pub do_normalize: bool,
    /// The mean over the training data.
    pub mean: f32,
    /// The deviation over the training data; features are divided by twice as much.
    pub std: f32,
}

impl Default for AstMelConfig {
    /// Those of AudioSet (arXiv 2104.01778, section 3.1): 16 kHz, 128 bands, 1,024 frames.
    fn default() -> Self {
        Self {
            num_mel_bins: 128,
            sampling_rate: 16_000,
            max_length: 1024,
            do_normalize: true,
            mean: -4.267_739_3,
            std: 4.568_997_4,
        }
    }
}

impl AstMelConfig {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("num_mel_bins", self.num_mel_bins, 1..=512)?;
        within("sampling_rate", self.sampling_rate, 1_000..=768_000)?;
        let most = MOST_NUMBERS / self.num_mel_bins;
        within("max_length", self.max_length, 1..=most)?;
        within("mean", self.mean, -1e6..=1e6)?;
        Ok(within("std", self.std, 1e-6..=1e6)?)
    }
}

/// The features of the audio spectrogram transformer (arXiv 2104.01778): [`KaldiMel`] with a Hann window, cut or filled
/// with zeros to one length, (x - mean) / (2 std). Cheap to clone.
///
/// At 16 kHz the reference computes the same with torchaudio and without; at other rates frames are in milliseconds,
/// as torchaudio has them.
#[derive(Clone, Debug)]
pub struct AstMel {
    config: AstMelConfig,
    kaldi: KaldiMel,
}

impl AstMel {
    /// Plans the transform and the bands.
    ///
    /// # Errors
    /// If [`AstMelConfig::validate`] refuses.
    pub fn new(config: AstMelConfig) -> Result<Self, Error> {
        config.validate()?;
        let kaldi = KaldiConfig {
            window: Window::Hann,
            ..KaldiConfig::new(config.sampling_rate, config.num_mel_bins)
        };
        Ok(Self {
            config,
            kaldi: KaldiMel::new(kaldi)?,
        })
    }

    /// The settings.
    pub fn config(&self) -> &AstMelConfig {
        &self.config
    }

    /// Samples that features depend on, at most.
    pub fn n_samples(&self) -> usize {
        (self.config.max_length - 1) * self.kaldi.config().hop()
            + self.kaldi.config().frame_length()
    }

    /// Frames that hold sound; the others are filled.
    pub fn heard(&self, samples: usize) -> usize {
        self.kaldi.n_frames(samples).min(self.config.max_length)
    }

    /// Features `[max_length, num_mel_bins]`, frame by frame. What is filled is zero before it is normalised, so it
    /// is not after.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let most = samples.len().min(self.n_samples());
        let mut features = self.kaldi.compute(&samples[..most]);
        features.resize(self.config.max_length * self.config.num_mel_bins, 0.0);
        if self.config.do_normalize {
            let AstMelConfig { mean, std, .. } = self.config;
            for value in &mut features {
                *value = (*value - mean) / (std * 2.0);
            }
        }
        features
    }
}
