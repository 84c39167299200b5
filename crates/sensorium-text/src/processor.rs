//! From a text to ids, and from many to a batch.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use rand::RngExt;
use sensorium_core::{Processor, SampleRng, Source};
use serde::{Deserialize, Serialize};

use crate::{Error, Tokenizer};

/// The longest text that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// Random changes in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// The chance that a token is left out; the first and the last always stay.
    pub drop_token: f64,
}

/// The ids of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSample {
    /// At least one id, special tokens included.
    pub ids: Vec<u32>,
}

/// Texts on a device.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// `[batch, tokens]`; what stands in padding is a valid id too.
    pub ids: Tensor<2, Int>,
    /// `[batch, tokens]`, true = padding
    pub pad: Tensor<2, Bool>,
}

/// Splits texts into ids and pads batches to the longest. An empty text is its special tokens.
#[derive(Clone, Debug)]
pub struct TextProcessor {
    tokenizer: Tokenizer,
    max_tokens: usize,
    augment: AugmentConfig,
}

impl TextProcessor {
    /// Texts of at most `max_tokens` tokens, special ones included.
    pub fn new(tokenizer: Tokenizer, max_tokens: usize) -> Self {
        Self {
            tokenizer,
            max_tokens,
            augment: AugmentConfig::default(),
        }
    }

    /// Changes texts in training.
    pub fn with_augment(mut self, augment: AugmentConfig) -> Self {
        self.augment = augment;
        self
    }

    /// What splits the texts.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The most tokens of a text.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }
}

/// The text of a source.
pub(crate) fn read(source: &Source) -> Result<String, Error> {
    let bytes = source.read(LONGEST)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| Error::NotUtf8 {
        name: source.describe(),
        position: error.utf8_error().valid_up_to(),
    })
}

impl Processor for TextProcessor {
    type Sample = TextSample;
    type Batch = TextBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<TextSample, Error> {
        let text = read(source)?;
        let mut ids = self
            .tokenizer
            .encode(&source.describe(), &text, self.max_tokens)?;
        if ids.is_empty() {
            // A tokenizer without special tokens makes nothing of an empty text; presence must show.
            ids.push(self.tokenizer.pad_id());
        }
        Ok(TextSample { ids })
    }

    fn augment(&self, mut sample: TextSample, rng: &mut SampleRng) -> TextSample {
        if self.augment.drop_token > 0.0 {
            let last = sample.ids.len() - 1;
            let mut place = 0;
            sample.ids.retain(|_| {
                let stays =
                    place == 0 || place == last || !rng.random_bool(self.augment.drop_token);
                place += 1;
                stays
            });
        }
        sample
    }

    fn collate(&self, samples: &[Option<&TextSample>], device: &Device) -> TextBatch {
        assert!(!samples.is_empty(), "a batch needs at least one sample");
        let length = |s: &Option<&TextSample>| s.map_or(0, |s| s.ids.len());
        let longest = samples.iter().map(length).max().unwrap_or(0).max(1);
        let (mut ids, mut pad) = (Vec::new(), Vec::new());
        for sample in samples {
            let own: &[u32] = sample.map_or(&[], |s| &s.ids);
            let missing = longest - own.len();
            ids.extend(own.iter().map(|id| i64::from(*id)));
            ids.extend(std::iter::repeat_n(
                i64::from(self.tokenizer.pad_id()),
                missing,
            ));
            pad.extend(std::iter::repeat_n(false, own.len()));
            pad.extend(std::iter::repeat_n(true, missing));
        }
        let shape = [samples.len(), longest];
        TextBatch {
            ids: Tensor::from_data(TensorData::new(ids, shape), device),
            pad: Tensor::from_data(TensorData::new(pad, shape), device),
        }
    }
}
