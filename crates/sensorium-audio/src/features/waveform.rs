//! Samples as they are, for models that hear them without a spectrum: wav2vec 2.0 and those like it.

use super::within;
use crate::Error;
use crate::normalize::moments;

/// The settings of a raw waveform, by the names of `preprocessor_config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaveformConfig {
    /// Samples a second.
    pub sampling_rate: u32,
    /// What stands after a sound that is shorter than its neighbours.
    pub padding_value: f32,
    /// Whether each sound comes to mean 0 and variance 1.
    pub do_normalize: bool,
}

impl Default for WaveformConfig {
    /// Those of the paper (arXiv 2006.11477, section 2): 16 kHz, normalised.
    fn default() -> Self {
        Self {
            sampling_rate: 16_000,
            padding_value: 0.0,
            do_normalize: true,
        }
    }
}

impl WaveformConfig {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("sampling_rate", self.sampling_rate, 1_000..=768_000)?;
        Ok(within("padding_value", self.padding_value, -1e6..=1e6)?)
    }
}

/// Prepares samples for wav2vec 2.0 (arXiv 2006.11477), HuBERT, WavLM and their like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waveform {
    config: WaveformConfig,
}

impl Waveform {
    /// Takes the settings.
    ///
    /// # Errors
    /// If [`WaveformConfig::validate`] refuses.
    pub fn new(config: WaveformConfig) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self { config })
    }

    /// The settings.
    pub fn config(&self) -> &WaveformConfig {
        &self.config
    }

    /// The samples, by default of mean 0 and variance 1: (x - mean) / √(variance + 1e-7), over this sound alone.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        if !self.config.do_normalize {
            return samples.to_vec();
        }
        let (mean, variance) = moments(samples);
        let scale = 1.0 / (variance + 1e-7).sqrt();
        let normal = |s: &f32| ((f64::from(*s) - mean) * scale) as f32;
        samples.iter().map(normal).collect()
    }
}
