//! Whisper's log-mel features, of a chunk of 30 seconds or of a whole recording.

use burn::tensor::Device;
use sensorium_core::need;

use super::filters::{Bank, BankConfig, MelScale, Triangles};
use super::log_mel::FLOOR;
use super::on_device::{DeviceMel, Scaled};
use super::seeded::{add_noise, rng_of};
use super::stft::{Stft, StftConfig};
use super::{MOST_NUMBERS, hop_fits, within};
use crate::Error;

/// The highest frequency that Whisper hears, in Hz, whatever the sample rate.
const F_MAX: f64 = 8000.0;

/// Whisper's settings, by the names of `preprocessor_config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhisperConfig {
    /// Bands: 80, of large-v3 128.
    pub feature_size: usize,
    /// Samples a second.
    pub sampling_rate: u32,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Seconds of a chunk.
    pub chunk_length: usize,
    /// Samples of a window.
    pub n_fft: usize,
    /// What a short sound is filled with.
    pub padding_value: f32,
    /// Deviation of noise that is added to the samples; none by default, and in all of OpenAI's checkpoints.
    pub dither: f32,
}

impl WhisperConfig {
    /// The paper's settings (arXiv 2212.04356, section 2.2): 16 kHz, windows of 25 ms every 10 ms, chunks of 30 s.
    pub fn new(feature_size: usize) -> Self {
        Self {
            feature_size,
            sampling_rate: 16_000,
            hop_length: 160,
            chunk_length: 30,
            n_fft: 400,
            padding_value: 0.0,
            dither: 0.0,
        }
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("feature_size", self.feature_size, 1..=512)?;
        within("sampling_rate", self.sampling_rate, 1_000..=768_000)?;
        within("n_fft", self.n_fft, 16..=1 << 16)?;
        hop_fits(self.hop_length, "n_fft", self.n_fft)?;
        within("chunk_length", self.chunk_length, 1..=3600)?;
        let numbers = self.n_samples() / self.hop_length * self.feature_size;
        let fits = self.n_samples().max(numbers) <= MOST_NUMBERS;
        need(fits, "chunk_length", || {
            format!(
                "{} seconds of {} Hz in {} bands are more than {MOST_NUMBERS} numbers",
                self.chunk_length, self.sampling_rate, self.feature_size
            )
        })?;
        within("padding_value", self.padding_value, -1.0..=1.0)?;
        within("dither", self.dither, 0.0..=1.0)?;
        Ok(())
    }

    /// Samples of a chunk.
    pub fn n_samples(&self) -> usize {
        self.chunk_length * self.sampling_rate as usize
    }
}

/// Whisper's features (arXiv 2212.04356): power in Slaney's bands, its base-10 logarithm, nothing more than 8 below the
/// loudest, (x + 4) / 4. Cheap to clone.
///
/// The last of the centred frames is left out, so that 30 seconds are 3,000 frames. Features are `[frames,
/// feature_size]`, time first, where Transformers has the bands first.
///
/// ```
/// use sensorium_audio::{WhisperConfig, WhisperMel};
///
/// let mel = WhisperMel::new(WhisperConfig::new(80))?;
/// let minute: Vec<f32> = (0..60 * 16_000).map(|i| (i as f32 * 0.1).sin()).collect();
/// assert_eq!(mel.compute(&minute).len(), 3000 * 80); // its first 30 s
///
/// // Long recordings: features of all of it, of which a chunk is cut wherever it is needed.
/// let whole = mel.whole(&minute);
/// assert_eq!(whole.len(), 6000 * 80);
/// assert_eq!(mel.segment(&whole, 4500).len(), 3000 * 80);
/// # Ok::<(), sensorium_audio::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WhisperMel {
    config: WhisperConfig,
    stft: Stft,
    bank: Bank,
}

impl WhisperMel {
    /// Plans the transform and the bands.
    ///
    /// # Errors
    /// If [`WhisperConfig::validate`] refuses.
    pub fn new(config: WhisperConfig) -> Result<Self, Error> {
        config.validate()?;
        let bins = config.n_fft / 2 + 1;
        let bank = BankConfig {
            n_mels: config.feature_size,
            bins,
            // As the reference spreads them, in whole Hz.
            bin_hz: f64::from(config.sampling_rate / 2) / (bins - 1) as f64,
            f_min: 0.0,
            f_max: F_MAX,
            scale: MelScale::Slaney,
            form: Triangles::EqualArea,
        };
        Ok(Self {
            config,
            stft: Stft::new(StftConfig::new(config.n_fft, config.hop_length))?,
            bank: Bank::new(&bank),
        })
    }

    /// The settings.
    pub fn config(&self) -> &WhisperConfig {
        &self.config
    }

    /// Frames of so many samples.
    pub fn n_frames(&self, samples: usize) -> usize {
        self.stft.n_frames(samples) - 1
    }

    /// Frames of a chunk, 3,000 by default: the model's input.
    pub fn chunk_frames(&self) -> usize {
        self.n_frames(self.config.n_samples())
    }

    /// Features of the first chunk, `[chunk_frames, feature_size]`. A longer sound is cut, a shorter one filled.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let n_samples = self.config.n_samples();
        let mut chunk = samples[..samples.len().min(n_samples)].to_vec();
        chunk.resize(n_samples, self.config.padding_value);
        self.whole(&chunk)
    }

    /// Features of a recording of any length, `[samples / hop_length, feature_size]`: what the algorithm for long
    /// recordings cuts into segments. The loudest band of all of it sets the floor.
    pub fn whole(&self, samples: &[f32]) -> Vec<f32> {
        if self.config.dither > 0.0 {
            let mut noisy = samples.to_vec();
            add_noise(&mut noisy, self.config.dither, &mut rng_of(samples));
            return self.log_mel(&noisy);
        }
        self.log_mel(samples)
    }

    fn log_mel(&self, samples: &[f32]) -> Vec<f32> {
        let frames = self.n_frames(samples.len());
        let mut features = Vec::with_capacity(frames * self.config.feature_size);
        let mut loudest = f32::NEG_INFINITY;
        self.stft.each_power(samples, frames, |power| {
            for band in self.bank.apply(power) {
                let log = band.max(FLOOR).log10() as f32;
                loudest = loudest.max(log);
                features.push(log);
            }
        });
        for value in &mut features {
            *value = (value.max(loudest - 8.0) + 4.0) / 4.0;
        }
        features
    }

    /// Features of samples that lie on a device, with gradients back to them: of a whole recording each, or of a chunk if
    /// the samples are one.
    ///
    /// # Errors
    /// If noise is to be added, which is drawn on the host, or `n_fft` is too large for a table of its waves: beyond 5,791.
    pub fn on(&self, device: &Device) -> Result<DeviceMel, Error> {
        need(self.config.dither <= 0.0, "dither", || {
            format!(
                "{} is noise that only features on the host have; add it to the samples, and make it 0",
                self.config.dither
            )
        })?;
        DeviceMel::new(&self.stft, &self.bank, Scaled::Whisper, device)
    }

    /// The chunk of a whole recording's features that begins at a frame, `[chunk_frames, feature_size]`; what is
    /// missing at the end is zeros, as in the reference's algorithm for long recordings.
    pub fn segment(&self, whole: &[f32], start: usize) -> Vec<f32> {
        let size = self.chunk_frames() * self.config.feature_size;
        let from = start.saturating_mul(self.config.feature_size);
        let rest = whole.get(from..).unwrap_or_default();
        let mut segment = rest[..rest.len().min(size)].to_vec();
        segment.resize(size, 0.0);
        segment
    }
}
