//! Trying again: what reads like a loop or is unlikely is chosen anew at a higher temperature (arXiv 2212.04356, section
//! 4.5).

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sensorium_core::SampleRng;
use sensorium_core::nn::DecoderCache;

use super::choose::Chosen;
use super::{Prompt, Transcribe, Transcriber};

/// When a half minute is tried again, and when it is passed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// Temperatures that are tried one after the other; at 0 the likeliest word is chosen.
    pub temperatures: Vec<f32>,
    /// Ids that shrink by more than this repeat themselves.
    pub compression_ratio: Option<f32>,
    /// What is less likely is tried again: a mean of logarithms of probabilities.
    pub log_probability: Option<f32>,
    /// What is less likely and holds no speech by more than this is passed over.
    pub no_speech: Option<f32>,
}

impl Default for Fallback {
    /// As the paper has it; the ratio is that of ids, not of letters.
    fn default() -> Self {
        Self {
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            compression_ratio: Some(1.35),
            log_probability: Some(-1.0),
            no_speech: Some(0.6),
        }
    }
}

impl Fallback {
    /// The likeliest words, whatever they are.
    pub fn none() -> Self {
        Self {
            temperatures: vec![0.0],
            compression_ratio: None,
            log_probability: None,
            no_speech: None,
        }
    }
}

/// The words that were kept.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// Without the one that ends the text.
    pub(super) tokens: Vec<u32>,
    pub(super) log_probability: f32,
    pub(super) no_speech: f32,
    pub(super) temperature: f32,
    /// Whether nothing is said.
    pub(super) silent: bool,
}

impl Transcriber<'_> {
    pub(super) fn with_fallback(
        &self,
        heard: &DecoderCache,
        prompt: &Prompt,
        how: &Transcribe,
        rng: &mut SampleRng,
    ) -> Tried {
        let Fallback {
            temperatures,
            compression_ratio,
            log_probability,
            no_speech,
        } = &how.fallback;
        let last = temperatures.len().saturating_sub(1);
        let mut trials = temperatures.iter().copied().enumerate();
        loop {
            let (i, temperature) = trials.next().unwrap_or((last, 0.0));
            let Chosen {
                mut tokens,
                log_probability: found,
                no_speech: nothing,
            } = self.choose(heard, prompt, temperature, rng);
            let unlikely = log_probability.is_some_and(|least| found < least);
            let silent = unlikely && no_speech.is_some_and(|most| nothing > most);
            let repeats =
                compression_ratio.is_some_and(|most| ratio(&tokens, self.settings.vocab()) > most);
            if silent || !(unlikely || repeats) || i >= last {
                if tokens
                    .last()
                    .is_some_and(|id| self.settings.ends().contains(id))
                {
                    tokens.pop();
                }
                return Tried {
                    tokens,
                    log_probability: found,
                    no_speech: nothing,
                    temperature,
                    silent,
                };
            }
        }
    }
}

/// How many times shorter ids are when they are packed: those that repeat themselves are packed well.
fn ratio(ids: &[u32], vocab_size: usize) -> f32 {
    let width = (vocab_size.max(1).ilog2() / 8 + 1) as usize;
    let bytes: Vec<u8> = ids
        .iter()
        .flat_map(|id| id.to_le_bytes().into_iter().take(width))
        .collect();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = packed.write_all(&bytes).and_then(|()| packed.finish());
    let packed = packed.expect("memory can be written to");
    bytes.len() as f32 / packed.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_is_packed_well() {
        let loops = [7, 8].repeat(40);
        let words: Vec<u32> = (0..80).map(|i| i * 7919 % 50_000).collect();
        assert!(ratio(&loops, 51_865) > 5.0);
        assert!(ratio(&words, 51_865) < 1.0);
    }
}
