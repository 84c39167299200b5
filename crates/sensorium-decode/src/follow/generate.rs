//! From prompts to texts, as the settings say.

use std::cell::RefCell;
use std::ops::ControlFlow;

use super::{Beams, Chooses, Next, Search, Speaker, follow};
use crate::choose::{Penalties, are_numbers};
use crate::{Chooser, Chosen, Error, Generation};

/// What a text goes on after.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// Its tokens.
    pub tokens: &'a [u32],
    /// What tokens are drawn by.
    pub seed: u64,
}

/// A text that was generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Its tokens, with the one that ends it, if it ended.
    pub tokens: Vec<u32>,
    /// The logarithms of the probabilities that the model itself gave them.
    pub log_probabilities: Vec<f32>,
    /// Why it goes no further.
    pub finish: Finish,
}

/// Why a text goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A token ended it.
    End,
    /// It has as many tokens as it may.
    Length,
    /// Whoever listened has heard enough, such as at a stop string.
    Stopped,
}

impl Finish {
    /// As scripts know it: `stop` or `length`.
    pub fn name(self) -> &'static str {
        match self {
            Self::End | Self::Stopped => "stop",
            Self::Length => "length",
        }
    }
}

/// What goes on after each of the prompts. `scores` are those of the token after each, `[prompts * vocabulary]`, and `room` is how
/// many tokens the model has place for after each. Each token is told to `heard`, with the number of its prompt, as it is
/// chosen; it may say that it has heard enough. By beam search, only the best texts are told, when all are found.
///
/// # Errors
/// For settings that cannot work, and as [`Speaker::step`].
pub fn generate<S: Speaker>(
    speaker: &mut S,
    scores: Vec<f32>,
    prompts: &[Prompt],
    how: &Generation,
    room: &[usize],
    heard: impl FnMut(usize, &Chosen) -> ControlFlow<()>,
) -> Result<Vec<Text>, S::Error> {
    how.validate()?;
    let most = |(prompt, room): (&Prompt, &usize)| {
        let asked = how.most_new(prompt.tokens.len());
        asked.unwrap_or(*room).min(*room)
    };
    let most: Vec<usize> = prompts.iter().zip(room).map(most).collect();
    match how.search() {
        Some(search) => searched(speaker, scores, prompts, how, search, &most, heard),
        None => drawn(speaker, scores, prompts, how, &most, heard),
    }
}

fn drawn<S: Speaker>(
    speaker: &mut S,
    scores: Vec<f32>,
    prompts: &[Prompt],
    how: &Generation,
    most: &[usize],
    heard: impl FnMut(usize, &Chosen) -> ControlFlow<()>,
) -> Result<Vec<Text>, S::Error> {
    let heard = RefCell::new(heard);
    let line = |(i, prompt): (usize, &Prompt)| {
        Ok(Line {
            prompt: i,
            chooser: Chooser::new(how, prompt.tokens, prompt.seed)?,
            most: most[i],
            heard: &heard,
            text: Text {
                tokens: Vec::new(),
                log_probabilities: Vec::new(),
                finish: Finish::Length,
            },
        })
    };
    let lines: Result<Vec<_>, Error> = prompts.iter().enumerate().map(line).collect();
    let mut lines = lines?;
    follow(speaker, scores, &mut lines)?;
    Ok(lines.into_iter().map(|line| line.text).collect())
}

/// One text that is followed.
struct Line<'a, F> {
    prompt: usize,
    chooser: Chooser,
    most: usize,
    heard: &'a RefCell<F>,
    text: Text,
}

impl<F: FnMut(usize, &Chosen) -> ControlFlow<()>> Chooses for Line<'_, F> {
    fn choose(&mut self, scores: &mut [f32]) -> Result<Option<Vec<Next>>, Error> {
        if self.text.tokens.len() >= self.most {
            return Ok(None);
        }
        let chosen = self.chooser.choose(scores)?;
        self.text.tokens.push(chosen.id);
        self.text.log_probabilities.push(chosen.log_probability);
        let enough = (self.heard.borrow_mut())(self.prompt, &chosen).is_break();
        let finish = match (chosen.ends, enough) {
            (true, _) => Finish::End,
            (false, true) => Finish::Stopped,
            (false, false) if self.text.tokens.len() >= self.most => Finish::Length,
            (false, false) => {
                return Ok(Some(vec![Next {
                    from: 0,
                    token: chosen.id,
                }]));
            }
        };
        self.text.finish = finish;
        Ok(None)
    }
}

fn searched<S: Speaker>(
    speaker: &mut S,
    scores: Vec<f32>,
    prompts: &[Prompt],
    how: &Generation,
    search: Search,
    most: &[usize],
    mut heard: impl FnMut(usize, &Chosen) -> ControlFlow<()>,
) -> Result<Vec<Text>, S::Error> {
    let searching = |(prompt, most): (&Prompt, &usize)| Searching {
        how: how.clone(),
        prompt: prompt.tokens.to_vec(),
        beams: Beams::new(search, &how.eos_token_id, *most),
    };
    let mut searches: Vec<_> = prompts.iter().zip(most).map(searching).collect();
    follow(speaker, scores, &mut searches)?;
    let found = searches.into_iter().enumerate().map(|(i, search)| {
        let beam = search.beams.best().unwrap_or_default();
        let mut text = Text {
            tokens: Vec::new(),
            log_probabilities: Vec::new(),
            finish: Finish::Length,
        };
        for (id, log_probability) in beam.tokens.into_iter().zip(beam.log_probabilities) {
            let ends = how.eos_token_id.contains(&id);
            text.tokens.push(id);
            text.log_probabilities.push(log_probability);
            let chosen = Chosen {
                id,
                log_probability,
                ends,
            };
            let enough = heard(i, &chosen).is_break();
            if ends || enough {
                text.finish = if ends { Finish::End } else { Finish::Stopped };
                break;
            }
        }
        text
    });
    Ok(found.collect())
}

/// The texts that are searched after one prompt.
struct Searching {
    how: Generation,
    prompt: Vec<u32>,
    beams: Beams,
}

impl Chooses for Searching {
    fn choose(&mut self, scores: &mut [f32]) -> Result<Option<Vec<Next>>, Error> {
        if !are_numbers(scores) {
            let tokens = self.prompt.len();
            return Err(Error::NoScore { tokens });
        }
        let allow = |generated: &[u32], scores: &mut [f32]| {
            let tokens = [&self.prompt[..], generated].concat();
            let penalties = Penalties {
                how: &self.how,
                tokens: &tokens,
                prompt: self.prompt.len(),
            };
            penalties.apply(scores);
        };
        Ok(self.beams.choose(scores, allow))
    }
}
