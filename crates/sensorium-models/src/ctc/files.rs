//! The files of a `Wav2Vec2CTCTokenizer`.

use serde_json::Value;

use crate::Error;

pub(super) const VOCAB: &str = "vocab.json";
pub(super) const CONFIG: &str = "tokenizer_config.json";
pub(super) const SPECIAL: &str = "special_tokens_map.json";
pub(super) const ADDED: &str = "added_tokens.json";

/// What they hold; a model may lack all but the first.
#[derive(Clone, Debug, Default)]
pub struct CtcFiles {
    /// `vocab.json`: ids by their tokens, or such a table for each language.
    pub vocab: Value,
    /// `tokenizer_config.json`
    pub config: Option<Value>,
    /// `special_tokens_map.json`, which only older models need.
    pub special: Option<Value>,
    /// `added_tokens.json`, the same.
    pub added: Option<Value>,
}

impl CtcFiles {
    /// A `vocab.json` alone.
    pub fn of_vocab(vocab: Value) -> Self {
        Self {
            vocab,
            ..Self::default()
        }
    }

    /// The files of a checkpoint.
    ///
    /// # Errors
    /// If there is no `vocab.json`, or one of them is no JSON.
    pub fn read(checkpoint: &sensorium_hub::Checkpoint) -> Result<Self, Error> {
        let vocab = checkpoint.json(VOCAB)?;
        Ok(Self {
            vocab: vocab.ok_or_else(|| checkpoint.lacks(VOCAB))?,
            config: checkpoint.json(CONFIG)?,
            special: checkpoint.json(SPECIAL)?,
            added: checkpoint.json(ADDED)?,
        })
    }

    /// What the configuration says of a key, `null` being nothing.
    pub(super) fn setting(&self, key: &str) -> Option<&Value> {
        let value = self.config.as_ref()?.get(key)?;
        (!value.is_null()).then_some(value)
    }

    /// A special token: by `tokenizer_config.json`, before which an older model's `special_tokens_map.json` goes.
    pub(super) fn token(&self, key: &'static str, usual: &str) -> Result<String, Error> {
        let special = self.special.as_ref();
        let special = special.and_then(|map| Some((SPECIAL, map.get(key)?)));
        let own = self.setting(key).map(|value| (CONFIG, value));
        let lists = self.setting("added_tokens_decoder").is_some();
        let found = match lists {
            true => own.or(special),
            false => special.or(own),
        };
        match found {
            None | Some((_, Value::Null)) => Ok(usual.to_owned()),
            Some((file, value)) => {
                let text = value.as_str().or_else(|| value["content"].as_str());
                let text = text.ok_or_else(|| wrong(file, key, value, "a token"))?;
                Ok(text.to_owned())
            }
        }
    }

    pub(super) fn text(&self, key: &'static str, usual: &str) -> Result<String, Error> {
        match self.setting(key) {
            None => Ok(usual.to_owned()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(wrong(CONFIG, key, other, "a text")),
        }
    }

    pub(super) fn switch(&self, key: &'static str) -> Result<bool, Error> {
        match self.setting(key) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(wrong(CONFIG, key, other, "true or false")),
        }
    }
}

pub(super) fn wrong(file: &str, key: &'static str, value: &Value, right: &str) -> Error {
    // A hostile value may be of any length.
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.chars().count() == 60 {
        shown.push('…');
    }
    Error::Config {
        file: file.to_owned(),
        key,
        problem: format!("is {shown}; it must be {right}"),
    }
}
