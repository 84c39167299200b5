//! Transcripts, measured as jiwer does: word and character errors, and what was said beside what was heard.

mod alignment;
mod bits;
mod corpus;
mod counts;
mod levenshtein;

pub use alignment::{Alignment, Chunk, Edit, align_characters, align_words};
pub use corpus::{PairCounts, Transcription, TranscriptionReport};
pub use counts::EditCounts;
