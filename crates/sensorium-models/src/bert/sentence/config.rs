//! How a sentence encoder is put together: `modules.json` and the files it names.

use std::collections::BTreeMap;

use burn::tensor::Device;
use sensorium_hub::Checkpoint;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dense::{Dense, DenseConfig};
use super::pooling::{Pooling, PoolingFile};
use super::{SentenceEncoder, files};
use crate::bert::BertConfig;
use crate::error::{need, size};
use crate::{Error, config};

/// What a sentence encoder is made of, as its files say.
#[derive(Clone, Debug, PartialEq)]
pub struct SentenceConfig {
    /// The tower.
    pub bert: BertConfig,
    /// The folder of the tower's files, empty for the model's own.
    pub bert_path: String,
    /// How tokens become one vector; several are put one after the other.
    pub pooling: Vec<Pooling>,
    /// What is applied to the vector, each with the folder of its weights.
    pub dense: Vec<(String, DenseConfig)>,
    /// Whether the vector is scaled to length 1 at last.
    pub normalize: bool,
    /// The longest text, in tokens; what is longer is cut.
    pub max_tokens: usize,
    /// Whether texts are lower-cased before they are split.
    pub lower_case: bool,
    /// What is put before each text.
    pub prompt: String,
}

/// An entry of `modules.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ModuleEntry {
    idx: usize,
    #[serde(default)]
    path: String,
    r#type: String,
}

/// What stands before texts, `config_sentence_transformers.json`.
#[derive(Clone, Debug, Default, Deserialize)]
struct PromptsFile {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    #[serde(default)]
    default_prompt_name: Option<String>,
}

impl PromptsFile {
    /// The prompt that a text has unless another is asked for.
    fn usual(mut self) -> Result<String, Error> {
        let Some(name) = self.default_prompt_name else {
            return Ok(String::new());
        };
        let found = self.prompts.remove(&name);
        need(
            found.is_some(),
            files::PROMPTS,
            "default_prompt_name",
            || format!("\"{name}\" is none of its prompts"),
        )?;
        Ok(found.flatten().unwrap_or_default())
    }
}

/// The tower's own settings, `sentence_bert_config.json`.
#[derive(Clone, Debug, Default, Deserialize)]
struct TowerFile {
    #[serde(default)]
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

impl SentenceConfig {
    /// The mean over the tokens of a tower, as it is.
    pub fn mean(bert: BertConfig) -> Self {
        Self {
            max_tokens: bert.max_tokens(),
            bert,
            bert_path: String::new(),
            pooling: vec![Pooling::Mean],
            dense: Vec::new(),
            normalize: false,
            lower_case: false,
            prompt: String::new(),
        }
    }

    /// As small as it goes, with all parts: for tests and examples.
    pub fn debug() -> Self {
        Self {
            pooling: vec![
                Pooling::Cls,
                Pooling::Max,
                Pooling::Mean,
                Pooling::MeanSqrtLen,
                Pooling::WeightedMean,
                Pooling::Last,
            ],
            dense: vec![("2_Dense".to_owned(), DenseConfig::new(48, 6))],
            normalize: true,
            ..Self::mean(BertConfig::debug())
        }
    }

    /// Reads a model's files. `open` gives the JSON of a file by its path below the model's folder, or `None` where
    /// there is no such file. A model without `modules.json` is a tower whose tokens are averaged.
    ///
    /// # Errors
    /// What `open` says, or if a file is missing, malformed, or asks for what is not supported.
    pub fn read(open: impl FnMut(&str) -> Result<Option<Value>, Error>) -> Result<Self, Error> {
        let mut open = open;
        let modules = match open(files::MODULES)? {
            Some(json) => modules(&json)?,
            None => Vec::new(),
        };
        let path = modules.first().map_or("", |entry| entry.path.as_str());
        let mut sentence = Self::mean(tower(path, &mut open)?);
        sentence.bert_path = path.to_owned();
        sentence.read_tower_settings(&mut open)?;
        let (d_model, mut rest) = (sentence.bert.d_model, modules.iter().skip(1));
        if let Some(entry) = rest.next() {
            let file = files::join(&entry.path, files::CONFIG);
            let json = required(&file, &mut open)?;
            let pooling: PoolingFile = config::parse(&file, &json)?;
            sentence.pooling = pooling.modes(&file, d_model)?;
            if let Some(json) = open(files::PROMPTS)? {
                let prompts: PromptsFile = config::parse(files::PROMPTS, &json)?;
                sentence.prompt = prompts.usual()?;
            }
            let fits = sentence.prompt.is_empty() || pooling.includes_prompt();
            need(fits, &file, "include_prompt", || {
                "is not supported where it is false and a prompt is the default".to_owned()
            })?;
        }
        sentence.read_rest(rest, &mut open)?;
        Ok(sentence)
    }

    /// What the files of a checkpoint say.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, Error> {
        Self::read(|file| Ok(checkpoint.json(file)?))
    }

    fn read_tower_settings(
        &mut self,
        open: &mut impl FnMut(&str) -> Result<Option<Value>, Error>,
    ) -> Result<(), Error> {
        let mut longest = None;
        for name in files::TOWER_SETTINGS {
            let file = files::join(&self.bert_path, name);
            if let Some(json) = open(&file)? {
                let settings: TowerFile = config::parse(&file, &json)?;
                if let Some(longest) = settings.max_seq_length {
                    size(&file, "max_seq_length", longest, 1 << 20)?;
                }
                (longest, self.lower_case) = (settings.max_seq_length, settings.do_lower_case);
                break;
            }
        }
        if longest.is_none() {
            let file = files::join(&self.bert_path, files::TOKENIZER_CONFIG);
            let json = open(&file)?.unwrap_or_default();
            // Where there is no limit, a number beyond all integers stands there.
            longest = json["model_max_length"].as_u64().map(|n| n as usize);
        }
        // What is longer has no position.
        self.max_tokens = longest
            .unwrap_or(usize::MAX)
            .clamp(1, self.bert.max_tokens());
        Ok(())
    }

    /// What follows the pooling.
    fn read_rest<'a>(
        &mut self,
        rest: impl Iterator<Item = &'a ModuleEntry>,
        open: &mut impl FnMut(&str) -> Result<Option<Value>, Error>,
    ) -> Result<(), Error> {
        let mut width = self.pooling.len() * self.bert.d_model;
        for entry in rest {
            need(!self.normalize, files::MODULES, "type", || {
                format!("{} follows Normalize, which must be the last", entry.r#type)
            })?;
            match entry.kind() {
                "Normalize" => self.normalize = true,
                "Dense" => {
                    let file = files::join(&entry.path, files::CONFIG);
                    let dense = DenseConfig::parse(&file, &required(&file, open)?)?;
                    need(dense.d_input == width, &file, "in_features", || {
                        format!("{} must be {width}, the width before it", dense.d_input)
                    })?;
                    width = dense.d_output;
                    self.dense.push((entry.path.clone(), dense));
                }
                _ => return Err(unsupported(entry)),
            }
        }
        Ok(())
    }

    /// The width of the sentence's vector.
    pub fn d_output(&self) -> usize {
        let pooled = self.pooling.len() * self.bert.d_model;
        self.dense
            .last()
            .map_or(pooled, |(_, dense)| dense.d_output)
    }

    /// A freshly initialised encoder.
    ///
    /// # Panics
    /// If the tower's configuration cannot work.
    pub fn init(&self, device: &Device) -> SentenceEncoder {
        let dense: Vec<Dense> = self.dense.iter().map(|(_, d)| d.init(device)).collect();
        SentenceEncoder::new(self, dense, device)
    }
}

impl ModuleEntry {
    /// The class, whichever package it stands in.
    fn kind(&self) -> &str {
        self.r#type.rsplit('.').next().unwrap_or_default()
    }
}

fn modules(json: &Value) -> Result<Vec<ModuleEntry>, Error> {
    let mut entries: Vec<ModuleEntry> = config::parse(files::MODULES, json)?;
    entries.sort_by_key(|entry| entry.idx);
    for entry in &entries {
        need(files::is_below(&entry.path), files::MODULES, "path", || {
            format!("\"{}\" leaves the model's folder", entry.path)
        })?;
    }
    for (place, kind) in ["Transformer", "Pooling"].into_iter().enumerate() {
        let found = entries.get(place).map_or("nothing", ModuleEntry::kind);
        need(found == kind, files::MODULES, "type", || {
            format!("entry {place} is {found}, but {kind} is needed there")
        })?;
    }
    Ok(entries)
}

/// The folder of the tower's files, by a `modules.json`; empty for the model's own.
pub(crate) fn tower_folder(json: &Value) -> Result<String, Error> {
    let entries = modules(json)?;
    Ok(entries
        .first()
        .map_or_else(String::new, |entry| entry.path.clone()))
}

fn unsupported(entry: &ModuleEntry) -> Error {
    Error::Config {
        file: files::MODULES.to_owned(),
        key: "type",
        problem: format!(
            "{} is not supported; Transformer, Pooling, Dense and Normalize are",
            entry.r#type
        ),
    }
}

fn tower(
    path: &str,
    open: &mut impl FnMut(&str) -> Result<Option<Value>, Error>,
) -> Result<BertConfig, Error> {
    let file = files::join(path, files::CONFIG);
    BertConfig::parse(&file, &required(&file, open)?)
}

fn required(
    file: &str,
    open: &mut impl FnMut(&str) -> Result<Option<Value>, Error>,
) -> Result<Value, Error> {
    open(file)?.ok_or_else(|| Error::Json {
        file: file.to_owned(),
        reason: format!("is missing, though {} asks for it", files::MODULES),
    })
}
