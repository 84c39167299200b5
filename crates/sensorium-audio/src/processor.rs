//! From a sound to its features, and from many to a batch.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand::RngExt;
use sensorium_core::{HostBytes, Processor, SampleRng, Source, need};
use serde::{Deserialize, Serialize};

use crate::decode::decode_start;
use crate::resample::needed;
use crate::{Error, LogMel, resample};

/// Random changes in training, on the features; all off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Frames that the sound is moved in time by, at most; the gap is filled with the mean.
    pub shift_frames: usize,
    /// Frames in a row that are blanked, at most (SpecAugment, arXiv 1904.08779).
    pub mask_frames: usize,
    /// Bands in a row that are blanked, at most (the same).
    pub mask_mels: usize,
    /// Deviation of noise added to the normalised features.
    pub noise: f32,
}

impl AugmentConfig {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        for (key, most) in [
            ("augment.shift_frames", self.shift_frames),
            ("augment.mask_frames", self.mask_frames),
            ("augment.mask_mels", self.mask_mels),
        ] {
            need(most <= 1 << 20, key, || {
                format!("{most} must be at most 1048576")
            })?;
        }
        need((0.0..=10.0).contains(&self.noise), "augment.noise", || {
            format!("{} must be 0 to 10", self.noise)
        })?;
        Ok(())
    }
}

/// The features of a sound, normalised to mean 0 and deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioSample {
    /// `[frames, n_mels]`, frame by frame.
    pub features: Vec<f32>,
    /// How many frames.
    pub frames: usize,
}

impl HostBytes for AudioSample {
    fn host_bytes(&self) -> usize {
        self.features.host_bytes()
    }
}

/// Sounds on a device.
#[derive(Clone, Debug)]
pub struct AudioBatch {
    /// `[batch, frames, n_mels]`; padded frames are zero.
    pub features: Tensor<3>,
    /// `[batch, frames]`, true = padding
    pub pad: Tensor<2, Bool>,
}

impl AudioBatch {
    /// Sounds all of which are there and as long: `[batch, frames, n_mels]`.
    pub fn dense(features: Tensor<3>) -> Self {
        let [batch, frames, _] = features.dims();
        let pad = Tensor::full([batch, frames], false, &features.device());
        Self { features, pad }
    }
}

/// Decodes, resamples, computes log-mel features and normalises them by the sound's own mean and deviation,
/// so that how loud a recording is does not matter.
#[derive(Clone, Debug)]
pub struct AudioProcessor {
    mel: LogMel,
    max_frames: usize,
    /// Batches are padded to a multiple of it: a whole number of patches.
    patch_frames: usize,
    augment: AugmentConfig,
}

impl AudioProcessor {
    /// Sounds of at most `max_seconds`; what is longer is cut at its end.
    ///
    /// # Errors
    /// If `max_seconds` is out of range.
    pub fn new(mel: LogMel, max_seconds: f64, patch_frames: usize) -> Result<Self, Error> {
        need(
            max_seconds > 0.0 && max_seconds <= 3600.0,
            "max_seconds",
            || format!("{max_seconds} must be above 0 and at most 3600"),
        )?;
        let samples = (max_seconds * f64::from(mel.config().sample_rate_hz)).ceil() as usize;
        Ok(Self {
            max_frames: mel.n_frames(samples),
            mel,
            patch_frames: patch_frames.max(1),
            augment: AugmentConfig::default(),
        })
    }

    /// Changes sounds in training.
    pub fn with_augment(mut self, augment: AugmentConfig) -> Self {
        self.augment = augment;
        self
    }

    /// The most frames of a sound, rounded up to whole patches.
    pub fn max_frames(&self) -> usize {
        self.max_frames.next_multiple_of(self.patch_frames)
    }
}

impl Processor for AudioProcessor {
    type Sample = AudioSample;
    type Batch = AudioBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<AudioSample, Error> {
        // What is cut off would be computed for nothing; what the last frames hear is left.
        let rate_hz = self.mel.config().sample_rate_hz;
        let most = self.mel.n_samples(self.max_frames);
        let sound = decode_start(source, |from_hz| needed(from_hz, rate_hz, most))?;
        let samples = resample(&sound, rate_hz)?;
        let heard = samples.len().min(most);
        let mut features = self.mel.compute(&samples[..heard]);
        let n_mels = self.mel.config().n_mels;
        features.truncate(self.max_frames * n_mels);
        normalise(&mut features);
        Ok(AudioSample {
            frames: features.len() / n_mels,
            features,
        })
    }

    fn augment(&self, mut sample: AudioSample, rng: &mut SampleRng) -> AudioSample {
        let n_mels = self.mel.config().n_mels;
        let AugmentConfig {
            shift_frames,
            mask_frames,
            mask_mels,
            noise,
        } = self.augment;
        if shift_frames > 0 {
            let most = shift_frames.min(sample.frames) as i64;
            let by = rng.random_range(-most..=most) as isize;
            shift(&mut sample.features, by * n_mels as isize);
        }
        if noise > 0.0 {
            // The sum of twelve even draws is close enough to normal, and quick.
            let normal =
                |rng: &mut SampleRng| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
            sample
                .features
                .iter_mut()
                .for_each(|v| *v += noise * normal(rng));
        }
        let span = |most: usize, of: usize, rng: &mut SampleRng| {
            let width = rng.random_range(0..=most.min(of));
            let start = rng.random_range(0..=of - width);
            start..start + width
        };
        let (frames, mels) = (
            span(mask_frames, sample.frames, rng),
            span(mask_mels, n_mels, rng),
        );
        for (i, value) in sample.features.iter_mut().enumerate() {
            if frames.contains(&(i / n_mels)) || mels.contains(&(i % n_mels)) {
                *value = 0.0; // the mean
            }
        }
        sample
    }

    fn collate(&self, samples: &[Option<&AudioSample>], device: &Device) -> AudioBatch {
        let rows: Vec<(&[f32], usize)> = samples
            .iter()
            .map(|sample| sample.map_or((&[][..], 0), |s| (s.features.as_slice(), s.frames)))
            .collect();
        let n_mels = self.mel.config().n_mels;
        let (features, pad) = stack(&rows, n_mels, self.patch_frames, 0.0, device);
        AudioBatch { features, pad }
    }
}

/// Rows of whole frames, each with how many of them hold sound, in one tensor: `[batch, frames, width]`, filled at the
/// end to a multiple of `whole` frames, and what is padding, `[batch, frames]`.
pub(crate) fn stack(
    rows: &[(&[f32], usize)],
    width: usize,
    whole: usize,
    fill: f32,
    device: &Device,
) -> (Tensor<3>, Tensor<2, Bool>) {
    assert!(!rows.is_empty(), "a batch needs at least one sample");
    let longest = rows.iter().map(|(row, _)| row.len() / width).max();
    let frames = longest.unwrap_or(0).max(1).next_multiple_of(whole);
    let mut features = Vec::with_capacity(rows.len() * frames * width);
    let mut pad = Vec::with_capacity(rows.len() * frames);
    for (row, heard) in rows {
        features.extend_from_slice(row);
        features.extend(std::iter::repeat_n(fill, frames * width - row.len()));
        pad.extend((0..frames).map(|frame| frame >= *heard));
    }
    let shape = [rows.len(), frames];
    let features = TensorData::new(features, [shape[0], frames, width]);
    (
        Tensor::from_data(features, device),
        Tensor::from_data(TensorData::new(pad, shape), device),
    )
}

/// To mean 0 and deviation 1; digital silence becomes all zeros.
fn normalise(features: &mut [f32]) {
    let count = features.len().max(1) as f64;
    let mean = features.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = features
        .iter()
        .map(|v| (f64::from(*v) - mean).powi(2))
        .sum::<f64>()
        / count;
    let scale = if variance > 1e-10 {
        1.0 / variance.sqrt()
    } else {
        0.0
    };
    features
        .iter_mut()
        .for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32);
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
