//! Speech to text, whichever model hears.

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_hub::Checkpoint;

use super::ctc::CtcToText;
use super::speech::{PreparedSpeech, Said, Speech, WhisperToText};
use super::unfit;
use crate::ctc::Search;
use crate::family::head;
use crate::whisper::generate::{Task, Transcribe};
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
            Hears::Whisper(_) => self.one_text(how),
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
                self.one_text(how)?;
                model.transcribe(speech, how, on_said)
            }
            Hears::Ctc(model) => Ok(model.transcribe(speech, self.search(how)?, on_said)),
        }
    }

    /// Whisper chooses one word at a time.
    fn one_text(&self, how: &Transcribe) -> Result<(), Error> {
        match how.beams {
            None | Some(0 | 1) => Ok(()),
            Some(_) => Err(self.unfit("Whisper follows one text at a time: it has no beams")),
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
