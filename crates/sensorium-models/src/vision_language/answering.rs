//! A model that answers, as `sensorium_decode` asks it to.

use burn::tensor::{Int, Tensor, TensorData};
use sensorium_core::NoTap;
use sensorium_core::nn::{Positions, TransformerCache};
use sensorium_decode::Speaker;

use super::model::Laid;
use super::{Images, VisionLanguage};
use crate::Error;
use crate::causal::host;

/// A prompt is read so many tokens at a time: attention within it takes memory by the square.
const AT_ONCE: usize = 512;

/// A model, and what it remembers of the prompts that it answers.
#[derive(Clone, Debug)]
pub struct Answering<'a> {
    model: &'a VisionLanguage,
    cache: TransformerCache,
    /// Where the next token of each row stands, if not after as many as came before.
    next: Option<Vec<u32>>,
}

impl VisionLanguage {
    /// Reads prompts side by side, with room for `most` tokens after each; what answers them, and the scores of the token after
    /// each, `[prompts * vocab_size]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn read(
        &self,
        prompts: &[&[u32]],
        images: Option<Images>,
        most: usize,
    ) -> Result<(Answering<'_>, Vec<f32>), Error> {
        let Laid {
            embeds,
            before,
            places,
            ..
        } = self.lay_with(prompts, images, &mut NoTap)?;
        let [_, longest, _] = embeds.dims();
        // A short prompt may go on further than the longest, behind its padding.
        let capacity = longest + most;
        let mut cache = self.text.model.begin(&before, capacity);
        let mut scores = Vec::new();
        for from in (0..longest).step_by(AT_ONCE) {
            let to = (from + AT_ONCE).min(longest);
            let part = embeds.clone().narrow(1, from, to - from);
            let at = places.as_ref().map(|places| places.part(from, to));
            if to < longest {
                self.text.model.step(part, at.as_ref(), &mut cache);
            } else {
                scores = host(self.text.next_of(part, at.as_ref(), &mut cache));
            }
        }
        let answering = Answering {
            model: self,
            cache,
            next: places.map(|places| places.next),
        };
        Ok((answering, scores))
    }
}

impl Speaker for Answering<'_> {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let text = &self.model.text;
        let ids: Vec<i64> = tokens.iter().map(|id| i64::from(*id)).collect();
        let ids = TensorData::new(ids, [tokens.len(), 1]);
        let ids = Tensor::<2, Int>::from_data(ids, &text.model.device());
        let at = self.next.as_mut().map(|next| {
            let at = Positions::on_axes(vec![next.clone(); 3], next.len());
            next.iter_mut().for_each(|next| *next += 1);
            at
        });
        let embeds = text.model.token.forward(ids);
        Ok(host(text.next_of(embeds, at.as_ref(), &mut self.cache)))
    }

    fn select(&mut self, rows: &[usize], _prompts: &[usize]) {
        let device = self.model.text.model.device();
        self.cache.select(rows, &device);
        if let Some(next) = &mut self.next {
            *next = rows.iter().map(|row| next[*row]).collect();
        }
    }
}
