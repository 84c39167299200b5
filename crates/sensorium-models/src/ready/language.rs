//! Texts that go on, whichever model writes: one of texts alone, or one that reads pictures among them.

use std::ops::ControlFlow;

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_decode::{Chat, Generation};
use sensorium_hub::Checkpoint;

use super::answer::{Answerer, Question};
use super::memory::Memory;
use super::unfit;
use super::write::{Writer, Written};
use crate::vision_language::PreparedImage;
use crate::{Error, Family};

/// A model that goes on with texts, and answers in talks, with its own preparation: a [`Writer`], or an [`Answerer`] about pictures.
#[derive(Debug)]
pub struct LanguageModel {
    name: String,
    writes: Writes,
}

#[derive(Debug)]
enum Writes {
    Texts(Box<Writer>),
    Pictures(Box<Answerer>),
}

impl LanguageModel {
    /// Opens a checkpoint that goes on with texts.
    ///
    /// # Errors
    /// If it does not, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let family = Family::of(checkpoint.name(), &checkpoint.config()?)?;
        let writes = if family.is_causal() {
            Writes::Texts(Box::new(Writer::open(checkpoint, device)?))
        } else if family.reads_images_in_text() {
            Writes::Pictures(Box::new(Answerer::open(checkpoint, device)?))
        } else {
            let problem = format!(
                "{family} does not go on with texts; Llama, Qwen2.5, Qwen3 and GPT-2 do, and about pictures Idefics3, SmolVLM, LLaVA \
                 and Qwen2.5-VL"
            );
            return Err(unfit(checkpoint, problem));
        };
        Ok(Self {
            name: checkpoint.name().to_owned(),
            writes,
        })
    }

    /// How the model's own files say that it generates.
    pub fn generation(&self) -> &Generation {
        match &self.writes {
            Writes::Texts(model) => model.generation(),
            Writes::Pictures(model) => model.generation(),
        }
    }

    /// Whether it knows how a talk is written.
    pub fn talks(&self) -> bool {
        match &self.writes {
            Writes::Texts(model) => model.talks(),
            Writes::Pictures(model) => model.talks(),
        }
    }

    /// How many tokens, a prompt and what follows it, the model reads; the places of pictures count.
    pub fn max_tokens(&self) -> usize {
        match &self.writes {
            Writes::Texts(model) => model.max_tokens(),
            Writes::Pictures(model) => model.max_tokens(),
        }
    }

    /// What stands for a picture in a prompt, such as `<image>`; `None` of a model that takes none.
    pub fn placeholder(&self) -> Option<&'static str> {
        match &self.writes {
            Writes::Texts(_) => None,
            Writes::Pictures(model) => Some(model.placeholder()),
        }
    }

    /// Decodes and prepares a picture.
    ///
    /// # Errors
    /// If the model takes none, or it cannot be read or decoded.
    pub fn picture(&self, image: &Source) -> Result<PreparedImage, Error> {
        match &self.writes {
            Writes::Texts(_) => Err(self.takes_none()),
            Writes::Pictures(model) => model.picture(image),
        }
    }

    /// A text that is to go on, with a [placeholder](Self::placeholder) for each picture.
    ///
    /// # Errors
    /// If the tokenizer cannot split it, and for more or fewer placeholders than pictures.
    pub fn prompt(&self, text: &str, pictures: Vec<PreparedImage>) -> Result<Question, Error> {
        match &self.writes {
            Writes::Texts(_) if !pictures.is_empty() => Err(self.takes_none()),
            Writes::Texts(model) => model.prompt(text).map(Question::of),
            Writes::Pictures(model) => model.prompt(text, pictures),
        }
    }

    /// A talk that asks for an answer, with a [`Part::Image`](sensorium_decode::Part::Image) for each picture.
    ///
    /// # Errors
    /// If the model has no chat template, or it refuses the talk, and for more or fewer images in the talk than pictures.
    pub fn talk(&self, chat: &Chat<'_>, pictures: Vec<PreparedImage>) -> Result<Question, Error> {
        match &self.writes {
            Writes::Texts(_) if !pictures.is_empty() => Err(self.takes_none()),
            Writes::Texts(model) => model.talk(chat).map(Question::of),
            Writes::Pictures(model) => model.talk(chat, pictures),
        }
    }

    /// How many tokens may follow a prompt of so many.
    pub fn most_new(&self, how: &Generation, prompt: usize) -> usize {
        match &self.writes {
            Writes::Texts(model) => model.most_new(how, prompt),
            Writes::Pictures(model) => model.most_new(how, prompt),
        }
    }

    /// What the model says after each of some prompts, side by side, as [`Writer::write`] does.
    ///
    /// # Errors
    /// [`Error::Prompt`] naming one that cannot be read, and for settings that cannot work.
    pub fn write(
        &self,
        questions: &[Question],
        how: &Generation,
        seed: u64,
        on_text: impl FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Written>, Error> {
        match &self.writes {
            Writes::Texts(model) => {
                let prompts: Vec<Vec<u32>> = questions.iter().map(|q| q.tokens.clone()).collect();
                model.write(&prompts, how, seed, on_text)
            }
            Writes::Pictures(model) => model.answer(questions, how, seed, on_text),
        }
    }

    /// What the model says after a prompt, as [`write`](Self::write), but that it reads only what is new since the one before that went with
    /// this memory.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_on(
        &self,
        memory: &mut Memory,
        question: Question,
        how: &Generation,
        seed: u64,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Written, Error> {
        match &self.writes {
            Writes::Texts(model) => model.write_on(memory, &question.tokens, how, seed, on_text),
            Writes::Pictures(model) => model.answer_on(memory, question, how, seed, on_text),
        }
    }

    fn takes_none(&self) -> Error {
        Error::Unfit {
            model: self.name.clone(),
            problem: "takes no pictures; an Idefics3, SmolVLM, LLaVA or Qwen2.5-VL does".to_owned(),
        }
    }
}
