//! From a sound to its features, and from many to a batch.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Tensor, TensorData};
use sensorium_core::{Changes, HostBytes, Misfit, Processor, SampleRng, Source, need};

use rand::RngExt;

use crate::augment::{AugmentConfig, Tables};
use crate::decode::decode_start;
use crate::normalize::NormalizeConfig;
use crate::resample::needed;
use crate::{Error, LogMel, Mfcc, MfccConfig, resample};

/// The longest sound that a recipe can ask for, in seconds.
const MOST_SECONDS: f64 = 3600.0;

pub(crate) fn check_seconds(max_seconds: f64) -> Result<(), Misfit> {
    need(
        max_seconds > 0.0 && max_seconds <= MOST_SECONDS,
        "max_seconds",
        || format!("{max_seconds} must be above 0 and at most {MOST_SECONDS}"),
    )
}

/// The features of a sound, normalised to mean 0 and deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioSample {
    /// `[frames, width]`, frame by frame: bands, or cepstral coefficients.
    pub features: Vec<f32>,
    /// How many frames.
    pub frames: usize,
    /// The sound itself at the features' rate, if training changes it ([`AugmentConfig`]); else empty.
    pub samples: Arc<[f32]>,
}

impl HostBytes for AudioSample {
    fn host_bytes(&self) -> usize {
        self.features.host_bytes() + std::mem::size_of_val(&*self.samples)
    }
}

/// Sounds on a device.
#[derive(Clone, Debug)]
pub struct AudioBatch {
    /// `[batch, frames, width]`; padded frames are zero.
    pub features: Tensor<3>,
    /// `[batch, frames]`, true = padding
    pub pad: Tensor<2, Bool>,
}

impl AudioBatch {
    /// Sounds all of which are there and as long: `[batch, frames, width]`.
    pub fn dense(features: Tensor<3>) -> Self {
        let [batch, frames, _] = features.dims();
        let pad = Tensor::full([batch, frames], false, &features.device());
        Self { features, pad }
    }
}

impl AudioBatch {
    /// Samples of frames of one width; see [`stack`].
    pub(crate) fn stack(
        samples: &[Option<&AudioSample>],
        width: usize,
        whole: usize,
        fill: f32,
        device: &Device,
    ) -> Self {
        let rows: Vec<(&[f32], usize)> = samples
            .iter()
            .map(|sample| sample.map_or((&[][..], 0), |s| (s.features.as_slice(), s.frames)))
            .collect();
        let (features, pad) = stack(&rows, width, whole, fill, device);
        Self { features, pad }
    }
}

/// Decodes, resamples, computes log-mel features and normalises them by the sound's own mean and deviation
/// ([`NormalizeConfig`]), so that how loud a recording is does not matter.
#[derive(Clone, Debug)]
pub struct AudioProcessor {
    mel: LogMel,
    cepstra: Option<Mfcc>,
    max_frames: usize,
    /// Batches are padded to a multiple of it: a whole number of patches.
    patch_frames: usize,
    normalize: NormalizeConfig,
    augment: Tables,
}

impl AudioProcessor {
    /// Sounds of at most `max_seconds`; what is longer is cut at its end.
    ///
    /// # Errors
    /// If `max_seconds` is out of range.
    pub fn new(mel: LogMel, max_seconds: f64, patch_frames: usize) -> Result<Self, Error> {
        check_seconds(max_seconds)?;
        let samples = (max_seconds * f64::from(mel.config().sample_rate_hz)).ceil() as usize;
        Ok(Self {
            max_frames: mel.n_frames(samples),
            mel,
            cepstra: None,
            patch_frames: patch_frames.max(1),
            normalize: NormalizeConfig::default(),
            augment: Tables::default(),
        })
    }

    /// Takes so many cepstral coefficients of the bands instead of the bands: the fewer, the less is left of the pitch of a voice
    /// beside the shape of its mouth.
    ///
    /// # Errors
    /// [`Error::Config`] if there are none, or more than bands.
    pub fn with_mfcc(mut self, n_mfcc: usize) -> Result<Self, Error> {
        let mel = *self.mel.config();
        self.cepstra = Some(Mfcc::new(MfccConfig { mel, n_mfcc })?);
        Ok(self)
    }

    /// What features are brought to.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work.
    pub fn with_normalize(mut self, normalize: NormalizeConfig) -> Result<Self, Error> {
        normalize.validate()?;
        self.normalize = normalize;
        Ok(self)
    }

    /// How sounds are randomly changed in training.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work.
    pub fn with_augment(mut self, augment: AugmentConfig) -> Result<Self, Error> {
        augment.validate()?;
        self.augment.usual = augment;
        Ok(self)
    }

    /// What a strongly changed copy is, instead of what is [`stronger`](AugmentConfig::stronger) than the usual changes.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work.
    pub fn with_strong(mut self, strong: Option<AugmentConfig>) -> Result<Self, Error> {
        if let Some(strong) = &strong {
            strong.validate_as(Changes::Strong)?;
        }
        self.augment.strong = strong;
        Ok(self)
    }

    /// The most frames of a sound, rounded up to whole patches.
    pub fn max_frames(&self) -> usize {
        self.max_frames.next_multiple_of(self.patch_frames)
    }

    /// How many numbers a frame has.
    pub fn width(&self) -> usize {
        let bands = self.mel.config().n_mels;
        self.cepstra.as_ref().map_or(bands, Mfcc::n_mfcc)
    }

    /// How many samples the features are computed of, at most: what the last frames hear is left.
    fn most(&self) -> usize {
        self.mel.n_samples(self.max_frames)
    }

    /// Normalised features of samples of the right rate.
    fn features(&self, samples: &[f32]) -> Vec<f32> {
        let heard = samples.len().min(self.most());
        let mut features = self.mel.compute(&samples[..heard]);
        features.truncate(self.max_frames * self.mel.config().n_mels);
        self.normalize.raise(&mut features);
        if let Some(cepstra) = &self.cepstra {
            features = cepstra.of_log_mel(&features);
        }
        self.normalize.apply(&mut features, self.width());
        features
    }

    /// A sample changed as a table says.
    fn change(
        &self,
        config: &AugmentConfig,
        mut sample: AudioSample,
        rng: &mut SampleRng,
    ) -> AudioSample {
        let heard_anew = config.changes_waveform() && !sample.samples.is_empty();
        if heard_anew {
            let rate_hz = self.mel.config().sample_rate_hz;
            let changed = config.waveform(&sample.samples, rate_hz, rng);
            sample.features = self.features(&changed);
        }
        let width = self.width();
        sample.features = config.paced(sample.features, width, rng);
        sample.features.truncate(self.max_frames * width);
        config.features(&mut sample.features, width, rng);
        sample.frames = sample.features.len() / width;
        if heard_anew {
            go_on(rng);
        }
        sample
    }
}

impl Processor for AudioProcessor {
    type Sample = AudioSample;
    type Batch = AudioBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<AudioSample, Error> {
        // What is cut off would be computed for nothing.
        let rate_hz = self.mel.config().sample_rate_hz;
        let most = self.augment.needed(self.most());
        let sound = decode_start(source, |from_hz| needed(from_hz, rate_hz, most))?;
        let samples = resample(&sound, rate_hz)?;
        let features = self.features(&samples);
        Ok(AudioSample {
            frames: features.len() / self.width(),
            features,
            samples: self.augment.kept(&samples, most),
        })
    }

    fn augment(&self, sample: AudioSample, rng: &mut SampleRng) -> AudioSample {
        self.change(&self.augment.usual, sample, rng)
    }

    fn augment_strongly(&self, sample: AudioSample, rng: &mut SampleRng) -> AudioSample {
        let stronger = || self.augment.usual.stronger(self.width());
        let strong = self.augment.strong.unwrap_or_else(stronger);
        self.change(&strong, sample, rng)
    }

    fn collate(&self, samples: &[Option<&AudioSample>], device: &Device) -> AudioBatch {
        AudioBatch::stack(samples, self.width(), self.patch_frames, 0.0, device)
    }
}

/// Lets the generator go on where numbers came from another stream of it, so that a second copy by it is another one.
pub(crate) fn go_on(rng: &mut SampleRng) {
    let _: u32 = rng.random();
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
