//! A model that goes on with texts, as `sensorium_decode` asks it to.

use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_core::nn::TransformerCache;
use sensorium_decode::Speaker;

use super::CausalLm;
use crate::Error;

/// A prompt is read so many tokens at a time: attention within it takes memory by the square.
const AT_ONCE: usize = 512;

/// A model, and what it remembers of the texts that go on.
#[derive(Clone, Debug)]
pub struct Speaking<'a> {
    lm: &'a CausalLm,
    cache: TransformerCache,
}

impl CausalLm {
    /// Reads prompts side by side, with room for `most` tokens after each; what goes on with them, and the scores of the token
    /// after each, `[prompts * vocab_size]`.
    ///
    /// # Errors
    /// [`Error::Prompt`] for a prompt without a token, with more of them than the model has positions, or with one that it does not
    /// know.
    pub fn read(&self, prompts: &[&[u32]], most: usize) -> Result<(Speaking<'_>, Vec<f32>), Error> {
        let vocab_size = self.model.token.weight.dims()[0];
        for (sample, prompt) in prompts.iter().enumerate() {
            check(sample, prompt, vocab_size, self.max_positions)?;
        }
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let before: Vec<usize> = prompts
            .iter()
            .map(|prompt| longest - prompt.len())
            .collect();
        // A short prompt may go on further than the longest, behind its padding.
        let capacity = longest + most;
        let device = self.model.device();
        let mut cache = self.model.begin(&before, capacity);
        let mut scores = Vec::new();
        for from in (0..longest).step_by(AT_ONCE) {
            let to = (from + AT_ONCE).min(longest);
            let row = |(prompt, before): (&&[u32], &usize)| {
                (from..to)
                    .map(|at| at.checked_sub(*before).map_or(0, |at| prompt[at]))
                    .collect::<Vec<u32>>()
            };
            let tokens: Vec<u32> = prompts.iter().zip(&before).flat_map(row).collect();
            let ids = ids(&tokens, prompts.len(), &device);
            if to < longest {
                let embeds = self.model.token.forward(ids);
                self.model.step(embeds, None, &mut cache);
            } else {
                scores = host(self.next(ids, &mut cache));
            }
        }
        Ok((Speaking { lm: self, cache }, scores))
    }
}

impl<'a> Speaking<'a> {
    /// A model that has read something into `cache`.
    pub fn new(lm: &'a CausalLm, cache: TransformerCache) -> Self {
        Self { lm, cache }
    }

    /// How many more tokens there is room for.
    pub fn room(&self) -> usize {
        self.cache.room()
    }
}

impl Speaker for Speaking<'_> {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let (longest, most) = (self.cache.longest(), self.lm.max_positions);
        if longest >= most || self.cache.room() == 0 {
            return Err(Error::Full {
                tokens: longest,
                most: most.min(longest + self.cache.room()),
            });
        }
        let ids = ids(tokens, tokens.len(), &self.lm.model.device());
        Ok(host(self.lm.next(ids, &mut self.cache)))
    }

    fn select(&mut self, rows: &[usize], _prompts: &[usize]) {
        self.cache.select(rows, &self.lm.model.device());
    }
}

/// Refuses a prompt that cannot be read.
pub(crate) fn check(
    sample: usize,
    prompt: &[u32],
    vocab_size: usize,
    most: usize,
) -> Result<(), Error> {
    let refuse = |problem: String| Err(Error::Prompt { sample, problem });
    let tokens = prompt.len();
    if tokens == 0 {
        return refuse("has no token: give it a word to go on from".to_owned());
    }
    if tokens > most {
        return refuse(format!(
            "has {tokens} tokens, and the model reads {most} at the most: shorten it"
        ));
    }
    match prompt.iter().find(|id| **id as usize >= vocab_size) {
        Some(id) => refuse(format!(
            "has token {id}, and the model knows {vocab_size}: its tokenizer is another model's"
        )),
        None => Ok(()),
    }
}

/// `[rows, tokens of each]`
fn ids(tokens: &[u32], rows: usize, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i64> = tokens.iter().map(|id| i64::from(*id)).collect();
    let shape = [rows, ids.len() / rows.max(1)];
    Tensor::from_data(TensorData::new(ids, shape), device)
}

/// Scores as numbers, row by row.
pub(crate) fn host(scores: Tensor<2>) -> Vec<f32> {
    let data = scores.into_data().convert::<f32>();
    data.iter::<f32>().collect()
}
