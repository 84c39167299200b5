//! What a model keeps of a talk between its turns.

use crate::causal::{Kept, Speaking};
use crate::vision_language::PreparedImage;

/// What a model keeps of a talk between its turns, so that only what is new has to be read: what it has read and said, and what it has
/// seen. It takes the memory of the talk's keys and values, and is of one model: another takes another.
///
/// Whatever the next prompt is, the answer is the one to the whole of it: where it no longer begins alike, it is read from there.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Option<Kept>,
    pictures: Vec<PreparedImage>,
    read: usize,
}

impl Memory {
    /// How many tokens of the last prompt had to be read.
    pub fn read(&self) -> usize {
        self.read
    }

    /// How many pictures have been seen already, of those of a prompt in their order.
    pub(super) fn seen_alike(&self, pictures: &[PreparedImage]) -> usize {
        let pairs = self.pictures.iter().zip(pictures);
        pairs.take_while(|(own, other)| own == other).count()
    }

    /// Hands out what was kept.
    pub(super) fn take(&mut self) -> Option<Kept> {
        self.pictures.clear();
        self.kept.take()
    }

    /// Keeps what was read and said, and the pictures of it.
    pub(super) fn keep(&mut self, speaking: Speaking<'_>, pictures: Vec<PreparedImage>) {
        self.read = speaking.read().unwrap_or_default();
        self.kept = speaking.kept();
        self.pictures = pictures;
    }
}
