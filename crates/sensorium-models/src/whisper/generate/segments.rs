//! What the words of a half minute say of times: which parts it has, and where the next half minute begins.

use std::ops::Range;

use super::fallback::Tried;
use super::{Segment, TIME_S, Transcriber};

impl Transcriber<'_> {
    /// What a half minute's words say, and how many frames on the next begins.
    pub(super) fn segments(&self, tried: &Tried, frames: &Range<usize>) -> (Vec<Segment>, usize) {
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
