//! Speech to text, character by character: wav2vec 2.0 and HuBERT.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_audio::{SoundFeatures, SoundProcessor, Waveform};
use sensorium_core::Source;
use sensorium_hub::Checkpoint;

use super::speech::{PreparedSpeech, Said, Speech};
use super::{unfit, waveform_processor};
use crate::ctc::{CtcFiles, CtcVocabulary, FrameScores, Label, Piece, Search};
use crate::error::need;
use crate::wav2vec2::{Wav2Vec2Config, Wav2Vec2ForCtc, Wav2Vec2Input};
use crate::whisper::generate::Segment;
use crate::{Error, Published};

/// How a long recording is heard: in parts that overlap, of which what lies at a seam is thrown away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Seconds of a part.
    pub length_s: f64,
    /// Seconds at its start and at its end that it shares with others, and that are heard for what is around them alone.
    pub shared_s: [f64; 2],
}

impl Default for Windows {
    /// 20 s, a sixth of which at either end is shared.
    fn default() -> Self {
        Self {
            length_s: 20.0,
            shared_s: [20.0 / 6.0; 2],
        }
    }
}

/// A part of a recording: its samples, and those of its tokens that count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    samples: Range<usize>,
    tokens: Range<usize>,
}

impl Windows {
    /// Samples of a part, and of what it shares at its start and end, in whole tokens.
    fn samples(&self, rate_hz: u32, step: usize) -> [usize; 3] {
        let whole = |seconds: f64| {
            let tokens = (seconds * f64::from(rate_hz) / step as f64).round_ties_even();
            tokens.max(0.0) as usize * step
        };
        let [start, end] = self.shared_s;
        [whole(self.length_s), whole(start), whole(end)]
    }

    /// Refuses parts that are too long to hold, or that nothing is left of.
    fn validate(&self, rate_hz: u32, step: usize) -> Result<(), Error> {
        let fits = (0.0..=3600.0).contains(&self.length_s)
            && self
                .shared_s
                .iter()
                .all(|share| *share >= 0.0 && *share <= 3600.0);
        let left = fits && {
            let [length, start, end] = self.samples(rate_hz, step);
            length > start + end
        };
        need(left, "windows", "length_s", || {
            let ([start, end], length) = (self.shared_s, self.length_s);
            format!(
                "{length} s must be at most 3600, and more than the {start} s and {end} s that are shared"
            )
        })
    }

    /// The parts of a recording of so many samples, as Transformers' pipeline makes them of `chunk_length_s` and
    /// `stride_length_s`; `step` samples are a token.
    fn parts(&self, samples: usize, rate_hz: u32, step: usize) -> Vec<Part> {
        let [length, before, after] = self.samples(rate_hz, step);
        let mut parts = Vec::new();
        for start in (0..samples).step_by(length - before - after) {
            let end = samples.min(start + length);
            let is_last = start + length >= samples;
            let left = if start == 0 { 0 } else { before };
            let right = if is_last { 0 } else { after };
            if end - start > left {
                parts.push(Part {
                    samples: start..end,
                    tokens: kept(end - start, [left, right], step),
                });
            }
            if is_last {
                break;
            }
        }
        parts
    }
}

/// Tokens of so many samples without those that are shared at either end, rounded as the reference does.
fn kept(samples: usize, shared: [usize; 2], step: usize) -> Range<usize> {
    let tokens = (samples as f64 * (1.0 / step as f64)).round_ties_even();
    let [left, right] = shared.map(|shared| {
        let share = shared as f64 / samples as f64 * tokens;
        share.round_ties_even() as usize
    });
    left..(tokens as usize).saturating_sub(right)
}

/// A model that tells characters apart in each frame of a sound, with what it hears by, and its characters.
#[derive(Debug)]
pub struct CtcToText {
    model: Wav2Vec2ForCtc,
    config: Wav2Vec2Config,
    vocabulary: CtcVocabulary,
    processor: SoundProcessor,
    windows: Windows,
    device: Device,
}

impl CtcToText {
    /// Opens a checkpoint of `Wav2Vec2ForCTC` or `HubertForCTC`. Its tokenizer is a `Wav2Vec2CTCTokenizer`; a language model
    /// that lies beside it is not heeded.
    ///
    /// # Errors
    /// If it is of another kind, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let loaded = Wav2Vec2ForCtc::load(checkpoint, device)?;
        let n_ids = loaded.config.vocab_size.unwrap_or_default();
        let model = Self {
            model: loaded.model,
            vocabulary: CtcVocabulary::parse(&CtcFiles::read(checkpoint)?, n_ids)?,
            processor: waveform_processor(checkpoint)?,
            config: loaded.config,
            windows: Windows::default(),
            device: device.clone(),
        };
        let step = model.config.samples_per_token();
        let usual = model
            .windows
            .validate(model.processor.sample_rate_hz(), step);
        usual.map_err(|_| {
            let problem = format!("one token is of {step} samples, so that 20 s have hardly one");
            unfit(checkpoint, problem)
        })?;
        Ok(model)
    }

    /// Hears recordings in other parts.
    ///
    /// # Errors
    /// If nothing would be left of a part, or it is longer than an hour.
    pub fn with_windows(mut self, windows: Windows) -> Result<Self, Error> {
        let step = self.config.samples_per_token();
        windows.validate(self.processor.sample_rate_hz(), step)?;
        self.windows = windows;
        Ok(self)
    }

    /// Decodes a recording; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, sound: &Source) -> Result<PreparedSpeech, Error> {
        let samples = self.processor.samples(sound)?;
        Ok(PreparedSpeech::of_samples(
            samples,
            self.processor.sample_rate_hz(),
        ))
    }

    /// What is said, each word with its times. Words are shown to `on_said`, with how many seconds have been heard: as soon
    /// as they are known of a greedy search, and of beams, which may still choose others, at the end.
    pub fn transcribe(
        &self,
        speech: &PreparedSpeech,
        search: Search,
        mut on_said: impl FnMut(&Said, f64),
    ) -> Speech {
        let samples = speech.samples();
        let (rate_hz, step) = (
            self.processor.sample_rate_hz(),
            self.config.samples_per_token(),
        );
        let mut scores = FrameScores::new(self.vocabulary.n_ids());
        let mut shown = 0;
        for part in self.windows.parts(samples.len(), rate_hz, step) {
            scores.push(&self.hear(&samples[part.samples.clone()], &part.tokens));
            if search != Search::Greedy {
                continue;
            }
            // The last word may go on in the next part.
            let labels = search.decode(&scores, &self.vocabulary);
            let words = self.vocabulary.words(&labels);
            let known = words.len().saturating_sub(1);
            let seconds = part.samples.end as f64 / f64::from(rate_hz);
            for word in words.into_iter().take(known).skip(shown) {
                on_said(&self.word(&scores, &labels, word), seconds);
            }
            shown = shown.max(known);
        }
        let labels = search.decode(&scores, &self.vocabulary);
        let segments = self.said(&scores, &labels);
        for said in segments.iter().skip(shown) {
            on_said(said, speech.seconds());
        }
        Speech {
            language: None,
            text: self.vocabulary.text(&labels),
            segments,
        }
    }

    /// The logits of some tokens of a part, token by token.
    fn hear(&self, samples: &[f32], tokens: &Range<usize>) -> Vec<f32> {
        let count = samples.len();
        let there = self.config.n_tokens(count);
        let tokens = tokens.start.min(there)..tokens.end.min(there);
        if tokens.is_empty() {
            return Vec::new();
        }
        let samples = self.waveform().compute(samples);
        let data = TensorData::new(samples, [1, count]);
        let input = Wav2Vec2Input::dense(Tensor::from_data(data, &self.device));
        let logits = self.model.forward(input).logits; // [1, T, V]
        let logits = logits.narrow(1, tokens.start, tokens.len());
        logits.into_data().convert::<f32>().iter::<f32>().collect()
    }

    fn waveform(&self) -> &Waveform {
        match self.processor.features() {
            SoundFeatures::Waveform(waveform) => waveform,
            _ => unreachable!("open takes no other"),
        }
    }

    /// Each word that labels make, with its times.
    fn said(&self, scores: &FrameScores, labels: &[Label]) -> Vec<Said> {
        let words = self.vocabulary.words(labels);
        words
            .into_iter()
            .map(|word| self.word(scores, labels, word))
            .collect()
    }

    fn word(&self, scores: &FrameScores, labels: &[Label], word: Piece) -> Said {
        let labels = &labels[word.labels];
        let frames = |label: &Label| {
            let id = label.id;
            label.frames.clone().map(move |frame| (frame, id))
        };
        let log_p = labels.iter().flat_map(frames);
        let log_p: Vec<f64> = log_p
            .map(|(frame, id)| scores.log_probability(frame, id))
            .collect();
        let frame_s =
            self.config.samples_per_token() as f64 / f64::from(self.processor.sample_rate_hz());
        Said {
            text: word.text,
            segment: Segment {
                start_s: word.frames.start as f64 * frame_s,
                end_s: word.frames.end as f64 * frame_s,
                tokens: labels.iter().map(|label| label.id).collect(),
                log_probability: (log_p.iter().sum::<f64>() / log_p.len().max(1) as f64) as f32,
                no_speech: None,
                temperature: 0.0,
            },
        }
    }
}
