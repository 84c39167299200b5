//! `[decoder]`: what writes a text in view of what the encoders gave. A list of kinds, and the keys that each looks at.

use std::path::PathBuf;

use burn::tensor::{Device, Int, Tensor};
use sensorium_core::nn::{Activation, DecoderCache, NormOrder};
use sensorium_core::{Gathered, Tap, Tokens, one_of};
use sensorium_decode::Generation;
use sensorium_models::causal::{CausalConfig, LlamaConfig};
use sensorium_text::{Pieces, Positions, TextBatch, TextDecoder, TextDecoderConfig, Tokenizer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::prefix::{PrefixCourse, PrefixDecoder};
use super::write::numbers;
use crate::labels::Texts;
use crate::{Error, keys};

/// `[decoder]`: what writes a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderConfig {
    /// How it looks at what the encoders gave.
    pub kind: DecoderKind,
    /// A published causal language model, of which a prefix is made: a folder in the hub's layout, or a hub's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A `tokenizer.json`; without it, a vocabulary is learned from the training rows' texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// What a learned vocabulary is made of.
    pub pieces: Pieces,
    /// The most tokens of a learned vocabulary.
    pub vocab_size: usize,
    /// The longest text, in tokens, those that it begins and ends with included; what is longer is cut.
    pub max_tokens: usize,
    /// Width of the tokens; a multiple of `n_heads`.
    pub d_model: usize,
    /// How many transformer blocks.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part; four times `d_model` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_ff: Option<usize>,
    /// How a token's place is told.
    pub positions: Positions,
    /// Whether norms stand before or after what they belong to.
    pub order: NormOrder,
    /// Of the feed-forward part.
    pub activation: Activation,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// How many texts are followed side by side in search of the likeliest, where one is written; 1 for none but the one.
    pub beams: usize,
    /// What the score of a text that beams have found is divided by: its length to this power.
    pub length_penalty: f64,
}

impl Default for DecoderConfig {
    /// A small model for short texts.
    fn default() -> Self {
        Self {
            kind: DecoderKind::Cross,
            from: None,
            tokenizer: None,
            pieces: Pieces::Bytes,
            vocab_size: 2000,
            max_tokens: 64,
            d_model: 64,
            n_layers: 2,
            n_heads: 4,
            d_ff: None,
            positions: Positions::Sinusoidal,
            order: NormOrder::Pre,
            activation: Activation::Gelu,
            dropout: 0.0,
            beams: 1,
            length_penalty: 1.0,
        }
    }
}

/// How a decoder looks at what the encoders gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecoderKind {
    /// Each of its blocks attends to it (arXiv 1706.03762).
    #[default]
    Cross,
    /// It reads it as if it stood before its own text, as vision-language models do (arXiv 2304.08485).
    Prefix,
}

/// A kind, what it is called, and the keys it looks at.
type Entry = (DecoderKind, &'static str, &'static [&'static str]);

/// Every kind, in the order of the type.
#[rustfmt::skip] // An entry a line.
const LIST: [Entry; 2] = [
    (DecoderKind::Cross, "cross", &["tokenizer", "pieces", "vocab_size", "max_tokens", "d_model", "n_layers", "n_heads", "d_ff", "positions", "order", "activation", "dropout", "beams", "length_penalty"]),
    (DecoderKind::Prefix, "prefix", &["from", "tokenizer", "pieces", "vocab_size", "max_tokens", "d_model", "n_layers", "n_heads", "d_ff", "beams", "length_penalty"]),
];

/// The keys beside `kind` that have an effect where a published model writes.
pub(crate) const PUBLISHED: [&str; 4] = ["from", "max_tokens", "beams", "length_penalty"];

impl DecoderKind {
    /// The kind that stands in a recipe so.
    pub fn named(name: &str) -> Option<Self> {
        let entry = LIST.iter().find(|(_, known, _)| *known == name);
        entry.map(|(kind, ..)| *kind)
    }

    /// As it stands in a recipe.
    pub fn name(self) -> &'static str {
        LIST[self as usize].1
    }

    /// The keys beside `kind` that have an effect with it.
    pub fn keys(self) -> &'static [&'static str] {
        LIST[self as usize].2
    }

    /// Whether a key has an effect with it.
    pub fn looks_at(self, key: &str) -> bool {
        key == "kind" || self.keys().contains(&key)
    }
}

/// Writes the keys that count.
pub(crate) fn serialize<S: Serializer>(
    decoder: &Option<DecoderConfig>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Some(decoder) = decoder else {
        return serializer.serialize_none();
    };
    let counts = |key: &str| match decoder.from {
        Some(_) => key == "kind" || PUBLISHED.contains(&key),
        None => decoder.kind.looks_at(key),
    };
    keys::serialize(decoder, counts, serializer)
}

/// Refuses a key of a recipe's `[decoder]` that has no effect with its kind.
pub(crate) fn check_keys(recipe: &Table) -> Result<(), String> {
    let Some(Value::Table(table)) = recipe.get("decoder") else {
        return Ok(());
    };
    let named = table.get("kind").and_then(Value::as_str);
    let kind = named.and_then(DecoderKind::named).unwrap_or_default();
    keys::check("decoder", table, kind.name(), kind.keys())?;
    let own = |key: &&String| *key != "kind" && !PUBLISHED.contains(&key.as_str());
    match table.keys().find(own) {
        Some(key) if table.contains_key("from") => Err(format!(
            "decoder.{key} has no effect on a decoder that is taken `from` a checkpoint: remove one of them"
        )),
        _ => Ok(()),
    }
}

impl DecoderConfig {
    /// The decoder for a vocabulary, and a context so wide.
    fn decoder(&self, vocab_size: usize, d_context: usize) -> TextDecoderConfig {
        TextDecoderConfig::new(
            vocab_size,
            self.max_tokens,
            self.d_model,
            self.n_layers,
            self.n_heads,
        )
        .with_d_context(d_context)
        .with_d_ff(self.d_ff.unwrap_or(self.d_model.saturating_mul(4)))
        .with_positions(self.positions)
        .with_order(self.order)
        .with_activation(self.activation)
        .with_dropout(self.dropout)
    }

    /// Refuses what cannot work.
    pub(crate) fn validate(&self) -> Result<(), String> {
        // Each byte has to be a piece.
        if !(264..=1 << 20).contains(&self.vocab_size) {
            return Err(format!(
                "decoder.vocab_size: {} must be 264 to 1048576: 256 bytes, and what is special",
                self.vocab_size
            ));
        }
        if self.from.is_some() && self.kind != DecoderKind::Prefix {
            return Err(
                "decoder.from names a model that reads: use decoder.kind = \"prefix\"".to_owned(),
            );
        }
        if self.max_tokens < 3 {
            return Err(format!(
                "decoder.max_tokens: {} must be at least 3, for one token between those that a text begins and ends with",
                self.max_tokens
            ));
        }
        if !(1..=64).contains(&self.beams) {
            return Err(format!("decoder.beams: {} must be 1 to 64", self.beams));
        }
        if !(-10.0..=10.0).contains(&self.length_penalty) {
            return Err(format!(
                "decoder.length_penalty: {} must be -10 to 10",
                self.length_penalty
            ));
        }
        if self.kind == DecoderKind::Prefix
            && (self.n_heads == 0 || !(self.d_model / self.n_heads).is_multiple_of(2))
        {
            return Err(format!(
                "decoder.n_heads: d_model / n_heads = {} must be even, for positions turn pairs of features",
                self.d_model / self.n_heads.max(1)
            ));
        }
        let sizes = self.decoder(self.vocab_size, self.d_model).validate();
        sizes.map_err(|error| format!("decoder.{error}"))
    }

    /// How a text is written.
    pub(super) fn generation(&self) -> Generation {
        Generation {
            num_beams: self.beams,
            length_penalty: self.length_penalty,
            max_new_tokens: Some(self.max_tokens - 1),
            ..Generation::default()
        }
    }

    /// A vocabulary: that of its file, or one that is learned from texts.
    pub(crate) fn tokenizer<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Tokenizer, Error> {
        let tokenizer = match &self.tokenizer {
            Some(path) => Tokenizer::open(path),
            None => self.pieces.learn(texts, self.vocab_size),
        };
        tokenizer.map_err(Texts::refused)
    }

    /// A freshly initialised decoder, of what encoders give that is so wide, if there are any.
    pub(super) fn build(
        &self,
        texts: &Texts,
        d_context: Option<usize>,
        device: &Device,
    ) -> Result<AnyDecoder, Error> {
        if let Some(published) = texts.model() {
            let lm = published.model(device).map_err(Self::refused)?;
            let decoder = PrefixDecoder::new(lm, d_context, self.max_tokens, device);
            return Ok(AnyDecoder::Prefix(decoder));
        }
        let vocab_size = texts.processor().tokenizer().vocab_size();
        let decoder = self.decoder(vocab_size, d_context.unwrap_or(self.d_model));
        // The size of the vocabulary is the tokenizer file's say.
        decoder.validate().map_err(Texts::refused)?;
        Ok(match self.kind {
            DecoderKind::Cross => AnyDecoder::Cross(decoder.init(device)),
            DecoderKind::Prefix => {
                let lm = self.causal(vocab_size).init(device);
                AnyDecoder::Prefix(PrefixDecoder::new(lm, d_context, self.max_tokens, device))
            }
        })
    }

    /// The language model of a prefix: a Llama of these sizes, whose logits come from its table of tokens.
    fn causal(&self, vocab_size: usize) -> CausalConfig {
        CausalConfig::from(LlamaConfig {
            d_ff: self.d_ff.unwrap_or(self.d_model.saturating_mul(4)),
            tied: true,
            ..LlamaConfig::new(vocab_size, self.d_model, self.n_layers, self.n_heads)
        })
    }
}

/// Whichever decoder a recipe names.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub enum AnyDecoder {
    /// Each of its blocks attends to what the encoders gave.
    Cross(TextDecoder),
    /// It reads that as if it stood before its text.
    Prefix(PrefixDecoder),
}

one_of!(AnyDecoder { Cross, Prefix });

/// What a decoder keeps from one token to the next.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub(super) enum Course {
    Cross(DecoderCache),
    Prefix(PrefixCourse),
}

impl AnyDecoder {
    /// What texts are written in view of: what encoders gave `[batch, keys, d_context]`, if there is anything, and texts that the
    /// decoder reads itself.
    ///
    /// # Panics
    /// If there is neither, or texts for a decoder that does not read.
    pub(super) fn view(&self, seen: Option<Tokens>, read: Option<Gathered<TextBatch>>) -> Tokens {
        match self {
            Self::Cross(_) => {
                assert!(
                    read.is_none(),
                    "a recipe is checked for what its decoder reads"
                );
                seen.expect("a batch has samples")
            }
            Self::Prefix(decoder) => decoder.view(seen, read),
        }
    }

    /// Logits of the token after each of the texts', in view of `context` `[batch, keys, d]`: `[batch, tokens]` →
    /// `[batch, tokens, vocab_size]`.
    pub(super) fn forward_with<T: Tap>(
        &self,
        texts: TextBatch,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        match self {
            Self::Cross(decoder) => decoder.forward_with(texts, context, tap),
            Self::Prefix(decoder) => decoder.forward_with(texts, context, tap),
        }
    }

    /// Begins texts in view of a context.
    pub(super) fn begin(&self, context: &Tokens) -> Course {
        match self {
            Self::Cross(decoder) => {
                Course::Cross(decoder.begin(&context.embeds, Some(&context.pad)))
            }
            Self::Prefix(decoder) => Course::Prefix(decoder.begin(context)),
        }
    }

    /// Logits of the token after the last of the next ones: `[batch, tokens]` → `[batch, vocab_size]`.
    pub(super) fn step(&self, ids: Tensor<2, Int>, course: &mut Course) -> Tensor<2> {
        match (self, course) {
            (Self::Cross(decoder), Course::Cross(cache)) => decoder.step(ids, cache),
            (Self::Prefix(decoder), Course::Prefix(course)) => decoder.step(ids, course),
            _ => unreachable!("a course is begun by the decoder that goes on with it"),
        }
    }
}

impl Course {
    /// Goes on with these texts, in this order, and with these of the contexts.
    pub(super) fn select(&mut self, rows: &[usize], contexts: &[usize], device: &Device) {
        let numbers = |places: &[usize]| numbers(places.iter().map(|i| *i as i64), device);
        match self {
            Self::Cross(cache) => {
                cache.select_tokens(&numbers(rows));
                cache.select_contexts(&numbers(contexts));
            }
            Self::Prefix(course) => course.select(rows, device),
        }
    }
}
