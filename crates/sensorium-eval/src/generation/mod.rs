//! Texts that a model wrote, beside texts that people wrote: overlap of words and characters, answers, likelihood.

mod bleu;
mod captions;
mod chrf;
mod cider;
mod exact;
mod ngrams;
mod perplexity;
mod rouge;
mod samples;
mod vqa;
mod vqa_answers;
mod words;

pub use bleu::{Bleu, BleuReport};
pub use captions::caption_words;
pub use chrf::{Chrf, ChrfReport};
pub use cider::{Cider, CiderReport, CiderScore};
pub use exact::{ExactMatch, ExactMatchReport};
pub use perplexity::{Perplexity, PerplexityReport};
pub use rouge::{Rouge, RougeKind, RougeReport, RougeScore, RougeScores};
pub use vqa::{VqaAccuracy, VqaReport};
pub use vqa_answers::vqa_answer;
pub use words::BleuTokens;
