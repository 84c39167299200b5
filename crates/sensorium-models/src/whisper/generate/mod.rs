//! From features to a transcript: how Whisper's decoder is driven (arXiv 2212.04356, section 4.5).
//!
//! A recording is heard half a minute at a time. In each, words are chosen one after the other, or several texts followed
//! side by side; what the model says of times decides where the next half minute begins. What reads like a loop, or is
//! unlikely, is tried again at a higher temperature.

mod choose;
mod course;
mod decode;
mod fallback;
mod recording;
mod rules;
mod segments;
mod settings;
#[cfg(test)]
mod tests;

pub use course::Course;
pub use fallback::Fallback;
pub use recording::Recording;
pub use settings::{MOST_BEAMS, Task, WhisperGeneration};

use super::WhisperForConditionalGeneration;
use crate::Error;

/// Seconds from one time that can be said to the next: that of a token of sound.
pub const TIME_S: f64 = 0.02;

/// How a recording is transcribed.
#[derive(Clone, Debug, Default)]
pub struct Transcribe {
    /// The language that is spoken, as `en`; heard out of the first half minute if none.
    pub language: Option<String>,
    /// Whether it is written down in that language, or in English.
    pub task: Task,
    /// Whether times are said. What is longer than half a minute needs them.
    pub timestamps: bool,
    /// Whether what was said so far is read again before each half minute: names stay the same, but so do mistakes.
    pub on_previous: bool,
    /// How many texts are followed side by side; Whisper does so at a temperature of zero, up to [`MOST_BEAMS`]. 1 takes the
    /// likeliest word or character each time, and so does `None` where `generation_config.json` does not say otherwise.
    pub beams: Option<usize>,
    /// When a half minute is tried again, or passed over.
    pub fallback: Fallback,
    /// Of what is drawn at temperatures above zero.
    pub seed: u64,
}

/// What was said within some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// When it begins, in seconds.
    pub start_s: f64,
    /// When it ends, in seconds.
    pub end_s: f64,
    /// Ids of words, and of times.
    pub tokens: Vec<u32>,
    /// How likely the words of its half minute are, on average: the mean of the logarithms of their probabilities.
    pub log_probability: f32,
    /// How likely it is that its half minute holds no speech; `None` of a model that does not say.
    pub no_speech: Option<f32>,
    /// The temperature that its words were chosen at.
    pub temperature: f32,
}

/// A whole recording's.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// The id of the language's token; `None` of a model for English.
    pub language: Option<u32>,
    /// In their order.
    pub segments: Vec<Segment>,
}

impl Transcript {
    /// All ids, of words and of times.
    pub fn tokens(&self) -> Vec<u32> {
        let tokens = self.segments.iter().map(|segment| &segment.tokens[..]);
        tokens.collect::<Vec<_>>().concat()
    }
}

/// A model that writes down what it hears.
#[derive(Clone, Copy, Debug)]
pub struct Transcriber<'a> {
    model: &'a WhisperForConditionalGeneration,
    settings: &'a WhisperGeneration,
}

impl<'a> Transcriber<'a> {
    /// Drives `model` as its `generation_config.json` says.
    pub fn new(
        model: &'a WhisperForConditionalGeneration,
        settings: &'a WhisperGeneration,
    ) -> Self {
        Self { model, settings }
    }

    /// What is said in a recording. Segments are shown to `on_segment` as soon as they are known, with how many frames have
    /// been heard.
    ///
    /// # Errors
    /// If the model does not know the language or the task, cannot say times and has to, or has no place for a text.
    ///
    /// # Panics
    /// If the features have other bands than the model's.
    pub fn transcribe(
        &self,
        recording: Recording<'_>,
        how: &Transcribe,
        mut on_segment: impl FnMut(&Segment, usize),
    ) -> Result<Transcript, Error> {
        let mut course = self.start(recording, how)?;
        while !course.is_done() {
            let row = (recording, &mut course);
            self.round(&mut [row], how, |_, segment, frames| {
                on_segment(segment, frames);
            })?;
        }
        Ok(course.transcript().clone())
    }
}

/// What stands before the first word that is chosen.
#[derive(Clone, Debug)]
struct Prompt {
    /// What was said before, if anything, and how the text begins.
    tokens: Vec<u32>,
    /// Where the text begins.
    start: usize,
    timestamps: bool,
}
