//! What a published model's `tokenizer_config.json` and `special_tokens_map.json` say about preparing texts.

use serde_json::{Map, Value};

use crate::Error;

/// Lengths from here on are no lengths: files say 1e30 where there is no limit.
const ENDLESS: f64 = (1u64 << 32) as f64;

/// An end of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Where it begins.
    Left,
    /// Where it ends.
    #[default]
    Right,
}

/// How texts are prepared, as far as a file says it.
///
/// ```
/// use sensorium_text::{Side, TextSettings};
///
/// let config = r#"{"model_max_length": 77, "pad_token": {"content": "<|endoftext|>"}, "padding_side": "right"}"#;
/// let settings = TextSettings::from_json(Some(("tokenizer_config.json", config)), None)?;
/// assert_eq!(settings.max_tokens, Some(77));
/// assert_eq!(settings.padding_side, Some(Side::Right));
/// assert_eq!(settings.pad_token.as_deref(), Some("<|endoftext|>"));
/// # Ok::<(), sensorium_text::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextSettings {
    /// The most tokens of a text, special ones included (`model_max_length`).
    pub max_tokens: Option<usize>,
    /// Where padding stands in a batch (`padding_side`).
    pub padding_side: Option<Side>,
    /// Which end of a text that is too long is cut off (`truncation_side`).
    pub truncation_side: Option<Side>,
    /// The token that stands in padding (`pad_token`).
    pub pad_token: Option<String>,
    /// Whether texts are lower-cased (`do_lower_case`, which only some classes of tokenizers go by).
    pub lower_case: Option<bool>,
}

impl TextSettings {
    /// Reads the text of a `tokenizer_config.json` and of a `special_tokens_map.json`, each with the name
    /// that stands for it in messages; a model may lack either.
    ///
    /// # Errors
    /// [`Error::Published`] naming the file and the key.
    pub fn from_json(
        tokenizer_config: Option<(&str, &str)>,
        special_tokens_map: Option<(&str, &str)>,
    ) -> Result<Self, Error> {
        let read = |file: Option<(_, _)>| file.map(|(name, json)| File::parse(name, json));
        let special = read(special_tokens_map).transpose()?;
        let special_pad = special.map(|file| file.token("pad_token")).transpose()?;
        let special_pad = special_pad.flatten();
        let Some(config) = read(tokenizer_config).transpose()? else {
            return Ok(Self {
                pad_token: special_pad,
                ..Self::default()
            });
        };
        // As in Transformers: `special_tokens_map.json` is of old files, which it wins in; newer ones list
        // their tokens themselves.
        let own_pad = config.token("pad_token")?;
        let pad_token = match config.map.contains_key("added_tokens_decoder") {
            true => own_pad.or(special_pad),
            false => special_pad.or(own_pad),
        };
        let class = config.word("tokenizer_class")?;
        let class = class.map(|class| class.trim_end_matches("Fast"));
        // Its class lower-cases and pads at the left whether or not the file says it.
        let siglip2 = class == Some("Siglip2Tokenizer");
        // Others' classes leave case to `tokenizer.json`, whatever the file says.
        let listens = matches!(class, None | Some("BertTokenizer" | "SiglipTokenizer"));
        let padding_side = config.side("padding_side")?;
        Ok(Self {
            max_tokens: config.length("model_max_length")?,
            padding_side: padding_side.or(siglip2.then_some(Side::Left)),
            truncation_side: config.side("truncation_side")?,
            pad_token,
            lower_case: match siglip2 {
                true => Some(true),
                false => config.switch("do_lower_case")?.filter(|_| listens),
            },
        })
    }

    /// These settings, and where they say nothing, others.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            max_tokens: self.max_tokens.or(other.max_tokens),
            padding_side: self.padding_side.or(other.padding_side),
            truncation_side: self.truncation_side.or(other.truncation_side),
            pad_token: self.pad_token.clone().or_else(|| other.pad_token.clone()),
            lower_case: self.lower_case.or(other.lower_case),
        }
    }
}

/// The keys of one file; `null` is none.
struct File<'a> {
    name: &'a str,
    map: Map<String, Value>,
}

impl<'a> File<'a> {
    fn parse(name: &'a str, json: &str) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Published {
            name: name.to_owned(),
            key: "the file",
            problem,
        };
        let value: Value =
            serde_json::from_str(json).map_err(|error| wrong(format!("is not JSON: {error}")))?;
        match value {
            Value::Object(map) => Ok(Self { name, map }),
            _ => Err(wrong(
                "is JSON, but no object; give the model's own".to_owned(),
            )),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &'static str, value: &Value, right: &str) -> Error {
        // A hostile value may be of any length.
        let mut shown: String = value.to_string().chars().take(60).collect();
        if shown.chars().count() == 60 {
            shown.push('…');
        }
        Error::Published {
            name: self.name.to_owned(),
            key,
            problem: format!("is {shown}; use {right}"),
        }
    }

    fn word(&self, key: &'static str) -> Result<Option<&str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(word)) => Ok(Some(word)),
            Some(other) => Err(self.wrong(key, other, "a text")),
        }
    }

    fn switch(&self, key: &'static str) -> Result<Option<bool>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(other) => Err(self.wrong(key, other, "true or false")),
        }
    }

    fn side(&self, key: &'static str) -> Result<Option<Side>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(side)) if side == "left" => Ok(Some(Side::Left)),
            Some(Value::String(side)) if side == "right" => Ok(Some(Side::Right)),
            Some(other) => Err(self.wrong(key, other, "\"left\" or \"right\"")),
        }
    }

    fn length(&self, key: &'static str) -> Result<Option<usize>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(length) if length >= ENDLESS => Ok(None),
            Some(length) if length >= 1.0 && length.fract() == 0.0 => Ok(Some(length as usize)),
            _ => Err(self.wrong(key, value, "a whole number of tokens, at least 1")),
        }
    }

    /// A token, written as a text or as an object with its `content`.
    fn token(&self, key: &'static str) -> Result<Option<String>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let content = match value {
            Value::Object(map) => map.get("content"),
            other => Some(other),
        };
        match content {
            Some(Value::String(token)) => Ok(Some(token.clone())),
            _ => Err(self.wrong(key, value, "a token, or an object with its \"content\"")),
        }
    }
}
