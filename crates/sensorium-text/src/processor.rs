//! From a text to ids, and from many to a batch.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use rand::RngExt;
use sensorium_core::{Changes, HostBytes, Processor, SampleRng, Source, changes_key, need};
use serde::{Deserialize, Serialize};

use crate::{Error, Side, TextSettings, Tokenizer};

/// The longest text that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// Random changes in training. The first token and the last always stay, and what one setting draws, another does not alter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// The chance that a token is left out.
    pub drop_token: f64,
    /// The chance that a token becomes the tokenizer's `[MASK]` or `<mask>`, if it has one. BERT's (arXiv 1810.04805): 0.15.
    pub mask_token: f64,
}

impl AugmentConfig {
    /// The strong changes that go with these where nobody names others: these, with at least a fifth of the tokens left out.
    pub fn stronger(&self) -> Self {
        Self {
            drop_token: self.drop_token.max(0.2),
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
        for (key, chance) in [
            (changes_key!(table, "drop_token"), self.drop_token),
            (changes_key!(table, "mask_token"), self.mask_token),
        ] {
            need((0.0..1.0).contains(&chance), key, || {
                format!("{chance} must be at least 0 and below 1")
            })?;
        }
        Ok(())
    }
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
    strong: Option<AugmentConfig>,
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
            strong: None,
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
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work, or not with this tokenizer.
    pub fn with_augment(mut self, augment: AugmentConfig) -> Result<Self, Error> {
        self.check(&augment, Changes::Usual)?;
        self.augment = augment;
        Ok(self)
    }

    /// What a strongly changed copy is, instead of what is [`stronger`](AugmentConfig::stronger) than the usual changes.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work, or not with this tokenizer.
    pub fn with_strong(mut self, strong: Option<AugmentConfig>) -> Result<Self, Error> {
        if let Some(strong) = &strong {
            self.check(strong, Changes::Strong)?;
        }
        self.strong = strong;
        Ok(self)
    }

    fn check(&self, config: &AugmentConfig, table: Changes) -> Result<(), Error> {
        config.validate_as(table)?;
        let masks = config.mask_token == 0.0 || self.mask_id().is_some();
        need(masks, changes_key!(table, "mask_token"), || {
            "the tokenizer has neither [MASK] nor <mask>: name one that has with `tokenizer`, or take drop_token"
                .to_owned()
        })?;
        Ok(())
    }

    /// What a token is masked with.
    fn mask_id(&self) -> Option<u32> {
        let names = ["[MASK]", "<mask>"];
        names.iter().find_map(|name| self.tokenizer.id(name))
    }

    /// A sample changed as a table says.
    fn change(
        &self,
        config: &AugmentConfig,
        mut sample: TextSample,
        rng: &mut SampleRng,
    ) -> TextSample {
        // A stream of its own, which begins where the generator stands. Sounds have the first, images those from the second on.
        let mut masking = rng.clone();
        masking.set_stream(1 << 32);
        let mask = self.mask_id().filter(|_| config.mask_token > 0.0);
        let last = sample.ids.len().saturating_sub(1);
        if let Some(mask) = mask {
            for id in sample.ids.iter_mut().take(last).skip(1) {
                if masking.random_bool(config.mask_token) {
                    *id = mask;
                }
            }
        }
        if config.drop_token > 0.0 {
            let mut place = 0;
            sample.ids.retain(|_| {
                let stays = place == 0 || place == last || !rng.random_bool(config.drop_token);
                place += 1;
                stays
            });
        }
        if mask.is_some() {
            // So that a second copy by this generator is another one.
            let _: u32 = rng.random();
        }
        sample
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
///
/// # Errors
/// If it cannot be read, is too long, or is not UTF-8.
pub fn read(source: &Source) -> Result<String, Error> {
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

    fn augment(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        self.change(&self.augment, sample, rng)
    }

    fn augment_strongly(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        let strong = self.strong.unwrap_or_else(|| self.augment.stronger());
        self.change(&strong, sample, rng)
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
