//! What every fusion must keep: absence and padding change nothing but themselves, neighbours nothing
//! at all, and all parameters train.

use burn::tensor::{Device, Tensor};
use sensorium_core::nn::PoolKind;
use sensorium_core::{Fusion, Head, Modality, Parts, Tokens};
use sensorium_testkit::{
    assert_close, check_gradients, devices, floats, parameter_snapshot, random,
};

use crate::*;

const TEXT: Modality = Modality("text");
const IMAGE: Modality = Modality("image");
const AUDIO: Modality = Modality("audio");
const WIDTHS: [Width; 3] = [(TEXT, 6), (IMAGE, 4), (AUDIO, 8)];

fn configs() -> [FusionConfig; 4] {
    let base = FusionConfig {
        d_model: 8,
        n_heads: 2,
        n_layers: 1,
        ..FusionConfig::default()
    };
    [
        FusionConfig {
            kind: FusionKind::Concat,
            ..base.clone()
        },
        FusionConfig {
            kind: FusionKind::Concat,
            pool: PoolKind::Attention,
            ..base.clone()
        },
        FusionConfig {
            kind: FusionKind::Gated,
            ..base.clone()
        },
        base,
    ]
}

fn tokens(modality: Modality, batch: usize, device: &Device) -> Tokens {
    let (seed, width) = match modality {
        TEXT => (1, 6),
        IMAGE => (2, 4),
        _ => (3, 8),
    };
    Tokens::dense(random([batch, 3, width], seed, device))
}

fn parts(batch: usize, device: &Device) -> Parts {
    WIDTHS
        .iter()
        .map(|(m, _)| (*m, tokens(*m, batch, device)))
        .collect()
}

/// Sample `i` alone.
fn sample(parts: &Parts, i: usize) -> Parts {
    parts
        .iter()
        .map(|(m, t)| {
            let [_, n, d] = t.dims();
            let embeds = t.embeds.clone().slice([i..i + 1, 0..n, 0..d]);
            (
                m,
                Tokens::new(embeds, t.pad.clone().slice([i..i + 1, 0..n])),
            )
        })
        .collect()
}

/// What a head makes of it: sequences may differ in padding, answers may not.
fn answer(fusion: &AnyFusion, parts: Parts) -> Tensor<2> {
    let fused = fusion.fuse(parts);
    sensorium_core::nn::PoolConfig::new(PoolKind::Mean, 8)
        .init(&fused.device())
        .forward(fused)
}

#[test]
fn a_missing_modality_is_left_out_or_padding_alike() {
    for device in devices() {
        for config in configs() {
            let fusion = config.build(&WIDTHS, &device);
            let mut left_out = parts(2, &device);
            let image = left_out.remove(IMAGE).unwrap();
            let garbage = image.embeds.mul_scalar(100.0);
            let padded = left_out.clone().with(
                IMAGE,
                Tokens::new(garbage, Tensor::full([2, 3], true, &device)),
            );
            assert_close(&answer(&fusion, left_out), &answer(&fusion, padded), 1e-5);
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let fusion = config.build(&WIDTHS, &device);
            let plain = parts(2, &device);
            let longer: Parts = plain
                .iter()
                .map(|(m, t)| {
                    let more = Tokens::new(
                        t.embeds.clone().mul_scalar(50.0),
                        Tensor::full([2, 3], true, &device),
                    );
                    (m, Tokens::concat(vec![t.clone(), more]))
                })
                .collect();
            assert_close(&answer(&fusion, plain), &answer(&fusion, longer), 1e-5);
        }
    }
}

#[test]
fn neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let fusion = config.build(&WIDTHS, &device);
            let mut batch = parts(3, &device);
            // The middle sample has no text.
            let text = batch.remove(TEXT).unwrap();
            let pad = Tensor::from_data([[false; 3], [true; 3], [false; 3]], &device);
            batch.insert(TEXT, Tokens::new(text.embeds, pad));
            let together = answer(&fusion, batch.clone());
            for i in 0..3 {
                let alone = answer(&fusion, sample(&batch, i));
                assert_close(&alone, &together.clone().slice([i..i + 1, 0..8]), 1e-5);
            }
        }
    }
}

#[test]
fn a_sample_without_anything_still_gives_numbers() {
    for device in devices() {
        for config in configs() {
            let fusion = config.build(&WIDTHS, &device);
            let nothing = Tokens::new(
                random([2, 3, 4], 1, &device),
                Tensor::full([2, 3], true, &device),
            );
            let fused = fusion.fuse(Parts::new().with(IMAGE, nothing));
            assert!(floats(&fused.embeds).iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn the_order_in_which_modalities_are_named_does_not_matter() {
    let device = &devices()[0];
    for config in configs() {
        let mut reversed = WIDTHS;
        reversed.reverse();
        assert_eq!(
            parameter_snapshot(&config.build(&WIDTHS, device)),
            parameter_snapshot(&config.build(&reversed, device))
        );
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut fusion = config.build(&WIDTHS, &device);
            if let Some(transformer) = &mut fusion.transformer {
                for block in &mut transformer.transformer.blocks {
                    block.attention.key.as_mut().unwrap().bias = None; // a softmax does not see it
                }
            }
            let parts = parts(2, &device);
            let [b, t, d] = fusion.fuse(parts.clone()).dims();
            let w = random([b, t, d], 9, &device);
            check_gradients(fusion, |f| (f.fuse(parts).embeds * w).sum());
        }
    }
}

#[test]
fn gates_share_what_is_present() {
    let device = &devices()[0];
    let fusion = configs()[2].build(&WIDTHS, device);
    let mut tap = sensorium_core::Recorder::default();
    let mut two = parts(1, device);
    two.remove(AUDIO);
    sensorium_core::Fusion::fuse_with(&fusion, two, &mut tap);
    let (shape, gates) = tap.get("gates").unwrap();
    assert_eq!(shape, [1, 3, 8]);
    assert!(
        gates[..8].iter().all(|g| *g == 0.0),
        "audio comes first, and has none"
    );
    for d in 0..8 {
        assert!((gates[8 + d] + gates[16 + d] - 1.0).abs() < 1e-5);
    }
}

#[test]
fn the_head_answers_and_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let config = HeadConfig {
            pool: PoolKind::Attention,
            d_hidden: Some(5),
            dropout: 0.0,
        };
        let head = config.build(8, 3, &device);
        let fused = Tokens::dense(random([2, 4, 8], 1, &device));
        let w = random([2, 3], 2, &device);
        assert_eq!(head.forward(fused.clone()).dims(), [2, 3]);
        check_gradients(head, |h| (h.forward(fused) * w).sum());
    }
}

#[test]
fn parameter_paths_are_api() {
    let device = &devices()[0];
    let [concat, _, gated, _] = configs();
    assert_eq!(
        parameter_snapshot(&concat.build(&WIDTHS, device)).trim(),
        "concat.projection.weight [18, 8]\nconcat.projection.bias [8]"
    );
    let gated = parameter_snapshot(&gated.build(&WIDTHS, device));
    assert!(
        gated.contains("gated.values.linears.0.weight [8, 8]"),
        "{gated}"
    );
    assert!(gated.contains("gated.gates.2.bias [8]"), "{gated}");
}

#[test]
#[should_panic(expected = "this fusion was made for image, text, not for audio")]
fn an_unknown_modality_is_named() {
    let device = &devices()[0];
    let fusion = configs()[0].build(&WIDTHS[..2], device);
    fusion.fuse(parts(1, device));
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = FusionConfig {
        d_model: 9,
        ..FusionConfig::default()
    };
    assert_eq!(
        wrong.validate().unwrap_err().to_string(),
        "d_model: 9 must be a multiple of n_heads = 4"
    );
    let wrong = HeadConfig {
        dropout: 1.0,
        ..HeadConfig::default()
    };
    assert_eq!(
        wrong.validate().unwrap_err().to_string(),
        "dropout: 1 must be at least 0 and below 1"
    );
}

#[test]
fn text_and_image_of_512_are_joined_to_1024_and_projected_to_512() {
    for device in devices() {
        let config = ConcatFusionConfig::text_image_512();
        assert_eq!(config.d_concat(), 1024);
        let fusion = config.init(&device);
        assert_eq!(fusion.projection.weight.dims(), [1024, 512]);
        assert_eq!(fusion.d_output(), 512);
        let parts = Parts::new()
            .with(TEXT, Tokens::dense(random([2, 3, 512], 1, &device)))
            .with(IMAGE, Tokens::dense(random([2, 5, 512], 2, &device)));
        assert_eq!(fusion.fuse(parts).dims(), [2, 1, 512]);

        // What a recipe writes down is the same.
        let table = FusionConfig {
            kind: FusionKind::Concat,
            d_model: 512,
            ..FusionConfig::default()
        };
        let named = table.build(&[(TEXT, 512), (IMAGE, 512)], &device);
        let named = parameter_snapshot(&named.concat.unwrap());
        assert_eq!(named, parameter_snapshot(&fusion));
    }
}
