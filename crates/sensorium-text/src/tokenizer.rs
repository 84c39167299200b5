//! A tokenizer from a `tokenizer.json`, or learned from the training texts.

use std::path::Path;
use std::sync::Arc;

use sensorium_core::Source;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{
    PaddingDirection, PaddingParams, PostProcessor, Tokenizer as Inner, TruncationDirection,
    TruncationParams,
};

use crate::{Error, Side, TextSettings, learned};

/// The largest `tokenizer.json` that is read, in bytes. The largest published ones have some 40 MB.
const LARGEST: u64 = 256 << 20;

/// The file's name in a model's folder, as published models have it.
pub(crate) const FILE: &str = "tokenizer.json";

/// Splits text into the ids of a vocabulary. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    /// What the file says of padding and truncation, which are not done here.
    file: (Option<PaddingParams>, Option<TruncationParams>),
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
    /// where they are made, and [`file_settings`](Self::file_settings) says what the file has.
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
        let parsed = sensorium_core::quietly(|| Inner::from_bytes(bytes))
            .map_err(|_| wrong("its parts contradict each other".to_owned()))?;
        let mut inner = parsed.map_err(|error| wrong(error.to_string()))?;
        let added = inner
            .get_post_processor()
            .map_or(0, |p| p.added_tokens(false));
        // A length without room for the special tokens would make the library panic when it is set again.
        let truncation = inner.get_truncation().cloned();
        let truncation = truncation.filter(|t| t.max_length.checked_sub(added) >= Some(t.stride));
        let file = (inner.get_padding().cloned(), truncation);
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| wrong(error.to_string()))?;
        let mut tokenizer = Self::new(inner).map_err(wrong)?;
        let padding = file.0.as_ref().map(|padding| padding.pad_id);
        let known = padding.filter(|id| (*id as usize) < tokenizer.vocab_size);
        tokenizer.pad_id = known.unwrap_or(tokenizer.pad_id);
        tokenizer.file = file;
        Ok(tokenizer)
    }

    /// Learns a WordPiece vocabulary (arXiv 1609.08144) from texts, lower-cased and split as BERT does.
    /// The same texts give the same vocabulary.
    ///
    /// # Errors
    /// If there is no text.
    pub fn fit<'a>(texts: impl Iterator<Item = &'a str>, vocab_size: usize) -> Result<Self, Error> {
        Self::learn(texts, |texts| learned::words(texts, vocab_size))
    }

    /// Learns a vocabulary of pieces that any text can be put together from again, to the letter: bytes, joined where they stand
    /// together often (byte-level BPE, as GPT-2's), and each digit by itself. The same texts give the same vocabulary.
    ///
    /// # Errors
    /// If there is no text.
    pub fn fit_bytes<'a>(
        texts: impl Iterator<Item = &'a str>,
        vocab_size: usize,
    ) -> Result<Self, Error> {
        Self::learn(texts, |texts| learned::bytes(texts, vocab_size))
    }

    fn learn<'a>(
        texts: impl Iterator<Item = &'a str>,
        learn: impl FnOnce(&[&str]) -> tokenizers::Result<Inner>,
    ) -> Result<Self, Error> {
        let mut texts: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
        if texts.is_empty() {
            return Err(Error::NoText);
        }
        texts.sort_unstable();
        let failed = |reason: String| Error::Tokenizer {
            name: "the learned vocabulary".to_owned(),
            reason,
        };
        let inner = learn(&texts).map_err(|error| failed(error.to_string()))?;
        Self::new(inner).map_err(failed)
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
            file: (None, None),
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
        self.encode_cut(name, text, max_tokens, Side::Right)
    }

    /// The ids of a text as it stands, without special tokens around it: one that names its own, as the text of a talk does.
    ///
    /// # Errors
    /// If the tokenizer cannot split the text; `name` stands for it in the message.
    pub fn encode_bare(&self, name: &str, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self.inner.encode_fast(text, false);
        let encoding = encoding.map_err(|error| Error::Encode {
            name: name.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The same as [`encode`](Self::encode), but of a longer text, this end is cut off.
    ///
    /// # Errors
    /// If the tokenizer cannot split the text; `name` stands for it in the message.
    pub fn encode_cut(
        &self,
        name: &str,
        text: &str,
        max_tokens: usize,
        side: Side,
    ) -> Result<Vec<u32>, Error> {
        let encoding = self
            .inner
            .encode_fast(text, true)
            .map_err(|error| Error::Encode {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
        let (ids, special) = (encoding.get_ids(), encoding.get_special_tokens_mask());
        Ok(cut(ids, special, max_tokens, side))
    }

    /// What `tokenizer.json` itself says in `padding` and `truncation`.
    pub fn file_settings(&self) -> TextSettings {
        let (padding, truncation) = &self.file;
        TextSettings {
            max_tokens: truncation.as_ref().map(|t| t.max_length),
            padding_side: padding.as_ref().map(|padding| match padding.direction {
                PaddingDirection::Left => Side::Left,
                PaddingDirection::Right => Side::Right,
            }),
            truncation_side: truncation.as_ref().map(|t| match t.direction {
                TruncationDirection::Left => Side::Left,
                TruncationDirection::Right => Side::Right,
            }),
            pad_token: padding.as_ref().map(|padding| padding.pad_token.clone()),
            lower_case: None,
        }
    }

    /// The ids that a text is begun and ended with where one is written, if the vocabulary has such.
    pub fn begin_and_end(&self) -> Option<(u32, u32)> {
        const PAIRS: [(&str, &str); 5] = [
            ("[CLS]", "[SEP]"),
            ("[BOS]", "[EOS]"),
            ("<s>", "</s>"),
            ("<bos>", "<eos>"),
            ("<|endoftext|>", "<|endoftext|>"),
        ];
        PAIRS
            .iter()
            .find_map(|(begin, end)| Some((self.id(begin)?, self.id(end)?)))
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The same, with another id in padding.
    ///
    /// # Panics
    /// If the vocabulary has no such id.
    pub fn with_pad_id(mut self, id: u32) -> Self {
        assert!((id as usize) < self.vocab_size, "no id {id}");
        self.pad_id = id;
        self
    }

    /// Lower-cases texts, or keeps BERT's normaliser from it, as Transformers does when the model's
    /// `do_lower_case` and its `tokenizer.json` disagree. What is special is told before it.
    ///
    /// # Errors
    /// If the tokenizer's added tokens do not allow it.
    pub fn with_lower_case(mut self, lower_case: bool) -> Result<Self, Error> {
        let normalizer = match self.inner.get_normalizer() {
            Some(NormalizerWrapper::BertNormalizer(bert)) if bert.lowercase != lower_case => {
                let mut bert = *bert;
                bert.lowercase = lower_case;
                NormalizerWrapper::from(bert)
            }
            own if lower_case && !own.is_some_and(lowers) => {
                let own = own.cloned();
                let steps = std::iter::once(Lowercase.into()).chain(own);
                NormalizerWrapper::from(Sequence::new(steps.collect()))
            }
            _ => return Ok(self),
        };
        let mut inner = Inner::clone(&self.inner);
        inner
            .with_normalizer(Some(normalizer))
            .map_err(|error| Error::Tokenizer {
                name: "the tokenizer, lower-cased".to_owned(),
                reason: error.to_string(),
            })?;
        self.inner = Arc::new(inner);
        Ok(self)
    }

    /// How many rows a table of embeddings needs: the highest id and one.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id that stands in padding.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The id that stands for a hidden token: that of `[MASK]` or `<mask>`, or of the unknown token in a vocabulary that has
    /// neither, such as a learned one.
    pub fn mask_id(&self) -> u32 {
        let known = ["[MASK]", "<mask>", "[UNK]", "<unk>"];
        let id = known.iter().find_map(|token| self.id(token));
        id.unwrap_or(self.pad_id)
    }

    /// The ids that stand for no text.
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let special = added.into_iter().filter(|(_, token)| token.special);
        let mut ids: Vec<u32> = special.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// Of each id, whether its token begins a word, as far as its own spelling tells: not `##s`, and not one without the mark
    /// for a space where others have it.
    pub fn word_starts(&self) -> Vec<bool> {
        let ids: Vec<u32> = (0..self.vocab_size as u32).collect();
        let tokens = self.tokens(&ids);
        let marked = |token: &String| token.starts_with(['\u{120}', '\u{2581}']);
        let by_mark = tokens.iter().any(marked);
        let starts = |token: &String| match by_mark {
            true => marked(token),
            false => !token.starts_with("##"),
        };
        tokens.iter().map(starts).collect()
    }

    /// The tokens of ids, for people.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        let token = |id: &u32| self.inner.id_to_token(*id);
        ids.iter().map(|id| token(id).unwrap_or_default()).collect()
    }

    /// The text of ids, without special tokens.
    ///
    /// # Errors
    /// If the tokenizer cannot put its pieces together.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        self.inner.decode(ids, true).map_err(|error| Error::Encode {
            name: format!("{} ids", ids.len()),
            reason: error.to_string(),
        })
    }

    /// Writes `tokenizer.json` into a model's folder, with the padding and truncation it was read with.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let failed = |error: tokenizers::Error| Error::Write {
            name: path.display().to_string(),
            reason: error.to_string(),
        };
        let mut inner = Inner::clone(&self.inner);
        let (padding, truncation) = self.file.clone();
        inner.with_padding(padding);
        inner.with_truncation(truncation).map_err(failed)?;
        inner.save(&path, true).map_err(failed)
    }
}

/// Ids within a length. The special tokens at both ends stay, if they can: the post-processor marks them.
fn cut(ids: &[u32], special: &[u32], max_tokens: usize, side: Side) -> Vec<u32> {
    if ids.len() <= max_tokens {
        return ids.to_vec();
    }
    let before = special.iter().take_while(|s| **s == 1).count();
    let after = special[before..].iter().rev();
    let after = after.take_while(|s| **s == 1).count();
    let Some(room) = max_tokens.checked_sub(before + after) else {
        // Not even the frame fits: its end matters most, which some models read the text from.
        let mut kept = ids[..max_tokens].to_vec();
        if let (true, Some(end)) = (after > 0, kept.last_mut()) {
            *end = ids[ids.len() - 1];
        }
        return kept;
    };
    let end = ids.len() - after;
    let content = match side {
        Side::Right => &ids[before..before + room],
        Side::Left => &ids[end - room..end],
    };
    [&ids[..before], content, &ids[end..]].concat()
}

/// Whether a normaliser lower-cases.
fn lowers(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::BertNormalizer(bert) => bert.lowercase,
        NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().any(lowers),
        _ => false,
    }
}
