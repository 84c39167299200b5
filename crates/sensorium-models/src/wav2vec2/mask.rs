//! What training hides of a sound: tokens in a row, or features (SpecAugment, arXiv 1904.08779).

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand::RngExt;
use rand::seq::index::sample;
use sensorium_core::SampleRng;

use super::{Wav2Vec2Config, Wav2Vec2Input};

/// How much is hidden, in spans of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spans {
    /// Share of places that would be hidden if spans never met.
    pub share: f64,
    /// Places of a span.
    pub length: usize,
    /// How many spans at least, where there is room for them.
    pub least: usize,
}

/// Places to be hidden in rows of `width` of which the first `lengths` are no padding: `[rows, width]`, row by row. How many
/// spans there are is rounded up or down by chance, alike in all rows; a span may cover another, and none leaves its row.
pub fn hidden_spans(
    lengths: &[usize],
    width: usize,
    spans: Spans,
    rng: &mut SampleRng,
) -> Vec<bool> {
    let Spans {
        share,
        length,
        least,
    } = spans;
    let length = length.max(1);
    let chance: f64 = rng.random();
    let mut hidden = vec![false; lengths.len() * width];
    for (row, places) in hidden
        .chunks_mut(width.max(1))
        .zip(lengths)
        .map(|(r, l)| (r, *l))
    {
        let places = places.min(width);
        let starts = (places + 1).saturating_sub(length);
        let wanted = (share * places as f64 / length as f64 + chance) as usize;
        let count = wanted.max(least).min(width / length).min(starts);
        for start in sample(rng, starts, count) {
            row[start..start + length].fill(true);
        }
    }
    hidden
}

impl Wav2Vec2Config {
    /// Hides of a batch what the configuration says. `lengths` are samples of its sounds.
    ///
    /// # Panics
    /// If there are other sounds in the batch than in `lengths`.
    pub fn hide(
        &self,
        mut input: Wav2Vec2Input,
        lengths: &[usize],
        rng: &mut SampleRng,
    ) -> Wav2Vec2Input {
        let [batch, samples] = input.samples.dims();
        assert_eq!(batch, lengths.len(), "as many sounds as lengths");
        if !self.apply_spec_augment {
            return input;
        }
        let device = input.samples.device();
        if self.mask_time_prob > 0.0 {
            let tokens = self.n_tokens(samples.max(self.samples_heard()));
            let lengths: Vec<usize> = lengths.iter().map(|n| self.n_tokens(*n)).collect();
            let spans = Spans {
                share: self.mask_time_prob,
                length: self.mask_time_length,
                least: self.mask_time_min_masks,
            };
            let hidden = hidden_spans(&lengths, tokens, spans, rng);
            input.hidden = Some(rows(hidden, [batch, tokens], &device));
        }
        if self.mask_feature_prob > 0.0 {
            let spans = Spans {
                share: self.mask_feature_prob,
                length: self.mask_feature_length,
                least: self.mask_feature_min_masks,
            };
            let hidden = hidden_spans(&vec![self.d_model; batch], self.d_model, spans, rng);
            input.hidden_features = Some(rows(hidden, [batch, self.d_model], &device));
        }
        input
    }
}

fn rows(hidden: Vec<bool>, shape: [usize; 2], device: &Device) -> Tensor<2, Bool> {
    Tensor::from_data(TensorData::new(hidden, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_core::seed::rng;

    #[test]
    fn spans_are_as_long_and_as_many_as_asked_for_and_keep_to_their_row() {
        let spans = Spans {
            share: 0.3,
            length: 4,
            least: 2,
        };
        let lengths = [50, 9, 3, 0, 60];
        let mut shares = Vec::new();
        for seed in 0..50 {
            let hidden = hidden_spans(&lengths, 50, spans, &mut rng(seed, &[]));
            assert_eq!(hidden.len(), 5 * 50);
            for (row, length) in hidden.chunks(50).zip(lengths) {
                assert!(row.iter().skip(length).all(|hidden| !hidden));
                // Spans of at least four in a row, but for places that two share.
                let runs = row.split(|hidden| !hidden).filter(|run| !run.is_empty());
                assert!(runs.clone().all(|run| run.len() >= 4), "{row:?}");
                assert_eq!(runs.count() > 0, length >= 4);
                // 0.3 · 50 / 4 and chance: three spans or four.
                let count = row.iter().filter(|hidden| **hidden).count();
                assert!(count <= 4 * 4);
                shares.push(count);
            }
        }
        assert!(shares.contains(&16) && shares.contains(&12), "{shares:?}");
        let again = |seed| hidden_spans(&lengths, 50, spans, &mut rng(seed, &[]));
        assert_eq!(again(3), again(3));
        assert_ne!(again(3), again(4));
    }

    #[test]
    fn rows_too_short_for_a_span_hide_nothing() {
        let spans = Spans {
            share: 0.9,
            length: 10,
            least: 2,
        };
        let hidden = hidden_spans(&[9, 9], 9, spans, &mut rng(0, &[]));
        assert_eq!(hidden, [false; 18]);
        assert_eq!(hidden_spans(&[0], 0, spans, &mut rng(0, &[])), [false; 0]);
    }
}
