//! A corpus of transcripts: errors counted pair by pair, so that no text need be kept.

use serde::{Deserialize, Serialize};

use super::{EditCounts, align_characters, align_words};
use crate::Error;

/// Counts the errors of transcripts, one pair at a time; [`finish`](Self::finish) gives the metrics.
///
/// Texts are compared as they come, case and punctuation among them: bring both into one form first, with
/// [`normalise`](crate::normalise).
///
/// ```
/// use sensorium_eval::Transcription;
///
/// let mut counts = Transcription::new();
/// counts.add("the cat sat on the mat", "the cat sit on mat");
/// counts.add("good morning", "good morning");
/// let report = counts.finish();
/// assert_eq!((report.n, report.wer), (2, 2.0 / 8.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcription {
    pairs: u64,
    words: EditCounts,
    characters: EditCounts,
}

impl Transcription {
    /// Starts counting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts references and the hypotheses that belong to them.
    ///
    /// # Errors
    /// [`Error::PairCount`] where there are not as many of the one as of the other.
    pub fn of<R: AsRef<str>, H: AsRef<str>>(
        references: &[R],
        hypotheses: &[H],
    ) -> Result<Self, Error> {
        if references.len() != hypotheses.len() {
            return Err(Error::PairCount {
                references: references.len(),
                hypotheses: hypotheses.len(),
            });
        }
        let mut counts = Self::new();
        for (reference, hypothesis) in references.iter().zip(hypotheses) {
            counts.add(reference.as_ref(), hypothesis.as_ref());
        }
        Ok(counts)
    }

    /// Counts one pair, and returns what was wrong in it. Either text may be empty.
    pub fn add(&mut self, reference: &str, hypothesis: &str) -> PairCounts {
        let pair = PairCounts {
            words: align_words(reference, hypothesis).counts(),
            characters: align_characters(reference, hypothesis).counts(),
        };
        self.pairs += 1;
        self.words += pair.words;
        self.characters += pair.characters;
        pair
    }

    /// How many pairs were counted so far.
    pub fn len(&self) -> u64 {
        self.pairs
    }

    /// True before the first pair.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// Adds what another has counted, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.words += other.words;
        self.characters += other.characters;
    }

    /// The metrics of all pairs counted so far.
    pub fn finish(&self) -> TranscriptionReport {
        TranscriptionReport {
            n: self.pairs,
            wer: self.words.error_rate(),
            mer: self.words.match_error_rate(),
            wil: self.words.information_lost(),
            wip: self.words.information_preserved(),
            cer: self.characters.error_rate(),
            words: self.words,
            characters: self.characters,
        }
    }
}

/// What was wrong in one transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCounts {
    /// Counted in words.
    pub words: EditCounts,
    /// Counted in characters.
    pub characters: EditCounts,
}

/// All metrics of the transcripts of a corpus, equal to jiwer's; the keys of its JSON are stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TranscriptionReport {
    /// Pairs of reference and hypothesis.
    pub n: u64,
    /// Word error rate: [`EditCounts::error_rate`] of the words of all pairs together.
    pub wer: f64,
    /// Match error rate, of words: [`EditCounts::match_error_rate`].
    pub mer: f64,
    /// Word information lost: [`EditCounts::information_lost`].
    pub wil: f64,
    /// Word information preserved: [`EditCounts::information_preserved`].
    pub wip: f64,
    /// Character error rate: [`EditCounts::error_rate`] of the characters of all pairs together.
    pub cer: f64,
    /// What the rates of words are made of.
    pub words: EditCounts,
    /// What the rate of characters is made of.
    pub characters: EditCounts,
}
