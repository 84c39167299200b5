//! Texts that a model writes, each held against the one that was wanted.

use serde::{Deserialize, Serialize};

use crate::{Interval, wilson};

/// One text that was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written<'a> {
    /// What was wanted.
    pub reference: &'a str,
    /// What was written.
    pub answer: &'a str,
    /// -ln of the likelihood of what was wanted, all of its tokens together.
    pub surprise: f64,
    /// How many tokens these are.
    pub tokens: usize,
}

/// How good texts are that a model wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WrittenReport {
    /// Samples measured.
    pub n: u64,
    /// The share of texts that are what was wanted, to the letter.
    pub exact_match: Option<f64>,
    /// Its 95 % interval.
    pub exact_match_interval: Option<Interval>,
    /// BLEU of all texts together (Papineni et al., 2002), 0 to 100, as sacreBLEU counts it.
    pub bleu: Option<f64>,
    /// -ln of the likelihood of a wanted token, the ones before it known: the mean.
    pub loss: Option<f64>,
    /// e to the power of that.
    pub perplexity: Option<f64>,
}

impl WrittenReport {
    /// Measures texts.
    ///
    /// ```
    /// use sensorium_eval::{Written, WrittenReport};
    /// let text = |reference, answer| Written { reference, answer, surprise: 1.0, tokens: 2 };
    /// let report = WrittenReport::of(&[text("a cat", "a cat"), text("a dog", "a cow")]);
    /// assert_eq!((report.exact_match, report.loss), (Some(0.5), Some(0.5)));
    /// ```
    pub fn of(texts: &[Written<'_>]) -> Self {
        let n = texts.len() as u64;
        let right = texts.iter().filter(|text| text.reference == text.answer);
        let right = right.count() as u64;
        let tokens: usize = texts.iter().map(|text| text.tokens).sum();
        let surprise: f64 = texts.iter().map(|text| text.surprise).sum();
        let loss = (tokens > 0).then(|| surprise / tokens as f64);
        Self {
            n,
            exact_match: (n > 0).then(|| right as f64 / n as f64),
            exact_match_interval: wilson(right, n),
            bleu: None,
            loss,
            perplexity: loss.map(f64::exp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_count_alike_whatever_text_they_stand_in() {
        let text = |surprise, tokens| Written {
            reference: "a",
            answer: "b",
            surprise,
            tokens,
        };
        let report = WrittenReport::of(&[text(3.0, 1), text(1.0, 3)]);
        assert_eq!(report.loss, Some(1.0));
        assert_eq!(report.perplexity, Some(1f64.exp()));
        assert_eq!(report.exact_match, Some(0.0));
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        assert_eq!(WrittenReport::of(&[]), WrittenReport::default());
    }
}
