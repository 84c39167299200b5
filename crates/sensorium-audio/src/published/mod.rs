//! Sounds prepared exactly as a published model's `preprocessor_config.json` says.

mod extractors;
mod file;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_refused;
mod training;

use std::borrow::Cow;

use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::{HostBytes, Processor, Source};

use crate::decode::decode_start;
use crate::features::rng_of;
use crate::processor::stack;
use crate::resample::needed;
use crate::{AudioBatch, ClapFeatures, Error, resample};
use extractors::extractor;
use file::File;

pub use extractors::SoundFeatures;
pub use training::TrainingSounds;

/// What a published model hears of a sound.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundSample {
    /// `[frames, width]`, frame by frame.
    pub features: Vec<f32>,
    /// How many frames.
    pub frames: usize,
    /// How many of them, from the start, hold sound; the others are filled.
    pub heard: usize,
    /// For CLAP with fusion: `is_longer` of this sound.
    pub longer: bool,
}

impl HostBytes for SoundSample {
    fn host_bytes(&self) -> usize {
        self.features.host_bytes()
    }
}

/// Sounds on a device, as a published model takes them.
#[derive(Clone, Debug)]
pub struct SoundBatch {
    /// `[batch, frames, width]`
    ///
    /// | model | frames | width |
    /// |---|---|---|
    /// | Whisper | 3,000 | `feature_size` bands |
    /// | AST | `max_length` | `num_mel_bins` bands |
    /// | CLAP | views · 1,001, view after view | `feature_size` bands |
    /// | wav2vec 2.0 | samples of the longest sound | 1 |
    pub features: Tensor<3>,
    /// `[batch, frames]`, true = holds no sound. Whisper, AST, CLAP and the wav2vec 2.0 models whose file says
    /// `return_attention_mask: false` were trained without: they hear what is filled.
    pub pad: Tensor<2, Bool>,
    /// `[batch]`: CLAP's `is_longer`.
    pub longer: Vec<bool>,
}

impl SoundBatch {
    /// Sounds all of which are there and as long, and none too long: `[batch, frames, width]`.
    pub fn dense(features: Tensor<3>) -> Self {
        let AudioBatch { features, pad } = AudioBatch::dense(features);
        let [batch, _, _] = features.dims();
        Self {
            features,
            pad,
            longer: vec![false; batch],
        }
    }

    /// Which of them CLAP is told to be too long.
    ///
    /// # Panics
    /// If there is not one for each sound.
    pub fn with_longer(mut self, longer: Vec<bool>) -> Self {
        assert_eq!(longer.len(), self.longer.len(), "one for each sound");
        self.longer = longer;
        self
    }
}

impl From<SoundBatch> for AudioBatch {
    /// For an encoder of one's own over published features.
    fn from(batch: SoundBatch) -> Self {
        let SoundBatch { features, pad, .. } = batch;
        Self { features, pad }
    }
}

/// Decodes, resamples and prepares sounds as a model's `preprocessor_config.json` says: Whisper, the audio spectrogram
/// transformer, CLAP, and wav2vec 2.0 and its kin.
///
/// Files of a feature extractor and of a whole processor (nested under `feature_extractor`) are read. Where a key is
/// missing, the extractor's default stands, as in Hugging Face's Transformers 5.23.
///
/// ```
/// use sensorium_audio::SoundProcessor;
///
/// let json = r#"{"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128}"#;
/// let processor = SoundProcessor::published("preprocessor_config.json", json)?;
/// assert_eq!(processor.sample_rate_hz(), 16_000);
/// let sample = processor.prepare(&[0.1; 8000]);
/// assert_eq!((sample.frames, sample.heard, processor.width()), (3000, 50, 128));
///
/// let json = r#"{"feature_extractor_type": "WisperFeatureExtractor"}"#;
/// let error = SoundProcessor::published("preprocessor_config.json", json).unwrap_err();
/// assert!(error.to_string().contains("the nearest is WhisperFeatureExtractor"));
/// # Ok::<(), sensorium_audio::Error>(())
/// ```
///
/// # Differs from the reference
///
/// - Features are time first, and CLAP's views one after another: reshape to `[batch, views, frames, width]`.
/// - Nothing is drawn from a global generator: CLAP's crops (and Whisper's `dither`, where a file asks for it) are
///   drawn from the sound itself, so that it has the same features each time and in any batch. For crops of one's own
///   seed, as in training, take [`ClapMel::compute`](crate::ClapMel::compute).
/// - CLAP with fusion: if no sound of a batch is too long, the reference marks one at random as `is_longer`; alone, a
///   sound always is. Here every sound is as it is alone, whatever its neighbours.
/// - wav2vec 2.0: each sound is normalised alone. The reference does so only if the file asks for an attention mask;
///   else it takes mean and variance over what is filled as well, so that neighbours change a sound.
/// - Sounds that are filled before their start (`padding_side: "left"`) are refused where it matters.
#[derive(Clone, Debug)]
pub struct SoundProcessor {
    features: SoundFeatures,
    return_attention_mask: bool,
    source: String,
}

impl SoundProcessor {
    /// Reads the text of a `preprocessor_config.json` or `processor_config.json`; `name` stands for the file in
    /// messages.
    ///
    /// # Errors
    /// [`Error::Published`] naming the key that is missing or cannot work, or an extractor that is not known.
    pub fn published(name: &str, json: &str) -> Result<Self, Error> {
        let file = File::parse(name, json)?;
        Ok(Self {
            features: extractor(&file)?,
            return_attention_mask: file.switch("return_attention_mask", false)?,
            source: json.to_owned(),
        })
    }

    /// What the model hears; for what only one of them can do, such as Whisper's features of a long recording.
    pub fn features(&self) -> &SoundFeatures {
        &self.features
    }

    /// The text it was read from, unchanged, so that a model is saved with its own file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the model was trained to be told what is padding.
    pub fn return_attention_mask(&self) -> bool {
        self.return_attention_mask
    }

    /// Samples a second that sounds are brought to.
    pub fn sample_rate_hz(&self) -> u32 {
        match &self.features {
            SoundFeatures::Whisper(mel) => mel.config().sampling_rate,
            SoundFeatures::Ast(mel) => mel.config().sampling_rate,
            SoundFeatures::Clap(mel) => mel.config().sampling_rate,
            SoundFeatures::Waveform(wave) => wave.config().sampling_rate,
        }
    }

    /// Numbers of a frame.
    pub fn width(&self) -> usize {
        match &self.features {
            SoundFeatures::Whisper(mel) => mel.config().feature_size,
            SoundFeatures::Ast(mel) => mel.config().num_mel_bins,
            SoundFeatures::Clap(mel) => mel.config().feature_size,
            SoundFeatures::Waveform(_) => 1,
        }
    }

    /// All samples of a sound at the model's rate, to be prepared by hand.
    ///
    /// # Errors
    /// As [`decode`](crate::decode).
    pub fn samples(&self, source: &Source) -> Result<Vec<f32>, Error> {
        self.start(source, usize::MAX)
    }

    /// The first `most` samples at the model's rate, or a few more.
    fn start(&self, source: &Source, most: usize) -> Result<Vec<f32>, Error> {
        let rate_hz = self.sample_rate_hz();
        let sound = decode_start(source, |from_hz| needed(from_hz, rate_hz, most))?;
        let changed = match resample(&sound, rate_hz)? {
            Cow::Owned(samples) => Some(samples),
            Cow::Borrowed(_) => None,
        };
        Ok(changed.unwrap_or(sound.samples))
    }

    /// Samples from the start that are looked at, at most.
    fn most_samples(&self) -> usize {
        match &self.features {
            SoundFeatures::Whisper(mel) => mel.config().n_samples(),
            SoundFeatures::Ast(mel) => mel.n_samples(),
            // Crops are drawn from all of it.
            SoundFeatures::Clap(_) | SoundFeatures::Waveform(_) => usize::MAX,
        }
    }

    /// What shorter sounds of a batch are filled with.
    fn fill(&self) -> f32 {
        match &self.features {
            SoundFeatures::Waveform(wave) => wave.config().padding_value,
            _ => 0.0,
        }
    }

    /// What the model hears of samples at its rate.
    pub fn prepare(&self, samples: &[f32]) -> SoundSample {
        let mut longer = false;
        let (features, heard) = match &self.features {
            SoundFeatures::Whisper(mel) => {
                let heard = samples.len().div_ceil(mel.config().hop_length);
                (mel.compute(samples), heard)
            }
            SoundFeatures::Ast(mel) => (mel.compute(samples), mel.heard(samples.len())),
            SoundFeatures::Clap(mel) => {
                let ClapFeatures { features, .. } = mel.compute(samples, &mut rng_of(samples));
                // As the reference has it of a sound that is alone.
                longer = mel.config().views() > 1 || samples.len() > mel.config().n_samples();
                (features, usize::MAX)
            }
            SoundFeatures::Waveform(wave) => (wave.compute(samples), samples.len()),
        };
        let frames = features.len() / self.width();
        SoundSample {
            features,
            frames,
            heard: heard.min(frames),
            longer,
        }
    }
}

impl Processor for SoundProcessor {
    type Sample = SoundSample;
    type Batch = SoundBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<SoundSample, Error> {
        Ok(self.prepare(&self.start(source, self.most_samples())?))
    }

    fn collate(&self, samples: &[Option<&SoundSample>], device: &Device) -> SoundBatch {
        let rows: Vec<(&[f32], usize)> = samples
            .iter()
            .map(|sample| sample.map_or((&[][..], 0), |s| (s.features.as_slice(), s.heard)))
            .collect();
        let (features, pad) = stack(&rows, self.width(), 1, self.fill(), device);
        SoundBatch {
            features,
            pad,
            longer: samples
                .iter()
                .map(|sample| sample.is_some_and(|s| s.longer))
                .collect(),
        }
    }
}
