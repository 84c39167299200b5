//! Cepstral coefficients: the shape of the spectrum in few numbers, for people's own models.

use std::sync::Arc;

use super::within;
use crate::{Error, LogMel, MelConfig};

/// How coefficients are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MfccConfig {
    /// The bands whose logarithms are transformed.
    pub mel: MelConfig,
    /// Coefficients of a frame, the first being the mean loudness; at most the bands.
    pub n_mfcc: usize,
}

impl MfccConfig {
    /// So many coefficients of so many bands, of windows of 32 ms every 10 ms.
    pub fn new(sample_rate_hz: u32, n_mels: usize, n_mfcc: usize) -> Self {
        Self {
            mel: MelConfig::new(sample_rate_hz, n_mels),
            n_mfcc,
        }
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.mel.validate()?;
        Ok(within("n_mfcc", self.n_mfcc, 1..=self.mel.n_mels)?)
    }
}

/// Mel-frequency cepstral coefficients (Davis and Mermelstein, 1980): the orthonormal DCT-II of [`LogMel`]'s
/// natural-log bands. Cheap to clone.
///
/// The same as `librosa.feature.mfcc(S=log_mel)`. librosa's own default takes decibels, which are 10 / ln 10 times as
/// large, and nothing more than 80 dB below the loudest.
#[derive(Clone, Debug)]
pub struct Mfcc {
    mel: LogMel,
    n_mfcc: usize,
    /// `[n_mfcc, n_mels]`
    basis: Arc<[f64]>,
}

impl Mfcc {
    /// Plans the transforms.
    ///
    /// # Errors
    /// If [`MfccConfig::validate`] refuses.
    pub fn new(config: MfccConfig) -> Result<Self, Error> {
        config.validate()?;
        let MfccConfig { mel, n_mfcc } = config;
        let n = mel.n_mels as f64;
        let entry = |k: usize, band: usize| {
            let scale = if k == 0 { 1.0 / n } else { 2.0 / n };
            scale.sqrt() * (std::f64::consts::PI / n * (band as f64 + 0.5) * k as f64).cos()
        };
        let rows = (0..n_mfcc).flat_map(|k| (0..mel.n_mels).map(move |band| entry(k, band)));
        Ok(Self {
            mel: LogMel::new(mel)?,
            n_mfcc,
            basis: rows.collect(),
        })
    }

    /// The bands beneath.
    pub fn mel(&self) -> &LogMel {
        &self.mel
    }

    /// Coefficients of a frame.
    pub fn n_mfcc(&self) -> usize {
        self.n_mfcc
    }

    /// Coefficients `[frames, n_mfcc]`, frame by frame.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        self.of_log_mel(&self.mel.compute(samples))
    }

    /// Coefficients of features that are there already.
    ///
    /// # Shapes
    /// `[frames, n_mels]` → `[frames, n_mfcc]`
    ///
    /// # Panics
    /// If `features` are no whole number of frames.
    pub fn of_log_mel(&self, features: &[f32]) -> Vec<f32> {
        let n_mels = self.mel.config().n_mels;
        assert!(
            features.len().is_multiple_of(n_mels),
            "{} numbers are no whole frames of {n_mels} bands",
            features.len()
        );
        let mut coefficients = Vec::with_capacity(features.len() / n_mels * self.n_mfcc);
        for frame in features.chunks_exact(n_mels) {
            coefficients.extend(self.basis.chunks_exact(n_mels).map(|row| {
                let products = row.iter().zip(frame).map(|(w, v)| w * f64::from(*v));
                products.sum::<f64>() as f32
            }));
        }
        coefficients
    }
}
