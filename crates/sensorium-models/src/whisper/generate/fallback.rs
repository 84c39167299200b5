//! Trying again: what reads like a loop or is unlikely is chosen anew at a higher temperature (arXiv 2212.04356, section
//! 4.5).

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sensorium_core::SampleRng;
use sensorium_core::nn::DecoderCache;

use super::choose::{Chosen, Line, Searching};
use super::rules::Rules;
use super::{Prompt, Transcribe, Transcriber};
use crate::Error;

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
    /// What is kept of half minutes, a row for each in what was heard, in the prompts and in the generators.
    pub(super) fn with_fallback(
        &self,
        heard: &DecoderCache,
        prompts: &[Prompt],
        how: &Transcribe,
        rngs: &mut [&mut SampleRng],
    ) -> Result<Vec<Tried>, Error> {
        let temperatures = match &how.fallback.temperatures[..] {
            [] => &[0.0],
            some => some,
        };
        let mut kept: Vec<Option<Tried>> = vec![None; prompts.len()];
        let mut left: Vec<usize> = (0..prompts.len()).collect();
        for (i, temperature) in temperatures.iter().enumerate() {
            let is_last = i + 1 == temperatures.len();
            let mut again = Vec::new();
            for (row, chosen) in self.try_at(*temperature, heard, prompts, &left, how, rngs)? {
                let (tried, is_good) = self.judge(chosen, *temperature, &how.fallback);
                match is_good || is_last {
                    true => kept[row] = Some(tried),
                    false => again.push(row),
                }
            }
            again.sort_unstable();
            left = again;
            if left.is_empty() {
                break;
            }
        }
        Ok(kept.into_iter().flatten().collect())
    }

    /// What is chosen in some rows, in any order. Those whose texts begin at one place go side by side.
    fn try_at(
        &self,
        temperature: f32,
        heard: &DecoderCache,
        prompts: &[Prompt],
        rows: &[usize],
        how: &Transcribe,
        rngs: &mut [&mut SampleRng],
    ) -> Result<Vec<(usize, Chosen)>, Error> {
        let mut alike: BTreeMap<(usize, usize, bool), Vec<usize>> = BTreeMap::new();
        for row in rows {
            let Prompt {
                tokens,
                start,
                timestamps,
            } = &prompts[*row];
            let key = (tokens.len(), *start, *timestamps);
            alike.entry(key).or_default().push(*row);
        }
        let search = self.settings.search(how.beams);
        let mut all = Vec::with_capacity(rows.len());
        for ((.., timestamps), rows) in alike {
            let heard = self.only(heard, &rows, prompts.len());
            let prompts: Vec<&Prompt> = rows.iter().map(|row| &prompts[*row]).collect();
            let most = self.most(prompts[0]);
            let rules = Rules::new(self.settings, timestamps);
            let chosen = if temperature > 0.0 || search.width == 1 {
                let rngs = rngs.iter_mut().enumerate();
                let rngs = rngs.filter(|(row, _)| rows.contains(row));
                let lines = rngs.map(|(_, rng)| Line::new(&rules, temperature, rng, most));
                self.decode(heard, &prompts, lines.collect())?
            } else {
                let beams = |_| Searching::new(&rules, search, most);
                self.decode(heard, &prompts, rows.iter().map(beams).collect())?
            };
            all.extend(rows.into_iter().zip(chosen));
        }
        Ok(all)
    }

    /// What is left of the words of a half minute, and whether it is good enough.
    fn judge(&self, chosen: Chosen, temperature: f32, fallback: &Fallback) -> (Tried, bool) {
        let Fallback {
            compression_ratio,
            log_probability,
            no_speech,
            ..
        } = fallback;
        let unlikely = log_probability.is_some_and(|least| chosen.log_probability < least);
        let silent = unlikely && no_speech.is_some_and(|most| chosen.no_speech > most);
        let mut tokens = chosen.tokens;
        let repeats =
            compression_ratio.is_some_and(|most| ratio(&tokens, self.settings.vocab()) > most);
        if tokens
            .last()
            .is_some_and(|id| self.settings.ends().contains(id))
        {
            tokens.pop();
        }
        let tried = Tried {
            tokens,
            log_probability: chosen.log_probability,
            no_speech: chosen.no_speech,
            temperature,
            silent,
        };
        (tried, silent || !(unlikely || repeats))
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
