//! One half minute: word after word, the likeliest or drawn.

use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;
use sensorium_core::SampleRng;
use sensorium_core::nn::DecoderCache;

use super::rules::{Rules, log_sum_exp};
use super::{Prompt, Transcriber, host};

/// The words of a half minute.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// With the one that ends the text, if it ended.
    pub(super) tokens: Vec<u32>,
    /// The mean of the logarithms of their probabilities.
    pub(super) log_probability: f32,
    /// How likely it is that nothing is said.
    pub(super) no_speech: f32,
}

impl Transcriber<'_> {
    pub(super) fn ids(&self, ids: &[u32]) -> Tensor<2, Int> {
        let device = self.model.model.decoder.position.weight.val().device();
        let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let shape = [1, ids.len()];
        Tensor::from_data(TensorData::new(ids, shape), &device)
    }

    /// Chooses words until the text ends or is full.
    pub(super) fn choose(
        &self,
        heard: &DecoderCache,
        prompt: &Prompt,
        temperature: f32,
        rng: &mut SampleRng,
    ) -> Chosen {
        let rules = Rules::new(self.settings, prompt.timestamps);
        let positions = self.model.model.decoder.position.max_len();
        let longest = self.settings.longest(prompt.tokens.len(), positions);
        let mut cache = heard.clone();
        let count = prompt.tokens.len();
        let ids = self.ids(&prompt.tokens);
        let at = [prompt.start, count - 1];
        let [before, mut scores] = self.model.at(ids, at, &mut cache).map(host);
        let no_speech = self
            .settings
            .silence()
            .map_or(0.0, |id| (before[id] - log_sum_exp(&before)).exp());
        let (mut tokens, mut sum) = (Vec::new(), 0.0);
        while count + tokens.len() < longest {
            rules.apply(&tokens, &mut scores);
            let token = match temperature > 0.0 {
                true => draw(&scores, temperature, rng),
                false => likeliest(&scores),
            };
            sum += f64::from(scores[token as usize] - log_sum_exp(&scores));
            tokens.push(token);
            if self.settings.ends().contains(&token) {
                break;
            }
            if count + tokens.len() < longest {
                scores = host(self.model.next(self.ids(&[token]), &mut cache));
            }
        }
        Chosen {
            log_probability: (sum / tokens.len().max(1) as f64) as f32,
            no_speech,
            tokens,
        }
    }
}

/// The first of the highest.
fn likeliest(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (id, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = id;
        }
    }
    best as u32
}

/// One of all, by what is left of its probability at this temperature.
fn draw(scores: &[f32], temperature: f32, rng: &mut SampleRng) -> u32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |score: &f32| f64::from((score - most) / temperature).exp();
    let sum: f64 = scores.iter().map(weight).sum();
    let mut left = rng.random::<f64>() * sum;
    for (id, score) in scores.iter().enumerate() {
        left -= weight(score);
        if left < 0.0 {
            return id as u32;
        }
    }
    likeliest(scores) // only rounding leads here
}
