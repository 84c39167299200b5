//! Speech to text with Whisper: files in, what is said in them out.

use std::borrow::Borrow;

use burn::tensor::Device;
use sensorium_audio::{SoundFeatures, SoundProcessor};
use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_text::Tokenizer;

use super::several::SideBySide;
use super::{tokenizer, whisper_processor};
use crate::whisper::generate::{Segment, Transcribe, Transcriber, Transcript, WhisperGeneration};
use crate::whisper::{WhisperConfig, WhisperForConditionalGeneration};
use crate::{Error, Published};

/// Which ids say what.
const GENERATION: &str = "generation_config.json";

/// Whisper with what it hears by, and its words.
#[derive(Debug)]
pub struct WhisperToText {
    model: WhisperForConditionalGeneration,
    settings: WhisperGeneration,
    processor: SoundProcessor,
    tokenizer: Tokenizer,
}

/// A recording, ready to be heard.
#[derive(Clone, Debug)]
pub struct PreparedSpeech {
    pub(super) features: Vec<f32>,
    pub(super) n_mels: usize,
    pub(super) frames: usize,
    seconds: f64,
}

impl PreparedSpeech {
    /// One for a model that hears samples as they are.
    pub(super) fn of_samples(samples: Vec<f32>, rate_hz: u32) -> Self {
        Self {
            n_mels: 1,
            frames: samples.len(),
            seconds: samples.len() as f64 / f64::from(rate_hz),
            features: samples,
        }
    }

    /// The samples of such a one.
    pub(super) fn samples(&self) -> &[f32] {
        &self.features
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// How long the first of its frames are.
    pub(super) fn seconds_of(&self, frames: usize) -> f64 {
        frames as f64 / self.frames.max(1) as f64 * self.seconds
    }
}

/// What is said within some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The words, without space around them.
    pub text: String,
    /// Their ids, their likelihood, and when they are said.
    pub segment: Segment,
}

/// What is said in a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// The language, as `en`; `None` of a model for English.
    pub language: Option<String>,
    /// All of it.
    pub text: String,
    /// Its parts.
    pub segments: Vec<Said>,
}

impl WhisperToText {
    /// Opens a checkpoint of a Whisper with logits.
    ///
    /// # Errors
    /// If it is another model's, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let config = WhisperConfig::parse("config.json", &checkpoint.config()?)?;
        let settings = checkpoint.json(GENERATION)?;
        let settings = settings.ok_or_else(|| checkpoint.lacks(GENERATION))?;
        let settings = WhisperGeneration::parse(&settings, config.vocab_size)?;
        let processor = whisper_processor(checkpoint, &config)?;
        Ok(Self {
            tokenizer: tokenizer(checkpoint, "", config.vocab_size)?,
            model: WhisperForConditionalGeneration::load(checkpoint, device)?.model,
            settings,
            processor,
        })
    }

    /// Decodes a recording and computes its features; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, sound: &Source) -> Result<PreparedSpeech, Error> {
        let samples = self.processor.samples(sound)?;
        let SoundFeatures::Whisper(mel) = self.processor.features() else {
            unreachable!("open takes no other")
        };
        let frames = mel.n_frames(samples.len());
        // What is shorter than a chunk is heard with silence after it.
        let features = match frames <= mel.chunk_frames() {
            true => mel.compute(&samples),
            false => mel.whole(&samples),
        };
        Ok(PreparedSpeech {
            features,
            n_mels: mel.config().feature_size,
            frames,
            seconds: samples.len() as f64 / f64::from(self.processor.sample_rate_hz()),
        })
    }

    /// What is said. Each part is shown to `on_said` as soon as it is known, with how many seconds have been heard.
    ///
    /// # Errors
    /// If the model does not know the language or the task.
    pub fn transcribe(
        &self,
        speech: &PreparedSpeech,
        how: &Transcribe,
        mut on_said: impl FnMut(&Said, f64),
    ) -> Result<Speech, Error> {
        let mut listener = self.listen(how);
        listener.add(0, speech)?;
        loop {
            let mut done = listener.round(|_, said, seconds| on_said(said, seconds))?;
            if let Some(heard) = done.pop() {
                return heard.speech;
            }
        }
    }

    pub(super) fn listen<'a, S: Borrow<PreparedSpeech>>(
        &'a self,
        how: &'a Transcribe,
    ) -> SideBySide<'a, S> {
        SideBySide::new(self, how)
    }

    pub(super) fn transcriber(&self) -> Transcriber<'_> {
        Transcriber::new(&self.model, &self.settings)
    }

    pub(super) fn said(&self, segment: Segment) -> Result<Said, Error> {
        Ok(Said {
            text: self.words(&segment.tokens)?,
            segment,
        })
    }

    pub(super) fn speech(
        &self,
        transcript: &Transcript,
        segments: Vec<Said>,
    ) -> Result<Speech, Error> {
        let language = transcript.language;
        let language = language.and_then(|id| self.settings.language_name(id));
        Ok(Speech {
            language: language.map(str::to_owned),
            text: self.words(&transcript.tokens())?,
            segments,
        })
    }

    /// The words among ids, of which some are times.
    fn words(&self, ids: &[u32]) -> Result<String, Error> {
        let words: Vec<u32> = self.settings.words(ids).collect();
        Ok(self.tokenizer.decode(&words)?.trim().to_owned())
    }
}
