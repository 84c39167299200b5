//! What a model keeps of a talk between its turns.

use std::ops::ControlFlow;

use super::write::{Asked, Written, spoken};
use crate::Error;
use crate::causal::{Kept, Speaking};
use crate::vision_language::PreparedImage;

/// What a model keeps of a talk between its turns, so that only what is new has to be read: what it has read and said, and what it has
/// seen. It takes the memory of the talk's keys and values, and is of one model: another takes another.
///
/// Whatever the next prompt is, the answer is the one to the whole of it: where it no longer begins alike, it is read from there.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) kept: Option<Kept>,
    /// Those of the last prompt; where nothing is kept, no prompt begins like it.
    pub(super) pictures: Vec<PreparedImage>,
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

    /// What is said after the one prompt that a model has read; both are kept.
    pub(super) fn spoken(
        &mut self,
        mut speaking: Speaking<'_>,
        scores: Vec<f32>,
        asked: &Asked<'_>,
        decode: impl Fn(&[u32]) -> String,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Written, Error> {
        let on_text = |_, piece: &str| on_text(piece);
        let written = spoken(&mut speaking, scores, asked, decode, on_text)?;
        self.read = speaking.read().unwrap_or_default();
        self.kept = speaking.kept();
        Ok(written.into_iter().next().expect("one prompt, one text"))
    }
}
