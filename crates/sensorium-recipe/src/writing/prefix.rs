//! A causal language model that reads what the encoders gave as if it stood before its own text.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::{Layout, Positions, TransformerCache};
use sensorium_core::tap::in_layer;
use sensorium_core::{Tap, Tokens};
use sensorium_fusion::{PrefixSplice, PrefixSpliceConfig};
use sensorium_models::causal::{CausalConfig, CausalLm};
use sensorium_text::TextBatch;

/// Two linear maps from what the encoders gave to a language model's width, as LLaVA has them (arXiv 2310.03744), and the language
/// model: each token of a text sees all of what was given, and the text before it.
#[derive(Module, Debug)]
pub struct PrefixDecoder {
    /// `d_context` → `d_model`
    pub prefix: PrefixSplice,
    /// The language model.
    pub lm: CausalLm,
    #[module(skip)]
    max_tokens: usize,
}

/// What goes on from one token to the next.
#[derive(Clone, Debug)]
pub(super) struct PrefixCourse {
    cache: TransformerCache,
    /// Where the next token of each text stands.
    next: Vec<i64>,
}

impl PrefixDecoder {
    pub(super) fn new(
        lm: &CausalConfig,
        d_context: usize,
        max_tokens: usize,
        device: &Device,
    ) -> Self {
        let d_model = lm.d_model();
        Self {
            prefix: PrefixSpliceConfig::new(d_context, d_model).init(device),
            lm: lm.init(device),
            max_tokens,
        }
    }

    /// Logits of the token after each of the texts', in view of a context `[batch, keys, d_context]`: `[batch, tokens]` →
    /// `[batch, tokens, vocab_size]`.
    pub(super) fn forward_with<T: Tap>(
        &self,
        texts: TextBatch,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        let [rows, keys, _] = context.dims();
        let [_, tokens] = texts.ids.dims();
        let words = self.lm.model.token.forward(texts.ids);
        let words = Tokens::new(words, texts.pad);
        let all = self.prefix.before(context.clone(), words); // [B, K, C], [B, T, D] -> [B, K + T, D]
        let (before, next) = places(&context.pad);
        let text = 0..tokens as u32;
        let at = (0..rows).flat_map(|row| {
            let first = next[row] as u32;
            let own = before[row * keys..(row + 1) * keys].iter().copied();
            own.chain(text.clone().map(move |at| first + at))
        });
        let layout = Layout {
            positions: Some(Positions::on_axes(vec![at.collect()], rows)),
            segments: None,
        };
        let out = in_layer(tap, "lm", |tap| {
            self.lm.model.forward_in_with(all, &layout, tap)
        });
        tap.tensor("logits", self.lm.logits(out.embeds.narrow(1, keys, tokens)))
    }

    /// Begins texts in view of a context.
    pub(super) fn begin(&self, context: &Tokens) -> PrefixCourse {
        let [rows, keys, _] = context.dims();
        let model = &self.lm.model;
        let capacity = keys + self.max_tokens;
        let mut cache = model.transformer.begin_after(&context.pad, capacity);
        let (before, next) = places(&context.pad);
        let at = Positions::on_axes(vec![before], rows);
        let given = self.prefix.project(context.clone()).embeds;
        model.step(given, Some(&at), &mut cache);
        PrefixCourse { cache, next }
    }

    /// Logits of the token after the last of the next ones: `[batch, tokens]` → `[batch, vocab_size]`.
    pub(super) fn step(&self, ids: Tensor<2, Int>, course: &mut PrefixCourse) -> Tensor<2> {
        let [_, tokens] = ids.dims();
        let at = Positions::rows(&course.next, tokens);
        let words = self.lm.model.token.forward(ids);
        let logits = self.lm.next_of(words, Some(&at), &mut course.cache);
        course
            .next
            .iter_mut()
            .for_each(|next| *next += tokens as i64);
        logits
    }
}

impl PrefixCourse {
    /// Goes on with these texts, in this order.
    pub(super) fn select(&mut self, rows: &[usize], device: &Device) {
        self.cache.select(rows, device);
        self.next = rows.iter().map(|row| self.next[*row]).collect();
    }
}

/// Where each token of a context stands, `[rows * keys]`, and where what follows it does: padding takes no place.
fn places(pad: &Tensor<2, Bool>) -> (Vec<u32>, Vec<i64>) {
    let [rows, keys] = pad.dims();
    let pad: Vec<bool> = pad.clone().into_data().iter::<bool>().collect();
    let (mut at, mut next) = (Vec::with_capacity(rows * keys), Vec::with_capacity(rows));
    for row in pad.chunks(keys.max(1)) {
        let mut count = 0;
        for pad in row {
            at.push(count);
            count += u32::from(!pad);
        }
        next.push(i64::from(count));
    }
    (at, next)
}

#[cfg(test)]
mod tests {
    use sensorium_core::NoTap;
    use sensorium_models::causal::LlamaConfig;
    use sensorium_testkit::{assert_close, check_gradients, devices, random};

    use super::*;

    fn decoder(device: &Device) -> PrefixDecoder {
        PrefixDecoder::new(&LlamaConfig::debug().into(), 5, 6, device)
    }

    fn texts(device: &Device) -> TextBatch {
        TextBatch::dense(Tensor::from_data([[1, 5, 9], [3, 3, 0]], device))
    }

    /// Two contexts, of which the second has two tokens of padding, wherever they stand.
    fn context(device: &Device) -> Tokens {
        let pad = [[false; 4], [true, false, true, false]];
        Tokens::new(random([2, 4, 5], 1, device), Tensor::from_data(pad, device))
    }

    #[test]
    fn padding_of_a_context_changes_nothing() {
        for device in devices() {
            let (decoder, context) = (decoder(&device), context(&device));
            let whole = decoder.forward_with(texts(&device), &context, &mut NoTap);
            let of = |at: usize| context.embeds.clone().slice([1..2, at..at + 1, 0..5]);
            let alone = Tokens::dense(Tensor::cat(vec![of(1), of(3)], 1));
            let text = TextBatch::dense(texts(&device).ids.narrow(0, 1, 1));
            let found = decoder.forward_with(text, &alone, &mut NoTap);
            assert_close(&found, &whole.narrow(0, 1, 1), 1e-5);
        }
    }

    #[test]
    fn token_by_token_is_all_at_once() {
        for device in devices() {
            let (decoder, context) = (decoder(&device), context(&device));
            let whole = decoder.forward_with(texts(&device), &context, &mut NoTap);
            let mut course = decoder.begin(&context);
            let ids = texts(&device).ids;
            let at = |i: usize| whole.clone().narrow(1, i, 1).squeeze_dim::<2>(1);
            let found = decoder.step(ids.clone().narrow(1, 0, 2), &mut course);
            assert_close(&at(1), &found, 1e-5);
            // The texts change places.
            course.select(&[1, 0], &device);
            let swapped = Tensor::cat(vec![ids.clone().narrow(0, 1, 1), ids.narrow(0, 0, 1)], 0);
            let found = decoder.step(swapped.narrow(1, 2, 1), &mut course);
            let expected = at(2);
            assert_close(
                &expected.clone().narrow(0, 0, 1),
                &found.clone().narrow(0, 1, 1),
                1e-5,
            );
            assert_close(&expected.narrow(0, 1, 1), &found.narrow(0, 0, 1), 1e-5);
        }
    }

    #[test]
    fn every_parameter_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            let (decoder, context, texts) = (decoder(&device), context(&device), texts(&device));
            let weight = random([2, 3, 24], 2, &device);
            check_gradients(decoder, |decoder| {
                (decoder.forward_with(texts, &context, &mut NoTap) * weight).sum()
            });
        }
    }
}
