//! How many of which errors, and the rates that are made of them.

use serde::{Deserialize, Serialize};

use super::{Chunk, Edit};

/// Counts of words or of characters. Rates are of the counts at hand: those of a corpus are taken of the sum of its
/// pairs' counts ([`+=`](std::ops::AddAssign)), so that a long text weighs more than a short one.
///
/// ```
/// let counts = sensorium_eval::align_words("the cat sat on the mat", "the cat sit on mat").counts();
/// assert_eq!((counts.hits, counts.substitutions, counts.deletions, counts.insertions), (4, 1, 1, 0));
/// assert_eq!(counts.error_rate(), 2.0 / 6.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditCounts {
    /// Units of the reference that were said.
    pub hits: u64,
    /// Units of the reference in whose place another was said.
    pub substitutions: u64,
    /// Units of the reference that were left out.
    pub deletions: u64,
    /// Units of the hypothesis that the reference has not.
    pub insertions: u64,
}

impl EditCounts {
    /// All substitutions, deletions and insertions: the Levenshtein distance.
    pub fn errors(&self) -> u64 {
        self.substitutions + self.deletions + self.insertions
    }

    /// The length of the reference, N.
    pub fn reference_len(&self) -> u64 {
        self.hits + self.substitutions + self.deletions
    }

    /// The length of the hypothesis.
    pub fn hypothesis_len(&self) -> u64 {
        self.hits + self.substitutions + self.insertions
    }

    /// The word or character error rate, (S + D + I) / N: 0 is perfect, and it can be above 1. Without a reference
    /// there is no rate; as with jiwer it is then the *number* of insertions, so that silence heard as silence is 0.
    pub fn error_rate(&self) -> f64 {
        match self.reference_len() {
            0 => self.insertions as f64,
            n => self.errors() as f64 / n as f64,
        }
    }

    /// The match error rate, (S + D + I) / (H + S + D + I), in 0..1 (Morris, Maier and Green, 2004); 0 of nothing.
    pub fn match_error_rate(&self) -> f64 {
        match self.hits + self.errors() {
            0 => 0.0,
            all => self.errors() as f64 / all as f64,
        }
    }

    /// The information preserved, H² / (N · length of the hypothesis), in 0..1 (Morris, Maier and Green, 2004): 1 where
    /// both are empty, 0 where one is.
    pub fn information_preserved(&self) -> f64 {
        match (self.reference_len(), self.hypothesis_len()) {
            (0, 0) => 1.0,
            (0, _) | (_, 0) => 0.0,
            (n, said) => (self.hits as f64 / n as f64) * (self.hits as f64 / said as f64),
        }
    }

    /// The information lost: 1 less what is [preserved](Self::information_preserved).
    pub fn information_lost(&self) -> f64 {
        1.0 - self.information_preserved()
    }

    pub(super) fn of(chunks: &[Chunk]) -> Self {
        let mut counts = Self::default();
        for chunk in chunks {
            let (reference, hypothesis) =
                (chunk.reference.len() as u64, chunk.hypothesis.len() as u64);
            match chunk.edit {
                Edit::Equal => counts.hits += reference,
                Edit::Substitute => counts.substitutions += reference,
                Edit::Delete => counts.deletions += reference,
                Edit::Insert => counts.insertions += hypothesis,
            }
        }
        counts
    }
}

impl std::ops::AddAssign for EditCounts {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }
}
