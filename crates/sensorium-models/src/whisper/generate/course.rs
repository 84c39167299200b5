//! Recordings side by side, each half a minute on at a time: where the next half minute of one begins is known when this one's
//! words are.

use burn::tensor::{Tensor, TensorData};
use sensorium_audio::AudioBatch;
use sensorium_core::nn::DecoderCache;
use sensorium_core::{Encoder, SampleRng};

use super::fallback::Tried;
use super::{Prompt, Recording, Segment, Transcribe, Transcriber, Transcript};
use crate::Error;
use crate::error::need;
use crate::scores::host;

/// How far a recording has been transcribed.
#[derive(Clone, Debug)]
pub struct Course {
    /// How its texts begin, once its language is known.
    begin: Option<Vec<u32>>,
    timestamps: bool,
    frames: usize,
    /// Where what is heard next begins.
    seek: usize,
    on_previous: bool,
    rng: SampleRng,
    transcript: Transcript,
}

impl Course {
    /// Whether all has been heard.
    pub fn is_done(&self) -> bool {
        self.begin.is_some() && self.seek >= self.frames
    }

    /// What was said so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl Transcriber<'_> {
    /// Begins to transcribe a recording, of which nothing is heard yet.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn start(&self, recording: Recording<'_>, how: &Transcribe) -> Result<Course, Error> {
        let frames = recording.frames();
        let timestamps = how.timestamps || frames > self.model.model.encoder.n_frames();
        self.settings.check(how, timestamps)?;
        let mut course = Course {
            begin: None,
            timestamps,
            frames,
            seek: 0,
            on_previous: how.on_previous,
            rng: sensorium_core::seed::rng(how.seed, &[]),
            transcript: Transcript {
                language: None,
                segments: Vec::new(),
            },
        };
        let named = how.language.as_deref();
        let named = named.filter(|_| self.settings.is_multilingual());
        let named = named.map(|name| self.settings.language(name)).transpose()?;
        // Any language will do to see whether a text has room.
        let any = named.or_else(|| self.settings.spoken().next());
        let begin = self.settings.begin(any, how.task, timestamps)?;
        self.leaves_room(begin.len())?;
        if named.is_some() || any.is_none() {
            course.transcript.language = named;
            course.begin = Some(begin);
        }
        Ok(course)
    }

    /// Hears the next half minute of each recording, and writes down what is said in it: what can be computed for all of them
    /// at once is, and comes out as for each alone. Segments are shown to `on_segment` with the row of the recording and how
    /// many of its frames have been heard.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    ///
    /// # Panics
    /// If features have other bands than the model's, or a recording is done.
    pub fn round(
        &self,
        rows: &mut [(Recording<'_>, &mut Course)],
        how: &Transcribe,
        mut on_segment: impl FnMut(usize, &Segment, usize),
    ) -> Result<(), Error> {
        let count = rows.len();
        let heard = self.hear(
            rows.iter()
                .map(|(recording, course)| (recording, course.seek)),
        );
        self.hear_languages(&heard, rows, how)?;
        // What is too short for a frame has a language alone.
        let ahead = |course: &Course| course.seek < course.frames;
        let all = rows.iter().enumerate();
        let said: Vec<usize> = all.filter(|(_, (_, c))| ahead(c)).map(|(i, _)| i).collect();
        let prompts = said.iter().map(|i| self.prompt(rows[*i].1));
        let prompts = prompts.collect::<Vec<_>>();
        let courses = rows.iter_mut().map(|(_, course)| &mut **course);
        let mut courses: Vec<&mut Course> = courses.filter(|course| ahead(course)).collect();
        let mut rngs: Vec<&mut SampleRng> = courses.iter_mut().map(|c| &mut c.rng).collect();
        let heard = self.only(&heard, &said, count);
        let tried = self.with_fallback(&heard, &prompts, how, &mut rngs)?;
        for ((i, course), tried) in said.iter().zip(courses).zip(tried) {
            let before = course.transcript.segments.len();
            self.went_on(course, &tried, how);
            let seek = course.seek.min(course.frames);
            for segment in &course.transcript.segments[before..] {
                on_segment(*i, segment, seek);
            }
        }
        Ok(())
    }

    /// Adds what was said in a half minute, and finds where the next begins.
    fn went_on(&self, course: &mut Course, tried: &Tried, how: &Transcribe) {
        let here = course.seek
            ..course
                .frames
                .min(course.seek + self.model.model.encoder.n_frames());
        course.on_previous = how.on_previous && tried.temperature < 0.5;
        if tried.silent {
            course.seek = here.end;
            return;
        }
        let (segments, moved) = self.segments(tried, &here);
        course.seek += moved;
        course.transcript.segments.extend(segments);
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

    /// Half minutes from a frame of their recording on, heard, and the beginning of any text about them: a row for each.
    fn hear<'r>(&self, rows: impl Iterator<Item = (&'r Recording<'r>, usize)>) -> DecoderCache {
        let encoder = &self.model.model.encoder;
        let frames = encoder.n_frames();
        let device = encoder.position.val().device();
        // One after the other: each keeps a machine busy, and all at once would need memory for what lies between.
        let embeds = rows.map(|(recording, start)| {
            let features = recording.window(start, frames);
            let data = TensorData::new(features, [1, frames, recording.n_mels]);
            let batch = AudioBatch::dense(Tensor::from_data(data, &device));
            encoder.encode(batch).embeds
        });
        let embeds: Vec<Tensor<3>> = embeds.collect();
        self.model.begin(&Tensor::cat(embeds, 0))
    }

    /// Of what was heard, as many rows as `count`, some rows.
    pub(super) fn only(&self, heard: &DecoderCache, rows: &[usize], count: usize) -> DecoderCache {
        let mut only = heard.clone();
        if rows.len() < count {
            only.select_contexts(&self.rows(rows.iter().copied()));
        }
        only
    }

    /// Where it is not known yet, the language that is likeliest after the start of a text.
    fn hear_languages(
        &self,
        heard: &DecoderCache,
        rows: &mut [(Recording<'_>, &mut Course)],
        how: &Transcribe,
    ) -> Result<(), Error> {
        let all = rows.iter().enumerate();
        let unknown = all.filter(|(_, (_, course))| course.begin.is_none());
        let unknown: Vec<usize> = unknown.map(|(i, _)| i).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let mut heard = self.only(heard, &unknown, rows.len());
        let start = vec![self.settings.start; unknown.len()];
        let scores = host(self.model.next(self.ids(&start, start.len()), &mut heard));
        for (i, scores) in unknown
            .iter()
            .zip(scores.chunks_exact(self.settings.vocab()))
        {
            let likeliest = self.settings.spoken().max_by(|a, b| {
                let score = |id: &u32| scores[*id as usize];
                score(a).total_cmp(&score(b)).then(b.cmp(a))
            });
            let course = &mut rows[*i].1;
            let begin = self
                .settings
                .begin(likeliest, how.task, course.timestamps)?;
            course.transcript.language = likeliest;
            course.begin = Some(begin);
        }
        Ok(())
    }

    fn prompt(&self, course: &Course) -> Prompt {
        let previous = match course.on_previous {
            true => self.previous(&course.transcript.segments),
            false => Vec::new(),
        };
        let begin = course.begin.as_deref().unwrap_or_default(); // which is known by now
        Prompt {
            tokens: [&previous[..], begin].concat(),
            start: previous.len(),
            timestamps: course.timestamps,
        }
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
}
