//! How a text is generated: the settings of `generation_config.json`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Early, Error, Search};

/// How tokens are chosen, and when a text ends. The keys are those of `generation_config.json`, with the reference's defaults; the two
/// penalties that it lacks are those of other programs' interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Whether tokens are drawn by their probability (`do_sample`), or the likeliest is taken.
    pub sample: bool,
    /// What scores are divided by before they are drawn by: below 1 the likely become likelier.
    pub temperature: f32,
    /// How many of the likeliest are drawn among; 0 for all.
    pub top_k: usize,
    /// The likeliest that together have this probability are drawn among; 1 for all.
    pub top_p: f32,
    /// Those at least this share as likely as the likeliest are drawn among; 0 for all.
    pub min_p: f32,
    /// What scores of tokens that have been are divided by, or multiplied with where they are negative (arXiv 1909.05858); 1
    /// for nothing. The prompt counts.
    pub repetition_penalty: f32,
    /// What is taken off a token's score for each time it was generated. The prompt does not count.
    pub frequency_penalty: f32,
    /// What is taken off a token's score if it was generated at all.
    pub presence_penalty: f32,
    /// No sequence of so many tokens comes twice; 0 for any.
    pub no_repeat_ngram_size: usize,
    /// Tokens that are never chosen.
    pub suppress_tokens: Vec<u32>,
    /// Tokens that are not chosen first.
    pub begin_suppress_tokens: Vec<u32>,
    /// Tokens that end a text.
    pub eos_token_id: Vec<u32>,
    /// How many texts are followed side by side in search of the likeliest; 1 for none but the one.
    pub num_beams: usize,
    /// What the score of a text that beams have found is divided by: its length to this power.
    pub length_penalty: f64,
    /// When beams end.
    pub early_stopping: Early,
    /// How many tokens are generated at the most.
    pub max_new_tokens: Option<usize>,
    /// How many tokens, the prompt counted, there are at the most; `max_new_tokens` goes before it.
    pub max_length: Option<usize>,
    /// Before so many tokens are generated, no text ends.
    pub min_new_tokens: usize,
    /// Strings that end a text, which is cut off before them.
    pub stop_strings: Vec<String>,
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            no_repeat_ngram_size: 0,
            suppress_tokens: Vec::new(),
            begin_suppress_tokens: Vec::new(),
            eos_token_id: Vec::new(),
            num_beams: 1,
            length_penalty: 1.0,
            early_stopping: Early::default(),
            max_new_tokens: None,
            max_length: None,
            min_new_tokens: 0,
            stop_strings: Vec::new(),
        }
    }
}

/// Settings of the reference that change a text and are not followed, with what they are where they change nothing.
const NOT_FOLLOWED: [(&str, &[f64]); 13] = [
    ("typical_p", &[1.0]),
    ("top_h", &[]),
    ("epsilon_cutoff", &[0.0]),
    ("eta_cutoff", &[0.0]),
    ("penalty_alpha", &[0.0]),
    ("guidance_scale", &[1.0]),
    ("encoder_repetition_penalty", &[1.0]),
    ("encoder_no_repeat_ngram_size", &[0.0]),
    ("sequence_bias", &[]),
    ("bad_words_ids", &[]),
    ("forced_bos_token_id", &[]),
    ("forced_eos_token_id", &[]),
    ("exponential_decay_length_penalty", &[]),
];

/// The keys of the file as they stand there; all may be `null`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
    suppress_tokens: Option<Vec<u32>>,
    begin_suppress_tokens: Option<Vec<u32>>,
    eos_token_id: Option<OneOrMany<u32>>,
    num_beams: Option<usize>,
    length_penalty: Option<f64>,
    early_stopping: Option<Early>,
    max_new_tokens: Option<usize>,
    max_length: Option<usize>,
    min_new_tokens: Option<usize>,
    stop_strings: Option<OneOrMany<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn all(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl Generation {
    /// Tokens drawn at a temperature, among all of them.
    pub fn sampled(temperature: f32) -> Self {
        Self {
            sample: true,
            temperature,
            top_k: 0,
            ..Self::default()
        }
    }

    /// What a `generation_config.json` says. Keys that change nothing about a text are passed over.
    ///
    /// # Errors
    /// [`Error::File`] if it is no table of such settings, [`Error::Unknown`] naming keys that would change the text and are not
    /// followed here, and [`Error::Setting`] for a value that cannot work.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let refuse = |error: serde_json::Error| Error::File {
            reason: error.to_string(),
        };
        let table: Map<String, Value> = serde_json::from_str(text).map_err(refuse)?;
        let keys: Vec<&str> = NOT_FOLLOWED
            .iter()
            .filter(|(key, idle)| table.get(*key).is_some_and(|value| changes(value, idle)))
            .map(|(key, _)| *key)
            .collect();
        if !keys.is_empty() {
            return Err(Error::Unknown {
                keys: keys.join(", "),
            });
        }
        let file: File = serde_json::from_str(text).map_err(refuse)?;
        let own = Self::default();
        let read = Self {
            sample: file.do_sample.unwrap_or(own.sample),
            temperature: file.temperature.unwrap_or(own.temperature),
            top_k: file.top_k.unwrap_or(own.top_k),
            top_p: file.top_p.unwrap_or(own.top_p),
            min_p: file.min_p.unwrap_or(own.min_p),
            repetition_penalty: file.repetition_penalty.unwrap_or(own.repetition_penalty),
            no_repeat_ngram_size: file.no_repeat_ngram_size.unwrap_or_default(),
            suppress_tokens: file.suppress_tokens.unwrap_or_default(),
            begin_suppress_tokens: file.begin_suppress_tokens.unwrap_or_default(),
            eos_token_id: file.eos_token_id.map(OneOrMany::all).unwrap_or_default(),
            num_beams: file.num_beams.unwrap_or(own.num_beams),
            length_penalty: file.length_penalty.unwrap_or(own.length_penalty),
            early_stopping: file.early_stopping.unwrap_or_default(),
            max_new_tokens: file.max_new_tokens,
            max_length: file.max_length,
            min_new_tokens: file.min_new_tokens.unwrap_or_default(),
            stop_strings: file.stop_strings.map(OneOrMany::all).unwrap_or_default(),
            ..own
        };
        read.validate()?;
        Ok(read)
    }

    /// How many tokens may still be generated after a prompt of so many; `None` for any number.
    pub fn most_new(&self, prompt: usize) -> Option<usize> {
        self.max_new_tokens
            .or_else(|| Some(self.max_length?.saturating_sub(prompt)))
    }

    /// How beams are searched, if there are any.
    pub fn search(&self) -> Option<Search> {
        (self.num_beams > 1).then_some(Search {
            width: self.num_beams,
            length_penalty: self.length_penalty,
            early: self.early_stopping,
        })
    }

    /// Checks that every setting is possible.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is not, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let share = |x: f32| (0.0..=1.0).contains(&x);
        let above = |x: f32| x.is_finite() && x > 0.0;
        for (key, value, holds, way_out) in [
            (
                "temperature",
                self.temperature,
                !self.sample || above(self.temperature),
                "it must be above 0; do_sample = false takes the likeliest token",
            ),
            (
                "top_p",
                self.top_p,
                share(self.top_p) && self.top_p > 0.0,
                "it must be above 0 and at most 1",
            ),
            (
                "min_p",
                self.min_p,
                share(self.min_p),
                "it must lie between 0 and 1",
            ),
            (
                "repetition_penalty",
                self.repetition_penalty,
                above(self.repetition_penalty),
                "it must be above 0; 1 is none",
            ),
            (
                "frequency_penalty",
                self.frequency_penalty,
                self.frequency_penalty.is_finite(),
                "it must be a number; 0 is none",
            ),
            (
                "presence_penalty",
                self.presence_penalty,
                self.presence_penalty.is_finite(),
                "it must be a number; 0 is none",
            ),
        ] {
            if !holds {
                return Err(Error::Setting {
                    key,
                    value: value.to_string(),
                    way_out,
                });
            }
        }
        self.validate_beams()?;
        match self.stop_strings.iter().any(String::is_empty) {
            true => Err(Error::Setting {
                key: "stop_strings",
                value: format!("{:?}", self.stop_strings),
                way_out: "an empty string would end every text before it begins",
            }),
            false => Ok(()),
        }
    }
}

impl Generation {
    fn validate_beams(&self) -> Result<(), Error> {
        let refuse = |key, value: String, way_out| {
            Err(Error::Setting {
                key,
                value,
                way_out,
            })
        };
        let beams = self.num_beams;
        if !(1..=Search::MOST).contains(&beams) {
            return refuse("num_beams", beams.to_string(), "it must be 1 to 1024");
        }
        if beams > 1 && self.sample {
            let way_out = "beams look for the likeliest text, and nothing is drawn: do_sample = false, or num_beams = 1";
            return refuse("num_beams", beams.to_string(), way_out);
        }
        if !self.length_penalty.is_finite() {
            let value = self.length_penalty.to_string();
            return refuse(
                "length_penalty",
                value,
                "it must be a number; 1 is the mean",
            );
        }
        Ok(())
    }
}

/// Whether a setting that is not followed would change a text.
fn changes(value: &Value, idle: &[f64]) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => !number.as_f64().is_some_and(|x| idle.contains(&x)),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_with_the_references_defaults() {
        let empty = Generation::from_json("{}").unwrap();
        assert_eq!(empty, Generation::default());
        // As published: of a chat model, with keys that say nothing of the text.
        let read = Generation::from_json(
            r#"{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": [2, 7], "pad_token_id": null,
                "do_sample": true, "temperature": 0.6, "top_p": 0.9, "max_length": 4096, "typical_p": 1.0,
                "guidance_scale": null, "bad_words_ids": [], "stop_strings": "END", "transformers_version": "4.42.3"}"#,
        )
        .unwrap();
        assert!(read.sample && read.top_k == 50 && read.temperature == 0.6);
        assert_eq!(read.eos_token_id, [2, 7]);
        assert_eq!(read.stop_strings, ["END"]);
        assert_eq!(
            (read.most_new(96), read.most_new(5000)),
            (Some(4000), Some(0))
        );
        let one = Generation::from_json(r#"{"eos_token_id": 2, "max_new_tokens": 9}"#).unwrap();
        assert_eq!(
            (one.eos_token_id.as_slice(), one.most_new(100)),
            (&[2][..], Some(9))
        );
        assert_eq!(empty.most_new(3), None);
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        for (text, said) in [
            ("[]", "invalid type"),
            ("{\"top_k\": -1}", "invalid value"),
            ("{\"eos_token_id\": \"</s>\"}", "did not match"),
            (
                "{\"typical_p\": 0.9, \"bad_words_ids\": [[3]]}",
                "asks for typical_p, bad_words_ids,",
            ),
            (
                "{\"do_sample\": true, \"temperature\": 0.0}",
                "temperature = 0: it must be above 0",
            ),
            ("{\"top_p\": 1.5}", "top_p = 1.5"),
            ("{\"top_p\": 0}", "top_p = 0"),
            ("{\"min_p\": -0.1}", "min_p = -0.1"),
            ("{\"repetition_penalty\": 0}", "repetition_penalty = 0"),
            ("{\"stop_strings\": [\"\"]}", "stop_strings"),
        ] {
            let error = Generation::from_json(text).unwrap_err().to_string();
            assert!(
                error.contains(said) && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }
}
