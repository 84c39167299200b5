//! A causal language model that reads what the encoders gave as if it stood before its own text.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::{Positions, TransformerCache};
use sensorium_core::tap::in_layer;
use sensorium_core::{Gathered, Tap, Tokens};
use sensorium_fusion::{PrefixSplice, PrefixSpliceConfig};
use sensorium_models::causal::CausalLm;
use sensorium_text::TextBatch;

use super::packed::Packed;

/// Two linear maps from what the encoders gave to a language model's width, as LLaVA has them (arXiv 2310.03744), and the language
/// model: each token of a text sees all of what was given, and the text before it.
#[derive(Module, Debug)]
pub struct PrefixDecoder {
    /// `d_context` → `d_model`, where there are encoders.
    pub prefix: Option<PrefixSplice>,
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
        lm: CausalLm,
        d_context: Option<usize>,
        max_tokens: usize,
        device: &Device,
    ) -> Self {
        let [_, d_model] = lm.model.token.weight.dims();
        Self {
            prefix: d_context
                .map(|d_context| PrefixSpliceConfig::new(d_context, d_model).init(device)),
            lm,
            max_tokens,
        }
    }

    /// What stands before a text: what encoders gave `[batch, keys, d_context]` in the decoder's width, and then the tokens of texts
    /// that it reads itself: `[batch, keys + tokens, d_model]`.
    ///
    /// # Panics
    /// If there is neither, or what encoders gave of a decoder that was made for none.
    pub(super) fn view(&self, seen: Option<Tokens>, read: Option<Gathered<TextBatch>>) -> Tokens {
        let project = |seen| {
            let prefix = self.prefix.as_ref();
            prefix.expect("made for what encoders give").project(seen)
        };
        let embed =
            |texts: TextBatch| Tokens::new(self.lm.model.token.forward(texts.ids), texts.pad);
        let read = read.map(|read| read.tokens(embed));
        let parts = seen.map(project).into_iter().chain(read);
        Tokens::concat(parts.collect())
    }

    /// Logits of the token after each of the texts', in [view](Self::view) of `[batch, keys, d_model]`: `[batch, tokens]` →
    /// `[batch, tokens, vocab_size]`, unspecified at padding. Samples share rows: what is padding of a batch is not computed.
    pub(super) fn forward_with<T: Tap>(
        &self,
        texts: TextBatch,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        let [batch, tokens] = texts.ids.dims();
        let words = self.lm.model.token.forward(texts.ids);
        let words = Tokens::new(words, texts.pad);
        let all = Tokens::concat(vec![context.clone(), words]); // [B, K, D], [B, T, D] -> [B, K + T, D]
        let packed = Packed::new(&all.pad);
        let (rows, layout) = (packed.pack(all.embeds), packed.layout(&context.device()));
        let out = in_layer(tap, "lm", |tap| {
            self.lm.model.forward_in_with(rows, &layout, tap)
        });
        let out = packed.unpack(out.embeds, batch, tokens); // [R, L, D] -> [B, T, D]
        tap.tensor("logits", self.lm.logits(out))
    }

    /// Begins texts in [view](Self::view) of `[batch, keys, d_model]`.
    pub(super) fn begin(&self, context: &Tokens) -> PrefixCourse {
        let [rows, keys, _] = context.dims();
        let model = &self.lm.model;
        let capacity = keys + self.max_tokens;
        let mut cache = model.transformer.begin_after(&context.pad, capacity);
        let (before, next) = places(&context.pad);
        let at = Positions::on_axes(vec![before], rows);
        model.step(context.embeds.clone(), Some(&at), &mut cache);
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
    use sensorium_models::causal::{CausalConfig, LlamaConfig};
    use sensorium_testkit::{assert_close, check_gradients, devices, random};

    use super::*;

    fn lm(device: &Device) -> CausalLm {
        CausalConfig::from(LlamaConfig::debug()).init(device)
    }

    fn decoder(device: &Device) -> PrefixDecoder {
        PrefixDecoder::new(lm(device), Some(5), 6, device)
    }

    fn texts(device: &Device) -> TextBatch {
        TextBatch::dense(Tensor::from_data([[1, 5, 9], [3, 3, 0]], device))
    }

    /// Two contexts, of which the second has two tokens of padding, wherever they stand.
    fn context(device: &Device) -> Tokens {
        let pad = [[false; 4], [true, false, true, false]];
        Tokens::new(random([2, 4, 5], 1, device), Tensor::from_data(pad, device))
    }

    /// Texts that are read, of which the second has a token of padding.
    fn read(device: &Device) -> Gathered<TextBatch> {
        Gathered {
            batch: TextBatch {
                ids: Tensor::from_data([[4, 7, 2], [9, 1, 0]], device),
                pad: Tensor::from_data([[false; 3], [false, false, true]], device),
            },
            place: None,
        }
    }

    #[test]
    fn a_text_that_is_absent_is_not_read() {
        for device in devices() {
            let (decoder, context) = (decoder(&device), context(&device));
            let without = decoder.view(Some(context.clone()), None);
            let without = decoder.forward_with(texts(&device), &without, &mut NoTap);
            let first = |t: Tensor<2, Int>| t.narrow(0, 0, 1);
            // Of the second row alone there is none.
            let one = Gathered {
                batch: TextBatch::dense(first(read(&device).batch.ids)),
                place: Some(Tensor::from_data([0, 1], &device)),
            };
            let view = decoder.view(Some(context.clone()), Some(one));
            let found = decoder.forward_with(texts(&device), &view, &mut NoTap);
            let second = |t: &Tensor<3>| t.clone().narrow(0, 1, 1);
            assert_close(&second(&found), &second(&without), 1e-5);
            let both = decoder.view(Some(context), Some(read(&device)));
            let both = decoder.forward_with(texts(&device), &both, &mut NoTap);
            let first = |t: &Tensor<3>| t.clone().narrow(0, 0, 1);
            assert_close(&first(&found), &first(&both), 1e-5);
        }
    }

    #[test]
    fn a_decoder_without_encoders_reads_texts_alone() {
        for device in devices() {
            let decoder = PrefixDecoder::new(lm(&device), None, 6, &device);
            let view = decoder.view(None, Some(read(&device)));
            let found = decoder.forward_with(texts(&device), &view, &mut NoTap);
            // The same as one text of the language model's.
            let ids = Tensor::from_data([[4, 7, 2, 1, 5, 9]], &device);
            let whole = decoder.lm.forward(TextBatch::dense(ids));
            assert_close(&found.narrow(0, 0, 1), &whole.narrow(1, 3, 3), 1e-5);
        }
    }

    #[test]
    fn padding_of_a_context_changes_nothing() {
        for device in devices() {
            let (decoder, context) = (decoder(&device), context(&device));
            let read = read(&device);
            let view = decoder.view(Some(context.clone()), Some(read.clone()));
            let whole = decoder.forward_with(texts(&device), &view, &mut NoTap);
            let of = |at: usize| context.embeds.clone().slice([1..2, at..at + 1, 0..5]);
            let alone = Tokens::dense(Tensor::cat(vec![of(1), of(3)], 1));
            let words = read.batch.ids.narrow(0, 1, 1).narrow(1, 0, 2);
            let words = Gathered {
                batch: TextBatch::dense(words),
                place: None,
            };
            let view = decoder.view(Some(alone), Some(words));
            let text = TextBatch::dense(texts(&device).ids.narrow(0, 1, 1));
            let found = decoder.forward_with(text, &view, &mut NoTap);
            assert_close(&found, &whole.narrow(0, 1, 1), 1e-5);
        }
    }

    #[test]
    fn token_by_token_is_all_at_once() {
        for device in devices() {
            let (decoder, context) = (decoder(&device), context(&device));
            let view = decoder.view(Some(context), Some(read(&device)));
            let whole = decoder.forward_with(texts(&device), &view, &mut NoTap);
            let mut course = decoder.begin(&view);
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
            let read = read(&device);
            let weight = random([2, 3, 24], 2, &device);
            check_gradients(decoder, |decoder| {
                let view = decoder.view(Some(context), Some(read));
                (decoder.forward_with(texts, &view, &mut NoTap) * weight).sum()
            });
        }
    }
}
