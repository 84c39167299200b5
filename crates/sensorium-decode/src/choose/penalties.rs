//! What is said of tokens before they are drawn: those that have been are less likely, and some are never chosen.

use std::collections::BTreeMap;

use super::NEVER;
use crate::Generation;

/// What has been so far, and what follows from it.
pub(crate) struct Penalties<'a> {
    pub(crate) how: &'a Generation,
    /// The prompt and what was generated.
    pub(crate) tokens: &'a [u32],
    pub(crate) prompt: usize,
}

impl Penalties<'_> {
    /// Applies all to the scores. Ids that the scores lack are passed over.
    pub(crate) fn apply(&self, scores: &mut [f32]) {
        self.repeated(scores);
        self.no_sequence_twice(scores);
        let how = self.how;
        let generated = self.tokens.len() - self.prompt;
        if generated < how.min_new_tokens {
            never(scores, &how.eos_token_id);
        }
        never(scores, &how.suppress_tokens);
        if generated == 0 {
            never(scores, &how.begin_suppress_tokens);
        }
    }

    fn repeated(&self, scores: &mut [f32]) {
        let penalty = self.how.repetition_penalty;
        if penalty != 1.0 {
            for id in counted(self.tokens).into_keys() {
                if let Some(score) = scores.get_mut(id as usize) {
                    *score = match *score < 0.0 {
                        true => *score * penalty,
                        false => *score / penalty,
                    };
                }
            }
        }
        let [often, once] = [self.how.frequency_penalty, self.how.presence_penalty];
        if often != 0.0 || once != 0.0 {
            for (id, count) in counted(&self.tokens[self.prompt..]) {
                if let Some(score) = scores.get_mut(id as usize) {
                    *score -= often * count as f32 + once;
                }
            }
        }
    }

    /// No token by which the last ones would be a sequence that has been.
    fn no_sequence_twice(&self, scores: &mut [f32]) {
        let size = self.how.no_repeat_ngram_size;
        if size == 0 || self.tokens.len() < size {
            return;
        }
        let last = &self.tokens[self.tokens.len() + 1 - size..];
        for sequence in self.tokens.windows(size) {
            if let Some((next, before)) = sequence.split_last()
                && before == last
            {
                never(scores, &[*next]);
            }
        }
    }
}

/// How often each token is there.
fn counted(tokens: &[u32]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for id in tokens {
        *counts.entry(*id).or_default() += 1;
    }
    counts
}

fn never(scores: &mut [f32], ids: &[u32]) {
    for id in ids {
        if let Some(score) = scores.get_mut(*id as usize) {
            *score = NEVER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(how: &Generation, prompt: &[u32], generated: &[u32], scores: &[f32]) -> Vec<f32> {
        let mut scores = scores.to_vec();
        let tokens = [prompt, generated].concat();
        let penalties = Penalties {
            how,
            tokens: &tokens,
            prompt: prompt.len(),
        };
        penalties.apply(&mut scores);
        scores
    }

    #[test]
    fn what_was_generated_often_is_less_likely_and_the_prompt_does_not_count() {
        let how = Generation {
            frequency_penalty: 0.5,
            presence_penalty: 0.25,
            ..Generation::default()
        };
        let found = applied(&how, &[0, 0], &[1, 1, 2, 9], &[1.0, 1.0, 1.0, 1.0]);
        assert_eq!(found, [1.0, -0.25, 0.25, 1.0]);
    }

    #[test]
    fn ends_come_late_and_first_tokens_are_held_back() {
        let how = Generation {
            eos_token_id: vec![1],
            min_new_tokens: 2,
            begin_suppress_tokens: vec![2],
            ..Generation::default()
        };
        assert_eq!(
            applied(&how, &[0], &[], &[0.0; 4]),
            [0.0, NEVER, NEVER, 0.0]
        );
        assert_eq!(applied(&how, &[0], &[3], &[0.0; 4]), [0.0, NEVER, 0.0, 0.0]);
        assert_eq!(applied(&how, &[0], &[3, 3], &[0.0; 4]), [0.0; 4]);
    }
}
