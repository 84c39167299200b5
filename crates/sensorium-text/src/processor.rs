//! From a text to ids, and from many to a batch.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use rand::RngExt;
use sensorium_core::{HostBytes, Processor, SampleRng, Source, need};
use serde::{Deserialize, Serialize};

use crate::{Error, Side, TextSettings, Tokenizer};

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

impl HostBytes for TextSample {
    fn host_bytes(&self) -> usize {
        self.ids.host_bytes()
    }
}

/// Texts on a device.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// `[batch, tokens]`; what stands in padding is a valid id too.
    pub ids: Tensor<2, Int>,
    /// `[batch, tokens]`, true = padding
    pub pad: Tensor<2, Bool>,
}

impl TextBatch {
    /// Texts all of which are there and as long: `[batch, tokens]`.
    pub fn dense(ids: Tensor<2, Int>) -> Self {
        let pad = Tensor::full(ids.dims(), false, &ids.device());
        Self { ids, pad }
    }
}

/// Splits texts into ids and pads batches, to the longest or to a fixed length. An empty text is its special
/// tokens.
#[derive(Clone, Debug)]
pub struct TextProcessor {
    tokenizer: Tokenizer,
    max_tokens: usize,
    padding_side: Side,
    truncation_side: Side,
    fixed_length: Option<usize>,
    augment: AugmentConfig,
}

impl TextProcessor {
    /// Texts of at most `max_tokens` tokens, special ones included.
    pub fn new(tokenizer: Tokenizer, max_tokens: usize) -> Self {
        Self {
            tokenizer,
            max_tokens,
            padding_side: Side::Right,
            truncation_side: Side::Right,
            fixed_length: None,
            augment: AugmentConfig::default(),
        }
    }

    /// As a published model prepares texts, which has `model_positions` positions for tokens.
    ///
    /// What `settings` leaves open, `tokenizer.json`'s own padding and truncation say; then padding and
    /// truncation are at the right, and texts as long as the model allows. Whether a batch is padded to a
    /// length is not theirs to say, but the [model's](Self::with_fixed_length).
    ///
    /// # Errors
    /// [`Error::Config`] if there is no room for a token, or if the padding token is not in the vocabulary.
    pub fn published(
        tokenizer: Tokenizer,
        settings: &TextSettings,
        model_positions: usize,
    ) -> Result<Self, Error> {
        let settings = settings.or(&tokenizer.file_settings());
        let max_tokens = settings.max_tokens.unwrap_or(model_positions);
        let max_tokens = max_tokens.min(model_positions);
        need(max_tokens > 0, "model_max_length", || {
            "leaves no room for a token; use at least 1".to_owned()
        })?;
        let mut tokenizer = tokenizer;
        // Of a token that only `tokenizer.json` names, it has the id too, which is taken already.
        if let Some(token) = &settings.pad_token {
            let own = tokenizer.file_settings().pad_token;
            match tokenizer.id(token) {
                Some(id) => tokenizer = tokenizer.with_pad_id(id),
                None => need(own.as_ref() == Some(token), "pad_token", || {
                    format!(
                        "{token:?} is not in the vocabulary of tokenizer.json; use a token that is"
                    )
                })?,
            }
        }
        if let Some(lower_case) = settings.lower_case {
            tokenizer = tokenizer.with_lower_case(lower_case)?;
        }
        Ok(Self {
            padding_side: settings.padding_side.unwrap_or_default(),
            truncation_side: settings.truncation_side.unwrap_or_default(),
            ..Self::new(tokenizer, max_tokens)
        })
    }

    /// Pads every batch to exactly `length`, and masks nothing of a text that is there: its padding is read
    /// like any token. SigLIP is trained so, at a length of 64.
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn with_fixed_length(mut self, length: usize) -> Self {
        assert!(length > 0, "a fixed length of no tokens");
        self.fixed_length = Some(length);
        self.max_tokens = self.max_tokens.min(length);
        self
    }

    /// Where padding stands in a batch.
    pub fn with_padding_side(mut self, side: Side) -> Self {
        self.padding_side = side;
        self
    }

    /// Which end of a text that is too long is cut off.
    pub fn with_truncation_side(mut self, side: Side) -> Self {
        self.truncation_side = side;
        self
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

    /// The length that every batch is padded to, if it is fixed.
    pub fn fixed_length(&self) -> Option<usize> {
        self.fixed_length
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
        let mut ids = self.tokenizer.encode_cut(
            &source.describe(),
            &text,
            self.max_tokens,
            self.truncation_side,
        )?;
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
        let longest = longest.max(self.fixed_length.unwrap_or(1));
        let fill = i64::from(self.tokenizer.pad_id());
        let (mut ids, mut pad) = (Vec::new(), Vec::new());
        for sample in samples {
            let own: &[u32] = sample.map_or(&[], |s| &s.ids);
            let missing = longest - own.len();
            // An absent text is all padding, whatever the length.
            let masked = self.fixed_length.is_none() || sample.is_none();
            let (before, after) = match self.padding_side {
                Side::Left => (missing, 0),
                Side::Right => (0, missing),
            };
            ids.extend(std::iter::repeat_n(fill, before));
            ids.extend(own.iter().map(|id| i64::from(*id)));
            ids.extend(std::iter::repeat_n(fill, after));
            pad.extend(std::iter::repeat_n(masked, before));
            pad.extend(std::iter::repeat_n(false, own.len()));
            pad.extend(std::iter::repeat_n(masked, after));
        }
        let shape = [samples.len(), longest];
        TextBatch {
            ids: Tensor::from_data(TensorData::new(ids, shape), device),
            pad: Tensor::from_data(TensorData::new(pad, shape), device),
        }
    }
}
