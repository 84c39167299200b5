//! ROUGE (Lin, 2004), as the package rouge_score counts it.

mod lcs;
mod porter;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ngrams::{counts, shared, total};
use super::samples::{interval_of_mean, mean_of};
use crate::{Error, Interval};

/// Scores summaries against their references, one at a time; [`finish`](Self::finish) gives the means.
///
/// Words are runs of the letters a to z and digits, in small letters: texts in other alphabets have none, and score 0. Of several
/// references the one with the best F1 counts, for each kind of ROUGE apart. Sentences, for ROUGE-Lsum, are lines: part them with
/// `\n`.
///
/// # Memory
/// 96 bytes a sample, no text. The longest common subsequence of two texts takes time by the product of their lengths.
///
/// ```
/// use sensorium_eval::Rouge;
///
/// let mut rouge = Rouge::new();
/// let scores = rouge.add("the cat is on the mat", &["the cat sat on the mat"])?;
/// assert!((scores.rouge2.f1 - 0.6).abs() < 1e-12 && (scores.rouge_l.f1 - 5.0 / 6.0).abs() < 1e-12);
/// assert_eq!(rouge.finish().rouge1, Some(scores.rouge1));
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rouge {
    stemmed: bool,
    samples: Vec<RougeScores>,
}

impl Rouge {
    /// Starts scoring, words as they stand.
    pub fn new() -> Self {
        Self::default()
    }

    /// With words of more than three letters stemmed, as rouge_score's `use_stemmer` does: Porter's stemmer (1980) with the changes of
    /// NLTK. English alone.
    #[must_use]
    pub fn with_stemmer(mut self) -> Self {
        self.stemmed = true;
        self
    }

    /// Scores one text, which may be empty.
    ///
    /// # Errors
    /// [`Error::NoReferences`]; nothing is counted then.
    pub fn add<R: AsRef<str>>(
        &mut self,
        hypothesis: &str,
        references: &[R],
    ) -> Result<RougeScores, Error> {
        let said = Text::new(hypothesis, self.stemmed);
        let scores = references
            .iter()
            .map(|reference| said.scored(&Text::new(reference.as_ref(), self.stemmed)));
        let best = scores.reduce(RougeScores::or_better);
        let sample = self.len();
        let best = best.ok_or(Error::NoReferences { sample })?;
        self.samples.push(best);
        Ok(best)
    }

    /// How many texts were scored so far.
    pub fn len(&self) -> u64 {
        self.samples.len() as u64
    }

    /// True before the first text.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Adds what another has scored, for evaluation in several parts, which must score alike.
    ///
    /// # Errors
    /// [`Error::CountedOtherwise`] where one stems and the other does not.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let told = |stemmed| {
            if stemmed {
                "stemmed words"
            } else {
                "whole words"
            }
        };
        if self.stemmed != other.stemmed {
            return Err(Error::CountedOtherwise {
                ours: told(self.stemmed).into(),
                theirs: told(other.stemmed).into(),
            });
        }
        self.samples.extend_from_slice(&other.samples);
        Ok(())
    }

    /// The means over all texts scored so far.
    pub fn finish(&self) -> RougeReport {
        let mean = |kind: RougeKind| {
            let mean = |part: fn(&RougeScore) -> f64| mean_of(&self.samples, |s| part(s.of(kind)));
            Some(RougeScore {
                precision: mean(|score| score.precision)?,
                recall: mean(|score| score.recall)?,
                f1: mean(|score| score.f1)?,
            })
        };
        RougeReport {
            n: self.len(),
            rouge1: mean(RougeKind::One),
            rouge2: mean(RougeKind::Two),
            rouge_l: mean(RougeKind::L),
            rouge_lsum: mean(RougeKind::Lsum),
        }
    }

    /// The 95 % interval of the mean F1 of one kind, by the [bootstrap](crate::bootstrap) over the samples.
    pub fn interval(&self, kind: RougeKind, resamples: usize, seed: u64) -> Option<Interval> {
        interval_of_mean(&self.samples, resamples, seed, |sample| sample.of(kind).f1)
    }
}

/// A text as ROUGE reads it.
struct Text {
    words: Vec<String>,
    sentences: Vec<Vec<String>>,
}

impl Text {
    fn new(text: &str, stemmed: bool) -> Self {
        let lines = text.split('\n').filter(|line| !line.is_empty());
        Self {
            words: words(text, stemmed),
            sentences: lines.map(|line| words(line, stemmed)).collect(),
        }
    }

    fn scored(&self, reference: &Self) -> RougeScores {
        let (said, wanted) = (&self.words, &reference.words);
        let runs = |n| {
            let both = shared(&counts(said, n), &counts(wanted, n));
            RougeScore::new(both, total(said, n), total(wanted, n))
        };
        let of_words = |both| RougeScore::new(both, said.len() as u64, wanted.len() as u64);
        RougeScores {
            rouge1: runs(1),
            rouge2: runs(2),
            rouge_l: of_words(lcs::length(wanted, said) as u64),
            rouge_lsum: of_words(self.in_sentences(reference)),
        }
    }

    /// The words of the reference that are in a longest common subsequence of their sentence with any sentence of the text; none more
    /// often than both texts have it.
    fn in_sentences(&self, reference: &Self) -> u64 {
        let left = |sentences: &[Vec<String>]| {
            let mut left: HashMap<String, u64> = HashMap::new();
            for word in sentences.iter().flatten() {
                *left.entry(word.clone()).or_default() += 1;
            }
            left
        };
        let (mut said, mut wanted) = (left(&self.sentences), left(&reference.sentences));
        let mut hits = 0;
        for sentence in &reference.sentences {
            let mut found = vec![false; sentence.len()];
            for other in &self.sentences {
                for position in lcs::positions(sentence, other) {
                    found[position] = true;
                }
            }
            for (word, _) in sentence.iter().zip(found).filter(|(_, found)| *found) {
                if let (Some(said @ 1..), Some(wanted @ 1..)) =
                    (said.get_mut(word), wanted.get_mut(word))
                {
                    (*said, *wanted) = (*said - 1, *wanted - 1);
                    hits += 1;
                }
            }
        }
        hits
    }
}

fn words(text: &str, stemmed: bool) -> Vec<String> {
    let text = text.to_lowercase();
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let words = text.split(|c| !is_word(c)).map(|word| match stemmed {
        true if word.len() > 3 => porter::stem(word),
        _ => word.to_owned(),
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// A kind of ROUGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RougeKind {
    /// ROUGE-1: words.
    One,
    /// ROUGE-2: pairs of words.
    Two,
    /// ROUGE-L: the longest common subsequence of the whole texts.
    L,
    /// ROUGE-Lsum: the same, sentence by sentence.
    Lsum,
}

/// How much of a text is right, and how much of the reference is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RougeScore {
    /// The share of the text that the reference has.
    pub precision: f64,
    /// The share of the reference that the text has.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl RougeScore {
    /// 0 where there is nothing.
    fn new(both: u64, said: u64, wanted: u64) -> Self {
        let share = |of: u64| both as f64 / of.max(1) as f64;
        let (precision, recall) = (share(said), share(wanted));
        let f1 = match precision + recall {
            0.0 => 0.0,
            sum => 2.0 * precision * recall / sum,
        };
        Self {
            precision,
            recall,
            f1,
        }
    }

    /// The first of equally good ones.
    fn or_better(self, other: Self) -> Self {
        if other.f1 > self.f1 { other } else { self }
    }
}

/// What one text scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RougeScores {
    /// ROUGE-1: words.
    pub rouge1: RougeScore,
    /// ROUGE-2: pairs of words.
    pub rouge2: RougeScore,
    /// ROUGE-L: the longest common subsequence.
    pub rouge_l: RougeScore,
    /// ROUGE-Lsum: the same, sentence by sentence.
    pub rouge_lsum: RougeScore,
}

impl RougeScores {
    /// The one of a kind.
    pub fn of(&self, kind: RougeKind) -> &RougeScore {
        match kind {
            RougeKind::One => &self.rouge1,
            RougeKind::Two => &self.rouge2,
            RougeKind::L => &self.rouge_l,
            RougeKind::Lsum => &self.rouge_lsum,
        }
    }

    fn or_better(self, other: Self) -> Self {
        Self {
            rouge1: self.rouge1.or_better(other.rouge1),
            rouge2: self.rouge2.or_better(other.rouge2),
            rouge_l: self.rouge_l.or_better(other.rouge_l),
            rouge_lsum: self.rouge_lsum.or_better(other.rouge_lsum),
        }
    }
}

/// The means over a corpus, in 0..1. `None` is "undefined", without texts; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RougeReport {
    /// Texts scored.
    pub n: u64,
    /// ROUGE-1: words.
    pub rouge1: Option<RougeScore>,
    /// ROUGE-2: pairs of words.
    pub rouge2: Option<RougeScore>,
    /// ROUGE-L: the longest common subsequence.
    pub rouge_l: Option<RougeScore>,
    /// ROUGE-Lsum: the same, sentence by sentence.
    pub rouge_lsum: Option<RougeScore>,
}
