//! Log-mel features for people's own models: how loud each band of pitch is, over time.

use burn::tensor::Device;
use sensorium_core::need;

use super::filters::{Bank, BankConfig, MelScale, Triangles};
use super::on_device::{DeviceMel, Scaled};
use super::stft::{Stft, StftConfig};
use super::within;
use crate::Error;

/// How features are computed. The bands are normalised to equal area, as librosa does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelConfig {
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Samples of a window; any number.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Bands.
    pub n_mels: usize,
    /// The lowest frequency, in Hz.
    pub f_min: f32,
    /// The highest frequency, in Hz.
    pub f_max: f32,
    /// How a frequency becomes a pitch.
    pub scale: MelScale,
}

impl MelConfig {
    /// Windows of 32 ms every 10 ms, bands up to half the rate.
    pub fn new(sample_rate_hz: u32, n_mels: usize) -> Self {
        Self {
            sample_rate_hz,
            n_fft: sample_rate_hz as usize * 32 / 1000,
            hop: sample_rate_hz as usize / 100,
            n_mels,
            f_min: 0.0,
            f_max: sample_rate_hz as f32 / 2.0,
            scale: MelScale::Slaney,
        }
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("sample_rate_hz", self.sample_rate_hz, 1_000..=768_000)?;
        self.stft().validate()?;
        within("n_mels", self.n_mels, 1..=1024)?;
        let half = self.sample_rate_hz as f32 / 2.0;
        let ordered = self.f_min >= 0.0 && self.f_min < self.f_max && self.f_max <= half;
        need(ordered, "f_max", || {
            format!(
                "{} must be above f_min = {} and at most half the sample rate, {half}",
                self.f_max, self.f_min
            )
        })?;
        Ok(())
    }

    fn stft(&self) -> StftConfig {
        StftConfig::new(self.n_fft, self.hop)
    }
}

/// The floor below which a band counts as silent, before the logarithm: as librosa and Whisper have it.
pub(super) const FLOOR: f64 = 1e-10;

/// Computes natural-log mel features. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogMel {
    config: MelConfig,
    stft: Stft,
    bank: Bank,
}

impl LogMel {
    /// Plans the transform and the bands.
    ///
    /// # Errors
    /// If [`MelConfig::validate`] refuses.
    pub fn new(config: MelConfig) -> Result<Self, Error> {
        config.validate()?;
        let bank = BankConfig {
            n_mels: config.n_mels,
            bins: config.n_fft / 2 + 1,
            bin_hz: f64::from(config.sample_rate_hz) / config.n_fft as f64,
            f_min: f64::from(config.f_min),
            f_max: f64::from(config.f_max),
            scale: config.scale,
            form: Triangles::EqualArea,
        };
        Ok(Self {
            config,
            stft: Stft::new(config.stft())?,
            bank: Bank::new(&bank),
        })
    }

    /// How features are computed.
    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// Frames for so many samples: one for each whole hop, and one. As in librosa, a window of odd size
    /// needs one sample more.
    pub fn n_frames(&self, samples: usize) -> usize {
        self.stft.n_frames(samples)
    }

    /// How many samples from the start the first `frames` frames depend on, at most.
    pub fn n_samples(&self, frames: usize) -> usize {
        frames.saturating_sub(1) * self.config.hop + self.config.n_fft
    }

    /// Features `[frames, n_mels]`, frame by frame. Each frame is centred on its sample; what lies outside
    /// the sound is its mirror image.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let frames = self.n_frames(samples.len());
        let mut features = Vec::with_capacity(frames * self.config.n_mels);
        self.stft.each_power(samples, frames, |power| {
            let bands = self.bank.apply(power);
            features.extend(bands.map(|band| band.max(FLOOR).ln() as f32));
        });
        features
    }

    /// The same of samples that lie on a device, with gradients back to them.
    ///
    /// # Errors
    /// If `n_fft` is too large for a table of its waves: beyond 5,791.
    pub fn on(&self, device: &Device) -> Result<DeviceMel, Error> {
        DeviceMel::new(&self.stft, &self.bank, Scaled::Natural, device)
    }
}
