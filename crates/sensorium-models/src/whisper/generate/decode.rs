//! Half minutes side by side, word after word: what has to be computed for all of them is computed at once.

use burn::tensor::{Int, Tensor, TensorData};
use sensorium_core::nn::DecoderCache;

use super::choose::Chosen;
use super::rules::log_sum_exp;
use super::{Prompt, Transcriber, host};

/// How a text goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// Which of the texts.
    pub(super) from: usize,
    pub(super) token: u32,
}

/// What chooses the words of one half minute.
pub(super) trait Chooses {
    /// Reads, and changes, the logits of the word after each text, `[texts * vocab]`; says how they go on, which is as many
    /// texts each time, or nothing once all is said.
    fn choose(&mut self, scores: &mut [f32]) -> Option<Vec<Next>>;

    /// What was said.
    fn chosen(self) -> Chosen;
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
    pub(super) fn decode<C: Chooses>(
        &self,
        mut heard: DecoderCache,
        prompts: &[&Prompt],
        mut choosers: Vec<C>,
    ) -> Vec<Chosen> {
        let vocab = self.settings.vocab();
        let (first, count) = (prompts[0], prompts.len());
        let tokens: Vec<u32> = prompts
            .iter()
            .flat_map(|p| p.tokens.iter().copied())
            .collect();
        let at = [first.start, first.tokens.len() - 1];
        let ids = self.ids(&tokens, count);
        let [before, mut scores] = self.model.at(ids, at, &mut heard).map(host);
        let mut going: Vec<usize> = match self.most(first) {
            0 => Vec::new(),
            _ => (0..count).collect(),
        };
        let mut texts = 1; // of each half minute
        while !going.is_empty() {
            let mut stay = Vec::with_capacity(going.len());
            let mut next = Vec::with_capacity(going.len());
            let places = going.iter().zip(scores.chunks_exact_mut(texts * vocab));
            for (place, (i, scores)) in places.enumerate() {
                if let Some(chosen) = choosers[*i].choose(scores) {
                    stay.push(place);
                    let row = |next: &Next| (place * texts + next.from, next.token);
                    next.extend(chosen.iter().map(row));
                }
            }
            if stay.is_empty() {
                break;
            }
            self.go_on(&mut heard, &next, &stay, [going.len(), texts]);
            going = stay.iter().map(|place| going[*place]).collect();
            texts = next.len() / going.len();
            let ids: Vec<u32> = next.iter().map(|(_, token)| *token).collect();
            scores = host(self.model.next(self.ids(&ids, ids.len()), &mut heard));
        }
        let silence = |i: usize| {
            let id = self.settings.silence()?;
            let before = &before[i * vocab..(i + 1) * vocab];
            Some((before[id] - log_sum_exp(before)).exp())
        };
        let chosen = choosers.into_iter().map(C::chosen).enumerate();
        chosen
            .map(|(i, chosen)| chosen.with_no_speech(silence(i).unwrap_or(0.0)))
            .collect()
    }

    /// Keeps of the cache what goes on: the rows of the texts, and the half minutes that stay, of so many with so many texts.
    fn go_on(
        &self,
        heard: &mut DecoderCache,
        next: &[(usize, u32)],
        stay: &[usize],
        [count, texts]: [usize; 2],
    ) {
        let rows = next.iter().map(|(row, _)| *row);
        if !rows.clone().eq(0..count * texts) {
            heard.select_tokens(&self.rows(rows));
        }
        if stay.len() < count {
            heard.select_contexts(&self.rows(stay.iter().copied()));
        }
    }
}
