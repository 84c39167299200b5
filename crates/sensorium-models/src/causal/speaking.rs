//! A model that goes on with texts, as `sensorium_decode` asks it to.

use burn::tensor::{Int, Tensor, TensorData};
use sensorium_core::nn::{Positions, TransformerCache};
use sensorium_decode::Speaker;

use super::{CausalLm, Rows};
use crate::Error;
use crate::scores::host;

/// A prompt is read so many tokens at a time: attention within it takes memory by the square.
const AT_ONCE: usize = 512;

/// A model, and what it remembers of the texts that go on.
#[derive(Clone, Debug)]
pub struct Speaking<'a> {
    lm: &'a CausalLm,
    cache: TransformerCache,
    /// Where the next token of each row stands, on each of three axes alike, if not after as many as came before.
    next: Option<Vec<u32>>,
    /// The one text that is to be kept, if any.
    text: Option<Text>,
}

/// The tokens that a cache has seen of one text.
#[derive(Clone, Debug)]
struct Text {
    tokens: Vec<u32>,
    /// How many of them are the prompt's.
    prompt: usize,
    /// How many of those were read, and not kept from before.
    read: usize,
    /// Whether the text has gone on in several ways at once.
    parted: bool,
}

/// What a model keeps of a text that it has read and gone on with, so that another one that begins alike is read from there on.
#[derive(Clone, Debug)]
pub struct Kept {
    tokens: Vec<u32>,
    cache: TransformerCache,
}

impl Kept {
    /// With how many of its tokens a prompt begins, which need not be read again. The prompt's last token is not counted, for what comes after it has to be asked.
    pub fn in_common(&self, prompt: &[u32]) -> usize {
        let others = &prompt[..prompt.len().saturating_sub(1)];
        let alike = self.tokens.iter().zip(others);
        alike.take_while(|(own, other)| own == other).count()
    }
}

impl CausalLm {
    /// Reads prompts side by side, with room for `most` tokens after each; what goes on with them, and the scores of the token
    /// after each, `[prompts * vocab_size]`.
    ///
    /// # Errors
    /// [`Error::Prompt`] for a prompt without a token, with more of them than the model has positions, or with one that it does not
    /// know.
    pub fn read(&self, prompts: &[&[u32]], most: usize) -> Result<(Speaking<'_>, Vec<f32>), Error> {
        self.check(prompts)?;
        let rows = Rows::new(prompts);
        let device = self.model.device();
        Ok(
            self.read_vectors(&rows.before, rows.longest, most, None, |from, to| {
                let ids = rows.ids(&device).narrow(1, from, to - from);
                (self.model.token.forward(ids), None)
            }),
        )
    }

    /// The same of what `part` gives for some of the places of all rows: vectors, and where they stand if not one after the other; what
    /// follows then stands at `next`.
    pub(crate) fn read_vectors(
        &self,
        before: &[usize],
        longest: usize,
        most: usize,
        next: Option<Vec<u32>>,
        part: impl Fn(usize, usize) -> (Tensor<3>, Option<Positions>),
    ) -> (Speaking<'_>, Vec<f32>) {
        // A short prompt may go on further than the longest, behind its padding.
        let mut cache = self.model.begin(before, longest + most);
        let scores = self.read_into(&mut cache, longest, part);
        let speaking = Speaking {
            lm: self,
            cache,
            next,
            text: None,
        };
        (speaking, scores)
    }

    /// Reads one prompt, but for what it has in common with a text that was [kept](Speaking::kept) and is taken: the same as reading it
    /// whole, sooner.
    ///
    /// # Errors
    /// As [`read`](Self::read); what was kept then stays.
    pub fn read_on(
        &self,
        kept: &mut Option<Kept>,
        prompt: &[u32],
        most: usize,
    ) -> Result<(Speaking<'_>, Vec<f32>), Error> {
        self.check(&[prompt])?;
        let from = kept.as_ref().map_or(0, |kept| kept.in_common(prompt));
        let device = self.model.device();
        Ok(
            self.read_vectors_on(kept.take(), from, prompt, most, None, |from, to| {
                let rest = &[&prompt[from..to]];
                let vectors = self.model.token.forward(Rows::new(rest).ids(&device));
                (vectors, None)
            }),
        )
    }

    /// The same from the token `from` on, of what `part` gives for some of a prompt's places: see [`read_vectors`](Self::read_vectors).
    pub(crate) fn read_vectors_on(
        &self,
        kept: Option<Kept>,
        from: usize,
        prompt: &[u32],
        most: usize,
        next: Option<Vec<u32>>,
        part: impl Fn(usize, usize) -> (Tensor<3>, Option<Positions>),
    ) -> (Speaking<'_>, Vec<f32>) {
        let capacity = prompt.len() + most;
        let mut cache = match kept {
            Some(Kept { mut cache, .. }) if from > 0 => {
                cache.keep(from);
                if cache.len() + cache.room() < capacity {
                    // By half as much again: a talk that goes on is not copied at each turn.
                    cache.reserve(capacity.max(self.max_positions.min(capacity * 3 / 2)));
                }
                cache
            }
            _ => self.model.begin(&[0], capacity),
        };
        let read = prompt.len() - cache.len();
        let scores = self.read_into(&mut cache, prompt.len(), part);
        let text = Text {
            tokens: prompt.to_vec(),
            prompt: prompt.len(),
            read,
            parted: false,
        };
        let speaking = Speaking {
            lm: self,
            cache,
            next,
            text: Some(text),
        };
        (speaking, scores)
    }

    /// Reads what a cache has not seen of `longest` places; the scores of what comes after.
    fn read_into(
        &self,
        cache: &mut TransformerCache,
        longest: usize,
        part: impl Fn(usize, usize) -> (Tensor<3>, Option<Positions>),
    ) -> Vec<f32> {
        let mut scores = Vec::new();
        for from in (cache.len()..longest).step_by(AT_ONCE) {
            let to = (from + AT_ONCE).min(longest);
            let (vectors, at) = part(from, to);
            if to < longest {
                self.model.step(vectors, at.as_ref(), cache);
            } else {
                scores = host(self.next_of(vectors, at.as_ref(), cache));
            }
        }
        scores
    }

    /// Refuses prompts that cannot be read.
    pub(crate) fn check(&self, prompts: &[&[u32]]) -> Result<(), Error> {
        let vocab_size = self.model.token.weight.dims()[0];
        let mut prompts = prompts.iter().enumerate();
        prompts
            .try_for_each(|(sample, prompt)| check(sample, prompt, vocab_size, self.max_positions))
    }
}

impl Speaking<'_> {
    /// How many tokens of a prompt that was [read on](CausalLm::read_on) had to be read.
    pub fn read(&self) -> Option<usize> {
        self.text.as_ref().map(|text| text.read)
    }

    /// What is kept of a prompt that was [read on](CausalLm::read_on) and of what was said after it, but for its last token; of what has
    /// gone on in several ways, the prompt.
    pub fn kept(mut self) -> Option<Kept> {
        let mut text = self.text?;
        if text.parted {
            self.cache.select(&[0], &self.lm.model.device());
            text.tokens.truncate(text.prompt);
            self.cache.keep(text.prompt);
        }
        Some(Kept {
            tokens: text.tokens,
            cache: self.cache,
        })
    }
}

impl Speaker for Speaking<'_> {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let (longest, most) = (self.cache.longest(), self.lm.max_positions);
        if longest >= most || self.cache.room() == 0 {
            return Err(Error::Full {
                tokens: longest,
                most: most.min(longest + self.cache.room()),
            });
        }
        let ids: Vec<i64> = tokens.iter().map(|id| i64::from(*id)).collect();
        let ids = TensorData::new(ids, [tokens.len(), 1]);
        let model = &self.lm.model;
        let ids = Tensor::<2, Int>::from_data(ids, &model.device());
        let at = self.next.as_mut().map(|next| {
            let at = Positions::on_axes(vec![next.clone(); 3], next.len());
            next.iter_mut().for_each(|next| *next += 1);
            at
        });
        let vectors = model.token.forward(ids);
        if let Some(text) = &mut self.text {
            text.tokens.extend(tokens.first());
        }
        Ok(host(self.lm.next_of(vectors, at.as_ref(), &mut self.cache)))
    }

    fn select(&mut self, rows: &[usize], _prompts: &[usize]) {
        self.cache.select(rows, &self.lm.model.device());
        if let Some(text) = &mut self.text {
            text.parted = true;
        }
        if let Some(next) = &mut self.next {
            *next = rows.iter().map(|row| next[*row]).collect();
        }
    }
}

/// Refuses a prompt that cannot be read.
fn check(sample: usize, prompt: &[u32], vocab_size: usize, most: usize) -> Result<(), Error> {
    let refuse = |problem: String| Err(Error::Prompt { sample, problem });
    let tokens = prompt.len();
    if tokens == 0 {
        return refuse("has no token: give it a word to go on from".to_owned());
    }
    if tokens > most {
        return refuse(format!(
            "has {tokens} tokens, and the model reads {most} at the most: shorten it"
        ));
    }
    match prompt.iter().find(|id| **id as usize >= vocab_size) {
        Some(id) => refuse(format!(
            "has token {id}, and the model knows {vocab_size}: its tokenizer is another model's"
        )),
        None => Ok(()),
    }
}
