//! Token by token is as all at once, texts of several lengths side by side are as each alone, and texts that share a row do not
//! see each other.

use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_testkit::{assert_close, devices, random};

use super::{
    Activation, Layout, NormKind, NormOrder, Positions, Rotary, Transformer, TransformerConfig,
};
use crate::Tokens;

fn transformers(device: &Device) -> Vec<Transformer> {
    let base = TransformerConfig::new(8, 4, 2)
        .with_d_ff(12)
        .with_causal(true);
    let turned = base
        .clone()
        .with_norm(NormKind::Rms)
        .with_activation(Activation::SwiGlu)
        .with_kv_heads(2)
        .with_bias(false)
        .with_rotary(Some(Rotary::new(6, 1e4)))
        .with_d_head(Some(6))
        .with_qk_norm(true);
    let configs = [
        base.clone().with_order(NormOrder::Post),
        base.with_fused_qkv(true),
        turned.clone().with_fused_qkv(true),
        turned.with_kv_heads(1),
    ];
    configs.iter().map(|config| config.init(device)).collect()
}

/// Tokens `from..to` of a row.
fn part(x: &Tensor<3>, row: usize, from: usize, to: usize) -> Tensor<3> {
    let [_, _, width] = x.dims();
    x.clone().slice([row..row + 1, from..to, 0..width])
}

#[test]
fn what_is_kept_goes_on_otherwise_in_more_room() {
    for device in devices() {
        for model in transformers(&device) {
            let x = random::<3>([2, 7, 8], 1, &device);
            let other = random::<3>([2, 4, 8], 2, &device);
            for before in [[0, 0], [0, 2]] {
                let mut cache = model.begin(&before, 7, &device);
                model.step(x.clone(), None, &mut cache);
                for kept in [3, 5] {
                    cache.keep(kept);
                    cache.reserve(9);
                    assert_eq!((cache.len(), cache.room()), (kept, 9 - kept));
                    let found = model.step(other.clone(), None, &mut cache);
                    let mut anew = model.begin(&before, 9, &device);
                    model.step(x.clone().narrow(1, 0, kept), None, &mut anew);
                    let expected = model.step(other.clone(), None, &mut anew);
                    assert_close(&expected, &found, 1e-5);
                    // Back to what there was at first.
                    cache.keep(3);
                    model.step(x.clone().narrow(1, 3, 4), None, &mut cache);
                }
                cache.keep(0);
                let found = model.step(x.clone(), None, &mut cache);
                let expected = model.step(x.clone(), None, &mut model.begin(&before, 7, &device));
                assert_close(&expected, &found, 1e-5);
            }
        }
    }
}

#[test]
fn token_by_token_is_as_all_at_once() {
    for device in devices() {
        for model in transformers(&device) {
            let x = random::<3>([2, 7, 8], 1, &device);
            let whole = model.forward(Tokens::dense(x.clone())).embeds;
            for steps in [vec![7], vec![1; 7], vec![3, 1, 2, 1]] {
                let mut cache = model.begin(&[0, 0], 9, &device);
                let mut at = 0;
                for step in steps {
                    let next = x.clone().narrow(1, at, step);
                    let found = model.step(next, None, &mut cache);
                    assert_close(&whole.clone().narrow(1, at, step), &found, 1e-5);
                    at += step;
                }
                assert_eq!((cache.len(), cache.room()), (7, 2));
            }
        }
    }
}

#[test]
fn texts_of_several_lengths_go_side_by_side_and_leave_alone() {
    for device in devices() {
        for model in transformers(&device) {
            let x = random::<3>([3, 6, 8], 2, &device);
            let garbage = random::<3>([3, 6, 8], 3, &device).mul_scalar(50.0);
            // Texts of 4, 2 and 3 tokens, and then each two more.
            let lengths = [4, 2, 3];
            let alone = [0, 1, 2].map(|row| {
                let text = Tokens::dense(part(&x, row, 0, lengths[row] + 2));
                model.forward(text).embeds
            });
            let row = |row: usize| {
                let before = part(&garbage, row, 0, 4 - lengths[row]);
                match lengths[row] {
                    4 => part(&x, row, 0, 4),
                    n => Tensor::cat(vec![before, part(&x, row, 0, n)], 1),
                }
            };
            let mut cache = model.begin(&lengths.map(|n| 4 - n), 6, &device);
            let prompt = Tensor::cat([0, 1, 2].map(row).to_vec(), 0);
            let found = model.step(prompt, None, &mut cache);
            for (i, n) in lengths.into_iter().enumerate() {
                assert_close(&part(&alone[i], 0, 0, n), &part(&found, i, 4 - n, 4), 1e-5);
            }
            // The second has ended; the others change places, and one is followed twice.
            let rows = [2, 0, 0];
            cache.select(&rows, &device);
            for step in 0..2 {
                let next = rows.map(|i| part(&x, i, lengths[i] + step, lengths[i] + step + 1));
                let found = model.step(Tensor::cat(next.to_vec(), 0), None, &mut cache);
                for (place, i) in rows.into_iter().enumerate() {
                    let at = lengths[i] + step;
                    let expected = part(&alone[i], 0, at, at + 1);
                    assert_close(&expected, &part(&found, place, 0, 1), 1e-5);
                }
            }
        }
    }
}

#[test]
fn padding_may_stand_anywhere_among_the_first() {
    for device in devices() {
        for model in transformers(&device) {
            let x = random::<3>([2, 5, 8], 6, &device);
            // The second row has no second token.
            let pad = [[false, false, false], [false, true, false]];
            let pad = Tensor::<2, Bool>::from_data(pad, &device);
            let mut cache = model.begin_after(&pad, 5);
            let at = |positions: [[u32; 3]; 2]| Positions::on_axes(vec![positions.concat()], 2);
            let first = at([[0, 1, 2], [0, 0, 1]]);
            model.step(x.clone().narrow(1, 0, 3), Some(&first), &mut cache);
            cache.select(&[1, 0], &device);
            let swapped = Tensor::cat(vec![part(&x, 1, 3, 4), part(&x, 0, 3, 4)], 0);
            let next = Positions::on_axes(vec![vec![2, 3]], 2);
            let found = model.step(swapped, Some(&next), &mut cache);
            let whole = model.forward(Tokens::dense(part(&x, 0, 0, 4))).embeds;
            assert_close(&part(&whole, 0, 3, 4), &part(&found, 1, 0, 1), 1e-5);
            let without = Tensor::cat(vec![part(&x, 1, 0, 1), part(&x, 1, 2, 4)], 1);
            let without = model.forward(Tokens::dense(without)).embeds;
            assert_close(&part(&without, 0, 2, 3), &part(&found, 0, 0, 1), 1e-5);
        }
    }
}

#[test]
fn where_tokens_stand_is_what_is_said() {
    for device in devices() {
        let on_axes = Rotary::new(4, 100.0).on_axes(&[1, 1]);
        let model = TransformerConfig::new(8, 2, 2)
            .with_causal(true)
            .with_rotary(Some(on_axes))
            .init(&device);
        let x = random::<3>([1, 4, 8], 4, &device);
        let at = |tokens: std::ops::Range<usize>| {
            let axes = [[0u32, 1, 1, 5], [0, 1, 2, 5]];
            Positions::on_axes(axes.map(|axis| axis[tokens.clone()].to_vec()).to_vec(), 1)
        };
        let layout = Layout {
            positions: Some(at(0..4)),
            segments: None,
        };
        let tokens = Tokens::dense(x.clone());
        let whole = model.forward_in_with(tokens, &layout, &mut crate::NoTap);
        let mut cache = model.begin(&[0], 4, &device);
        for (from, to) in [(0, 3), (3, 4)] {
            let found = model.step(part(&x, 0, from, to), Some(&at(from..to)), &mut cache);
            assert_close(&part(&whole.embeds, 0, from, to), &found, 1e-5);
        }
    }
}

#[test]
fn texts_in_one_row_do_not_see_each_other() {
    for device in devices() {
        for model in transformers(&device) {
            let x = random::<3>([1, 6, 8], 5, &device);
            let segments = Tensor::<2, Int>::from_data([[0, 0, 1, 1, 1, 2]], &device);
            let layout = Layout {
                positions: Some(Positions::on_axes(vec![vec![0, 1, 0, 1, 2, 0]], 1)),
                segments: Some(segments),
            };
            let tokens = Tokens::dense(x.clone());
            let packed = model.forward_in_with(tokens, &layout, &mut crate::NoTap);
            for (from, to) in [(0, 2), (2, 5), (5, 6)] {
                let alone = model.forward(Tokens::dense(part(&x, 0, from, to))).embeds;
                assert_close(&alone, &part(&packed.embeds, 0, from, to), 1e-5);
            }
        }
    }
}

#[test]
#[should_panic(expected = "only a causal transformer can go token by token")]
fn what_sees_the_future_cannot_go_token_by_token() {
    let device = devices().remove(0);
    TransformerConfig::new(8, 2, 1)
        .init(&device)
        .begin(&[0], 4, &device);
}
