//! Log-mel features brought to mean 0 and deviation 1, so that a room, a microphone and a distance matter less.

use sensorium_core::need;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How features are normalised, by the sound's own numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NormalizeConfig {
    /// Over what the mean is taken.
    pub over: NormalizeOver,
    /// Nothing counts as quieter than so many decibels below the loudest band of the loudest frame; without it, the floor is
    /// that of the logarithm. Silence and bands that a recording lacks then weigh no more than a quiet room.
    pub floor_db: Option<f32>,
}

/// Over what the mean is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeOver {
    /// The sound as a whole.
    #[default]
    Sound,
    /// Each band (or coefficient) for itself, which takes out what a microphone and a voice do to all frames alike (cepstral mean
    /// normalisation: Atal, 1974). The deviation is still that of the sound as a whole.
    Band,
}

impl NormalizeConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        let fits = self.floor_db.is_none_or(|db| (1.0..=200.0).contains(&db));
        need(fits, "floor_db", || {
            let value = self.floor_db.unwrap_or_default();
            format!("{value} must be 1 to 200, or left out")
        })?;
        Ok(())
    }

    /// Raises natural logarithms of power to the floor.
    pub(crate) fn raise(&self, log_mel: &mut [f32]) {
        if let Some(floor_db) = self.floor_db {
            let loudest = log_mel.iter().copied().fold(f32::MIN, f32::max);
            let floor = loudest - floor_db * core::f32::consts::LN_10 / 10.0;
            log_mel.iter_mut().for_each(|v| *v = v.max(floor));
        }
    }

    /// Normalises `[frames, width]` features in place. Digital silence becomes all zeros.
    pub(crate) fn apply(&self, features: &mut [f32], width: usize) {
        if self.over == NormalizeOver::Band {
            let frames = (features.len() / width).max(1) as f64;
            for band in 0..width {
                let values = features.iter().skip(band).step_by(width);
                let mean = values.map(|v| f64::from(*v)).sum::<f64>() / frames;
                let values = features.iter_mut().skip(band).step_by(width);
                values.for_each(|v| *v = (f64::from(*v) - mean) as f32);
            }
        }
        standardise(features);
    }
}

/// Mean and variance; zeros of nothing.
pub(crate) fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2));
    (mean, squares.sum::<f64>() / count)
}

/// To mean 0 and deviation 1.
fn standardise(features: &mut [f32]) {
    let (mean, variance) = moments(features);
    let scale = if variance > 1e-10 {
        1.0 / variance.sqrt()
    } else {
        0.0
    };
    features
        .iter_mut()
        .for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32);
}

#[cfg(test)]
#[path = "normalize_tests.rs"]
mod tests;
