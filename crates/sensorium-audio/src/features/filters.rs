//! Bands of pitch: triangles over the bins of a spectrum.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

impl MelScale {
    pub(super) fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < 1000.0 => hz * 3.0 / 200.0,
            Self::Slaney => 15.0 + (hz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    pub(super) fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
            Self::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}

/// The form of the bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Triangles {
    /// Straight over the frequency, of equal area: librosa's (Slaney, 1998).
    EqualArea,
    /// Straight over the frequency, of equal height: torchaudio's.
    EqualHeight,
    /// Straight over the pitch, of equal height: Kaldi's.
    OverPitch,
}

/// How bands lie over bins.
#[derive(Clone, Copy, Debug)]
pub(super) struct BankConfig {
    pub(super) n_mels: usize,
    /// Bins of a spectrum.
    pub(super) bins: usize,
    /// From one bin to the next, in Hz.
    pub(super) bin_hz: f64,
    pub(super) f_min: f64,
    pub(super) f_max: f64,
    pub(super) scale: MelScale,
    pub(super) form: Triangles,
}

/// The weights of bins in bands. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    /// For each band: the first bin it hears, and the weights from there on.
    bands: Arc<[(usize, Vec<f64>)]>,
}

impl Bank {
    pub(super) fn new(config: &BankConfig) -> Self {
        let BankConfig {
            n_mels,
            bins,
            bin_hz,
            f_min,
            f_max,
            scale,
            form,
        } = *config;
        let (low, high) = (scale.mel(f_min), scale.mel(f_max));
        // Bins and edges on the axis over which the triangles are straight.
        let axis = |mel: f64| match form {
            Triangles::OverPitch => mel,
            Triangles::EqualArea | Triangles::EqualHeight => scale.hz(mel),
        };
        let place = |bin: usize| match form {
            Triangles::OverPitch => scale.mel(bin as f64 * bin_hz),
            Triangles::EqualArea | Triangles::EqualHeight => bin as f64 * bin_hz,
        };
        let edge = |i: usize| axis(low + (high - low) * i as f64 / (n_mels + 1) as f64);
        let band = |band: usize| {
            let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
            let height = match form {
                Triangles::EqualArea => 2.0 / (right - left),
                Triangles::EqualHeight | Triangles::OverPitch => 1.0,
            };
            let weight = |bin: usize| {
                let rise = (place(bin) - left) / (centre - left);
                let fall = (right - place(bin)) / (right - centre);
                rise.min(fall).max(0.0) * height
            };
            let first = (0..bins).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            let weights = (first..bins).map(weight).take_while(|w| *w > 0.0).collect();
            (first, weights)
        };
        Self {
            bands: (0..n_mels).map(band).collect(),
        }
    }

    pub(super) fn n_mels(&self) -> usize {
        self.bands.len()
    }

    /// The weights as `[bins, n_mels]`.
    pub(super) fn matrix(&self, bins: usize) -> Vec<f32> {
        let n_mels = self.n_mels();
        let mut matrix = vec![0.0; bins * n_mels];
        for (band, (first, weights)) in self.bands.iter().enumerate() {
            for (bin, weight) in (*first..).zip(weights) {
                matrix[bin * n_mels + band] = *weight as f32;
            }
        }
        matrix
    }

    /// The power in each band.
    pub(super) fn apply<'a>(&'a self, power: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.bands.iter().map(|(first, weights)| {
            let heard = weights.iter().zip(&power[*first..]);
            heard.map(|(w, p)| w * p).sum::<f64>()
        })
    }
}
