//! Kaldi's filter bank, as `torchaudio.compliance.kaldi.fbank` computes it.

use std::fmt;

use sensorium_core::need;

use super::filters::{Bank, BankConfig, MelScale, Triangles};
use super::transform::Transform;
use super::{Window, within};
use crate::Error;

/// The floor of a band before the logarithm: the step of single precision at 1.
const FLOOR: f64 = f32::EPSILON as f64;

/// How Kaldi's features are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaldiConfig {
    /// Samples a second. Frames are 25 ms long, and begin every 10 ms.
    pub sample_rate_hz: u32,
    /// Bands.
    pub n_mels: usize,
    /// The lowest frequency, in Hz.
    pub f_min: f32,
    /// The highest frequency, in Hz.
    pub f_max: f32,
    /// The window, symmetric.
    pub window: Window,
    /// Share of each sample that is taken off the next, which lifts high frequencies.
    pub preemphasis: f32,
    /// Whether each frame's mean is taken off it.
    pub remove_dc_offset: bool,
}

impl KaldiConfig {
    /// Kaldi's own defaults but for noise: from 20 Hz to half the rate, Povey's window, 0.97 of pre-emphasis.
    pub fn new(sample_rate_hz: u32, n_mels: usize) -> Self {
        Self {
            sample_rate_hz,
            n_mels,
            f_min: 20.0,
            f_max: sample_rate_hz as f32 / 2.0,
            window: Window::Povey,
            preemphasis: 0.97,
            remove_dc_offset: true,
        }
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("sample_rate_hz", self.sample_rate_hz, 1_000..=768_000)?;
        within("n_mels", self.n_mels, 1..=1024)?;
        let half = self.sample_rate_hz as f32 / 2.0;
        let ordered = self.f_min >= 0.0 && self.f_min < self.f_max && self.f_max <= half;
        need(ordered, "f_max", || {
            format!(
                "{} must be above f_min = {} and at most half the sample rate, {half}",
                self.f_max, self.f_min
            )
        })?;
        Ok(within("preemphasis", self.preemphasis, 0.0..=1.0)?)
    }

    /// Samples of a frame.
    pub fn frame_length(&self) -> usize {
        self.sample_rate_hz as usize * 25 / 1000
    }

    /// Samples from one frame to the next.
    pub fn hop(&self) -> usize {
        self.sample_rate_hz as usize / 100
    }
}

/// Natural-log mel features as Kaldi's `compute-fbank-feats` has them (Povey and others, 2011), of all frames that lie
/// inside of the sound ("snip edges"), without noise. Triangles are straight over the pitch. Cheap to clone.
#[derive(Clone)]
pub struct KaldiMel {
    config: KaldiConfig,
    transform: Transform,
    bank: Bank,
}

impl fmt::Debug for KaldiMel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KaldiMel({:?})", self.config)
    }
}

impl KaldiMel {
    /// Plans the transform and the bands.
    ///
    /// # Errors
    /// If [`KaldiConfig::validate`] refuses.
    pub fn new(config: KaldiConfig) -> Result<Self, Error> {
        config.validate()?;
        let n_fft = config.frame_length().next_power_of_two();
        let window = config.window.values(config.frame_length(), false);
        let bank = BankConfig {
            n_mels: config.n_mels,
            bins: n_fft / 2 + 1,
            bin_hz: f64::from(config.sample_rate_hz) / n_fft as f64,
            f_min: f64::from(config.f_min),
            f_max: f64::from(config.f_max),
            // Kaldi's scale is HTK's times a constant, which falls out.
            scale: MelScale::Htk,
            form: Triangles::OverPitch,
        };
        Ok(Self {
            config,
            transform: Transform::new(n_fft, window, 0),
            bank: Bank::new(&bank),
        })
    }

    /// How features are computed.
    pub fn config(&self) -> &KaldiConfig {
        &self.config
    }

    /// Frames of so many samples; none of a sound shorter than 25 ms.
    pub fn n_frames(&self, samples: usize) -> usize {
        let length = self.config.frame_length();
        match samples.checked_sub(length) {
            None => 0,
            Some(more) => more / self.config.hop() + 1,
        }
    }

    /// Features `[frames, n_mels]`, frame by frame.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let frames = self.n_frames(samples.len());
        let mut features = Vec::with_capacity(frames * self.config.n_mels);
        let mut space = self.transform.workspace();
        for frame in 0..frames {
            let start = frame * self.config.hop();
            let heard = &samples[start..start + self.config.frame_length()];
            let power = self
                .transform
                .power(&mut space, |into| self.prepare(heard, into));
            let bands = self.bank.apply(power);
            features.extend(bands.map(|band| band.max(FLOOR).ln() as f32));
        }
        features
    }

    /// A frame without its mean, its high frequencies lifted.
    fn prepare(&self, heard: &[f32], into: &mut [f64]) {
        for (value, sample) in into.iter_mut().zip(heard) {
            *value = f64::from(*sample);
        }
        if self.config.remove_dc_offset {
            let mean = into.iter().sum::<f64>() / into.len() as f64;
            into.iter_mut().for_each(|value| *value -= mean);
        }
        let share = f64::from(self.config.preemphasis);
        // Before the first sample stands the first again.
        let mut before = into[0];
        for value in into {
            (before, *value) = (*value, *value - share * before);
        }
    }
}
