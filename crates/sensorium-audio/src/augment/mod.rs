//! Random changes of sounds in training, each asked for by a number and off without one.

mod wave;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_strong;

use std::ops::Range;
use std::sync::Arc;

use rand::RngExt;
use sensorium_core::{Changes, SampleRng, changes_key, need};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How much a training sound may be changed. By default not at all; mild values are named at each.
///
/// First the waveform is changed, in the order of the keys here, and its features are computed anew; then the features are.
/// They have mean 0, so that what is blanked is set to the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Played faster or slower by up to this share, in steps of a hundredth, which changes pitch and length too; mild: 0.1
    /// (Ko et al., "Audio augmentation for speech recognition", 2015). Only a sound that is as long as allowed is cut.
    pub speed: f32,
    /// Moved earlier or later by up to so many seconds; mild: 0.05. What leaves the sound is lost, and silence, into which
    /// noise is then added, takes its place.
    pub shift_s: f32,
    /// Louder or quieter by up to so many decibels; mild: 6. Features are normalised by the sound's own mean and deviation, so
    /// that this changes little more than how near its quiet parts are to the floor.
    pub gain_db: f32,
    /// Noise is added, this far below the sound in decibels of power: the least and the most; mild: `[15, 40]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<[f32; 2]>,
    /// What noise that is.
    pub noise_colour: NoiseColour,
    /// The features become longer or shorter by up to this share, which leaves pitch as it is: a frame is drawn out of its
    /// neighbours; mild: 0.2. Only what is longer than allowed is cut.
    pub tempo: f32,
    /// Frames that the features are moved in time by, at most; the gap is blanked. Mild: 4.
    pub shift_frames: usize,
    /// Deviation of noise added to the normalised features.
    pub noise: f32,
    /// Frames in a row that are blanked, at most: the T of SpecAugment (Park et al., arXiv 1904.08779). Mild: 4 of 50.
    pub mask_frames: usize,
    /// How often frames are blanked; the paper's LibriSpeech double: 2.
    pub n_frame_masks: usize,
    /// A mask has at most this share of the sound's frames: the paper's p.
    pub mask_share: f32,
    /// Bands in a row that are blanked, at most: the paper's F. Mild: 3 of 32.
    pub mask_mels: usize,
    /// How often bands are blanked; the paper's LibriSpeech double: 2.
    pub n_mel_masks: usize,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            speed: 0.0,
            shift_s: 0.0,
            gain_db: 0.0,
            snr_db: None,
            noise_colour: NoiseColour::White,
            tempo: 0.0,
            shift_frames: 0,
            noise: 0.0,
            mask_frames: 0,
            n_frame_masks: 1,
            mask_share: 1.0,
            mask_mels: 0,
            n_mel_masks: 1,
        }
    }
}

/// The two tables of one modality.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tables {
    /// What training makes of every sound.
    pub(crate) usual: AugmentConfig,
    /// What a strongly changed copy is, if that is said.
    pub(crate) strong: Option<AugmentConfig>,
}

impl Tables {
    fn all(&self) -> impl Iterator<Item = &AugmentConfig> {
        std::iter::once(&self.usual).chain(&self.strong)
    }

    /// How many samples are needed of a sound of which `most` are heard.
    pub(crate) fn needed(&self, most: usize) -> usize {
        let needed = self.all().map(|config| config.needed(most));
        needed.max().unwrap_or(most)
    }

    /// What of a sound is kept to be changed, at most so many samples: nothing where features alone are.
    pub(crate) fn kept(&self, samples: &[f32], most: usize) -> Arc<[f32]> {
        match self.all().any(AugmentConfig::changes_waveform) {
            true => samples[..samples.len().min(most)].into(),
            false => [].into(),
        }
    }
}

/// How noise is spread over frequencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseColour {
    /// The same power in each hertz: hiss.
    #[default]
    White,
    /// The same power in each octave: as of rain, crowds and streets.
    Pink,
}

impl AugmentConfig {
    /// The strong changes that go with these where nobody names others, for features of so many bands or coefficients: these,
    /// and as SpecAugment blanks LibriSpeech (arXiv 1904.08779), two masks of up to a third of the bands and two of up to a
    /// hundred frames, each at most `mask_share` of the sound, or a fifth where that is all of it.
    pub fn stronger(&self, n_mels: usize) -> Self {
        Self {
            mask_frames: self.mask_frames.max(100),
            n_frame_masks: self.n_frame_masks.max(2),
            mask_share: match self.mask_share {
                1.0 => 0.2,
                share => share,
            },
            // The paper's 27 of 80.
            mask_mels: self.mask_mels.max(n_mels / 3),
            n_mel_masks: self.n_mel_masks.max(2),
            ..*self
        }
    }

    /// The same for a model that hears samples, and has no bands: these, moved by up to a tenth of a second, and in noise that
    /// is 5 to 20 dB below the sound.
    pub fn stronger_waveform(&self) -> Self {
        let [least, most] = self.snr_db.unwrap_or([5.0, 20.0]);
        Self {
            shift_s: self.shift_s.max(0.1),
            snr_db: Some([least.min(5.0), most.min(20.0)]),
            ..*self
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as(Changes::Usual)
    }

    /// The same of one of the two tables.
    pub(crate) fn validate_as(&self, table: Changes) -> Result<(), Error> {
        let within = |key, value: f32, limit: f32| {
            need((0.0..=limit).contains(&value), key, || {
                format!("{value}; use 0 (off) to {limit}")
            })
        };
        within(changes_key!(table, "speed"), self.speed, 0.5)?;
        within(changes_key!(table, "tempo"), self.tempo, 1.0)?;
        within(changes_key!(table, "shift_s"), self.shift_s, 3600.0)?;
        within(changes_key!(table, "gain_db"), self.gain_db, 60.0)?;
        within(changes_key!(table, "noise"), self.noise, 10.0)?;
        within(changes_key!(table, "mask_share"), self.mask_share, 1.0)?;
        if let Some([least, most]) = self.snr_db {
            let fits = least <= most && least >= -40.0 && most <= 120.0;
            need(fits, changes_key!(table, "snr_db"), || {
                format!(
                    "[{least}, {most}] must be the least and the most decibels, within -40 and 120"
                )
            })?;
        }
        for (key, value, most) in [
            (
                changes_key!(table, "shift_frames"),
                self.shift_frames,
                1 << 20,
            ),
            (
                changes_key!(table, "mask_frames"),
                self.mask_frames,
                1 << 20,
            ),
            (changes_key!(table, "mask_mels"), self.mask_mels, 1 << 20),
            (
                changes_key!(table, "n_frame_masks"),
                self.n_frame_masks,
                100,
            ),
            (changes_key!(table, "n_mel_masks"), self.n_mel_masks, 100),
        ] {
            need(value <= most, key, || {
                format!("{value} must be at most {most}")
            })?;
        }
        Ok(())
    }

    /// Whether a sound's samples are needed in training, and not its features alone.
    pub(crate) fn changes_waveform(&self) -> bool {
        self.snr_db.is_some()
            || [self.speed, self.shift_s, self.gain_db]
                .iter()
                .any(|v| *v > 0.0)
    }

    /// Whether features are changed, and not samples alone.
    pub(crate) fn changes_features(&self) -> bool {
        let masks = |most: usize, count: usize| most > 0 && count > 0;
        self.tempo > 0.0
            || self.shift_frames > 0
            || self.noise > 0.0
            || masks(self.mask_frames, self.n_frame_masks)
            || masks(self.mask_mels, self.n_mel_masks)
    }

    /// How many samples are needed of a sound of which `most` are heard: what is played faster ends earlier.
    fn needed(&self, most: usize) -> usize {
        (most as f64 * (1.0 + f64::from(self.speed))).ceil() as usize
    }

    /// Changed samples of the same rate. The same generator makes the same change; the features' draws do not depend on it, as
    /// numbers come from a stream of their own.
    pub(crate) fn waveform(&self, samples: &[f32], rate_hz: u32, rng: &SampleRng) -> Vec<f32> {
        let mut rng = rng.clone();
        rng.set_stream(1);
        wave::change(self, samples, rate_hz, &mut rng)
    }

    /// Features `[frames, n_mels]` with more or fewer frames.
    pub(crate) fn paced(&self, features: Vec<f32>, n_mels: usize, rng: &mut SampleRng) -> Vec<f32> {
        if self.tempo == 0.0 {
            return features;
        }
        // As often longer as shorter: half and double are as far from 1.
        let most = (1.0 + self.tempo).ln();
        stretch(&features, n_mels, rng.random_range(-most..=most).exp())
    }

    /// Changes features `[frames, n_mels]` of mean 0 in place.
    pub(crate) fn features(&self, features: &mut [f32], n_mels: usize, rng: &mut SampleRng) {
        let frames = features.len() / n_mels;
        if self.shift_frames > 0 {
            let most = self.shift_frames.min(frames) as i64;
            let by = rng.random_range(-most..=most) as isize;
            shift(features, by * n_mels as isize);
        }
        if self.noise > 0.0 {
            // The sum of twelve even draws is close enough to normal, and quick.
            let normal =
                |rng: &mut SampleRng| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
            features
                .iter_mut()
                .for_each(|v| *v += self.noise * normal(rng));
        }
        let widest = (self.mask_share * frames as f32) as usize;
        for _ in 0..self.n_frame_masks {
            let masked = span(self.mask_frames.min(widest), frames, rng);
            features[masked.start * n_mels..masked.end * n_mels].fill(0.0);
        }
        for _ in 0..self.n_mel_masks {
            let masked = span(self.mask_mels, n_mels, rng);
            for frame in features.chunks_exact_mut(n_mels) {
                frame[masked.clone()].fill(0.0);
            }
        }
    }
}

/// So many times as many frames, in a straight line between those there are.
fn stretch(features: &[f32], n_mels: usize, by: f32) -> Vec<f32> {
    let frames = features.len() / n_mels;
    let Some(last) = frames.checked_sub(1) else {
        return Vec::new();
    };
    let count = ((frames as f32 * by).round() as usize).max(1);
    let frame = |i: usize| &features[i * n_mels..(i + 1) * n_mels];
    let mut stretched = Vec::with_capacity(count * n_mels);
    for i in 0..count {
        // The first stays the first, and the last the last.
        let at = i as f32 * last as f32 / (count.max(2) - 1) as f32;
        let before = (at as usize).min(last);
        let share = at - before as f32;
        let pairs = frame(before).iter().zip(frame((before + 1).min(last)));
        stretched.extend(pairs.map(|(a, b)| a + (b - a) * share));
    }
    stretched
}

/// Up to `most` in a row of `of`, the width drawn first and then the place, both evenly, as in the paper.
fn span(most: usize, of: usize, rng: &mut SampleRng) -> Range<usize> {
    let width = rng.random_range(0..=most.min(of));
    let start = rng.random_range(0..=of - width);
    start..start + width
}

/// Moves values towards the end (or the start) and fills with zeros.
fn shift(values: &mut [f32], by: isize) {
    let count = by.unsigned_abs().min(values.len());
    if by >= 0 {
        values.rotate_right(count);
        values[..count].fill(0.0);
    } else {
        values.rotate_left(count);
        let keep = values.len() - count;
        values[keep..].fill(0.0);
    }
}
