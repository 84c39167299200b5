//! Texts as a sentence encoder takes them: behind its prompt, lower-cased where it says so, and cut to its length.

use burn::tensor::Device;
use sensorium_core::{Processor, SampleRng, Source};
use sensorium_text::{AugmentConfig, Error, TextBatch, TextProcessor, TextSample, Tokenizer};

use super::SentenceConfig;

/// The longest text that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// A [`TextProcessor`] with a sentence encoder's settings.
#[derive(Clone, Debug)]
pub struct SentenceProcessor {
    text: TextProcessor,
    lower_case: bool,
    prompt: String,
}

impl SentenceProcessor {
    /// Splits texts by the encoder's `tokenizer.json`.
    pub fn new(config: &SentenceConfig, tokenizer: Tokenizer) -> Self {
        Self::over(config, TextProcessor::new(tokenizer, config.max_tokens))
    }

    /// The same with a processor that knows more than the tokenizer, such as where padding stands.
    pub fn over(config: &SentenceConfig, text: TextProcessor) -> Self {
        Self {
            text,
            lower_case: config.lower_case,
            prompt: config.prompt.clone(),
        }
    }

    /// Changes texts in training.
    ///
    /// # Errors
    /// As [`TextProcessor::with_augment`].
    pub fn with_augment(mut self, augment: AugmentConfig) -> Result<Self, Error> {
        self.text = self.text.with_augment(augment)?;
        Ok(self)
    }

    /// What a strongly changed copy is.
    ///
    /// # Errors
    /// As [`TextProcessor::with_strong`].
    pub fn with_strong(mut self, strong: Option<AugmentConfig>) -> Result<Self, Error> {
        self.text = self.text.with_strong(strong)?;
        Ok(self)
    }

    /// What splits the texts.
    pub fn tokenizer(&self) -> &Tokenizer {
        self.text.tokenizer()
    }
}

impl Processor for SentenceProcessor {
    type Sample = TextSample;
    type Batch = TextBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<TextSample, Error> {
        let bytes = source.read(LONGEST)?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return self.text.process(source); // says what is wrong
        };
        let text = format!("{}{text}", self.prompt);
        let text = match self.lower_case {
            true => text.to_lowercase(),
            false => text,
        };
        let prepared = Source::bytes(source.describe(), text.into_bytes());
        self.text.process(&prepared)
    }

    fn augment(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        self.text.augment(sample, rng)
    }

    fn augment_strongly(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        self.text.augment_strongly(sample, rng)
    }

    fn collate(&self, samples: &[Option<&TextSample>], device: &Device) -> TextBatch {
        self.text.collate(samples, device)
    }
}
