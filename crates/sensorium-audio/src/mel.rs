//! Log-mel features: how loud each band of pitch is, over time.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};
use sensorium_core::need;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How a frequency becomes a pitch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MelScale {
    /// Straight below 1,000 Hz, logarithmic above (Slaney's Auditory Toolbox, 1998): librosa's default.
    #[default]
    Slaney,
    /// 2595 log10(1 + f / 700) (O'Shaughnessy, 1987): HTK's.
    Htk,
}

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
        need(
            (1_000..=768_000).contains(&self.sample_rate_hz),
            "sample_rate_hz",
            || format!("{} must be 1000 to 768000", self.sample_rate_hz),
        )?;
        need((2..=1 << 20).contains(&self.n_fft), "n_fft", || {
            format!("{} must be 2 to 1048576", self.n_fft)
        })?;
        need((1..=self.n_fft).contains(&self.hop), "hop", || {
            format!("{} must be 1 to n_fft = {}", self.hop, self.n_fft)
        })?;
        need((1..=1024).contains(&self.n_mels), "n_mels", || {
            format!("{} must be 1 to 1024", self.n_mels)
        })?;
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
}

/// The floor below which a band counts as silent, before the logarithm: as librosa and Whisper have it.
const FLOOR: f64 = 1e-10;

/// Computes natural-log mel features. Cheap to clone.
#[derive(Clone)]
pub struct LogMel {
    config: MelConfig,
    /// In double precision: a quiet band next to a loud one would else hear its rounding.
    fft: Arc<dyn RealToComplex<f64>>,
    window: Arc<[f64]>,
    /// For each band: the first bin it hears, and the weights from there on.
    bands: Arc<[(usize, Vec<f64>)]>,
}

impl std::fmt::Debug for LogMel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogMel({:?})", self.config)
    }
}

impl LogMel {
    /// Plans the transform and the bands.
    ///
    /// # Errors
    /// If [`MelConfig::validate`] refuses.
    pub fn new(config: MelConfig) -> Result<Self, Error> {
        config.validate()?;
        let n = config.n_fft;
        // The periodic Hann window.
        let hann = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / n as f64).cos();
        Ok(Self {
            config,
            fft: RealFftPlanner::new().plan_fft_forward(n),
            window: (0..n).map(hann).collect(),
            bands: bands(&config).into(),
        })
    }

    /// How features are computed.
    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// Frames for so many samples: one for each whole hop, and one. As in librosa, a window of odd size
    /// needs one sample more.
    pub fn n_frames(&self, samples: usize) -> usize {
        samples.saturating_sub(self.config.n_fft % 2) / self.config.hop + 1
    }

    /// How many samples from the start the first `frames` frames depend on, at most.
    pub fn n_samples(&self, frames: usize) -> usize {
        frames.saturating_sub(1) * self.config.hop + self.config.n_fft
    }

    /// Features `[frames, n_mels]`, frame by frame. Each frame is centred on its sample; what lies outside
    /// the sound is its mirror image.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let MelConfig {
            n_fft, hop, n_mels, ..
        } = self.config;
        let frames = self.n_frames(samples.len());
        let mut features = Vec::with_capacity(frames * n_mels);
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0f64; spectrum.len()];
        for frame in 0..frames {
            let start = (frame * hop) as isize - (n_fft / 2) as isize;
            for (i, value) in input.iter_mut().enumerate() {
                *value = self.window[i] * f64::from(mirrored(samples, start + i as isize));
            }
            self.fft
                .process_with_scratch(&mut input, &mut spectrum, &mut scratch)
                .expect("the buffers are those the transform made");
            for (p, bin) in power.iter_mut().zip(&spectrum) {
                *p = bin.norm_sqr();
            }
            features.extend(self.bands.iter().map(|(first, weights)| {
                let heard = weights.iter().zip(&power[*first..]);
                heard.map(|(w, p)| w * p).sum::<f64>().max(FLOOR).ln() as f32
            }));
        }
        features
    }
}

/// A sample, or its mirror image outside the sound (the edge itself is not repeated).
fn mirrored(samples: &[f32], at: isize) -> f32 {
    let last = samples.len() as isize - 1;
    if last <= 0 {
        return samples.first().copied().unwrap_or(0.0);
    }
    let period = 2 * last;
    let folded = at.rem_euclid(period);
    samples[folded.min(period - folded) as usize]
}

fn bands(config: &MelConfig) -> Vec<(usize, Vec<f64>)> {
    let bins = config.n_fft / 2 + 1;
    let hz_of_bin =
        |bin: usize| bin as f64 * f64::from(config.sample_rate_hz) / config.n_fft as f64;
    let (low, high) = (
        mel(config.scale, f64::from(config.f_min)),
        mel(config.scale, f64::from(config.f_max)),
    );
    let edge = |i: usize| {
        hz(
            config.scale,
            low + (high - low) * i as f64 / (config.n_mels + 1) as f64,
        )
    };
    (0..config.n_mels)
        .map(|band| {
            let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
            let weight = |bin: usize| {
                let f = hz_of_bin(bin);
                let rise = (f - left) / (centre - left);
                let fall = (right - f) / (right - centre);
                rise.min(fall).max(0.0) * 2.0 / (right - left)
            };
            let first = (0..bins).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            let weights = (first..bins).map(weight).take_while(|w| *w > 0.0).collect();
            (first, weights)
        })
        .collect()
}

fn mel(scale: MelScale, hz: f64) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        MelScale::Slaney if hz < 1000.0 => hz * 3.0 / 200.0,
        MelScale::Slaney => 15.0 + (hz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
    }
}

fn hz(scale: MelScale, mel: f64) -> f64 {
    match scale {
        MelScale::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
        MelScale::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
        MelScale::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
    }
}
