//! Texts that go on: prompts and talks in, what a causal language model says out.

use std::ops::ControlFlow;

use burn::tensor::Device;
use sensorium_decode::{
    Chat, ChatTemplate, Finish, Generation, Prompt, Speaker, TextStream, generate,
};
use sensorium_hub::Checkpoint;
use sensorium_text::Tokenizer;
use serde_json::Value;

use super::memory::Memory;
use super::{tokenizer, unfit};
use crate::causal::{CausalConfig, CausalLm};
use crate::{Error, Published};

const GENERATION: &str = "generation_config.json";
pub(super) const TOKENIZER: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";
const OLDER: &str = "chat_template.json";

/// How many tokens are generated where nobody says.
const MOST: usize = 256;

/// A model that goes on with texts, with its tokenizer, its settings and, if it talks, its chat template.
#[derive(Debug)]
pub struct Writer {
    name: String,
    model: CausalLm,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    generation: Generation,
}

/// What a model said after a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The text, without the prompt, special tokens, and the string it was stopped by.
    pub text: String,
    /// All its tokens.
    pub tokens: Vec<u32>,
    /// The logarithms of the probabilities that the model gave them.
    pub log_probabilities: Vec<f32>,
    /// Why it ends.
    pub finish: Finish,
}

impl Writer {
    /// Opens a checkpoint of a causal language model.
    ///
    /// # Errors
    /// If it is another model's, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let (config, json) = causal(checkpoint)?;
        Ok(Self {
            name: checkpoint.name().to_owned(),
            tokenizer: tokenizer(checkpoint, "", config.vocab_size())?,
            model: CausalLm::load(checkpoint, device)?.model,
            template: template(checkpoint)?,
            generation: generation(checkpoint, &json)?,
        })
    }

    /// How the model's own files say that it generates.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Whether it knows how a talk is written.
    pub fn talks(&self) -> bool {
        self.template.is_some()
    }

    /// How many tokens, a prompt and what follows it, the model reads.
    pub fn max_tokens(&self) -> usize {
        self.model.max_positions()
    }

    /// The tokens of a text that is to go on.
    ///
    /// # Errors
    /// If the tokenizer cannot split it.
    pub fn prompt(&self, text: &str) -> Result<Vec<u32>, Error> {
        Ok(self.tokenizer.encode("the prompt", text, usize::MAX)?)
    }

    /// The tokens of a talk that asks for an answer.
    ///
    /// # Errors
    /// If the model has no chat template, or it refuses the talk.
    pub fn talk(&self, chat: &Chat<'_>) -> Result<Vec<u32>, Error> {
        let Some(template) = &self.template else {
            return Err(Error::Unfit {
                model: self.name.clone(),
                problem: "has no chat template (chat_template in tokenizer_config.json): it goes on with texts, \
                          and does not talk"
                    .to_owned(),
            });
        };
        let text = template.render(chat)?;
        Ok(self.tokenizer.encode_bare("the talk", &text)?)
    }

    /// How many tokens may follow a prompt of so many.
    pub fn most_new(&self, how: &Generation, prompt: usize) -> usize {
        most_new(how, prompt, self.max_tokens())
    }

    /// What the model says after each of some prompts, side by side. `on_text` is told what is new, with the number of the
    /// prompt, for each token, mostly a piece of a word and sometimes nothing; it may say that it has heard enough. The same
    /// prompt with the same seed is gone on with in the same way, whatever is beside it.
    ///
    /// # Errors
    /// [`Error::Prompt`] naming one that cannot be read, and for settings that cannot work.
    pub fn write(
        &self,
        prompts: &[Vec<u32>],
        how: &Generation,
        seed: u64,
        on_text: impl FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Written>, Error> {
        how.validate()?;
        let read: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let room: Vec<usize> = read.iter().map(|p| self.most_new(how, p.len())).collect();
        let most = room.iter().copied().max().unwrap_or(0);
        let (mut speaking, scores) = self.model.read(&read, most)?;
        let decode = |ids: &[u32]| self.tokenizer.decode(ids).unwrap_or_default();
        let asked = Asked {
            prompts: &read,
            room: &room,
            how,
            seed,
        };
        spoken(&mut speaking, scores, &asked, decode, on_text)
    }
}

impl Writer {
    /// What the model says after a prompt, as [`write`](Self::write), but that it reads only what is new since the prompt before: a talk
    /// that goes on begins with what has been said.
    ///
    /// # Errors
    /// As [`write`](Self::write). After a prompt that is refused what was kept stays; after what goes wrong later, the next is read as a whole.
    pub fn write_on(
        &self,
        memory: &mut Memory,
        prompt: &[u32],
        how: &Generation,
        seed: u64,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Written, Error> {
        how.validate()?;
        let room = self.most_new(how, prompt.len());
        let (speaking, scores) = self.model.read_on(&mut memory.kept, prompt, room)?;
        let decode = |ids: &[u32]| self.tokenizer.decode(ids).unwrap_or_default();
        let asked = Asked {
            prompts: &[prompt],
            room: &[room],
            how,
            seed,
        };
        memory.spoken(speaking, scores, &asked, decode, on_text)
    }
}

/// What texts are to go on after, and how.
pub(super) struct Asked<'a> {
    pub(super) prompts: &'a [&'a [u32]],
    /// How many tokens may follow each.
    pub(super) room: &'a [usize],
    pub(super) how: &'a Generation,
    pub(super) seed: u64,
}

/// What is said after each of some prompts that a model has read. `decode` turns tokens into text.
pub(super) fn spoken<S: Speaker<Error = Error>>(
    speaker: &mut S,
    scores: Vec<f32>,
    asked: &Asked<'_>,
    decode: impl Fn(&[u32]) -> String,
    mut on_text: impl FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<Vec<Written>, Error> {
    let Asked {
        prompts,
        room,
        how,
        seed,
    } = *asked;
    let prompts: Vec<Prompt> = prompts
        .iter()
        .map(|tokens| Prompt { tokens, seed })
        .collect();
    let stream = TextStream::new(&how.stop_strings);
    let mut streams = vec![(stream, String::new()); prompts.len()];
    let texts = generate(speaker, scores, &prompts, how, room, |i, chosen| {
        let (stream, text) = &mut streams[i];
        // What ends a text is no part of it, special token or not.
        let piece = match chosen.ends {
            true => String::new(),
            false => stream.push(chosen.id, &decode),
        };
        text.push_str(&piece);
        let enough = on_text(i, &piece).is_break() || stream.is_stopped();
        match enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let written = texts.into_iter().zip(streams).enumerate();
    Ok(written
        .map(|(i, (said, (mut stream, mut text)))| {
            let rest = stream.finish(&decode);
            if !rest.is_empty() {
                let _ = on_text(i, &rest);
                text.push_str(&rest);
            }
            Written {
                text,
                tokens: said.tokens,
                log_probabilities: said.log_probabilities,
                finish: said.finish,
            }
        })
        .collect())
}

/// How many tokens may follow a prompt of so many, where so many are read at the most.
pub(super) fn most_new(how: &Generation, prompt: usize, most: usize) -> usize {
    let room = most.saturating_sub(prompt);
    how.most_new(prompt).unwrap_or(MOST).min(room)
}

/// How a checkpoint's talks are written, if it says so.
pub(super) fn template(checkpoint: &Checkpoint) -> Result<Option<ChatTemplate>, Error> {
    let settings = checkpoint.text(TOKENIZER)?;
    let template = match checkpoint.text(TEMPLATE)? {
        Some(template) => Some(template),
        None => older_template(checkpoint)?,
    };
    if settings.is_none() && template.is_none() {
        return Ok(None);
    }
    let settings = settings.as_deref().unwrap_or("{}");
    Ok(ChatTemplate::of_tokenizer(settings, template.as_deref())?)
}

/// The template of older models that read more than text.
fn older_template(checkpoint: &Checkpoint) -> Result<Option<String>, Error> {
    let Some(json) = checkpoint.json(OLDER)? else {
        return Ok(None);
    };
    match json["chat_template"].as_str() {
        Some(template) => Ok(Some(template.to_owned())),
        None => Err(Error::Json {
            file: OLDER.to_owned(),
            reason: "has no chat_template, or one that is no text".to_owned(),
        }),
    }
}

/// What the `config.json` of a causal language model says, and the file.
pub(super) fn causal(checkpoint: &Checkpoint) -> Result<(CausalConfig, Value), Error> {
    let json = checkpoint.config()?;
    let family = crate::Family::of(checkpoint.name(), &json)?;
    if !family.is_causal() {
        let problem =
            format!("{family} does not go on with texts; Llama, Qwen2.5, Qwen3 and GPT-2 do");
        return Err(unfit(checkpoint, problem));
    }
    Ok((CausalLm::parse("config.json", &json)?, json))
}

/// How a checkpoint's own files say that it generates.
pub(super) fn generation(checkpoint: &Checkpoint, config: &Value) -> Result<Generation, Error> {
    match checkpoint.text(GENERATION)? {
        Some(text) => Ok(Generation::from_json(&text)?),
        None => of_model(config),
    }
}

/// What `config.json` says of generating, where there is no file of its own.
fn of_model(config: &Value) -> Result<Generation, Error> {
    let ends = ["eos_token_id"].map(|key| (key.to_owned(), config[key].clone()));
    let said = Value::Object(ends.into_iter().collect());
    Ok(Generation::from_json(&said.to_string())?)
}
