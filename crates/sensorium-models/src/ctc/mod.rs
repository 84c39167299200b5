//! Connectionist temporal classification (Graves et al., 2006): from how likely each character is in each frame of a sound
//! to what is said in it. On the host, on plain numbers, so that it is the same on every backend; but for [`CtcLoss`], which
//! training minimises, where the logits are.
//!
//! A frame says a character or nothing, the blank. Characters that follow each other are one; two in a row have a blank
//! between them.
//!
//! ```
//! use sensorium_models::ctc::{CtcFiles, CtcVocabulary, FrameScores, Search};
//! use serde_json::json;
//!
//! let files = CtcFiles::of_vocab(json!({"<pad>": 0, "|": 1, "A": 2, "B": 3}));
//! let vocabulary = CtcVocabulary::parse(&files, 4)?;
//!
//! // A, A again, the blank, A, a space, B
//! let mut scores = FrameScores::new(4);
//! for label in [2, 2, 0, 2, 1, 3] {
//!     let mut logits = [0.0; 4];
//!     logits[label] = 3.0;
//!     scores.push(&logits);
//! }
//! let labels = Search::Greedy.decode(&scores, &vocabulary);
//! assert_eq!(vocabulary.text(&labels), "AA B");
//! let words = vocabulary.words(&labels);
//! assert_eq!((words[1].text.as_str(), words[1].frames.clone()), ("B", 5..6));
//!
//! let labels = Search::Beams(8).decode(&scores, &vocabulary);
//! assert_eq!(vocabulary.text(&labels), "AA B");
//! # Ok::<(), sensorium_models::Error>(())
//! ```

mod beam;
mod files;
mod greedy;
mod loss;
mod scores;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_loss;
mod vocabulary;

use std::ops::Range;

pub use beam::{Found, MOST_BEAMS, beam_search};
pub use files::CtcFiles;
pub use loss::{CtcLoss, CtcReduction};
pub use scores::FrameScores;
pub use vocabulary::{CtcVocabulary, Piece};

/// A character and the frames in which it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its id.
    pub id: u32,
    /// From its first frame to the one after its last.
    pub frames: Range<usize>,
}

/// How what is said is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// The likeliest character of each frame.
    #[default]
    Greedy,
    /// The likeliest text, all ways to say it added up, with as many beginnings of texts kept at a time; at least 1.
    Beams(usize),
}

impl Search {
    /// The characters that are said, with their frames. Frames of a text that beams found are those of the likeliest way
    /// to say it.
    ///
    /// # Panics
    /// If the scores are of fewer ids than the vocabulary.
    pub fn decode(self, scores: &FrameScores, vocabulary: &CtcVocabulary) -> Vec<Label> {
        match self {
            Self::Greedy => greedy::decode(scores, vocabulary),
            Self::Beams(width) => {
                let found = beam_search(scores, vocabulary.blank(), width);
                found
                    .into_iter()
                    .next()
                    .map_or(Vec::new(), |best| best.labels)
            }
        }
    }
}
