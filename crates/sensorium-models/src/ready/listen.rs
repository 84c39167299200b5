//! Speech to text, whichever model hears.

use std::borrow::Borrow;
use std::collections::VecDeque;

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_hub::Checkpoint;

use super::ctc::CtcToText;
use super::several::SideBySide;
use super::speech::{PreparedSpeech, Said, Speech, WhisperToText};
use super::unfit;
use crate::ctc::Search;
use crate::family::head;
use crate::whisper::generate::{MOST_BEAMS, Task, Transcribe};
use crate::{Error, Family};

/// A model that writes down what it hears, with its own preparation: Whisper, or wav2vec 2.0 and HuBERT with characters.
#[derive(Debug)]
pub struct SpeechToText {
    model: String,
    hears: Hears,
}

#[derive(Debug)]
enum Hears {
    Whisper(Box<WhisperToText>),
    Ctc(Box<CtcToText>),
}

impl SpeechToText {
    /// Opens a checkpoint that writes down what it hears.
    ///
    /// # Errors
    /// If it does not, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let config = checkpoint.config()?;
        let hears = match (Family::of(checkpoint.name(), &config)?, head(&config)) {
            (Family::Whisper, _) => {
                Hears::Whisper(Box::new(WhisperToText::open(checkpoint, device)?))
            }
            (Family::Wav2Vec2, "ForCTC") => {
                Hears::Ctc(Box::new(CtcToText::open(checkpoint, device)?))
            }
            (Family::Wav2Vec2, _) => {
                let name = Family::name_of(checkpoint.name(), &config)?;
                let problem = format!("this {name} has no characters; one of a class ForCTC has");
                return Err(unfit(checkpoint, problem));
            }
            (family, _) => {
                let problem = format!(
                    "{family} does not write down speech; Whisper, wav2vec 2.0 and HuBERT do"
                );
                return Err(unfit(checkpoint, problem));
            }
        };
        Ok(Self {
            model: checkpoint.name().to_owned(),
            hears,
        })
    }

    /// Decodes a recording and prepares it; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, sound: &Source) -> Result<PreparedSpeech, Error> {
        match &self.hears {
            Hears::Whisper(model) => model.prepare(sound),
            Hears::Ctc(model) => model.prepare(sound),
        }
    }

    /// Refuses what is asked of a model that cannot do it, before anything is heard.
    ///
    /// # Errors
    /// What it is, and which model would do it.
    pub fn accepts(&self, how: &Transcribe) -> Result<(), Error> {
        match &self.hears {
            Hears::Whisper(_) => self.few_texts(how),
            Hears::Ctc(_) => self.search(how).map(drop),
        }
    }

    /// What is said. Each part, a word where characters are heard, is shown to `on_said` as soon as it is known, with how
    /// many seconds have been heard.
    ///
    /// # Errors
    /// If the model does not know the language or the task.
    pub fn transcribe(
        &self,
        speech: &PreparedSpeech,
        how: &Transcribe,
        on_said: impl FnMut(&Said, f64),
    ) -> Result<Speech, Error> {
        match &self.hears {
            Hears::Whisper(model) => {
                self.few_texts(how)?;
                model.transcribe(speech, how, on_said)
            }
            Hears::Ctc(model) => Ok(model.transcribe(speech, self.search(how)?, on_said)),
        }
    }

    /// Hears several recordings from now on: recordings, or references to them. Whisper hears them side by side, each as it
    /// would alone; characters are heard in one recording after the other.
    ///
    /// # Errors
    /// As [`accepts`](Self::accepts).
    pub fn listen<'a, S: Borrow<PreparedSpeech>>(
        &'a self,
        how: &'a Transcribe,
    ) -> Result<Listener<'a, S>, Error> {
        self.accepts(how)?;
        Ok(Listener(match &self.hears {
            Hears::Whisper(model) => Rows::SideBySide(model.listen(how)),
            Hears::Ctc(model) => Rows::InOrder {
                model,
                search: self.search(how)?,
                waiting: VecDeque::new(),
            },
        }))
    }

    /// Whisper follows fewer texts than a model of characters can.
    fn few_texts(&self, how: &Transcribe) -> Result<(), Error> {
        match how.beams {
            Some(width) if width > MOST_BEAMS => {
                let problem = format!("Whisper follows at most {MOST_BEAMS} texts, not {width}");
                Err(self.unfit(problem))
            }
            _ => Ok(()),
        }
    }

    fn unfit(&self, problem: impl Into<String>) -> Error {
        Error::Unfit {
            model: self.model.clone(),
            problem: problem.into(),
        }
    }

    /// How a model of characters looks for what is said.
    fn search(&self, how: &Transcribe) -> Result<Search, Error> {
        let asked = [
            (how.language.is_some(), "a language"),
            (how.task == Task::Translate, "a translation"),
            (how.on_previous, "what was said before"),
        ];
        if let Some((_, what)) = asked.iter().find(|(asked, _)| *asked) {
            let problem = format!("a model of characters cannot be asked for {what}; Whisper can");
            return Err(self.unfit(problem));
        }
        Ok(match how.beams {
            None | Some(0 | 1) => Search::Greedy,
            Some(width) => Search::Beams(width),
        })
    }
}

/// Hears several recordings, of which any may join while others are heard.
#[derive(Debug)]
pub struct Listener<'a, S>(Rows<'a, S>);

#[derive(Debug)]
enum Rows<'a, S> {
    SideBySide(SideBySide<'a, S>),
    InOrder {
        model: &'a CtcToText,
        search: Search,
        waiting: VecDeque<(usize, S)>,
    },
}

/// A recording of which all has been heard.
#[derive(Debug)]
pub struct Heard {
    /// The caller's number for it.
    pub number: usize,
    /// What is said in it, or why that cannot be told.
    pub speech: Result<Speech, Error>,
}

impl<S: Borrow<PreparedSpeech>> Listener<'_, S> {
    /// How many recordings are being heard.
    pub fn len(&self) -> usize {
        match &self.0 {
            Rows::SideBySide(rows) => rows.len(),
            Rows::InOrder { waiting, .. } => waiting.len(),
        }
    }

    /// Whether none is being heard.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hears one more from now on, under a number of the caller's.
    ///
    /// # Errors
    /// If the model does not know the language or the task.
    pub fn add(&mut self, number: usize, speech: S) -> Result<(), Error> {
        match &mut self.0 {
            Rows::SideBySide(rows) => rows.add(number, speech),
            Rows::InOrder { waiting, .. } => {
                waiting.push_back((number, speech));
                Ok(())
            }
        }
    }

    /// Hears half a minute more of each, or all of the first where characters are heard; gives those of which all has been
    /// heard. Each part is shown to `on_said` as soon as it is known, with the recording's number and how many of its seconds
    /// have been heard.
    ///
    /// # Errors
    /// If the model cannot do what it is asked for. What is wrong with one recording is told in its place.
    pub fn round(
        &mut self,
        mut on_said: impl FnMut(usize, &Said, f64),
    ) -> Result<Vec<Heard>, Error> {
        match &mut self.0 {
            Rows::SideBySide(rows) => rows.round(on_said),
            Rows::InOrder {
                model,
                search,
                waiting,
            } => {
                let first = waiting.pop_front();
                let heard = first.map(|(number, speech)| {
                    let on_said = |said: &Said, seconds: f64| on_said(number, said, seconds);
                    let speech = Ok(model.transcribe(speech.borrow(), *search, on_said));
                    Heard { number, speech }
                });
                Ok(heard.into_iter().collect())
            }
        }
    }
}
