//! The autoencoder trains all of it, and neither padding nor neighbours change what it paints.

use burn::tensor::TensorData;
use sensorium_core::seed;
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, ints, parameter_snapshot,
};
use sensorium_train::{Learner, PatchMask};

use super::*;
use crate::*;

const GRID: [usize; 2] = [4, 2];

fn autoencoder(encoder: &Rows, normalised: bool, device: &Device) -> MaskedAutoencoder {
    let config = MaskedAutoencoderConfig::new(encoder, 12, 2, 3)
        .with_d_ff(16)
        .with_share(0.5)
        .with_normalised_targets(normalised);
    let mut task = config.init(device);
    without_key_bias(&mut task.decoder);
    task
}

fn masks(task: &MaskedAutoencoder, batch: &Tokens) -> PatchMasks {
    let [n, _, _] = batch.dims();
    let rngs = (0..n as u64).map(|sample| seed::rng(3, &[0, sample]));
    task.masks(batch.pad.clone(), rngs)
}

#[test]
fn each_sample_keeps_its_share_and_padding_is_neither_kept_nor_hidden() {
    for device in devices() {
        let batch = ragged(&[8, 4, 0, 2], 8, 3, &device);
        let encoder = Rows::new(3, GRID, true, &device);
        let masks = masks(&autoencoder(&encoder, true, &device), &batch);
        assert_eq!(masks.kept.dims(), [4, 4]);
        let spare = bools(&masks.kept_pad);
        let count = |row: &[bool]| row.iter().filter(|x| !**x).count();
        let counts: Vec<usize> = spare.chunks(4).map(count).collect();
        assert_eq!(counts, [4, 2, 0, 1]);
        let (kept, masked) = (ints(&masks.kept), bools(&masks.masked));
        for (sample, length) in [8, 4, 0, 2].into_iter().enumerate() {
            let row = sample * 4..sample * 4 + counts[sample];
            let kept: Vec<usize> = kept[row].iter().map(|place| *place as usize).collect();
            for place in 0..8 {
                let hidden = place < length && !kept.contains(&place);
                assert_eq!(masked[sample * 8 + place], hidden, "{sample} {place}");
            }
        }
        let tokens = masks.keep(batch.clone());
        assert_eq!(bools(&tokens.pad), spare);
        let numbers = floats(&batch.embeds);
        for (slot, token) in floats(&tokens.embeds).chunks(3).enumerate() {
            if !spare[slot] {
                let place = slot / 4 * 8 + kept[slot] as usize;
                assert_eq!(token, &numbers[place * 3..place * 3 + 3]);
            }
        }
    }
}

#[test]
#[should_panic(expected = "sample 1 keeps token 0, which is hidden or not there")]
fn a_mask_that_keeps_what_it_hides_is_a_mistake() {
    let mask = |masked| PatchMask {
        kept: vec![0],
        masked: vec![masked, true],
    };
    PatchMasks::new(&[mask(false), mask(true)], 2, &devices()[0]);
}

#[test]
fn what_is_painted_has_the_shape_of_what_was_there() {
    for device in devices() {
        for (class, normalised) in [(true, false), (false, true)] {
            let encoder = Rows::new(3, GRID, class, &device);
            let task = autoencoder(&encoder, normalised, &device);
            let batch = ragged(&[8, 6], 8, 3, &device);
            let masks = masks(&task, &batch);
            let painted = task.paint(&encoder, batch.clone(), &masks);
            assert_eq!(painted.painted.dims(), [2, 8, 3]);
            assert_eq!(bools(&painted.masked), bools(&masks.masked));
            let hidden = bools(&painted.masked);
            let there = floats(&batch.embeds);
            let there = there.chunks(3);
            let (filled, seen) = (painted.clone().filled(), painted.clone().seen());
            let (filled, seen, painted) =
                (floats(&filled), floats(&seen), floats(&painted.painted));
            for (token, there) in there.enumerate() {
                let place = token * 3..token * 3 + 3;
                let expected = match hidden[token] {
                    true => &painted[place.clone()],
                    false => there,
                };
                assert_eq!(&filled[place.clone()], expected);
                let expected = if hidden[token] {
                    [0.0; 3]
                } else {
                    there.try_into().unwrap()
                };
                assert_eq!(seen[place], expected);
            }
        }
    }
}

#[test]
fn the_loss_is_that_of_what_is_painted_over_the_deviation_of_what_was_there() {
    for device in devices() {
        for normalised in [false, true] {
            let encoder = Rows::new(3, GRID, true, &device);
            let task = autoencoder(&encoder, normalised, &device);
            let batch = ragged(&[8, 6], 8, 3, &device);
            let masks = masks(&task, &batch);
            let painted = task.paint(&encoder, batch.clone(), &masks);
            let (found, there) = (floats(&painted.painted), floats(&painted.contents));
            let (mut sum, mut count) = (0.0, 0.0);
            let hidden = bools(&painted.masked).into_iter().enumerate();
            for (token, _) in hidden.filter(|(_, hidden)| *hidden) {
                let [found, there] = [&found, &there].map(|all| &all[token * 3..token * 3 + 3]);
                let error = found
                    .iter()
                    .zip(there)
                    .map(|(a, b)| (a - b).powi(2))
                    .sum::<f32>()
                    / 3.0;
                let mean = there.iter().sum::<f32>() / 3.0;
                let variance = there.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 2.0;
                sum += if normalised {
                    error / (variance + 1e-6)
                } else {
                    error
                };
                count += 1.0;
            }
            let loss = task
                .loss(&encoder, batch, &masks)
                .total
                .into_scalar::<f32>();
            assert!((loss - sum / count).abs() < 1e-4, "{loss} {}", sum / count);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for (class, learned) in [(true, false), (false, true)] {
            let encoder = Rows::new(3, GRID, class, &device).trainable();
            let config = MaskedAutoencoderConfig::new(&encoder, 12, 2, 3);
            let mut task = config.with_learned_positions(learned).init(&device);
            without_key_bias(&mut task.decoder);
            let batch = ragged(&[8, 8, 4], 8, 3, &device);
            let masks = masks(&task, &batch);
            let both = Pretraining::new(encoder, task);
            check_gradients(both, |both| both.learn((batch, masks)).loss.total);
        }
    }
}

#[test]
fn fixed_positions_do_not_train_and_learned_ones_do() {
    let device = devices().remove(0).autodiff();
    for learned in [false, true] {
        let encoder = Rows::new(3, GRID, true, &device);
        let config = MaskedAutoencoderConfig::new(&encoder, 12, 2, 3);
        let task = config.with_learned_positions(learned).init(&device).train();
        assert_eq!(task.position.weight.val().is_require_grad(), learned);
    }
}

#[test]
fn neither_padding_nor_neighbours_nor_absent_samples_change_what_is_painted() {
    for device in devices() {
        for class in [true, false] {
            let encoder = Rows::new(3, GRID, class, &device);
            let task = autoencoder(&encoder, true, &device);
            let lengths = [6, 0, 8, 4];
            let batch = ragged(&lengths, 8, 3, &device);
            let together = masks(&task, &batch);
            let painted = task.paint(&encoder, batch.clone(), &together);
            let total = task.loss(&encoder, batch.clone(), &together).total;
            let (mut sum, mut count) = (0.0, 0.0);
            for (sample, length) in lengths.into_iter().enumerate().filter(|(_, n)| *n > 0) {
                let alone = part(&batch, sample..sample + 1, length);
                let rng = seed::rng(3, &[0, sample as u64]);
                let masks = task.masks(alone.pad.clone(), [rng]);
                let found = task.paint(&encoder, alone.clone(), &masks);
                let expected = painted.painted.clone().narrow(0, sample, 1);
                assert_close(&expected.narrow(1, 0, length), &found.painted, 1e-5);
                let loss = task.loss(&encoder, alone, &masks).total;
                let hidden = bools(&masks.masked).iter().filter(|x| **x).count() as f32;
                sum += loss.into_scalar::<f32>() * hidden;
                count += hidden;
            }
            let found = total.into_scalar::<f32>();
            assert!(
                (found - sum / count).abs() < 1e-5,
                "{found} {}",
                sum / count
            );
        }
    }
}

#[test]
fn a_mask_that_hides_padding_and_a_batch_that_is_absent_have_no_say() {
    for device in devices() {
        let encoder = Rows::new(3, GRID, true, &device);
        let task = autoencoder(&encoder, true, &device);
        let batch = ragged(&[8, 4], 8, 3, &device);
        // As if both samples were whole.
        let mask = PatchMask::random(8, 0.5, &mut seed::rng(1, &[]));
        let cut = PatchMask {
            kept: mask
                .kept
                .iter()
                .copied()
                .filter(|place| *place < 4)
                .collect(),
            masked: mask.masked[..4].to_vec(),
        };
        assert!(!cut.kept.is_empty() && cut.masked.contains(&true));
        let careless = PatchMasks::new(&[mask.clone(), mask.clone()], 8, &device);
        let careful = PatchMasks::new(&[mask.clone(), cut], 8, &device);
        let loss = |masks| task.loss(&encoder, batch.clone(), masks).total;
        assert_close(&loss(&careless), &loss(&careful), 1e-6);

        let absent = ragged(&[0, 0], 8, 3, &device);
        let masks = PatchMasks::new(&[mask.clone(), mask], 8, &device);
        let loss = task.loss(&encoder, absent, &masks).total;
        assert_eq!(loss.into_scalar::<f32>(), 0.0);
    }
}

#[test]
fn positions_are_sines_of_column_and_row() {
    for device in devices() {
        let found = floats(&positions::grid(1, [2, 3], 8, &device));
        assert_eq!(found[..8], [0.0; 8]);
        for (place, token) in found[8..].chunks(8).enumerate() {
            let (row, column) = ((place / 3) as f32, (place % 3) as f32);
            let of = |x: f32| [x.sin(), (x / 100.0).sin(), x.cos(), (x / 100.0).cos()];
            for (found, expected) in token.iter().zip([of(column), of(row)].concat()) {
                assert!((found - expected).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let encoder = Rows::new(1, GRID, true, &devices()[0]);
    let config = |d, heads| MaskedAutoencoderConfig::new(&encoder, d, 1, heads);
    let plain = |d, heads| config(d, heads).with_normalised_targets(false);
    for (config, expected) in [
        (plain(10, 2), "d_decoder: 10 is not a multiple of 4; use 12"),
        (
            plain(12, 5),
            "d_model: 12 must be a multiple of n_heads = 5, at most 65536",
        ),
        (
            plain(0, 1),
            "d_model: 0 must be a multiple of n_heads = 1, at most 65536",
        ),
        (
            plain(8, 2).with_share(1.0),
            "share: 1 must be at least 0 and below 1",
        ),
        (
            plain(8, 2).with_share(f64::NAN),
            "share: NaN must be at least 0 and below 1",
        ),
        (plain(8, 2).with_d_ff(0), "d_ff: 0 must be 1 to 1048576"),
        (
            config(8, 2),
            "normalised: a content of one number has no deviation; use targets as they are",
        ),
    ] {
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
    assert!(plain(8, 2).validate().is_ok());
}

#[test]
fn parameter_paths_are_api() {
    let device = &devices()[0];
    let encoder = Rows::new(3, GRID, true, device);
    let task = MaskedAutoencoderConfig::new(&encoder, 8, 1, 2).init(device);
    let snapshot = parameter_snapshot(&task);
    let lines: Vec<&str> = snapshot.trim().lines().collect();
    let first = [
        "embed.weight [8, 8]",
        "embed.bias [8]",
        "mask_token [8]",
        "position.weight [9, 8]",
        "decoder.blocks.0.norm_attention.layer.gamma [8]",
    ];
    assert_eq!(lines[..5], first);
    assert_eq!(
        lines[lines.len() - 2..],
        ["predict.weight [8, 3]", "predict.bias [3]"]
    );
}

#[test]
fn a_batch_without_tokens_to_hide_has_no_loss() {
    for device in devices() {
        let encoder = Rows::new(3, GRID, true, &device);
        let task = autoencoder(&encoder, true, &device);
        let batch = ragged(&[1, 1], 2, 3, &device);
        let masks = masks(&task, &batch);
        assert_eq!(bools(&masks.masked), [false; 4]);
        let data = TensorData::from([[0i64], [0]]);
        assert_eq!(ints(&masks.kept), data.iter::<i64>().collect::<Vec<_>>());
        let loss = task.loss(&encoder, batch, &masks);
        assert_eq!(loss.total.into_scalar::<f32>(), 0.0);
    }
}
