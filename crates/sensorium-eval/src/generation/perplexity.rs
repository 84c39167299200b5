//! Perplexity: among how many tokens a model is as undecided as it is before the next one of the text.

use serde::{Deserialize, Serialize};

use crate::{Error, Interval, bootstrap};

/// Adds up how likely a model holds texts, one at a time; [`finish`](Self::finish) gives their perplexity.
///
/// Each *token* counts the same, so that a long text weighs more than a short one; the mean of the texts' perplexities is another number.
/// Perplexities of models with different tokenizers cannot be compared.
///
/// # Memory
/// 16 bytes a text.
///
/// ```
/// use sensorium_eval::Perplexity;
///
/// let mut likelihood = Perplexity::new();
/// likelihood.add(-(0.5_f64.ln() + 0.25_f64.ln()), 2)?; // in nats
/// likelihood.add(-0.125_f64.ln(), 1)?;
/// assert!((likelihood.finish().perplexity.unwrap() - 4.0).abs() < 1e-12);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Perplexity {
    samples: Vec<(f64, u64)>,
}

impl Perplexity {
    /// Starts without texts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text: the sum of −ln p over its tokens, and how many they are. Tokens that were given and not predicted, such as a prompt,
    /// belong into neither.
    ///
    /// # Errors
    /// [`Error::Likelihood`] of a sum that is no number, below 0, or above it over no tokens; nothing is added then.
    pub fn add(&mut self, nll: f64, tokens: u64) -> Result<(), Error> {
        if !nll.is_finite() || nll < 0.0 || (tokens == 0 && nll > 0.0) {
            return Err(Error::Likelihood {
                sample: self.len(),
                nll: nll.to_string(),
                tokens,
            });
        }
        self.samples.push((nll, tokens));
        Ok(())
    }

    /// How many texts were added so far.
    pub fn len(&self) -> u64 {
        self.samples.len() as u64
    }

    /// True before the first text.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Adds what another has added, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        self.samples.extend_from_slice(&other.samples);
    }

    /// The perplexity of all texts added so far.
    pub fn finish(&self) -> PerplexityReport {
        let tokens = self.samples.iter().map(|sample| sample.1).sum();
        let nll_per_token = per_token(self.samples.iter());
        PerplexityReport {
            n: self.len(),
            tokens,
            nll_per_token,
            perplexity: nll_per_token.map(f64::exp).filter(|p| p.is_finite()),
        }
    }

    /// The 95 % interval of the perplexity, by the [bootstrap](crate::bootstrap) over the texts.
    pub fn interval(&self, resamples: usize, seed: u64) -> Option<Interval> {
        bootstrap(self.samples.len(), resamples, seed, |drawn| {
            per_token(drawn.iter().map(|&i| &self.samples[i])).map(f64::exp)
        })
    }
}

fn per_token<'a>(samples: impl Iterator<Item = &'a (f64, u64)>) -> Option<f64> {
    let add = |(sum, count): (f64, u64), (nll, tokens): &(f64, u64)| (sum + nll, count + tokens);
    let (sum, tokens) = samples.fold((0.0, 0), add);
    (tokens > 0).then(|| sum / tokens as f64)
}

/// How likely a model holds texts. `None` is "undefined", without tokens; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PerplexityReport {
    /// Texts measured.
    pub n: u64,
    /// Their tokens.
    pub tokens: u64,
    /// The mean of −ln p, in nats a token.
    pub nll_per_token: Option<f64>,
    /// e to the power of it; undefined as well where that is above the largest number.
    pub perplexity: Option<f64>,
}
