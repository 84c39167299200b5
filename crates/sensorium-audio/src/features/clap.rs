//! CLAP's features: decibels of ten seconds, with what is longer cropped or looked at four times.

use std::borrow::Cow;

use rand::RngExt;
use sensorium_core::{SampleRng, need};

use super::filters::{Bank, BankConfig, MelScale, Triangles};
use super::log_mel::FLOOR;
use super::stft::{Stft, StftConfig};
use super::views::{shrink, thirds};
use super::{MOST_NUMBERS, hop_fits, within};
use crate::Error;

/// What becomes of a sound that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClapTruncation {
    /// Four views: all of it, shrunk in time, and a random crop of each third. HTK's bands of equal height.
    #[default]
    Fusion,
    /// A random crop. Slaney's bands of equal area.
    RandTrunc,
}

/// What becomes of a sound that is too short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClapPadding {
    /// Repeated as often as it fits whole, then silence.
    #[default]
    RepeatPad,
    /// Repeated to the end.
    Repeat,
    /// Silence.
    Pad,
}

/// CLAP's settings, by the names of `preprocessor_config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClapConfig {
    /// Bands.
    pub feature_size: usize,
    /// Samples a second.
    pub sampling_rate: u32,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Seconds that every sound is brought to.
    pub max_length_s: usize,
    /// Samples of a window; even.
    pub fft_window_size: usize,
    /// The lowest frequency, in Hz.
    pub frequency_min: f64,
    /// The highest frequency, in Hz.
    pub frequency_max: f64,
    /// What becomes of a sound that is too long.
    pub truncation: ClapTruncation,
    /// What becomes of a sound that is too short.
    pub padding: ClapPadding,
}

impl Default for ClapConfig {
    /// Those of the paper (arXiv 2211.06687, section 4.1): 48 kHz, windows of 1,024 every 480 samples, 64 bands.
    fn default() -> Self {
        Self {
            feature_size: 64,
            sampling_rate: 48_000,
            hop_length: 480,
            max_length_s: 10,
            fft_window_size: 1024,
            frequency_min: 0.0,
            frequency_max: 14_000.0,
            truncation: ClapTruncation::Fusion,
            padding: ClapPadding::RepeatPad,
        }
    }
}

impl ClapConfig {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("feature_size", self.feature_size, 1..=512)?;
        within("sampling_rate", self.sampling_rate, 1_000..=768_000)?;
        let even = self.fft_window_size.is_multiple_of(2);
        let right = even && (16..=1 << 16).contains(&self.fft_window_size);
        need(right, "fft_window_size", || {
            format!("{} must be even, 16 to 65536", self.fft_window_size)
        })?;
        hop_fits(self.hop_length, "fft_window_size", self.fft_window_size)?;
        within("max_length_s", self.max_length_s, 1..=3600)?;
        let numbers = 4 * self.chunk_frames() * self.feature_size;
        let fits = self.n_samples().max(numbers) <= MOST_NUMBERS;
        need(fits, "max_length_s", || {
            format!(
                "{} seconds of {} Hz in {} bands are more than {MOST_NUMBERS} numbers",
                self.max_length_s, self.sampling_rate, self.feature_size
            )
        })?;
        within("frequency_max", self.frequency_max, 1.0..=1e6)?;
        let ordered = (0.0..self.frequency_max).contains(&self.frequency_min);
        need(ordered, "frequency_min", || {
            let most = self.frequency_max;
            format!(
                "{:?} must be 0 to below frequency_max = {most:?}",
                self.frequency_min
            )
        })?;
        Ok(())
    }

    /// Samples that every sound is brought to.
    pub fn n_samples(&self) -> usize {
        self.max_length_s * self.sampling_rate as usize
    }

    /// Frames of a view.
    pub fn chunk_frames(&self) -> usize {
        self.n_samples() / self.hop_length + 1
    }

    /// Views of a sound: four for fusion, else one.
    pub fn views(&self) -> usize {
        match self.truncation {
            ClapTruncation::Fusion => 4,
            ClapTruncation::RandTrunc => 1,
        }
    }

    fn bank(&self) -> Bank {
        let (scale, form) = match self.truncation {
            ClapTruncation::Fusion => (MelScale::Htk, Triangles::EqualHeight),
            ClapTruncation::RandTrunc => (MelScale::Slaney, Triangles::EqualArea),
        };
        let bins = self.fft_window_size / 2 + 1;
        Bank::new(&BankConfig {
            n_mels: self.feature_size,
            bins,
            // As the reference spreads them, in whole Hz.
            bin_hz: f64::from(self.sampling_rate / 2) / (bins - 1) as f64,
            f_min: self.frequency_min,
            f_max: self.frequency_max,
            scale,
            form,
        })
    }
}

/// What CLAP hears of a sound.
#[derive(Clone, Debug, PartialEq)]
pub struct ClapFeatures {
    /// `[views, frames, feature_size]`, in decibels.
    pub features: Vec<f32>,
    /// Whether the sound was too long and was cropped.
    pub longer: bool,
}

/// CLAP's features (arXiv 2211.06687, section 3.3): power in bands, in decibels, never below -100. Cheap to clone.
///
/// Sounds that are too long are cropped at random, in the reference also where nothing is trained, from a global
/// generator. Here the caller gives the generator; [`SoundProcessor`](crate::SoundProcessor) derives it from the
/// samples, so that a sound has the same features each time.
#[derive(Clone, Debug)]
pub struct ClapMel {
    config: ClapConfig,
    stft: Stft,
    bank: Bank,
}

impl ClapMel {
    /// Plans the transform and the bands.
    ///
    /// # Errors
    /// If [`ClapConfig::validate`] refuses.
    pub fn new(config: ClapConfig) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            config,
            stft: Stft::new(StftConfig::new(config.fft_window_size, config.hop_length))?,
            bank: config.bank(),
        })
    }

    /// The settings.
    pub fn config(&self) -> &ClapConfig {
        &self.config
    }

    /// Features of a sound; crops of one that is too long are drawn from `rng`, of others nothing is.
    pub fn compute(&self, samples: &[f32], rng: &mut SampleRng) -> ClapFeatures {
        let most = self.config.n_samples();
        match self.config.truncation {
            ClapTruncation::RandTrunc if samples.len() > most => {
                let start = rng.random_range(0..=samples.len() - most);
                self.crop(samples, start)
            }
            ClapTruncation::Fusion if samples.len() > most => {
                let mel = self.decibels(samples);
                let frames = mel.len() / self.config.feature_size;
                match frames - self.config.chunk_frames() {
                    // It is too long by less than a hop: all of it is looked at.
                    0 => self.same_views(&mel),
                    spare => {
                        let starts = thirds(spare + 1).map(|third| rng.random_range(third));
                        self.fuse(&mel, starts)
                    }
                }
            }
            _ => self.same_views(&self.decibels(&self.filled(samples))),
        }
    }

    /// Features of the part that begins at a sample.
    pub(crate) fn crop(&self, samples: &[f32], start: usize) -> ClapFeatures {
        let features = self.decibels(&samples[start..start + self.config.n_samples()]);
        ClapFeatures {
            features,
            longer: true,
        }
    }

    /// A sound of full length.
    fn filled<'a>(&self, samples: &'a [f32]) -> Cow<'a, [f32]> {
        let most = self.config.n_samples();
        if samples.len() == most {
            return Cow::Borrowed(samples);
        }
        let kept = match (self.config.padding, most.checked_div(samples.len())) {
            (ClapPadding::Pad, _) | (_, None) => samples.len(),
            (ClapPadding::RepeatPad, Some(times)) => times * samples.len(),
            (ClapPadding::Repeat, Some(_)) => most,
        };
        let mut filled: Vec<f32> = samples.iter().copied().cycle().take(kept).collect();
        filled.resize(most, 0.0);
        Cow::Owned(filled)
    }

    /// `[frames, feature_size]`
    pub(crate) fn decibels(&self, samples: &[f32]) -> Vec<f32> {
        let frames = self.stft.n_frames(samples.len());
        let mut features = Vec::with_capacity(frames * self.config.feature_size);
        self.stft.each_power(samples, frames, |power| {
            let bands = self.bank.apply(power);
            features.extend(bands.map(|band| (10.0 * band.max(FLOOR).log10()) as f32));
        });
        features
    }

    /// As many views as the model looks at, all the same.
    fn same_views(&self, mel: &[f32]) -> ClapFeatures {
        ClapFeatures {
            features: mel.repeat(self.config.views()),
            longer: false,
        }
    }

    /// All of it, shrunk in time, and the crops that begin at these frames.
    pub(crate) fn fuse(&self, mel: &[f32], starts: [usize; 3]) -> ClapFeatures {
        let (bands, frames) = (self.config.feature_size, self.config.chunk_frames());
        let mut features = shrink(mel, bands, frames);
        for start in starts {
            features.extend_from_slice(&mel[start * bands..(start + frames) * bands]);
        }
        ClapFeatures {
            features,
            longer: true,
        }
    }
}
