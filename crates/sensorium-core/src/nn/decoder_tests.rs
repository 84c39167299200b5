//! What a decoder must keep beside what every stack does: it sees no future and no padding, of its own tokens or of the
//! context, and a sample without a context is decoded as if there were no attention to one.

use burn::module::Param;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_testkit::{assert_close, devices, random};

use super::attention::Attend;
use super::block::EncoderBlock;
use super::stack::turned;
use super::{Decoder, DecoderConfig, NormKind, NormOrder, Rotary, TransformerConfig};
use crate::{NoTap, Recorder, Tokens};

/// Width of the context.
const D_CONTEXT: usize = 6;

fn decoders(device: &Device) -> Vec<Decoder> {
    let base = TransformerConfig::new(8, 2, 2)
        .with_d_ff(12)
        .with_causal(true);
    let configs = [
        base.clone(),
        base.clone().with_order(NormOrder::Post),
        base.clone()
            .with_norm(NormKind::Rms)
            .with_rotary(Some(Rotary::new(4, 1e4))),
        base.with_fused_qkv(true).with_layer_scale(Some(0.5)),
    ];
    let configs = configs.into_iter();
    configs
        .map(|config| DecoderConfig::new(config, D_CONTEXT).init(device))
        .collect()
}

/// Two samples of four tokens, and of three of a context.
fn inputs(device: &Device) -> (Tensor<3>, Tensor<3>) {
    let x = random([2, 4, 8], 1, device);
    (x, random([2, 3, D_CONTEXT], 2, device))
}

fn tokens(x: &Tensor<3>, n: usize) -> Tensor<3> {
    let [batch, _, width] = x.dims();
    x.clone().slice([0..batch, 0..n, 0..width])
}

fn sample(x: &Tensor<3>, i: usize) -> Tensor<3> {
    let [_, n, width] = x.dims();
    x.clone().slice([i..i + 1, 0..n, 0..width])
}

fn all_padding(x: Tensor<3>) -> Tokens {
    let [batch, n, _] = x.dims();
    let pad = Tensor::<2, Bool>::full([batch, n], true, &x.device());
    Tokens::new(x, pad)
}

#[test]
fn the_future_is_not_seen() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let context = Tokens::dense(context);
            let whole = model.forward(Tokens::dense(x.clone()), &context).embeds;
            let start = model.forward(Tokens::dense(tokens(&x, 2)), &context);
            assert_close(&tokens(&whole, 2), &start.embeds, 1e-5);
        }
    }
}

#[test]
fn padding_of_its_own_tokens_changes_nothing() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let context = Tokens::dense(context);
            let plain = model.forward(Tokens::dense(x.clone()), &context).embeds;
            // Before the last token, where causality does not hide it.
            let garbage = random::<3>([2, 1, 8], 3, &device).mul_scalar(100.0);
            let (first, last) = (tokens(&x, 3), x.clone().slice([0..2, 3..4, 0..8]));
            let x = Tensor::cat(vec![first, garbage.clone(), last], 1);
            let pad = Tensor::from_data([[false, false, false, true, false]; 2], &device);
            let padded = model.forward(Tokens::new(x.clone(), pad.clone()), &context);
            assert_close(&tokens(&plain, 3), &tokens(&padded.embeds, 3), 1e-5);
            let other = Tensor::cat(
                vec![
                    tokens(&x, 3),
                    garbage.mul_scalar(-2.0),
                    x.slice([0..2, 4..5, 0..8]),
                ],
                1,
            );
            let other = model.forward(Tokens::new(other, pad), &context).embeds;
            let last = |x: &Tensor<3>| x.clone().slice([0..2, 4..5, 0..8]);
            assert_close(&last(&padded.embeds), &last(&other), 1e-5);
        }
    }
}

#[test]
fn a_batch_is_its_samples() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let whole = Tokens::dense(context.clone());
            let batch = model.forward(Tokens::dense(x.clone()), &whole).embeds;
            for i in 0..2 {
                let context = Tokens::dense(sample(&context, i));
                let alone = model.forward(Tokens::dense(sample(&x, i)), &context);
                assert_close(&sample(&batch, i), &alone.embeds, 1e-5);
            }
        }
    }
}

#[test]
fn looking_inside_a_decoder_changes_nothing() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let (x, context) = (Tokens::dense(x), Tokens::dense(context));
            let mut recorder = Recorder::default();
            let shown = model.forward_with(x.clone(), &context, &mut recorder);
            assert_close(&model.forward(x, &context).embeds, &shown.embeds, 1e-5);
            let names = recorder.seen.iter().map(|(name, _, _)| name.as_str());
            let block = |i| {
                ["attention.weights", "cross.weights", "output"]
                    .map(|what| format!("blocks.{i}.{what}"))
            };
            let expected = [&block(0)[..], &block(1), &["output".to_owned()]].concat();
            assert_eq!(names.collect::<Vec<_>>(), expected);
        }
    }
}

/// The block without its attention to a context.
fn without_cross(model: &Decoder, i: usize, order: NormOrder) -> EncoderBlock {
    let block = model.blocks[i].clone();
    EncoderBlock {
        norm_attention: block.norm_attention,
        attention: block.attention,
        scale_attention: block.scale_attention,
        norm_feed_forward: block.norm_feed_forward,
        feed_forward: block.feed_forward,
        scale_feed_forward: block.scale_feed_forward,
        drop_path: block.drop_path,
        order,
    }
}

#[test]
fn a_context_that_is_all_padding_gives_nothing_but_the_output_bias() {
    for device in devices() {
        for mut model in decoders(&device) {
            let (x, context) = inputs(&device);
            let absent = all_padding(context.clone());
            let other = all_padding(context.mul_scalar(-100.0));
            let out = model.forward(Tokens::dense(x.clone()), &absent).embeds;
            let same = model.forward(Tokens::dense(x.clone()), &other).embeds;
            assert_close(&out, &same, 0.0);

            // Without that bias it is the stack without the attention to a context.
            if model.blocks[0].order == NormOrder::Post {
                continue; // a norm more stands there
            }
            for block in &mut model.blocks {
                let bias = block.cross.output.bias.as_ref();
                let zeros = bias.map(|bias| Param::from_tensor(bias.val().zeros_like()));
                block.cross.output.bias = zeros;
            }
            let out = model.forward(Tokens::dense(x.clone()), &absent).embeds;
            let pad = Tensor::<2, Bool>::full([2, 4], false, &device);
            let how = Attend::keys(pad).with_causal(true);
            let angles = turned(model.rotary.as_ref(), &x, None);
            let plain = (0..2).fold(x, |x, i| {
                let block = without_cross(&model, i, NormOrder::Pre);
                block.forward_with(x, angles.as_ref(), &how, &mut NoTap)
            });
            let plain = model
                .norm
                .as_ref()
                .map_or(plain.clone(), |n| n.forward(plain));
            assert_close(&plain, &out, 1e-5);
        }
    }
}

#[test]
fn token_by_token_is_all_at_once() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let pad = Tensor::from_data([[false, true, false], [false; 3]], &device);
            let padded = Tokens::new(context.clone(), pad.clone());
            for (context, pad) in [(Tokens::dense(context), None), (padded, Some(pad))] {
                let whole = model.forward(Tokens::dense(x.clone()), &context).embeds;
                // One more than is needed, in steps of one token, of two, and of all.
                for steps in [&[1, 1, 1, 1][..], &[2, 1, 1], &[1, 3], &[4]] {
                    let mut cache = model.begin(&context.embeds, pad.as_ref(), 5);
                    assert!(cache.is_empty());
                    let mut start = 0;
                    let step = |n: &usize| {
                        let next = x.clone().narrow(1, start, *n);
                        start += n;
                        model.step(next, &mut cache)
                    };
                    let stepped = steps.iter().map(step).collect();
                    assert_close(&whole, &Tensor::cat(stepped, 1), 1e-5);
                    assert_eq!(cache.len(), 4);
                }
            }
        }
    }
}

#[test]
fn a_cache_goes_on_with_the_samples_that_are_chosen() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let mut cache = model.begin(&context, None, 4);
            model.step(tokens(&x, 2), &mut cache);
            cache.select(&Tensor::from_data([1, 1, 0], &device));
            let rest = x.clone().narrow(1, 2, 2);
            let order = [sample(&rest, 1), sample(&rest, 1), sample(&rest, 0)].to_vec();
            let found = model.step(Tensor::cat(order, 0), &mut cache);
            let whole = model
                .forward(Tokens::dense(x), &Tokens::dense(context))
                .embeds;
            let whole = whole.narrow(1, 2, 2);
            let expected = [sample(&whole, 1), sample(&whole, 1), sample(&whole, 0)].to_vec();
            assert_close(&Tensor::cat(expected, 0), &found, 1e-5);
        }
    }
}

#[test]
fn samples_that_share_a_context_are_as_those_with_a_copy_each() {
    for device in devices() {
        for model in decoders(&device) {
            let (x, context) = inputs(&device);
            let pad = Tensor::from_data([[false, true, false], [false; 3]], &device);
            let mut shared = model.begin(&context, Some(&pad), 4);
            model.step(tokens(&x, 2), &mut shared);
            let mut copied = shared.clone();
            // Two texts of each context, of which the second context is then the only one left.
            let rest = random([4, 1, 8], 4, &device);
            for (order, contexts, count) in [([0, 0, 1, 1], [0, 1], 4), ([3, 2, 3, 2], [1, 1], 2)] {
                let rows = Tensor::<1, Int>::from_data(order, &device).narrow(0, 0, count);
                shared.select_tokens(&rows);
                shared.select_contexts(&Tensor::<1, Int>::from_data(contexts, &device).narrow(
                    0,
                    0,
                    count / 2,
                ));
                copied.select(&rows);
                let next = rest.clone().narrow(0, 0, count);
                let expected = model.step(next.clone(), &mut copied);
                assert_close(&expected, &model.step(next, &mut shared), 1e-5);
            }
        }
    }
}

#[test]
#[should_panic(expected = "2 samples cannot share 3 contexts evenly")]
fn samples_that_cannot_be_divided_among_contexts_are_refused() {
    let device = devices().remove(0);
    let model = decoders(&device).remove(0);
    let (x, context) = inputs(&device);
    let mut cache = model.begin(&context, None, 4);
    cache.select_contexts(&Tensor::from_data([0, 1, 1], &device));
    model.step(x, &mut cache);
}

#[test]
#[should_panic(expected = "5 tokens do not fit into a cache for 4")]
fn a_cache_that_is_full_takes_no_more() {
    let device = devices().remove(0);
    let model = decoders(&device).remove(0);
    let (x, context) = inputs(&device);
    let mut cache = model.begin(&context, None, 4);
    model.step(x.clone(), &mut cache);
    model.step(tokens(&x, 1), &mut cache);
}
