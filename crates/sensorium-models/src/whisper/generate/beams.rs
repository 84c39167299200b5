//! One half minute by beam search: the likeliest texts so far are followed side by side, and of those that end, the best by
//! its length is kept.

use std::cmp::Ordering;

use super::choose::Chosen;
use super::decode::{Chooses, Next};
use super::rules::{Rules, log_sum_exp};

/// How texts are searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// How many are followed side by side.
    pub(super) width: usize,
    /// A text's score is divided by its length to this power: the higher, the longer texts may be.
    pub(super) length_penalty: f64,
    pub(super) early: Early,
}

/// When no more texts are looked for, once as many have ended as are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// At once.
    Full,
    /// When the best that goes on is no better at the length it has.
    Likely,
    /// When it cannot become better at any length.
    Never,
}

impl Search {
    fn score(&self, sum: f32, length: usize) -> f32 {
        sum / (length as f64).powf(self.length_penalty) as f32
    }
}

/// The texts of one half minute.
pub(super) struct Beams<'a> {
    rules: &'a Rules<'a>,
    search: Search,
    /// How many words a text may have.
    most: usize,
    /// Best first; at most as many as are followed.
    going: Vec<Text>,
    /// Best first; at most as many as are followed.
    ended: Vec<(f32, Text)>,
}

#[derive(Clone, Debug, Default)]
struct Text {
    tokens: Vec<u32>,
    /// The sum of the logarithms of its words' probabilities among all words: what texts are compared by.
    sum: f32,
    /// The same among the words that were allowed: what is told.
    allowed: f64,
}

/// A text with one word more.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    sum: f32,
    from: usize,
    token: u32,
    /// The logarithm of its probability among all words.
    log_probability: f32,
}

impl<'a> Beams<'a> {
    pub(super) fn new(rules: &'a Rules<'a>, search: Search, most: usize) -> Self {
        Self {
            rules,
            search,
            most,
            going: vec![Text::default()],
            ended: Vec::new(),
        }
    }

    /// The best ways on, best first: as many as leave enough that do not end. And for each text, the logarithm of how likely
    /// all that was allowed to follow it is.
    fn candidates(&self, scores: &mut [f32]) -> (Vec<Candidate>, Vec<f32>) {
        let vocab = self.rules.vocab();
        let most = (1 + self.rules.ends().len()).max(2) * self.search.width;
        let mut best: Vec<Candidate> = Vec::with_capacity(most + 1);
        let mut allowed = Vec::with_capacity(self.going.len());
        let texts = self.going.iter().zip(scores.chunks_exact_mut(vocab));
        for (from, (text, scores)) in texts.enumerate() {
            // Probabilities are those among all words; what is not allowed is then left out.
            let all = log_sum_exp(scores);
            self.rules.apply(&text.tokens, scores);
            allowed.push(log_sum_exp(scores) - all);
            for (token, score) in scores.iter().enumerate() {
                let log_probability = score - all;
                let sum = text.sum + log_probability;
                let joins = best.len() < most || best.last().is_some_and(|last| sum > last.sum);
                if !joins || !sum.is_finite() {
                    continue;
                }
                let place = best.partition_point(|other| other.sum >= sum);
                let token = token as u32;
                best.insert(
                    place,
                    Candidate {
                        sum,
                        from,
                        token,
                        log_probability,
                    },
                );
                best.truncate(most);
            }
        }
        (best, allowed)
    }

    fn followed(&self, candidate: &Candidate, allowed: &[f32]) -> Text {
        let before = &self.going[candidate.from];
        let log_probability = candidate.log_probability - allowed[candidate.from];
        Text {
            tokens: [&before.tokens[..], &[candidate.token]].concat(),
            sum: candidate.sum,
            allowed: before.allowed + f64::from(log_probability),
        }
    }

    /// Whether no text that goes on, best first, is worth going on with, at a length.
    fn is_done(&self, length: usize) -> bool {
        let Search {
            width,
            length_penalty,
            early,
        } = self.search;
        let Some(best) = self.going.first() else {
            return true;
        };
        let worst = match self.ended.last() {
            Some((worst, _)) if self.ended.len() == width => *worst,
            _ => return false,
        };
        let length = match early {
            Early::Full => return true,
            Early::Never if length_penalty > 0.0 => self.most,
            Early::Never | Early::Likely => length,
        };
        self.search.score(best.sum, length) <= worst
    }
}

impl Chooses for Beams<'_> {
    fn choose(&mut self, scores: &mut [f32]) -> Option<Vec<Next>> {
        let width = self.search.width;
        let length = self.going.first()?.tokens.len() + 1;
        let (candidates, allowed) = self.candidates(scores);
        let (mut going, mut next) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for (rank, candidate) in candidates.iter().enumerate() {
            let ends = length >= self.most || self.rules.ends().contains(&candidate.token);
            if ends && rank < width {
                let text = self.followed(candidate, &allowed);
                self.ended.push((self.search.score(text.sum, length), text));
            } else if !ends && going.len() < width {
                going.push(self.followed(candidate, &allowed));
                next.push(Next {
                    from: candidate.from,
                    token: candidate.token,
                });
            }
        }
        self.ended.sort_by(|(a, _), (b, _)| descending(*a, *b)); // stable: of equals, the earlier
        self.ended.truncate(width);
        self.going = going;
        if self.is_done(length) {
            return None;
        }
        // Where there are fewer, the first stands in; what is said of it is not looked at.
        next.resize(width, *next.first()?);
        Some(next)
    }

    fn chosen(self) -> Chosen {
        let best = self.ended.into_iter().next();
        let text = best.map(|(_, text)| text).unwrap_or_default();
        Chosen::new(text.tokens, text.allowed)
    }
}

fn descending(a: f32, b: f32) -> Ordering {
    b.total_cmp(&a)
}
