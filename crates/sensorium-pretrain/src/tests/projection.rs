//! Two views: all of it trains, and padding and samples that lack a view change nothing.

use sensorium_testkit::{assert_close, check_gradients, devices, floats, parameter_snapshot};
use sensorium_train::Learner;

use super::*;
use crate::*;
use sensorium_core::nn::PoolKind;

fn task(device: &Device) -> TwoViews {
    let head = ProjectionHeadConfig::new(8, 5).with_d_hidden(16);
    TwoViews::new(head.init(device), 0.5)
}

fn encoder(device: &Device) -> Rows {
    Rows::new(3, [6, 1], true, device)
}

/// Another view of each sample: a little shorter or longer, and a little off.
fn other(view: &Tokens, most: usize) -> Tokens {
    let [n, tokens, d] = view.dims();
    let device = view.device();
    let noise = random::<3>([n, tokens, d], 77, &device).mul_scalar(0.5);
    let view = Tokens::new(view.embeds.clone() + noise, view.pad.clone());
    part(&view, 0..n, most)
}

#[test]
fn a_vector_comes_out_whatever_the_length_and_padding_changes_nothing() {
    for device in devices() {
        for pool in [PoolKind::Mean, PoolKind::First, PoolKind::Attention] {
            let head = ProjectionHeadConfig::new(3, 5)
                .with_pool(pool)
                .init(&device);
            let short = ragged(&[4, 4], 4, 3, &device);
            let garbage = short.embeds.clone().mul_scalar(40.0);
            let pad = Tensor::full([2, 4], true, &device);
            let long = Tokens::concat(vec![short.clone(), Tokens::new(garbage, pad)]);
            let (short, long) = (head.forward(short), head.forward(long));
            assert_eq!(short.dims(), [2, 5]);
            assert_close(&short, &long, 1e-5);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let first = ragged(&[6, 4, 5, 6], 6, 3, &device);
        let second = other(&first, 6);
        let both = Pretraining::new(encoder(&device).trainable(), task(&device));
        check_gradients(both, |both| both.learn((first, second)).loss.total);
    }
}

#[test]
fn a_sample_that_lacks_a_view_is_as_if_it_were_not_there() {
    for device in devices() {
        let (encoder, task) = (encoder(&device), task(&device));
        let first = ragged(&[6, 4, 0, 5], 6, 3, &device);
        let second = other(&ragged(&[6, 4, 3, 5], 6, 3, &device), 6);
        let found = task.loss(&encoder, first.clone(), second.clone()).total;
        let without = |view: &Tokens| {
            let (a, b) = (part(view, 0..2, 6), part(view, 3..4, 6));
            Tokens::new(
                Tensor::cat(vec![a.embeds, b.embeds], 0),
                Tensor::cat(vec![a.pad, b.pad], 0),
            )
        };
        let expected = task.loss(&encoder, without(&first), without(&second)).total;
        assert_close(&found, &expected, 1e-5);
        assert!(floats(&found)[0] > 0.0);

        let absent = ragged(&[0, 0], 6, 3, &device);
        let none = task.loss(&encoder, absent.clone(), absent).total;
        assert_eq!(none.into_scalar::<f32>(), 0.0);
    }
}

#[test]
fn a_sample_alone_has_the_vector_that_it_has_among_others() {
    for device in devices() {
        let (encoder, task) = (encoder(&device), task(&device));
        let batch = ragged(&[6, 4, 5], 6, 3, &device);
        let together = task.head.forward(encoder.encode(batch.clone()));
        for (sample, length) in [6, 4, 5].into_iter().enumerate() {
            let alone = part(&batch, sample..sample + 1, length);
            let alone = task.head.forward(encoder.encode(alone));
            assert_close(&together.clone().narrow(0, sample, 1), &alone, 1e-5);
        }
    }
}

#[test]
fn the_head_is_two_maps_with_a_relu_between() {
    for device in devices() {
        let head = ProjectionHeadConfig::new(3, 2).init(&device);
        let tokens = Tokens::dense(random([1, 1, 3], 4, &device));
        let x = floats(&tokens.embeds);
        let map = |layer: &Linear, x: &[f32]| -> Vec<f32> {
            let (w, b) = (floats(&layer.weight.val()), layer.bias.as_ref().unwrap());
            let b = floats(&b.val());
            let n = b.len();
            let of = |o: usize| {
                x.iter()
                    .enumerate()
                    .map(|(i, x)| x * w[i * n + o])
                    .sum::<f32>()
            };
            (0..n).map(|o| of(o) + b[o]).collect()
        };
        let hidden: Vec<f32> = map(&head.hidden, &x).iter().map(|h| h.max(0.0)).collect();
        let expected = map(&head.output, &hidden);
        for (found, expected) in floats(&head.forward(tokens)).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn what_cannot_work_is_refused_by_name_and_paths_are_api() {
    for (config, expected) in [
        (
            ProjectionHeadConfig::new(0, 5),
            "d_model: 0 must be 1 to 1048576",
        ),
        (
            ProjectionHeadConfig::new(8, 0),
            "d_embed: 0 must be 1 to 1048576",
        ),
        (
            ProjectionHeadConfig::new(8, 5).with_d_hidden(1 << 21),
            "d_hidden: 2097152 must be 1 to 1048576",
        ),
    ] {
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
    let snapshot = parameter_snapshot(&task(&devices()[0]));
    let expected = "head.hidden.weight [8, 16]\nhead.hidden.bias [16]\n\
        head.output.weight [16, 5]\nhead.output.bias [5]";
    assert_eq!(snapshot.trim(), expected);
}
