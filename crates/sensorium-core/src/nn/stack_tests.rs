//! What every stack must keep: padding and neighbours change nothing, all parameters train, the
//! future stays unseen, and looking inside changes nothing.

use burn::tensor::{Device, Tensor};
use sensorium_testkit::{assert_close, check_gradients, devices, parameter_snapshot, random};

use super::{
    Activation, DecoderConfig, NormKind, NormOrder, Rotary, Transformer, TransformerConfig,
};
use crate::{NoTap, Recorder, Tokens};

fn configs() -> [TransformerConfig; 6] {
    let base = TransformerConfig::new(8, 2, 2).with_d_ff(12);
    [
        base.clone(),
        base.clone().with_order(NormOrder::Post),
        base.clone()
            .with_norm(NormKind::Rms)
            .with_activation(Activation::SwiGlu)
            .with_kv_heads(1)
            .with_rotary(Some(Rotary::new(4, 1e4)))
            .with_bias(false),
        base.clone()
            .with_fused_qkv(true)
            .with_activation(Activation::QuickGelu)
            .with_bias(false),
        base.clone()
            .with_norm(NormKind::Rms)
            .with_d_head(Some(6))
            .with_kv_heads(1)
            .with_qk_norm(true)
            .with_rotary(Some(Rotary::new(6, 1e4)))
            .with_bias(false)
            .with_feed_forward_bias(true),
        base.with_layer_scale(Some(0.5)).with_qkv_bias(false),
    ]
}

fn take(
    x: &Tensor<3>,
    batch: core::ops::Range<usize>,
    tokens: core::ops::Range<usize>,
) -> Tensor<3> {
    x.clone().slice([batch, tokens, 0..x.dims()[2]])
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let model: Transformer = config.init(&device);
            let x = random::<3>([2, 3, 8], 1, &device);
            let alone = model.forward(Tokens::dense(take(&x, 0..1, 0..3))).embeds;
            let batched = model.forward(Tokens::dense(x.clone())).embeds;
            assert_close(&alone, &take(&batched, 0..1, 0..3), 1e-5);

            let garbage = random::<3>([2, 2, 8], 2, &device).mul_scalar(100.0);
            let pad = Tensor::from_data([[false, false, false, true, true]; 2], &device);
            let padded = Tokens::new(Tensor::cat(vec![x, garbage], 1), pad);
            let padded = model.forward(padded).embeds;
            assert_close(&batched, &take(&padded, 0..2, 0..3), 1e-5);
        }
    }
}

#[test]
fn a_causal_stack_does_not_see_the_future() {
    for device in devices() {
        for config in configs() {
            let model = config.with_causal(true).init(&device);
            let x = random::<3>([1, 4, 8], 1, &device);
            let whole = model.forward(Tokens::dense(x.clone())).embeds;
            let start = model.forward(Tokens::dense(take(&x, 0..1, 0..2))).embeds;
            assert_close(&take(&whole, 0..1, 0..2), &start, 1e-5);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model: Transformer = config.init(&device);
            for block in &mut model.blocks {
                // The softmax does not see a key bias without positions; see the attention tests.
                if let Some(key) = &mut block.attention.key {
                    key.bias = None;
                }
            }
            let x = random([2, 3, 8], 1, &device);
            let w = random([2, 3, 8], 2, &device);
            check_gradients(model, |m| (m.forward(Tokens::dense(x)).embeds * w).sum());
        }
    }
}

#[test]
fn a_decoder_attends_to_its_context_and_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model = DecoderConfig::new(config.with_causal(true), 6).init(&device);
            for block in &mut model.blocks {
                for layer in [&mut block.attention, &mut block.cross] {
                    if let Some(key) = &mut layer.key {
                        key.bias = None;
                    }
                }
            }
            let x = Tokens::dense(random([2, 3, 8], 1, &device));
            let context = Tokens::dense(random([2, 4, 6], 2, &device));
            let out = model.forward(x.clone(), &context).embeds;

            let garbage = random::<3>([2, 1, 6], 3, &device).mul_scalar(100.0);
            let pad = Tensor::from_data([[false, false, false, false, true]; 2], &device);
            let longer = Tokens::new(Tensor::cat(vec![context.embeds.clone(), garbage], 1), pad);
            assert_close(&out, &model.forward(x.clone(), &longer).embeds, 1e-5);

            let w = random([2, 3, 8], 4, &device);
            check_gradients(model, |m| (m.forward(x, &context).embeds * w).sum());
        }
    }
}

#[test]
fn looking_inside_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let model: Transformer = config.init(&device);
            let x = Tokens::dense(random([2, 3, 8], 1, &device));
            let mut recorder = Recorder::default();
            let shown = model.forward_with(x.clone(), &mut recorder).embeds;
            assert_close(&model.forward(x).embeds, &shown, 1e-5);
            let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
            assert_eq!(
                names,
                [
                    "blocks.0.attention.weights",
                    "blocks.0.output",
                    "blocks.1.attention.weights",
                    "blocks.1.output",
                    "output"
                ]
            );
        }
    }
}

#[test]
fn the_first_token_alone_is_as_among_all() {
    for device in devices() {
        let x = random::<3>([2, 4, 8], 1, &device);
        let pad = [[false, false, false, true], [false; 4]];
        let tokens = Tokens::new(x, Tensor::from_data(pad, &device));
        for config in configs() {
            for causal in [false, true] {
                let model = config.clone().with_causal(causal).init(&device);
                let all = model.forward(tokens.clone());
                let first = model.first_with(tokens.clone(), &mut NoTap);
                assert_close(&first.embeds, &take(&all.embeds, 0..2, 0..1), 1e-5);
                assert_eq!(first.pad.dims(), [2, 1]);

                // Who looks is shown all.
                let mut recorder = Recorder::default();
                let seen = model.first_with(tokens.clone(), &mut recorder);
                assert_close(&seen.embeds, &first.embeds, 1e-5);
                assert_eq!(recorder.get("output").unwrap().0, [2, 4, 8]);
            }
        }
    }
}

#[test]
fn the_first_token_alone_trains_every_parameter() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model: Transformer = config.init(&device);
            for block in &mut model.blocks {
                if let Some(key) = &mut block.attention.key {
                    key.bias = None; // see above
                }
            }
            let x = Tokens::dense(random([2, 3, 8], 1, &device));
            let w = random([2, 1, 8], 2, &device);
            check_gradients(model, |m| (m.first_with(x, &mut NoTap).embeds * w).sum());
        }
    }
}

#[test]
fn stochastic_depth_and_dropout_act_in_training_only() {
    let base = TransformerConfig::new(8, 2, 2);
    // Each alone, so that neither can stand in for the other.
    let configs = [base.clone().with_drop_path(0.5), base.with_dropout(0.5)];
    for device in devices() {
        for config in &configs {
            let x = random::<3>([8, 3, 8], 1, &device);
            let model = config.init(&device);
            let once = model.forward(Tokens::dense(x.clone())).embeds;
            assert_close(&once, &model.forward(Tokens::dense(x.clone())).embeds, 0.0);

            let training: Device = device.clone().autodiff();
            training.seed(1);
            let model = config.init(&training);
            let x = Tensor::from_data(x.into_data(), &training);
            let a = model.forward(Tokens::dense(x.clone())).embeds;
            let b = model.forward(Tokens::dense(x)).embeds;
            assert!(sensorium_testkit::max_difference(&a, &b) > 1e-3);
        }
    }
}

#[test]
fn deeper_blocks_are_skipped_more() {
    let device = &devices()[0];
    let probs = |n_layers| {
        let config = TransformerConfig::new(4, 2, n_layers).with_drop_path(0.4);
        let blocks = config.init(device).blocks.into_iter();
        blocks.map(|b| b.drop_path.prob()).collect::<Vec<_>>()
    };
    assert_eq!(probs(3), [0.0, 0.2, 0.4]);
    assert_eq!(probs(1), [0.4]);
    let config = TransformerConfig::new(4, 2, 2).with_drop_path(0.4);
    let decoder = DecoderConfig::new(config, 4).init(device);
    assert_eq!(decoder.blocks[0].drop_path.prob(), 0.0);
    assert_eq!(decoder.blocks[1].drop_path.prob(), 0.4);
}

#[test]
fn what_is_optional_adds_its_own_keys_and_moves_no_other() {
    let device = &devices()[0];
    let base = TransformerConfig::new(4, 2, 1).with_d_ff(6);
    let plain = parameter_snapshot(&base.init(device));
    let scaled = parameter_snapshot(&base.clone().with_layer_scale(Some(0.1)).init(device));
    let (added, kept): (Vec<&str>, Vec<&str>) =
        scaled.lines().partition(|line| !plain.contains(line));
    assert_eq!(kept.join("\n"), plain);
    assert_eq!(
        added,
        [
            "blocks.0.scale_attention.gamma [4]",
            "blocks.0.scale_feed_forward.gamma [4]"
        ]
    );

    let unbiased = parameter_snapshot(&base.with_qkv_bias(false).init(device));
    let left_out: Vec<&str> = plain
        .lines()
        .filter(|line| !unbiased.contains(line))
        .collect();
    assert_eq!(
        left_out,
        [
            "blocks.0.attention.query.bias [4]",
            "blocks.0.attention.key.bias [4]",
            "blocks.0.attention.value.bias [4]"
        ]
    );
}

#[test]
fn a_branch_scaled_by_zero_is_skipped() {
    for device in devices() {
        let config = TransformerConfig::new(8, 2, 2)
            .with_layer_scale(Some(0.0))
            .with_final_norm(false);
        let x = random::<3>([2, 3, 8], 1, &device);
        let out = config.init(&device).forward(Tokens::dense(x.clone()));
        assert_close(&x, &out.embeds, 0.0);
    }
}
