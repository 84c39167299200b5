//! Texts that a model writes, each held against the one that was wanted.

use serde::{Deserialize, Serialize};

use crate::{Bleu, Error, ExactMatch, Interval, Perplexity};

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
    /// BLEU of all texts together (Papineni et al., 2002), 0 to 100, as sacreBLEU counts it; none where no wanted text has the four words
    /// that it compares.
    pub bleu: Option<f64>,
    /// -ln of the likelihood of a wanted token, the ones before it known: the mean.
    pub loss: Option<f64>,
    /// e to the power of that.
    pub perplexity: Option<f64>,
}

impl WrittenReport {
    /// Measures texts.
    ///
    /// # Errors
    /// [`Error::Likelihood`] of a surprise that is no number.
    ///
    /// ```
    /// use sensorium_eval::{Written, WrittenReport};
    /// let text = |reference, answer| Written { reference, answer, surprise: 1.0, tokens: 2 };
    /// let report = WrittenReport::of(&[text("a cat", "a cat"), text("a dog", "a cow")])?;
    /// assert_eq!((report.exact_match, report.loss), (Some(0.5), Some(0.5)));
    /// # Ok::<(), sensorium_eval::Error>(())
    /// ```
    pub fn of(texts: &[Written<'_>]) -> Result<Self, Error> {
        let (mut exact, mut bleu) = (ExactMatch::new(), Bleu::new());
        let mut perplexity = Perplexity::new();
        for text in texts {
            exact.add(text.answer, &[text.reference])?;
            bleu.add(text.answer, &[text.reference])?;
            perplexity.add(text.surprise, text.tokens as u64)?;
        }
        let (exact, perplexity) = (exact.finish(), perplexity.finish());
        let words = |text: &Written<'_>| text.reference.split_whitespace().count();
        let compares = texts.iter().any(|text| words(text) >= 4);
        Ok(Self {
            n: texts.len() as u64,
            exact_match: exact.exact_match,
            exact_match_interval: exact.interval,
            bleu: bleu.finish().bleu.filter(|_| compares),
            loss: perplexity.nll_per_token,
            perplexity: perplexity.perplexity,
        })
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
        let report = WrittenReport::of(&[text(3.0, 1), text(1.0, 3)]).unwrap();
        assert_eq!(report.loss, Some(1.0));
        assert_eq!(report.perplexity, Some(1f64.exp()));
        assert_eq!(report.exact_match, Some(0.0));
    }

    #[test]
    fn answers_of_few_words_have_no_bleu() {
        let text = |text| Written {
            reference: text,
            answer: text,
            surprise: 1.0,
            tokens: 1,
        };
        let few = WrittenReport::of(&[text("a red three"), text("two")]).unwrap();
        assert_eq!((few.exact_match, few.bleu), (Some(1.0), None));
        let more = WrittenReport::of(&[text("two"), text("a red three there")]).unwrap();
        assert!((more.bleu.unwrap() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        assert_eq!(WrittenReport::of(&[]).unwrap(), WrittenReport::default());
        let broken = Written {
            reference: "a",
            answer: "a",
            surprise: f64::NAN,
            tokens: 1,
        };
        assert!(WrittenReport::of(&[broken]).is_err());
    }
}
