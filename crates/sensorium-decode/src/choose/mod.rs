//! Which token is next.

mod narrow;
mod penalties;

use rand::RngExt;
use sensorium_core::seed;

use crate::{Error, Generation, log_sum_exp};
use narrow::narrow;
pub(crate) use penalties::Penalties;

/// A score that is never chosen.
const NEVER: f32 = f32::NEG_INFINITY;

/// Chooses the tokens of one text, one after the other.
///
/// What is drawn depends on the seed and on how many tokens were generated alone: rows of a batch, and a text that is generated once
/// more, come out the same whatever is beside them.
#[derive(Clone, Debug)]
pub struct Chooser {
    how: Generation,
    tokens: Vec<u32>,
    prompt: usize,
    seed: u64,
}

/// A token that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// Its id.
    pub id: u32,
    /// The logarithm of the probability that the model itself gave it, before any setting.
    pub log_probability: f32,
    /// Whether it ends the text.
    pub ends: bool,
}

impl Chooser {
    /// For a text that goes on after a prompt.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting that cannot work.
    pub fn new(how: &Generation, prompt: &[u32], seed: u64) -> Result<Self, Error> {
        how.validate()?;
        Ok(Self {
            how: how.clone(),
            tokens: prompt.to_vec(),
            prompt: prompt.len(),
            seed,
        })
    }

    /// The tokens that were generated, without the prompt.
    pub fn generated(&self) -> &[u32] {
        &self.tokens[self.prompt..]
    }

    /// The next token, by the scores of all; they are changed to those that it was chosen by.
    ///
    /// # Errors
    /// [`Error::NoScore`] if a score is no number, or none is left to choose.
    pub fn choose(&mut self, scores: &mut [f32]) -> Result<Chosen, Error> {
        let broken = Error::NoScore {
            tokens: self.tokens.len(),
        };
        if !are_numbers(scores) {
            return Err(broken);
        }
        let own = scores.to_vec();
        self.process(scores);
        let chosen = match self.how.sample {
            true => self.drawn(scores),
            false => likeliest(scores),
        };
        let Some(id) = chosen else {
            return Err(broken);
        };
        self.accept(id as u32);
        Ok(Chosen {
            id: id as u32,
            log_probability: own[id] - log_sum_exp(&own),
            ends: self.how.eos_token_id.contains(&(id as u32)),
        })
    }

    /// Takes a token that somebody else chose, such as a word that must come, as the next.
    pub fn accept(&mut self, id: u32) {
        self.tokens.push(id);
    }

    /// Applies all settings to the scores, in the reference's order; what must not be chosen is left at minus infinity.
    pub fn process(&self, scores: &mut [f32]) {
        let penalties = Penalties {
            how: &self.how,
            tokens: &self.tokens,
            prompt: self.prompt,
        };
        penalties.apply(scores);
        if self.how.sample {
            narrow(&self.how, scores);
        }
    }

    /// One by its probability.
    fn drawn(&self, scores: &[f32]) -> Option<usize> {
        let most = scores.iter().copied().fold(NEVER, f32::max);
        if most == NEVER {
            return None;
        }
        let weight = |score: &f32| f64::from(score - most).exp();
        let all: f64 = scores.iter().map(weight).sum();
        let place = [seed::of_name("token"), self.generated().len() as u64];
        let mut left = seed::rng(self.seed, &place).random::<f64>() * all;
        for (id, score) in scores.iter().enumerate() {
            left -= weight(score);
            if left < 0.0 {
                return Some(id);
            }
        }
        // Only rounding can leave something: the last that may be chosen.
        scores.iter().rposition(|score| *score != NEVER)
    }
}

/// Whether scores can be chosen by: numbers, or minus infinity for what never is.
pub(crate) fn are_numbers(scores: &[f32]) -> bool {
    let broken = |score: &f32| score.is_nan() || *score == f32::INFINITY;
    !scores.iter().any(broken)
}

/// The first of the largest scores, if there is one that may be chosen.
fn likeliest(scores: &[f32]) -> Option<usize> {
    let mut best = None;
    for (id, score) in scores.iter().enumerate() {
        if *score > best.map_or(NEVER, |best: usize| scores[best]) {
            best = Some(id);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_is_taken_and_the_first_of_equals() {
        let how = Generation {
            eos_token_id: vec![3],
            ..Generation::default()
        };
        let mut chooser = Chooser::new(&how, &[0], 0).unwrap();
        let chosen = chooser.choose(&mut [0.0, 2.0, 2.0, 1.0]).unwrap();
        // e² / (1 + 2 e² + e) = 7.389 / 18.496
        assert_eq!((chosen.id, chosen.ends), (1, false));
        assert!((chosen.log_probability - (7.389_056f32 / 18.496_395).ln()).abs() < 1e-5);
        let chosen = chooser.choose(&mut [0.0, 2.0, 2.0, 9.0]).unwrap();
        assert_eq!((chosen.id, chosen.ends), (3, true));
        assert_eq!(chooser.generated(), [1, 3]);
    }

    #[test]
    fn draws_follow_probabilities_and_the_seed() {
        let scores = [1.0f32, 0.0, 2.0, NEVER];
        let mut counts = [0usize; 4];
        let how = Generation::sampled(0.5);
        for seed in 0..20_000 {
            let mut chooser = Chooser::new(&how, &[], seed).unwrap();
            counts[chooser.choose(&mut scores.clone()).unwrap().id as usize] += 1;
        }
        assert_eq!(counts[3], 0);
        // At a temperature of a half, e², 1 and e⁴ of their sum: chi-square with two degrees of freedom, 13.8 at 0.1 %.
        let weights = [2.0f64, 0.0, 4.0].map(f64::exp);
        let all: f64 = weights.iter().sum();
        let apart: f64 = weights
            .iter()
            .zip(counts)
            .map(|(weight, count)| {
                let expected = 20_000.0 * weight / all;
                (count as f64 - expected).powi(2) / expected
            })
            .sum();
        assert!(apart < 13.8, "{counts:?}: {apart}");
        let text = |seed| -> Vec<u32> {
            let mut chooser = Chooser::new(&how, &[7], seed).unwrap();
            for _ in 0..40 {
                chooser.choose(&mut scores.clone()).unwrap();
            }
            chooser.generated().to_vec()
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn broken_scores_are_told() {
        let mut chooser = Chooser::new(&Generation::default(), &[1, 2], 0).unwrap();
        for scores in [
            vec![0.0, f32::NAN],
            vec![f32::INFINITY, 0.0],
            vec![NEVER, NEVER],
            vec![],
        ] {
            let error = chooser.choose(&mut scores.clone()).unwrap_err().to_string();
            assert!(error.contains("after 2 tokens"), "{error}");
        }
        let how = Generation {
            suppress_tokens: vec![0, 1],
            ..Generation::sampled(1.0)
        };
        let mut chooser = Chooser::new(&how, &[], 0).unwrap();
        assert!(chooser.choose(&mut [0.0, 1.0]).is_err());
        assert!(chooser.choose(&mut [0.0, 1.0, -50.0]).unwrap().id == 2);
    }
}
