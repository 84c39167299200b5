//! Half minutes side by side, word after word: what has to be computed for all of them is computed at once.

use burn::tensor::{Int, Tensor, TensorData};
use sensorium_core::nn::DecoderCache;
use sensorium_decode::{Speaker, follow, log_sum_exp};

use super::choose::{Chosen, Says};
use super::{Prompt, Transcriber};
use crate::Error;
use crate::scores::host;

/// A model with what it remembers of half minutes, and of the texts after them.
struct Following<'a> {
    transcriber: Transcriber<'a>,
    heard: DecoderCache,
    /// How many half minutes there are.
    contexts: usize,
}

impl Speaker for Following<'_> {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let ids = self.transcriber.ids(tokens, tokens.len());
        Ok(host(self.transcriber.model.next(ids, &mut self.heard)))
    }

    /// The rows of the texts go on, and the half minutes that stay.
    fn select(&mut self, rows: &[usize], contexts: &[usize]) {
        let select = |rows: &[usize]| self.transcriber.rows(rows.iter().copied());
        self.heard.select_tokens(&select(rows));
        if contexts.len() < self.contexts {
            self.heard.select_contexts(&select(contexts));
            self.contexts = contexts.len();
        }
    }
}

impl Transcriber<'_> {
    /// `[rows, ids of each]`
    pub(super) fn ids(&self, ids: &[u32], rows: usize) -> Tensor<2, Int> {
        let device = self.model.model.decoder.position.weight.val().device();
        let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let shape = [rows, ids.len() / rows];
        Tensor::from_data(TensorData::new(ids, shape), &device)
    }

    /// `[rows]`
    pub(super) fn rows(&self, rows: impl IntoIterator<Item = usize>) -> Tensor<1, Int> {
        let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
        self.ids(&rows, 1).squeeze_dim(0) // [1, R] -> [R]
    }

    /// How many words may follow a prompt.
    pub(super) fn most(&self, prompt: &Prompt) -> usize {
        let positions = self.model.model.decoder.position.max_len();
        let count = prompt.tokens.len();
        let longest = self.settings.longest(count, positions);
        longest.saturating_sub(count)
    }

    /// What is said after each of some prompts, which are of one length and begin the text at one place, in view of what was
    /// heard: a row for each. Whoever has ended is no longer computed.
    pub(super) fn decode<C: Says>(
        &self,
        mut heard: DecoderCache,
        prompts: &[&Prompt],
        mut choosers: Vec<C>,
    ) -> Result<Vec<Chosen>, Error> {
        let vocab = self.settings.vocab();
        let (first, count) = (prompts[0], prompts.len());
        let tokens: Vec<u32> = prompts
            .iter()
            .flat_map(|p| p.tokens.iter().copied())
            .collect();
        let at = [first.start, first.tokens.len() - 1];
        let ids = self.ids(&tokens, count);
        let [before, scores] = self.model.at(ids, at, &mut heard).map(host);
        if self.most(first) > 0 {
            let mut following = Following {
                transcriber: *self,
                heard,
                contexts: count,
            };
            follow(&mut following, scores, &mut choosers)?;
        }
        let silence = |i: usize| {
            let id = self.settings.silence()?;
            let before = &before[i * vocab..(i + 1) * vocab];
            Some((before[id] - log_sum_exp(before)).exp())
        };
        let chosen = choosers.into_iter().map(C::chosen).enumerate();
        Ok(chosen
            .map(|(i, chosen)| chosen.with_no_speech(silence(i).unwrap_or(0.0)))
            .collect())
    }
}
