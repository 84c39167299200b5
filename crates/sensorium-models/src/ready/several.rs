//! Recordings that Whisper hears side by side: any may join while others are heard, and each is done when it is.

use std::borrow::Borrow;

use super::listen::Heard;
use super::speech::{PreparedSpeech, Said, WhisperToText};
use crate::Error;
use crate::whisper::generate::{Course, Recording, Segment, Transcribe, Transcriber};

/// Hears several recordings side by side, half a minute of each at a time; each comes out as it would alone.
#[derive(Debug)]
pub(super) struct SideBySide<'a, S> {
    model: &'a WhisperToText,
    how: &'a Transcribe,
    rows: Vec<Row<S>>,
}

/// A recording that is being heard.
#[derive(Debug)]
struct Row<S> {
    number: usize,
    speech: S,
    course: Course,
    said: Vec<Said>,
    failed: Option<Error>,
}

impl<'a, S: Borrow<PreparedSpeech>> SideBySide<'a, S> {
    pub(super) fn new(model: &'a WhisperToText, how: &'a Transcribe) -> Self {
        Self {
            model,
            how,
            rows: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Hears one more from now on, under a number of the caller's.
    ///
    /// # Errors
    /// If the model does not know the language or the task.
    pub(super) fn add(&mut self, number: usize, speech: S) -> Result<(), Error> {
        let recording = recording(speech.borrow());
        let course = self.transcriber().start(recording, self.how)?;
        self.rows.push(Row {
            number,
            speech,
            course,
            said: Vec::new(),
            failed: None,
        });
        Ok(())
    }

    /// Hears half a minute more of each; gives those of which all has been heard. Each part is shown to `on_said` as soon as
    /// it is known, with the recording's number and how many of its seconds have been heard.
    ///
    /// # Errors
    /// If the model cannot do what it is asked for. What is wrong with one recording is told in its place.
    pub(super) fn round(
        &mut self,
        mut on_said: impl FnMut(usize, &Said, f64),
    ) -> Result<Vec<Heard>, Error> {
        let mut shown: Vec<(usize, Segment, usize)> = Vec::new();
        let transcriber = self.transcriber();
        let rows = self.rows.iter_mut();
        let mut rows: Vec<_> = rows
            .map(|row| (recording(row.speech.borrow()), &mut row.course))
            .collect();
        transcriber.round(&mut rows, self.how, |row, segment, frames| {
            shown.push((row, segment.clone(), frames));
        })?;
        for (row, segment, frames) in shown {
            let row = &mut self.rows[row];
            match self.model.said(segment) {
                Ok(said) => {
                    on_said(row.number, &said, row.speech.borrow().seconds_of(frames));
                    row.said.push(said);
                }
                Err(error) => row.failed = Some(error),
            }
        }
        let done = self
            .rows
            .extract_if(.., |row| row.course.is_done() || row.failed.is_some());
        let done: Vec<Row<S>> = done.collect();
        Ok(done.into_iter().map(|row| self.finish(row)).collect())
    }

    fn finish(&self, row: Row<S>) -> Heard {
        let said = |said| self.model.speech(row.course.transcript(), said);
        Heard {
            number: row.number,
            speech: row.failed.map_or_else(|| said(row.said), Err),
        }
    }

    fn transcriber(&self) -> Transcriber<'a> {
        self.model.transcriber()
    }
}

fn recording(speech: &PreparedSpeech) -> Recording<'_> {
    Recording::new(&speech.features, speech.n_mels).with_frames(speech.frames)
}
