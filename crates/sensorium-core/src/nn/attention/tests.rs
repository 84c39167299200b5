//! Attention against `softmax(QKᵀ/√d)V` written out in double precision on the host: every rule,
//! alone and together, on every backend, with and without autodiff.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

use super::{Attend, Attention, AttentionConfig, attend, attention_weights};
use crate::nn::{Positions, Rotary};
use crate::{NoTap, Recorder, Tokens};

struct Case {
    name: &'static str,
    heads: usize,
    kv_heads: usize,
    queries: usize,
    keys: usize,
    how: fn(&Device) -> Attend,
}

const BATCH: usize = 2;
const D_HEAD: usize = 4;

fn pad(device: &Device) -> Tensor<2, Bool> {
    // The second sample is all padding.
    Tensor::from_data([[false, false, true, false, true], [true; 5]], device)
}

fn mask(device: &Device) -> Tensor<4, Bool> {
    // The second query sees nothing.
    let rows = [
        [false, true, false, true, false],
        [true; 5],
        [true, false, false, false, true],
    ];
    Tensor::from_data(TensorData::new(rows.concat(), [1, 1, 3, 5]), device)
}

const CASES: [Case; 13] = [
    case("plain", 2, 2, 3, 5, |_| Attend::default()),
    case("grouped heads", 4, 2, 3, 5, |_| Attend::default()),
    case("one key head", 4, 1, 3, 5, |_| Attend::default()),
    case("padding", 2, 2, 3, 5, |d| Attend::keys(pad(d))),
    case("mask with an empty row", 2, 2, 3, 5, |d| Attend {
        mask: Some(mask(d)),
        ..Attend::default()
    }),
    case("causal", 2, 2, 5, 5, |_| {
        Attend::default().with_causal(true)
    }),
    case("causal, fewer queries than keys", 2, 2, 3, 5, |_| {
        Attend::default().with_causal(true)
    }),
    case("causal, more queries than keys", 2, 2, 5, 3, |_| {
        Attend::default().with_causal(true)
    }),
    case("bias", 2, 2, 3, 5, |d| Attend {
        bias: Some(random([1, 2, 3, 5], 40, d)),
        ..Attend::default()
    }),
    case("scale and cap", 2, 2, 3, 5, |_| Attend {
        scale: Some(3.0),
        softcap: Some(0.8),
        ..Attend::default()
    }),
    case("causal and padding", 2, 2, 5, 5, |d| {
        Attend::keys(pad(d)).with_causal(true)
    }),
    case("mask, padding and grouped heads", 4, 2, 3, 5, |d| Attend {
        mask: Some(mask(d)),
        ..Attend::keys(pad(d))
    }),
    case("everything", 4, 2, 3, 5, |d| Attend {
        key_pad: Some(pad(d)),
        mask: Some(mask(d)),
        bias: Some(random([2, 4, 3, 5], 41, d)),
        causal: true,
        scale: Some(0.9),
        softcap: Some(1.5),
    }),
];

const fn case(
    name: &'static str,
    heads: usize,
    kv_heads: usize,
    queries: usize,
    keys: usize,
    how: fn(&Device) -> Attend,
) -> Case {
    Case {
        name,
        heads,
        kv_heads,
        queries,
        keys,
        how,
    }
}

impl Case {
    fn inputs(&self, device: &Device) -> [Tensor<4>; 3] {
        [
            random([BATCH, self.heads, self.queries, D_HEAD], 1, device),
            random([BATCH, self.kv_heads, self.keys, D_HEAD], 2, device),
            random([BATCH, self.kv_heads, self.keys, D_HEAD], 3, device),
        ]
    }

    /// The definition, in double precision, one number at a time.
    fn expected(&self, device: &Device) -> Vec<f64> {
        let how = (self.how)(device);
        let [q, k, v] = self.inputs(device).map(|t| floats(&t));
        let bias = how.bias.as_ref().map(|b| (floats(b), b.dims()));
        let mask = how
            .mask
            .as_ref()
            .map(|m| (sensorium_testkit::bools(m), m.dims()));
        let pad = how.key_pad.as_ref().map(sensorium_testkit::bools);
        let scale = how.scale.unwrap_or(1.0 / (D_HEAD as f64).sqrt());
        let mut out = Vec::new();
        for (b, h, i) in places(BATCH, self.heads, self.queries) {
            let kv = (b * self.kv_heads + h / (self.heads / self.kv_heads)) * self.keys;
            let row = ((b * self.heads + h) * self.queries + i) * D_HEAD;
            let score = |j: usize| -> Option<f64> {
                let blocked = pad.as_ref().is_some_and(|p| p[b * self.keys + j])
                    || mask
                        .as_ref()
                        .is_some_and(|(m, dims)| m[at(*dims, [b, h, i, j])])
                    || (how.causal && j + self.queries > i + self.keys);
                let dot: f64 = (0..D_HEAD)
                    .map(|d| f64::from(q[row + d]) * f64::from(k[(kv + j) * D_HEAD + d]))
                    .sum();
                let capped = match how.softcap {
                    Some(cap) => cap * (dot * scale / cap).tanh(),
                    None => dot * scale,
                };
                let bias = bias.as_ref().map_or(0.0, |(values, dims)| {
                    f64::from(values[at(*dims, [b, h, i, j])])
                });
                (!blocked).then(|| (capped + bias).exp())
            };
            let weights: Vec<f64> = (0..self.keys).map(|j| score(j).unwrap_or(0.0)).collect();
            let total: f64 = weights.iter().sum();
            for d in 0..D_HEAD {
                let sum: f64 = (0..self.keys)
                    .map(|j| weights[j] * f64::from(v[(kv + j) * D_HEAD + d]))
                    .sum();
                out.push(if total > 0.0 { sum / total } else { 0.0 });
            }
        }
        out
    }
}

fn places(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |x| (0..b).flat_map(move |y| (0..c).map(move |z| (x, y, z))))
}

/// The flat place of an index in a tensor some of whose dimensions are 1 and broadcast.
fn at(dims: [usize; 4], index: [usize; 4]) -> usize {
    dims.iter().zip(index).fold(0, |place, (dim, i)| {
        place * dim + if *dim == 1 { 0 } else { i }
    })
}

fn assert_near(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*f) - e).abs() < 2e-5,
            "{name}: number {i} is {f}, but should be {e}"
        );
    }
}

#[test]
fn every_rule_holds_with_and_without_autodiff() {
    for device in devices() {
        for case in &CASES {
            let expected = case.expected(&device);
            for (mode, device) in [
                ("plain", device.clone()),
                ("autodiff", device.clone().autodiff()),
            ] {
                let [q, k, v] = case.inputs(&device);
                let found = attend(q, k, v, &(case.how)(&device));
                let name = format!("{} ({mode}, {device:?})", case.name);
                assert_near(&name, &floats(&found), &expected);
            }
        }
    }
}

#[test]
fn long_sequences_take_the_tiled_kernel_and_agree() {
    // Flex switches to a tiled kernel above 512 x 512 scores.
    for device in devices() {
        let x = |tokens, seed| random::<4>([1, 1, tokens, D_HEAD], seed, &device);
        let (q, k, v) = (x(520, 1), x(530, 2), x(530, 3));
        let how = Attend::default().with_causal(true);
        let written_out = attention_weights(q.clone(), k.clone(), &how).matmul(v.clone());
        assert_close(&attend(q, k, v, &how), &written_out, 2e-5);
    }
}

#[test]
fn gradients_through_blocked_rows_are_finite() {
    for device in devices().into_iter().map(Device::autodiff) {
        let case = CASES.last().expect("there are cases");
        let [q, k, v] = case.inputs(&device).map(Tensor::require_grad);
        let weight = random([BATCH, case.heads, case.queries, D_HEAD], 9, &device);
        let out = attend(q.clone(), k.clone(), v.clone(), &(case.how)(&device));
        let grads = (out * weight).sum().backward();
        for (name, tensor) in [("query", q), ("key", k), ("value", v)] {
            let grad = floats(&tensor.grad(&grads).expect("inputs have gradients"));
            assert!(grad.iter().all(|g| g.is_finite()), "{name}: {grad:?}");
            assert!(grad.iter().any(|g| *g != 0.0), "{name} gets no gradient");
        }
    }
}

fn layers(device: &Device) -> [Attention; 3] {
    let config = AttentionConfig::new(8, 4);
    [
        config.clone().init(device),
        config.clone().with_kv_heads(2).init(device),
        config.with_fused_qkv(true).init(device),
    ]
}

#[test]
fn showing_the_weights_changes_nothing() {
    for device in devices() {
        for layer in layers(&device) {
            let x = random([2, 5, 8], 5, &device);
            let how = Attend::keys(pad(&device));
            let mut recorder = Recorder::default();
            let shown = layer.self_attend_with(x.clone(), None, &how, &mut recorder);
            assert_close(
                &layer.self_attend_with(x, None, &how, &mut NoTap),
                &shown,
                1e-5,
            );
            let (shape, weights) = recorder.get("weights").expect("weights are tapped");
            assert_eq!(shape, [2, 4, 5, 5]);
            let sums: Vec<f32> = weights.chunks(5).map(|row| row.iter().sum()).collect();
            assert!(
                sums[..20].iter().all(|s| (s - 1.0).abs() < 1e-5),
                "{sums:?}"
            );
            assert!(sums[20..].iter().all(|s| *s == 0.0), "{sums:?}");
        }
    }
}

#[test]
fn fused_projections_equal_split_ones() {
    for device in devices() {
        let [split, _, mut fused] = layers(&device);
        let cat = |f: fn(&burn::nn::Linear) -> Tensor<2>| {
            let parts = [&split.query, &split.key, &split.value];
            Tensor::cat(parts.map(|p| f(p.as_ref().expect("split"))).to_vec(), 1)
        };
        let qkv = fused.qkv.as_mut().expect("fused");
        qkv.weight = burn::module::Param::from_tensor(cat(|l| l.weight.val()));
        let bias = cat(|l| l.bias.as_ref().expect("bias").val().unsqueeze());
        qkv.bias = Some(burn::module::Param::from_tensor(bias.squeeze_dim(0)));
        fused.output = split.output.clone();
        let x = random([2, 5, 8], 5, &device);
        let how = Attend::default();
        assert_close(
            &split.self_attend_with(x.clone(), None, &how, &mut NoTap),
            &fused.self_attend_with(x, None, &how, &mut NoTap),
            1e-5,
        );
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        // A key bias shifts all scores of a row alike, which a softmax does not see: its gradient is
        // zero in truth, and rounding noise in practice. Rotary positions undo the symmetry.
        let angles = Rotary::new(2, 1e4).angles(&Positions::following(0, 5), &device);
        for layer in layers(&device) {
            let x = random([2, 5, 8], 5, &device);
            let w = random([2, 5, 8], 6, &device);
            check_gradients(layer, |layer| {
                let how = Attend::default();
                (layer.self_attend_with(x, Some(&angles), &how, &mut NoTap) * w).sum()
            });
        }
    }
}

#[test]
fn a_context_of_another_width_is_attended_to() {
    for device in devices().into_iter().map(Device::autodiff) {
        let mut layer = AttentionConfig::new(8, 2).with_d_context(6).init(&device);
        layer.key.as_mut().expect("split").bias = None;
        let context = Tokens::new(random([2, 5, 6], 7, &device), pad(&device));
        let x = random([2, 3, 8], 5, &device);
        let out = layer.cross_attend_with(x.clone(), &context, &mut NoTap);
        assert_eq!(out.dims(), [2, 3, 8]);
        // What stands in the padding is not seen.
        let context2 = Tokens::new(context.clone().zero_padding().embeds, context.pad.clone());
        assert_close(
            &out,
            &layer.cross_attend_with(x.clone(), &context2, &mut NoTap),
            1e-6,
        );
        let w = random([2, 3, 8], 6, &device);
        check_gradients(layer, |layer| {
            (layer.cross_attend_with(x, &context, &mut NoTap) * w).sum()
        });
    }
}

#[test]
#[should_panic(expected = "d_model 10 cannot be divided among 4 heads")]
fn heads_that_do_not_divide_are_refused() {
    AttentionConfig::new(10, 4).init(&devices()[0]);
}
