//! From features to a transcript: how Whisper's decoder is driven (arXiv 2212.04356, section 4.5).
//!
//! A recording is heard half a minute at a time. In each, words are chosen one after the other; what the model says of
//! times decides where the next half minute begins. What reads like a loop, or is unlikely, is tried again at a higher
//! temperature.

mod choose;
mod fallback;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use sensorium_audio::AudioBatch;
use sensorium_core::Encoder;
use sensorium_core::nn::DecoderCache;

pub use fallback::Fallback;
pub use settings::{Task, WhisperGeneration};

use super::WhisperForConditionalGeneration;
use crate::Error;
use crate::error::need;
use fallback::Tried;

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
    /// How many texts are followed side by side; `None` or 1 takes the likeliest word or character each time.
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

/// A recording's features: `[frames, n_mels]`, frame by frame.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    features: &'a [f32],
    n_mels: usize,
    frames: usize,
}

impl<'a> Recording<'a> {
    /// Features of which all are the recording's.
    ///
    /// # Panics
    /// If they are no whole frames.
    pub fn new(features: &'a [f32], n_mels: usize) -> Self {
        assert!(
            n_mels > 0 && features.len().is_multiple_of(n_mels),
            "{} numbers are no frames of {n_mels}",
            features.len()
        );
        Self {
            features,
            n_mels,
            frames: features.len() / n_mels,
        }
    }

    /// The same where only the first `frames` are the recording's, and what follows is how silence after it sounds: what is
    /// shorter than half a minute is heard with as much of it.
    pub fn with_frames(mut self, frames: usize) -> Self {
        self.frames = self.frames.min(frames);
        self
    }

    /// How many frames are the recording's.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Frames from `start` on, as many as `count`, with zeros after the last.
    fn window(&self, start: usize, count: usize) -> Vec<f32> {
        let end = self.features.len();
        let [from, to] = [start, start + count].map(|frame| end.min(frame * self.n_mels));
        let mut window = self.features[from..to].to_vec();
        window.resize(count * self.n_mels, 0.0);
        window
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
        let window = self.model.model.encoder.n_frames();
        let frames = recording.frames();
        let timestamps = how.timestamps || frames > window;
        self.settings.check(how, timestamps)?;
        let named = how.language.as_deref();
        let named = named.filter(|_| self.settings.is_multilingual());
        let named = named.map(|name| self.settings.language(name)).transpose()?;
        let first = self.hear(recording, 0);
        let language = match named {
            None if self.settings.is_multilingual() => Some(self.language(&first)?),
            named => named,
        };
        let begin = self.settings.begin(language, how.task, timestamps)?;
        self.leaves_room(begin.len())?;
        let mut rng = sensorium_core::seed::rng(how.seed, &[]);
        let mut transcript = Transcript {
            language,
            segments: Vec::new(),
        };
        let (mut seek, mut on_previous) = (0, how.on_previous);
        let mut heard = Some(first);
        while seek < frames {
            let here = seek..frames.min(seek + window);
            let sound = heard.take();
            let sound = sound.unwrap_or_else(|| self.hear(recording, seek));
            let previous = match on_previous {
                true => self.previous(&transcript.segments),
                false => Vec::new(),
            };
            let prompt = Prompt {
                tokens: [&previous[..], &begin].concat(),
                start: previous.len(),
                timestamps,
            };
            let tried = self.with_fallback(&sound, &prompt, how, &mut rng);
            on_previous = how.on_previous && tried.temperature < 0.5;
            if tried.silent {
                seek = here.end;
                continue;
            }
            let (segments, moved) = self.segments(&tried, &here);
            seek += moved;
            for segment in segments {
                on_segment(&segment, seek.min(frames));
                transcript.segments.push(segment);
            }
        }
        Ok(transcript)
    }

    /// Refuses a model whose positions what stands before a text would fill.
    fn leaves_room(&self, begin: usize) -> Result<(), Error> {
        let positions = self.model.model.decoder.position.max_len();
        let needed = 2 * begin + 1; // half of all may be what was said before
        need(
            positions >= needed,
            "config.json",
            "max_target_positions",
            || format!("{positions} must be at least {needed} to begin a text with {begin} tokens"),
        )
    }

    /// Half a minute from a frame on, heard, and the beginning of any text about it.
    fn hear(&self, recording: Recording<'_>, start: usize) -> DecoderCache {
        let encoder = &self.model.model.encoder;
        let frames = encoder.n_frames();
        let device = encoder.position.val().device();
        let features = recording.window(start, frames);
        let data = TensorData::new(features, [1, frames, recording.n_mels]);
        let batch = AudioBatch::dense(Tensor::from_data(data, &device));
        self.model.begin(&encoder.encode(batch).embeds)
    }

    /// The language that is likeliest after the start of a text.
    fn language(&self, heard: &DecoderCache) -> Result<u32, Error> {
        let start = self.ids(&[self.settings.start]);
        let scores = self.model.next(start, &mut heard.clone());
        let scores = host(scores);
        let languages = self.settings.languages();
        let likeliest = languages.max_by(|a, b| {
            let score = |id: &u32| scores[*id as usize];
            score(a).total_cmp(&score(b)).then(b.cmp(a))
        });
        likeliest.ok_or_else(|| self.settings.unknown("lang_to_id", "names no language"))
    }

    /// What was said so far, as it is read before the next half minute: the last of it, at most as much as leaves half of
    /// all places for what comes.
    fn previous(&self, segments: &[Segment]) -> Vec<u32> {
        if segments.is_empty() {
            return Vec::new();
        }
        let times = self.settings.first_time();
        let mut tokens = Vec::new();
        for segment in segments {
            let tokens_here = &segment.tokens;
            let count = tokens_here.len();
            // A segment that ends with two times says when the next begins, which is not known yet.
            let doubled = count > 2 && tokens_here[count - 2] >= times;
            tokens.extend_from_slice(&tokens_here[..count - usize::from(doubled)]);
        }
        let most = self.model.model.decoder.position.max_len() / 2;
        let most = most.saturating_sub(1);
        let last = &tokens[tokens.len().saturating_sub(most)..];
        let before = self.settings.before_previous();
        before.into_iter().chain(last.iter().copied()).collect()
    }

    /// What a half minute's words say, and how many frames on the next begins.
    fn segments(&self, tried: &Tried, frames: &Range<usize>) -> (Vec<Segment>, usize) {
        let (tokens, times) = (&tried.tokens, self.settings.first_time());
        let offset_s = frames.start as f64 * TIME_S / 2.0;
        let is_time = |i: usize| tokens[i] >= times;
        let time = |token: u32| f64::from(token - times) * TIME_S;
        let segment = |range: Range<usize>, start_s: f64, end_s: f64| Segment {
            start_s: offset_s + start_s,
            end_s: offset_s + end_s,
            tokens: tokens[range].to_vec(),
            log_probability: tried.log_probability,
            no_speech: Some(tried.no_speech),
            temperature: tried.temperature,
        };
        let count = tokens.len();
        let ends_with_one = count >= 2 && !is_time(count - 2) && is_time(count - 1);
        let pairs = (1..count).filter(|i| is_time(i - 1) && is_time(*i));
        let mut ends: Vec<usize> = pairs.collect();
        let Some(last) = ends.last_mut() else {
            // No two times in a row: all is one segment.
            let last = (0..count).rev().find(|i| is_time(*i));
            let end_s = match last {
                Some(i) if tokens[i] != times => time(tokens[i]),
                _ => (frames.len() / 2) as f64 * TIME_S,
            };
            return (vec![segment(0..count, 0.0, end_s)], frames.len());
        };
        match ends_with_one {
            true => ends.push(count),
            false => *last += 1, // the second of the two, which says that something follows
        }
        let mut start = 0;
        let mut segments = Vec::with_capacity(ends.len());
        for (i, end) in ends.iter().enumerate() {
            let back = match i + 1 == ends.len() && !ends_with_one {
                true => 2,
                false => 1,
            };
            let (first, last) = (tokens[start], tokens[end - back]);
            // Between two segments a model may leave a time out.
            let at = |token: u32| time(token.max(times));
            segments.push(segment(start..*end, at(first), at(last)));
            start = *end;
        }
        let moved = match ends_with_one {
            true => frames.len(), // nothing is said after it
            false => 2 * (tokens[start - 2] - times) as usize,
        };
        // Where it says that nothing has passed, it would hear the same for ever.
        (segments, if moved == 0 { frames.len() } else { moved })
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

fn host(scores: Tensor<2>) -> Vec<f32> {
    let data = scores.into_data().convert::<f32>();
    data.iter::<f32>().collect()
}
