//! A tokenizer from a `tokenizer.json`, or learned from the training texts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use ahash::AHashMap;
use sensorium_core::Source;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, NormalizedString, Normalizer, Tokenizer as Inner};

use crate::Error;

/// The largest `tokenizer.json` that is read, in bytes. The largest published ones have some 40 MB.
const LARGEST: u64 = 256 << 20;

/// The file's name in a model's folder, as published models have it.
pub(crate) const FILE: &str = "tokenizer.json";

/// The special tokens of a learned vocabulary, in the order of their ids: padding is 0, as in BERT.
const SPECIAL: [&str; 4] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];

/// Splits text into the ids of a vocabulary. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    pad_id: u32,
    vocab_size: usize,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokenizer({} tokens)", self.vocab_size)
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Its own padding and truncation are switched off: batches are padded
    /// where they are made.
    ///
    /// # Errors
    /// If it cannot be read or is no tokenizer.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = Source::path(path).read(LARGEST)?;
        Self::from_bytes(&path.display().to_string(), &bytes)
    }

    /// The same from bytes; `name` stands for them in messages.
    ///
    /// # Errors
    /// If they are no tokenizer.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Tokenizer {
            name: name.to_owned(),
            reason,
        };
        // The library has been seen to panic on models that contradict themselves.
        let parsed = std::panic::catch_unwind(|| Inner::from_bytes(bytes))
            .map_err(|_| wrong("its parts contradict each other".to_owned()))?;
        let mut inner = parsed.map_err(|error| wrong(error.to_string()))?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| wrong(error.to_string()))?;
        Self::new(inner).map_err(wrong)
    }

    /// Learns a WordPiece vocabulary (arXiv 1609.08144) from texts, lower-cased and split as BERT does.
    /// The same texts give the same vocabulary.
    ///
    /// # Errors
    /// If there is no text.
    pub fn fit<'a>(texts: impl Iterator<Item = &'a str>, vocab_size: usize) -> Result<Self, Error> {
        let mut texts: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
        if texts.is_empty() {
            return Err(Error::NoText);
        }
        texts.sort_unstable();
        let learned = |error: tokenizers::Error| Error::Tokenizer {
            name: "the learned vocabulary".to_owned(),
            reason: error.to_string(),
        };
        let mut inner =
            Inner::new(model(learn(&texts, vocab_size).map_err(learned)?).map_err(learned)?);
        bert_like(&mut inner).map_err(learned)?;
        let special = SPECIAL.map(|token| AddedToken::from(token, true));
        inner.add_special_tokens(special).map_err(learned)?;
        let id = |token: &str| (token.to_owned(), inner.token_to_id(token).unwrap_or(0));
        let framing = BertProcessing::new(id(SPECIAL[3]), id(SPECIAL[2]));
        inner.with_post_processor(Some(framing));
        Self::new(inner).map_err(|reason| Error::Tokenizer {
            name: "the learned vocabulary".to_owned(),
            reason,
        })
    }

    fn new(inner: Inner) -> Result<Self, String> {
        // Ids may have gaps: the table of embeddings must reach the highest.
        let highest = inner.get_vocab(true).into_values().max();
        let vocab_size = highest.ok_or("its vocabulary is empty")? as usize + 1;
        let pad_id = ["[PAD]", "<pad>", "<|endoftext|>"]
            .iter()
            .find_map(|token| inner.token_to_id(token))
            .unwrap_or(0);
        Ok(Self {
            inner: Arc::new(inner),
            pad_id,
            vocab_size,
        })
    }

    /// The ids of a text with the special tokens around it, at most `max_tokens`. A longer text is cut
    /// before its last special token, so that its frame stays.
    ///
    /// # Errors
    /// If the tokenizer cannot split the text; `name` stands for it in the message.
    pub fn encode(&self, name: &str, text: &str, max_tokens: usize) -> Result<Vec<u32>, Error> {
        let encoding = self
            .inner
            .encode_fast(text, true)
            .map_err(|error| Error::Encode {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
        let mut ids = encoding.get_ids().to_vec();
        if ids.len() > max_tokens {
            let special = encoding.get_special_tokens_mask();
            let ends_in_special = special.last() == Some(&1);
            let last = ids[ids.len() - 1];
            ids.truncate(max_tokens);
            if let (true, Some(end)) = (ends_in_special, ids.last_mut()) {
                *end = last;
            }
        }
        Ok(ids)
    }

    /// How many rows a table of embeddings needs: the highest id and one.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id that stands in padding.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The tokens of ids, for people.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        let token = |id: &u32| self.inner.id_to_token(*id);
        ids.iter().map(|id| token(id).unwrap_or_default()).collect()
    }

    /// Writes `tokenizer.json` into a model's folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        self.inner.save(&path, true).map_err(|error| Error::Write {
            name: path.display().to_string(),
            reason: error.to_string(),
        })
    }
}

/// Learns the ids of word pieces.
///
/// The library numbers the pieces that continue a word in the order of a hash table, and settles ties
/// between merges by these numbers: two runs would differ. Named up front, in order, they keep it.
fn learn(texts: &[&str], vocab_size: usize) -> tokenizers::Result<AHashMap<String, u32>> {
    let mut alphabet = BTreeSet::new();
    for text in texts {
        let mut text = NormalizedString::from(*text);
        BertNormalizer::default().normalize(&mut text)?;
        alphabet.extend(text.get().chars().filter(|c| !c.is_whitespace()));
    }
    let continuing = alphabet.iter().map(|c| format!("##{c}"));
    let first: Vec<AddedToken> = SPECIAL
        .iter()
        .map(|token| (*token).to_owned())
        .chain(continuing)
        .map(|token| AddedToken::from(token, true))
        .collect();
    let mut trainer: TrainerWrapper = WordPieceTrainerBuilder::new()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(first)
        .build()
        .into();
    let mut scratch = Inner::new(model(AHashMap::new())?);
    bert_like(&mut scratch)?;
    scratch.train(&mut trainer, texts.iter().copied())?;
    Ok(scratch.get_vocab(true).into_iter().collect())
}

fn model(vocab: AHashMap<String, u32>) -> tokenizers::Result<WordPiece> {
    WordPiece::builder()
        .vocab(vocab)
        .unk_token(SPECIAL[1].to_owned())
        .build()
}

/// Lower case, accents dropped, split at spaces and punctuation.
fn bert_like(inner: &mut Inner) -> tokenizers::Result<()> {
    inner
        .with_normalizer(Some(BertNormalizer::default()))?
        .with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(())
}
