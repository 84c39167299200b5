//! Vocabularies that are learned from texts: of word pieces, or of bytes.

use std::collections::BTreeSet;

use ahash::AHashMap;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, NormalizedString, Normalizer, Tokenizer as Inner};

/// The special tokens of a learned vocabulary, in the order of their ids: padding is 0, as in BERT.
const SPECIAL: [&str; 4] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];

/// Pieces of words.
pub(crate) fn words(texts: &[&str], vocab_size: usize) -> tokenizers::Result<Inner> {
    let mut inner = Inner::new(model(learn(texts, vocab_size)?)?);
    bert_like(&mut inner)?;
    framed(inner)
}

/// Bytes, and what they are joined to.
pub(crate) fn bytes(texts: &[&str], vocab_size: usize) -> tokenizers::Result<Inner> {
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)).to_vec())
        .build()
        .into();
    let mut inner = Inner::new(BPE::default());
    let bytes = ByteLevel::new(false, true, true);
    let steps: Vec<PreTokenizerWrapper> = vec![Digits::new(true).into(), bytes.into()];
    inner
        .with_pre_tokenizer(Some(Sequence::new(steps)))
        .with_decoder(Some(bytes));
    inner.train(&mut trainer, texts.iter().copied())?;
    framed(inner)
}

/// With special tokens around each text.
fn framed(mut inner: Inner) -> tokenizers::Result<Inner> {
    let special = SPECIAL.map(|token| AddedToken::from(token, true));
    inner.add_special_tokens(special)?;
    let id = |token: &str| (token.to_owned(), inner.token_to_id(token).unwrap_or(0));
    let framing = BertProcessing::new(id(SPECIAL[3]), id(SPECIAL[2]));
    inner.with_post_processor(Some(framing));
    Ok(inner)
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
