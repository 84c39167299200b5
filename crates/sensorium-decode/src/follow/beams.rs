//! Beam search: the likeliest texts so far are followed side by side, and of those that end, the best by its length is kept.

use std::cmp::Ordering;

use serde::Deserialize;

use super::Next;
use crate::log_sum_exp;

/// How texts are searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// How many are followed side by side.
    pub width: usize,
    /// A text's score is divided by its length to this power: the higher, the longer texts may be.
    pub length_penalty: f64,
    /// When the search ends.
    pub early: Early,
}

/// When no more texts are looked for, once as many have ended as are followed; in files `true`, `false` or `"never"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Said")]
pub enum Early {
    /// At once.
    Full,
    /// When the best that goes on is no better at the length it has.
    #[default]
    Likely,
    /// When it cannot become better at any length.
    Never,
}

/// `early_stopping` as it stands in a file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "early_stopping is true, false or \"never\"")]
enum Said {
    Yes(bool),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Never,
}

impl From<Said> for Early {
    fn from(said: Said) -> Self {
        match said {
            Said::Yes(true) => Self::Full,
            Said::Yes(false) => Self::Likely,
            Said::Named(Named::Never) => Self::Never,
        }
    }
}

impl Search {
    /// The widest search: more would fill any memory.
    pub const MOST: usize = 1024;

    fn score(&self, sum: f32, length: usize) -> f32 {
        sum / (length as f64).powf(self.length_penalty) as f32
    }
}

/// The texts that go on after one prompt, in the reference's order of things: probabilities are those among all tokens; what is
/// not allowed is then left out.
#[derive(Clone, Debug)]
pub struct Beams {
    search: Search,
    /// Tokens that end a text.
    ends: Vec<u32>,
    /// How many tokens a text may have.
    most: usize,
    /// How many rows of scores are read.
    rows: usize,
    /// Best first; at most as many as are followed.
    going: Vec<Beam>,
    /// Best first; at most as many as are followed.
    ended: Vec<(f32, Beam)>,
}

/// A text that was found.
#[derive(Clone, Debug, Default)]
pub struct Beam {
    /// Its tokens, with the one that ends it, if it ended.
    pub tokens: Vec<u32>,
    /// The logarithms of their probabilities among all tokens.
    pub log_probabilities: Vec<f32>,
    /// The sum of the logarithms of their probabilities among the tokens that were allowed.
    pub allowed: f64,
    /// What texts are compared by.
    sum: f32,
}

/// A text with one token more.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    sum: f32,
    from: usize,
    token: u32,
    log_probability: f32,
}

impl Beams {
    /// Texts of up to `most` tokens, each ended by any of `ends`.
    pub fn new(search: Search, ends: &[u32], most: usize) -> Self {
        Self {
            search,
            ends: ends.to_vec(),
            most,
            rows: 1,
            going: vec![Beam::default()],
            ended: Vec::new(),
        }
    }

    /// Reads the scores of the token after each text, `[texts * vocabulary]`, of which `allow` leaves what may follow given
    /// tokens; says how texts go on, or nothing once the best is found.
    pub fn choose(
        &mut self,
        scores: &mut [f32],
        allow: impl Fn(&[u32], &mut [f32]),
    ) -> Option<Vec<Next>> {
        let width = self.search.width;
        let length = self.going.first()?.tokens.len() + 1;
        if length > self.most {
            return None;
        }
        let (candidates, allowed) = self.candidates(scores, allow);
        let (mut going, mut next) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for (rank, candidate) in candidates.iter().enumerate() {
            let ends = length >= self.most || self.ends.contains(&candidate.token);
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
        self.rows = width;
        Some(next)
    }

    /// The best of the texts that have ended; nothing if none has.
    pub fn best(self) -> Option<Beam> {
        self.ended.into_iter().next().map(|(_, text)| text)
    }

    /// The best ways on, best first: as many as leave enough that do not end. And for each text, the logarithm of how likely
    /// all that was allowed to follow it is.
    fn candidates(
        &self,
        scores: &mut [f32],
        allow: impl Fn(&[u32], &mut [f32]),
    ) -> (Vec<Candidate>, Vec<f32>) {
        let vocabulary = (scores.len() / self.rows).max(1);
        let most = (1 + self.ends.len()).max(2) * self.search.width;
        let mut best: Vec<Candidate> = Vec::with_capacity(most + 1);
        let mut allowed = Vec::with_capacity(self.going.len());
        let texts = self.going.iter().zip(scores.chunks_exact_mut(vocabulary));
        for (from, (text, scores)) in texts.enumerate() {
            let all = log_sum_exp(scores);
            scores.iter_mut().for_each(|score| *score -= all);
            let own = scores.to_vec();
            allow(&text.tokens, scores);
            allowed.push(log_sum_exp(scores));
            for (token, log_probability) in scores.iter().enumerate() {
                let sum = text.sum + log_probability;
                let joins = best.len() < most || best.last().is_some_and(|last| sum > last.sum);
                if !joins || !sum.is_finite() {
                    continue;
                }
                let place = best.partition_point(|other| other.sum >= sum);
                let candidate = Candidate {
                    sum,
                    from,
                    token: token as u32,
                    log_probability: own[token],
                };
                best.insert(place, candidate);
                best.truncate(most);
            }
        }
        (best, allowed)
    }

    fn followed(&self, candidate: &Candidate, allowed: &[f32]) -> Beam {
        let before = &self.going[candidate.from];
        let log_probability = candidate.log_probability;
        Beam {
            tokens: [&before.tokens[..], &[candidate.token]].concat(),
            log_probabilities: [&before.log_probabilities[..], &[log_probability]].concat(),
            allowed: before.allowed + f64::from(log_probability - allowed[candidate.from]),
            sum: candidate.sum,
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

fn descending(a: f32, b: f32) -> Ordering {
    b.total_cmp(&a)
}
