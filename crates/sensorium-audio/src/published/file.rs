//! The keys of a `preprocessor_config.json`, each believed only if it is of the right kind.

use sensorium_core::Misfit;
use serde_json::{Map, Value};

use crate::Error;

/// The settings of a file.
pub(super) struct File<'a> {
    name: &'a str,
    map: Map<String, Value>,
}

impl<'a> File<'a> {
    pub(super) fn parse(name: &'a str, json: &str) -> Result<Self, Error> {
        let map = Map::new();
        let file = Self { name, map };
        let value: Value = serde_json::from_str(json)
            .map_err(|error| file.error("the file", format!("is not JSON: {error}")))?;
        let Value::Object(mut map) = value else {
            return Err(file.error("the file", "is JSON, but no object; give the model's own"));
        };
        // A processor_config.json holds the sound's settings beside the text's.
        let map = match map.remove("feature_extractor") {
            None => map,
            Some(Value::Object(inner)) => inner,
            Some(other) => return Err(file.wrong("feature_extractor", &other, "an object")),
        };
        Ok(Self { name, map })
    }

    pub(super) fn error(&self, key: &'static str, problem: impl Into<String>) -> Error {
        Error::Published {
            name: self.name.to_owned(),
            key,
            problem: problem.into(),
        }
    }

    /// A value that was refused, as one of this file.
    pub(super) fn located(&self, error: Error) -> Error {
        match error {
            Error::Config(Misfit { key, problem }) => self.error(key, problem),
            other => other,
        }
    }

    fn wrong(&self, key: &'static str, value: &Value, right: &str) -> Error {
        let shown = shortened(&value.to_string());
        self.error(key, format!("is {shown}; use {right}"))
    }

    /// A key's value; `null` is none, as in Transformers.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A text, if there is one.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<&str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, other, "a text")),
        }
    }

    /// One of a few words, or the first.
    pub(super) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Result<T, Error> {
        let Some(value) = self.get(key) else {
            return Ok(words[0].1);
        };
        let found = words.iter().find(|(word, _)| value == word);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let quoted: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.wrong(key, value, &quoted.join(" or "))
        })
    }

    pub(super) fn switch(&self, key: &'static str, default: bool) -> Result<bool, Error> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(self.wrong(key, other, "true or false")),
        }
    }

    /// A whole number that is not negative; 30.0 is one.
    pub(super) fn whole(&self, key: &'static str, default: usize) -> Result<usize, Error> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let float = value.as_f64().filter(|v| v.fract() == 0.0);
        // All that can work is far below; more would not be exact.
        let float = float.filter(|v| (0.0..=f64::from(u32::MAX)).contains(v));
        float
            .map(|v| v as usize)
            .ok_or_else(|| self.wrong(key, value, "a whole number, not negative"))
    }

    pub(super) fn rate(&self, default: usize) -> Result<u32, Error> {
        const KEY: &str = "sampling_rate";
        // `whole` gives no more.
        Ok(u32::try_from(self.whole(KEY, default)?).unwrap_or(u32::MAX))
    }

    pub(super) fn number(&self, key: &'static str, default: f64) -> Result<f64, Error> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let number = value.as_f64().filter(|v| v.is_finite());
        number.ok_or_else(|| self.wrong(key, value, "a number"))
    }
}

/// A value as a message shows it: a hostile one may be of any length.
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.chars().count() == 60 {
        shown.push('…');
    }
    shown
}
