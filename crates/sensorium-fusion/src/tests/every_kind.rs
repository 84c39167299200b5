//! The same questions to every kind in the list: its shape, whether every parameter trains, whether absence, padding and neighbours
//! change nothing but themselves. A new kind is asked without being named here, but for its shape.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use sensorium_core::{Fusion, Parts, Tokens};
use sensorium_testkit::{
    assert_close, check_gradients, devices, floats, parameter_snapshot, random,
};

use super::*;

/// Tokens and width that come out, by what the method's documentation says.
fn expected(case: &Case) -> [usize; 2] {
    let (m, d) = (case.widths.len(), case.table.d_model);
    let main = TOKENS;
    let all = m * TOKENS;
    let latents = case.table.n_latents.unwrap_or(0);
    match case.table.kind {
        FusionKind::Concat
        | FusionKind::Sum
        | FusionKind::Mean
        | FusionKind::Max
        | FusionKind::AttentionSum
        | FusionKind::Gated
        | FusionKind::Multiplicative
        | FusionKind::Tensor
        | FusionKind::LowRankTensor
        | FusionKind::Mutan
        | FusionKind::Block
        | FusionKind::ProductOfExperts => [1, d],
        FusionKind::Film | FusionKind::CrossAttention | FusionKind::GatedCrossAttention => {
            [main, d]
        }
        FusionKind::CoAttention => [all, d],
        FusionKind::Transformer | FusionKind::ModalityExperts => [1 + all, d],
        FusionKind::Mult => [1, m * (m - 1) * d],
        FusionKind::Bottleneck => [latents + all, d],
        FusionKind::Perceiver | FusionKind::QFormer => [latents, d],
    }
}

/// Sample `i` alone.
fn sample(parts: &Parts, i: usize) -> Parts {
    let one = |t: &Tokens| {
        Tokens::new(
            t.embeds.clone().narrow(0, i, 1),
            t.pad.clone().narrow(0, i, 1),
        )
    };
    parts.iter().map(|(m, t)| (m, one(t))).collect()
}

/// A batch in which the second sample lacks `lacking`, the third has but one token of it, and all others are whole.
fn ragged(case: &Case, lacking: Modality, batch: usize, device: &Device) -> Parts {
    let mut parts = case.parts(batch, device);
    let tokens = parts.remove(lacking).unwrap();
    let pad: Vec<bool> = (0..batch * TOKENS)
        .map(|i| match i / TOKENS {
            1 => true,
            2 => i % TOKENS > 0,
            _ => false,
        })
        .collect();
    let pad = TensorData::new(pad, [batch, TOKENS]);
    parts.with(
        lacking,
        Tokens::new(tokens.embeds, Tensor::from_data(pad, device)),
    )
}

#[test]
fn the_shape_is_what_is_promised() {
    for device in devices() {
        for case in cases() {
            let fusion = case.build(&device);
            let [tokens, d] = expected(&case);
            assert_eq!(fusion.d_output(), d, "{case:?}");
            let fused = fusion.fuse(case.parts(2, &device));
            assert_eq!(fused.dims(), [2, tokens, d], "{case:?}");
            assert_eq!(fused.pad.dims(), [2, tokens], "{case:?}");
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        // Of one modality alone, weights that modalities share are always one, and train nothing.
        for mut case in cases().into_iter().filter(|case| case.widths.len() > 1) {
            // An expert that no token is sent to learns nothing.
            case.table.top_k = case.table.n_experts;
            let fusion = trainable(case.build(&device));
            // What stands in for a modality trains where a sample lacks it; of a maximum, what is somewhere the largest.
            let parts = ragged(&case, TEXT, 8, &device);
            let [b, t, d] = fusion.fuse(parts.clone()).dims();
            let w = random([b, t, d], 9, &device);
            check_gradients(fusion, |f| (f.fuse(parts).embeds * w).sum());
        }
    }
}

#[test]
fn a_missing_modality_is_left_out_or_padding_alike() {
    for device in devices() {
        for case in cases().into_iter().filter(|case| case.widths.len() > 1) {
            let fusion = trainable(case.build(&device));
            for (missing, _) in &case.widths {
                let mut left_out = case.parts(8, &device);
                let tokens = left_out.remove(*missing).unwrap();
                let garbage = tokens.embeds.mul_scalar(100.0);
                let pad = Tensor::full([8, TOKENS], true, &device);
                let padded = left_out.clone().with(*missing, Tokens::new(garbage, pad));
                let (left_out, padded) = (answer(&fusion, left_out), answer(&fusion, padded));
                assert_close(&left_out, &padded, 1e-5);
                let whole = answer(&fusion, case.parts(8, &device));
                let moved = sensorium_testkit::max_difference(&whole, &padded);
                assert!(moved > 1e-5, "{missing} does not count in {case:?}");
            }
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for device in devices() {
        for case in cases() {
            let fusion = trainable(case.build(&device));
            let plain = case.parts(2, &device);
            let longer = |t: &Tokens| {
                let garbage = t.embeds.clone().mul_scalar(50.0);
                let pad = Tensor::full([2, TOKENS], true, &device);
                Tokens::concat(vec![t.clone(), Tokens::new(garbage, pad)])
            };
            let longer: Parts = plain.iter().map(|(m, t)| (m, longer(t))).collect();
            assert_close(&answer(&fusion, plain), &answer(&fusion, longer), 1e-5);
        }
    }
}

#[test]
fn neighbours_change_nothing() {
    for device in devices() {
        for case in cases() {
            let fusion = trainable(case.build(&device));
            for (lacking, _) in &case.widths {
                let batch = ragged(&case, *lacking, 3, &device);
                let together = answer(&fusion, batch.clone());
                for i in 0..3 {
                    let alone = answer(&fusion, sample(&batch, i));
                    assert_close(&alone, &together.clone().narrow(0, i, 1), 1e-5);
                }
            }
        }
    }
}

#[test]
fn a_sample_without_anything_still_gives_numbers_and_gradients() {
    for device in devices().into_iter().map(Device::autodiff) {
        for case in cases() {
            let fusion = trainable(case.build(&device)).train();
            let (modality, width) = case.widths[0];
            let nothing = Tokens::new(
                random([2, 3, width], 1, &device),
                Tensor::full([2, 3], true, &device),
            );
            let fused = fusion.fuse(Parts::new().with(modality, nothing));
            assert!(
                floats(&fused.embeds).iter().all(|x| x.is_finite()),
                "{case:?}"
            );
            let grads = fused.embeds.sum().backward();
            let (faults, _) = sensorium_testkit::untrained_parameters(&fusion, &grads);
            let wild: Vec<_> = faults
                .iter()
                .filter(|f| f.ends_with("not finite"))
                .collect();
            assert!(wild.is_empty(), "{case:?}: {wild:?}");
        }
    }
}

#[test]
fn the_order_in_which_modalities_are_named_does_not_matter() {
    let device = &devices()[0];
    for case in cases() {
        let mut reversed = case.clone();
        reversed.widths.reverse();
        assert_eq!(
            parameter_snapshot(&case.build(device)),
            parameter_snapshot(&reversed.build(device))
        );
    }
}

/// Renaming a field renames the keys of checkpoints. What is in the file is what was saved so far.
#[test]
fn parameter_paths_are_api() {
    let device = &devices()[0];
    let snapshots = FusionKind::ALL.iter().map(|kind| {
        let mut case = pair(*kind);
        case.table.n_layers = 1;
        format!(
            "[{}]\n{}\n",
            kind.name(),
            parameter_snapshot(&case.build(device))
        )
    });
    let found: String = snapshots.collect();
    assert_eq!(found, include_str!("parameters.txt"), "\n{found}");
}

#[test]
#[should_panic(expected = "this fusion was made for image, text, not for audio")]
fn an_unknown_modality_is_named() {
    let device = &devices()[0];
    let fusion = pair(FusionKind::Concat).build(device);
    fusion.fuse(Parts::new().with(AUDIO, tokens(AUDIO, 1, device)));
}
