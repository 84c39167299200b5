//! What may be said next: ids that never are, and times, which come in pairs and never go back.

use sensorium_decode::log_sum_exp;

use super::WhisperGeneration;

const NEVER: f32 = f32::NEG_INFINITY;

/// The rules for one text.
pub(super) struct Rules<'a> {
    settings: &'a WhisperGeneration,
    never: Vec<usize>,
    not_first: Vec<usize>,
    timestamps: bool,
}

impl<'a> Rules<'a> {
    pub(super) fn new(settings: &'a WhisperGeneration, timestamps: bool) -> Self {
        let [never, not_first] = settings.suppressed();
        Self {
            settings,
            never,
            not_first,
            timestamps,
        }
    }

    /// Ids that end a text.
    pub(super) fn ends(&self) -> &[u32] {
        self.settings.ends()
    }

    /// Leaves in `scores` what may follow `chosen`.
    pub(super) fn apply(&self, chosen: &[u32], scores: &mut [f32]) {
        if chosen.is_empty() {
            self.not_first.iter().for_each(|id| scores[*id] = NEVER);
        }
        self.never.iter().for_each(|id| scores[*id] = NEVER);
        if self.timestamps
            && let Some(no_timestamps) = self.settings.no_timestamps()
        {
            scores[no_timestamps as usize] = NEVER;
            self.times(chosen, scores);
        }
    }

    fn times(&self, chosen: &[u32], scores: &mut [f32]) {
        let times = self.settings.first_time();
        let first = (times as usize).min(scores.len());
        let is_time = |id: &u32| *id >= times;
        let last_is = chosen.last().is_some_and(is_time);
        let before_is = chosen.iter().rev().nth(1).is_none_or(is_time);
        match (last_is, before_is) {
            (true, true) => scores[first..].fill(NEVER), // words have to follow a pair
            (true, false) => {
                // A pair is completed, or the text ends.
                let end = self.settings.ends()[0] as usize;
                scores[..end].fill(NEVER);
            }
            (false, _) => {}
        }
        if let Some(last) = chosen.iter().rev().find(|id| is_time(id)) {
            // The second of a pair may be the same; else time has passed.
            let passed = u32::from(!last_is || before_is);
            let next = ((last + passed) as usize).min(scores.len());
            scores[first..next.max(first)].fill(NEVER);
        }
        if chosen.is_empty() {
            scores[..first].fill(NEVER);
            if let Some(latest) = self.settings.latest_first {
                let beyond = first.saturating_add(latest as usize).saturating_add(1);
                scores
                    .iter_mut()
                    .skip(beyond)
                    .for_each(|score| *score = NEVER);
            }
        }
        // Where a time is likelier than any one word, it is a time.
        let (words, times) = scores.split_at(first);
        let most = words.iter().copied().fold(NEVER, f32::max);
        let all = log_sum_exp(times);
        if all > most {
            scores[..first].fill(NEVER);
        }
    }
}
