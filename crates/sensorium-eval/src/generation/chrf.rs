//! chrF (Popović, 2015) and chrF++ (Popović, 2017), as sacreBLEU counts them.

use serde::{Deserialize, Serialize};

use super::ngrams::{counts, shared, total};
use super::samples::{Counted, References};
use crate::python::{is_space, split};
use crate::{Error, Interval};

/// Runs of up to so many characters are compared.
const CHARACTERS: usize = 6;
/// And, for chrF++, of up to so many words.
const WORDS: usize = 2;
/// Of each order: runs of the hypothesis, runs of the reference, runs of both.
const COUNTS: usize = 3 * (CHARACTERS + WORDS);
/// Recall counts so many times as much as precision, squared.
const BETA_SQUARED: f64 = 4.0;

/// Counts hypotheses against their references, one at a time; [`finish`](Self::finish) gives chrF2 of the corpus, in 0..100.
///
/// White space does not count, case does. It needs no words, and so tells more than BLEU of languages with long ones or
/// without spaces. Of several references the one that scores best counts.
///
/// # Memory
/// 192 bytes a sample, no text.
///
/// ```
/// use sensorium_eval::Chrf;
///
/// let mut chrf = Chrf::new();
/// chrf.add("the cat is on the mat", &["the cat sat on the mat"])?;
/// assert!((chrf.finish().chrf.unwrap() - 61.92515).abs() < 1e-5);
/// assert_eq!(chrf.signature(), "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no");
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chrf {
    words: bool,
    lowercase: bool,
    references: References,
    samples: Counted<COUNTS>,
}

impl Chrf {
    /// Starts counting.
    pub fn new() -> Self {
        Self::default()
    }

    /// With words and pairs of words counted as well: chrF++.
    #[must_use]
    pub fn with_words(mut self) -> Self {
        self.words = true;
        self
    }

    /// With capital and small letters taken for the same.
    #[must_use]
    pub fn with_lowercase(mut self) -> Self {
        self.lowercase = true;
        self
    }

    /// Counts one hypothesis, which may be empty, and returns its own chrF.
    ///
    /// # Errors
    /// [`Error::NoReferences`]; nothing is counted then.
    pub fn add<R: AsRef<str>>(&mut self, hypothesis: &str, references: &[R]) -> Result<f64, Error> {
        self.references.see(self.len(), references.len())?;
        let cased = |text: &str| match self.lowercase {
            true => text.to_lowercase(),
            false => text.to_owned(),
        };
        let hypothesis = cased(hypothesis);
        let mut best = ([0; COUNTS], -1.0);
        for reference in references {
            let row = compared(&hypothesis, &cased(reference.as_ref()), self.words);
            let score = scored(&row);
            if score > best.1 {
                best = (row, score);
            }
        }
        self.samples.push(best.0);
        Ok(best.1)
    }

    /// How many hypotheses were counted so far.
    pub fn len(&self) -> u64 {
        self.samples.len()
    }

    /// True before the first hypothesis.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what another has counted, for evaluation in several parts, which must count alike.
    ///
    /// # Errors
    /// [`Error::CountedOtherwise`], which names both signatures.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if (self.words, self.lowercase) != (other.words, other.lowercase) {
            return Err(Error::CountedOtherwise {
                ours: self.signature(),
                theirs: other.signature(),
            });
        }
        self.references.merge(other.references);
        self.samples.merge(&other.samples);
        Ok(())
    }

    /// chrF of all hypotheses counted so far.
    pub fn finish(&self) -> ChrfReport {
        ChrfReport {
            n: self.len(),
            chrf: (!self.is_empty()).then(|| scored(&self.samples.sums())),
        }
    }

    /// Its 95 % interval by the [bootstrap](crate::bootstrap) over the samples.
    pub fn interval(&self, resamples: usize, seed: u64) -> Option<Interval> {
        self.samples.interval(resamples, seed, scored)
    }

    /// What was counted how, as sacreBLEU writes it but for its version: to be given with the number.
    pub fn signature(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let words = if self.words { WORDS } else { 0 };
        let references = self.references;
        format!("nrefs:{references}|case:{case}|eff:yes|nc:{CHARACTERS}|nw:{words}|space:no")
    }
}

fn compared(hypothesis: &str, reference: &str, with_words: bool) -> [u64; COUNTS] {
    let characters = |text: &str| -> Vec<char> { text.chars().filter(|&c| !is_space(c)).collect() };
    let mut row = [0; COUNTS];
    let (said, wanted) = (characters(hypothesis), characters(reference));
    for (n, counts) in (1..=CHARACTERS).zip(row.chunks_exact_mut(3)) {
        counts.copy_from_slice(&overlap(&said, &wanted, n));
    }
    if with_words {
        let (said, wanted) = (words(hypothesis), words(reference));
        for (n, counts) in (1..=WORDS).zip(row[3 * CHARACTERS..].chunks_exact_mut(3)) {
            counts.copy_from_slice(&overlap(&said, &wanted, n));
        }
    }
    row
}

fn overlap<T: Eq + std::hash::Hash>(said: &[T], wanted: &[T], n: usize) -> [u64; 3] {
    let both = shared(&counts(said, n), &counts(wanted, n));
    match total(wanted, n) {
        // Nothing could have been right.
        0 => [0, 0, 0],
        runs => [total(said, n), runs, both],
    }
}

/// Words, with the punctuation mark at the end of each apart; only where there is none, one at its beginning.
fn words(text: &str) -> Vec<&str> {
    let is_mark = |c: char| c.is_ascii_punctuation();
    let mut words = Vec::new();
    for word in split(text) {
        let (first, last) = (word.chars().next(), word.chars().next_back());
        let ends = match (first, last) {
            _ if word.chars().nth(1).is_none() => None,
            (_, Some(last)) if is_mark(last) => Some(word.len() - last.len_utf8()),
            (Some(first), _) if is_mark(first) => Some(first.len_utf8()),
            _ => None,
        };
        match ends {
            Some(at) => words.extend([&word[..at], &word[at..]]),
            None => words.push(word),
        }
    }
    words
}

/// The F score of the mean precision and the mean recall, over the orders that both texts have runs of.
fn scored(row: &[u64; COUNTS]) -> f64 {
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for counts in row.chunks_exact(3) {
        let [said, wanted, both] = [counts[0], counts[1], counts[2]].map(|count| count as f64);
        if said > 0.0 && wanted > 0.0 {
            precision += both / said;
            recall += both / wanted;
            orders += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    100.0 * ((1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall))
}

/// chrF of a corpus; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChrfReport {
    /// Hypotheses measured.
    pub n: u64,
    /// chrF2, or chrF2++ where words were counted, in 0..100; undefined without hypotheses.
    pub chrf: Option<f64>,
}
