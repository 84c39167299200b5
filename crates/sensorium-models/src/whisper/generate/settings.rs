//! `generation_config.json`: which ids say what, and which are never said.

use std::collections::BTreeMap;

use sensorium_decode::{Early, Search};
use serde::Deserialize;
use serde_json::Value;

use super::Transcribe;
use crate::Error;
use crate::config;
use crate::error::{need, size};

const FILE: &str = "generation_config.json";

/// The most texts that are followed side by side: each needs memory for all its words.
pub const MOST_BEAMS: usize = 64;
/// The most ids that end a text: for each, a search looks at so many more ways on.
const MOST_ENDS: usize = 64;

/// What is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// What is said, in the language that is spoken.
    #[default]
    Transcribe,
    /// What is said, in English.
    Translate,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Transcribe => "transcribe",
            Self::Translate => "translate",
        }
    }
}

/// Whisper's `generation_config.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct WhisperGeneration {
    /// What a text begins with.
    #[serde(rename = "decoder_start_token_id")]
    pub(super) start: u32,
    #[serde(rename = "eos_token_id")]
    end: OneOrMore,
    #[serde(default)]
    suppress_tokens: Option<Vec<i64>>,
    #[serde(default)]
    begin_suppress_tokens: Option<Vec<i64>>,
    #[serde(rename = "no_timestamps_token_id", default)]
    no_timestamps: Option<u32>,
    #[serde(default)]
    is_multilingual: Option<bool>,
    #[serde(default)]
    lang_to_id: BTreeMap<String, u32>,
    #[serde(default)]
    task_to_id: BTreeMap<String, u32>,
    #[serde(rename = "prev_sot_token_id", default)]
    previous: Option<u32>,
    #[serde(rename = "max_initial_timestamp_index", default)]
    pub(super) latest_first: Option<u32>,
    #[serde(default)]
    max_length: Option<usize>,
    #[serde(default)]
    num_beams: Option<usize>,
    #[serde(default)]
    length_penalty: Option<f64>,
    #[serde(default)]
    early_stopping: Option<Early>,
    #[serde(skip)]
    vocab_size: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "an id, or a list of them")]
enum OneOrMore {
    One(u32),
    More(Vec<u32>),
}

impl WhisperGeneration {
    /// Parses a `generation_config.json` for a model of so many words.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or names an id that the model does not have.
    pub fn parse(json: &Value, vocab_size: usize) -> Result<Self, Error> {
        let settings = Self {
            vocab_size,
            ..config::parse(FILE, json)?
        };
        let known = |key: &'static str, id: i64| {
            let fits = usize::try_from(id).is_ok_and(|id| id < vocab_size);
            need(fits, FILE, key, || {
                format!("{id} must be below vocab_size = {vocab_size}")
            })
        };
        known("decoder_start_token_id", settings.start.into())?;
        for id in settings.ends() {
            known("eos_token_id", (*id).into())?;
        }
        need(!settings.ends().is_empty(), FILE, "eos_token_id", || {
            "names no id".to_owned()
        })?;
        let count = settings.ends().len();
        need(count <= MOST_ENDS, FILE, "eos_token_id", || {
            format!("names {count} ids, which must be at most {MOST_ENDS}")
        })?;
        for (key, ids) in [
            ("suppress_tokens", &settings.suppress_tokens),
            ("begin_suppress_tokens", &settings.begin_suppress_tokens),
        ] {
            ids.iter().flatten().try_for_each(|id| known(key, *id))?;
        }
        // Times follow it, and what means silence stands before it.
        if let Some(id) = settings.no_timestamps {
            known("no_timestamps_token_id", id.into())?;
            need(id > 0, FILE, "no_timestamps_token_id", || {
                "0 must be above 0".to_owned()
            })?;
        }
        let maps = [
            ("lang_to_id", &settings.lang_to_id),
            ("task_to_id", &settings.task_to_id),
        ];
        for (key, ids) in maps {
            ids.values().try_for_each(|id| known(key, (*id).into()))?;
        }
        if let Some(id) = settings.previous {
            known("prev_sot_token_id", id.into())?;
        }
        if let Some(width) = settings.num_beams {
            size(FILE, "num_beams", width, MOST_BEAMS)?;
        }
        let penalty = settings.length_penalty.unwrap_or(1.0);
        need(penalty.abs() <= 100.0, FILE, "length_penalty", || {
            format!("{penalty} must be -100 to 100")
        })?;
        Ok(settings)
    }

    /// How beams are searched, so many at a time, or as many as the file says.
    pub(super) fn search(&self, width: Option<usize>) -> Search {
        Search {
            width: width.or(self.num_beams).unwrap_or(1).clamp(1, MOST_BEAMS),
            length_penalty: self.length_penalty.unwrap_or(1.0),
            early: self.early_stopping.unwrap_or_default(),
        }
    }

    pub(super) fn unknown(&self, key: &'static str, problem: impl Into<String>) -> Error {
        Error::Config {
            file: FILE.to_owned(),
            key,
            problem: problem.into(),
        }
    }

    /// Ids that end a text.
    pub(super) fn ends(&self) -> &[u32] {
        match &self.end {
            OneOrMore::One(id) => std::slice::from_ref(id),
            OneOrMore::More(ids) => ids,
        }
    }

    /// Ids that are never chosen, and those that are not chosen first.
    pub(super) fn suppressed(&self) -> [Vec<usize>; 2] {
        [&self.suppress_tokens, &self.begin_suppress_tokens].map(|ids| {
            let ids = ids.iter().flatten();
            ids.map(|id| *id as usize).collect()
        })
    }

    pub(super) fn no_timestamps(&self) -> Option<u32> {
        self.no_timestamps
    }

    /// The id of the time zero, after which all times follow; beyond all ids where a model cannot say times.
    pub(super) fn first_time(&self) -> u32 {
        self.no_timestamps
            .map_or(self.vocab_size as u32, |id| id + 1)
    }

    pub(super) fn vocab(&self) -> usize {
        self.vocab_size
    }

    /// Those of `ids` that are no times.
    pub fn words(&self, ids: &[u32]) -> impl Iterator<Item = u32> {
        let times = self.first_time();
        ids.iter().copied().filter(move |id| *id < times)
    }

    /// The id that means that nothing is said.
    pub(super) fn silence(&self) -> Option<usize> {
        self.no_timestamps.map(|id| id as usize - 1)
    }

    /// What stands before what was said so far.
    pub(super) fn before_previous(&self) -> Option<u32> {
        let suppressed = self.suppress_tokens.as_deref().unwrap_or_default();
        let last_but_one = suppressed.iter().rev().nth(1).map(|id| *id as u32);
        self.previous.or(last_but_one)
    }

    /// How many tokens a text has at most, what stands before it included.
    pub(super) fn longest(&self, prompt: usize, positions: usize) -> usize {
        let before = prompt.min((positions / 2).saturating_sub(1));
        self.max_length
            .map_or(positions, |most| positions.min(most.saturating_add(before)))
    }

    /// Whether the model knows more languages than English.
    pub fn is_multilingual(&self) -> bool {
        self.is_multilingual.unwrap_or(true) && !self.lang_to_id.is_empty()
    }

    /// Ids of the languages a text may be said to be in: none of a model for English.
    pub(super) fn spoken(&self) -> impl Iterator<Item = u32> {
        let known = self.lang_to_id.values().copied();
        known.filter(|_| self.is_multilingual())
    }

    /// The id of a language that is named as `en` or `<|en|>`.
    ///
    /// # Errors
    /// If the model does not know it.
    pub fn language(&self, name: &str) -> Result<u32, Error> {
        let code = name.trim_start_matches("<|").trim_end_matches("|>");
        let token = format!("<|{}|>", code.to_lowercase());
        self.lang_to_id.get(&token).copied().ok_or_else(|| {
            let known = self.lang_to_id.keys().map(|token| bare(token));
            let known = known.collect::<Vec<_>>().join(", ");
            self.unknown(
                "lang_to_id",
                format!("`{name}` is none of the model's languages: {known}"),
            )
        })
    }

    /// The language of an id, as `en`.
    pub fn language_name(&self, id: u32) -> Option<&str> {
        let found = self.lang_to_id.iter().find(|(_, of)| **of == id);
        found.map(|(token, _)| bare(token))
    }

    /// Refuses what the model cannot do.
    pub(super) fn check(&self, how: &Transcribe, timestamps: bool) -> Result<(), Error> {
        if !self.is_multilingual() {
            if how.task == Task::Translate {
                let problem = "the model knows English alone: it does not translate";
                return Err(self.unknown("is_multilingual", problem));
            }
            if let Some(language) = &how.language
                && !matches!(language.to_lowercase().as_str(), "en" | "<|en|>")
            {
                let problem = format!("the model knows English alone, not `{language}`");
                return Err(self.unknown("is_multilingual", problem));
            }
        }
        if timestamps && self.no_timestamps.is_none() {
            let problem = "is missing: without times only half a minute can be transcribed";
            return Err(self.unknown("no_timestamps_token_id", problem));
        }
        Ok(())
    }

    /// How a text begins.
    pub(super) fn begin(
        &self,
        language: Option<u32>,
        task: Task,
        timestamps: bool,
    ) -> Result<Vec<u32>, Error> {
        let mut begin = vec![self.start];
        if let Some(language) = language {
            begin.push(language);
            let name = task.name();
            let id = self.task_to_id.get(name);
            begin.push(*id.ok_or_else(|| self.unknown("task_to_id", format!("has no `{name}`")))?);
        }
        begin.extend(self.no_timestamps.filter(|_| !timestamps));
        Ok(begin)
    }
}

fn bare(token: &str) -> &str {
    token.trim_start_matches("<|").trim_end_matches("|>")
}
