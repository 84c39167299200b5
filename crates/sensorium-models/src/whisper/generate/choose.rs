//! One half minute: word after word, the likeliest or drawn, or by beam search.

use rand::RngExt;
use sensorium_core::SampleRng;
use sensorium_decode::{Beams, Chooses, Error, Next, Search, log_sum_exp};

use super::rules::Rules;

/// The words of a half minute.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// With the one that ends the text, if it ended.
    pub(super) tokens: Vec<u32>,
    /// The mean of the logarithms of their probabilities.
    pub(super) log_probability: f32,
    /// How likely it is that nothing is said.
    pub(super) no_speech: f32,
}

impl Chosen {
    /// Words, and the sum of the logarithms of their probabilities.
    pub(super) fn new(tokens: Vec<u32>, sum: f64) -> Self {
        Self {
            log_probability: (sum / tokens.len().max(1) as f64) as f32,
            tokens,
            no_speech: 0.0,
        }
    }

    pub(super) fn with_no_speech(self, no_speech: f32) -> Self {
        Self { no_speech, ..self }
    }
}

/// The one text that is followed.
pub(super) struct Line<'a> {
    rules: &'a Rules<'a>,
    temperature: f32,
    rng: &'a mut SampleRng,
    /// How many words it may have.
    most: usize,
    tokens: Vec<u32>,
    sum: f64,
}

impl<'a> Line<'a> {
    /// Of up to `most` words: the likeliest, or, at a temperature above zero, drawn.
    pub(super) fn new(
        rules: &'a Rules<'a>,
        temperature: f32,
        rng: &'a mut SampleRng,
        most: usize,
    ) -> Self {
        Self {
            rules,
            temperature,
            rng,
            most,
            tokens: Vec::new(),
            sum: 0.0,
        }
    }
}

/// What the words of a half minute come out of.
pub(super) trait Says: Chooses {
    /// What was said.
    fn chosen(self) -> Chosen;
}

impl Chooses for Line<'_> {
    fn choose(&mut self, scores: &mut [f32]) -> Result<Option<Vec<Next>>, Error> {
        self.rules.apply(&self.tokens, scores);
        let token = match self.temperature > 0.0 {
            true => draw(scores, self.temperature, self.rng),
            false => likeliest(scores),
        };
        self.sum += f64::from(scores[token as usize] - log_sum_exp(scores));
        self.tokens.push(token);
        let ends = self.tokens.len() >= self.most || self.rules.ends().contains(&token);
        Ok((!ends).then(|| vec![Next { from: 0, token }]))
    }
}

impl Says for Line<'_> {
    fn chosen(self) -> Chosen {
        Chosen::new(self.tokens, self.sum)
    }
}

/// The texts that are followed side by side.
pub(super) struct Searching<'a> {
    rules: &'a Rules<'a>,
    beams: Beams,
}

impl<'a> Searching<'a> {
    pub(super) fn new(rules: &'a Rules<'a>, search: Search, most: usize) -> Self {
        Self {
            rules,
            beams: Beams::new(search, rules.ends(), most),
        }
    }
}

impl Chooses for Searching<'_> {
    fn choose(&mut self, scores: &mut [f32]) -> Result<Option<Vec<Next>>, Error> {
        let allow = |chosen: &[u32], scores: &mut [f32]| self.rules.apply(chosen, scores);
        Ok(self.beams.choose(scores, allow))
    }
}

impl Says for Searching<'_> {
    fn chosen(self) -> Chosen {
        let best = self.beams.best().unwrap_or_default();
        Chosen::new(best.tokens, best.allowed)
    }
}

/// The first of the highest.
fn likeliest(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (id, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = id;
        }
    }
    best as u32
}

/// One of all, by what is left of its probability at this temperature.
fn draw(scores: &[f32], temperature: f32, rng: &mut SampleRng) -> u32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |score: &f32| f64::from((score - most) / temperature).exp();
    let sum: f64 = scores.iter().map(weight).sum();
    let mut left = rng.random::<f64>() * sum;
    for (id, score) in scores.iter().enumerate() {
        left -= weight(score);
        if left < 0.0 {
            return id as u32;
        }
    }
    likeliest(scores) // only rounding leads here
}
