//! One space: all of it trains, and padding, absence and neighbours change nothing.

use burn::tensor::Int;
use sensorium_core::Parts;
use sensorium_core::nn::PoolKind;
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, max_difference, parameter_snapshot,
};
use sensorium_train::{Contrastive, Learner, Objective, Pairs};

use super::*;
use crate::*;

const TEXT: Modality = Modality("text");
const IMAGE: Modality = Modality("image");
const AUDIO: Modality = Modality("audio");
/// In another order than that of their names.
const WIDTHS: [(Modality, usize); 3] = [(TEXT, 6), (IMAGE, 4), (AUDIO, 8)];

fn configs() -> Vec<AlignmentConfig> {
    let pools = [PoolKind::Mean, PoolKind::First, PoolKind::Attention];
    let each = [AlignBy::Softmax, AlignBy::Sigmoid].into_iter();
    let each = each.flat_map(|by| pools.map(|pool| (by, pool)));
    let config = |(by, pool)| AlignmentConfig::new(&WIDTHS, 5).with_by(by).with_pool(pool);
    let mut configs: Vec<AlignmentConfig> = each.map(config).collect();
    configs.push(AlignmentConfig::new(&WIDTHS, 5).with_anchor(Some(TEXT)));
    configs
}

/// Of so many tokens each, 0 for what is absent.
fn parts(lengths: [&[usize]; 3], device: &Device) -> Parts {
    let tokens = |(i, length): (usize, &[usize])| {
        let (modality, width) = WIDTHS[i];
        (modality, ragged(length, 4, width, device))
    };
    lengths.into_iter().enumerate().map(tokens).collect()
}

#[test]
fn vectors_have_length_one_and_absent_ones_are_zero() {
    for device in devices() {
        for config in configs() {
            let alignment = config.init(&device);
            let given = parts([&[4, 2, 0], &[1, 0, 3], &[4, 4, 4]], &device);
            let vectors = alignment.embed(given);
            assert_eq!(vectors.len(), 3);
            assert_eq!(bools(&vectors[&TEXT].present), [true, true, false]);
            assert_eq!(bools(&vectors[&IMAGE].present), [true, false, true]);
            for embedded in vectors.values() {
                assert_eq!(embedded.vectors.dims(), [3, 5]);
                let rows = floats(&embedded.vectors);
                for (row, present) in rows.chunks(5).zip(bools(&embedded.present)) {
                    let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
                    let expected = if present { 1.0 } else { 0.0 };
                    assert!((length - expected).abs() < 1e-5, "{length}");
                }
            }
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let given = parts([&[4, 2, 3, 0], &[1, 2, 3, 4], &[4, 4, 0, 2]], &device);
            check_gradients(config.init(&device), |a| a.loss(given, None).total);
        }
    }
}

#[test]
fn each_pair_has_a_term_and_an_anchor_leaves_the_others_out() {
    for device in devices() {
        let given = || parts([&[4, 2, 3], &[1, 2, 3], &[4, 4, 2]], &device);
        let names = |anchor| {
            let config = AlignmentConfig::new(&WIDTHS, 5).with_anchor(anchor);
            let loss = config.init(&device).loss(given(), None);
            let sum: f32 = loss.terms[..loss.terms.len() - 1]
                .iter()
                .map(|(_, term)| term.clone().into_scalar::<f32>())
                .sum();
            let total = loss.total.into_scalar::<f32>();
            assert!((total - sum / (loss.terms.len() - 1) as f32).abs() < 1e-5);
            let terms = loss.terms.into_iter();
            terms.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(
            names(None),
            ["audio_image", "audio_text", "image_text", "scale"]
        );
        assert_eq!(names(Some(TEXT)), ["audio_text", "image_text", "scale"]);
        assert_eq!(names(Some(IMAGE)), ["audio_image", "image_text", "scale"]);
    }
}

#[test]
fn a_missing_modality_is_left_out_or_padding_alike() {
    for device in devices() {
        for config in configs() {
            let alignment = config.init(&device);
            let whole = parts([&[4, 2, 3], &[1, 2, 3], &[4, 4, 2]], &device);
            let padded = parts([&[4, 2, 3], &[0, 0, 0], &[4, 4, 2]], &device);
            let mut left_out = padded.clone();
            left_out.remove(IMAGE);
            let loss = |parts| alignment.loss(parts, None).total;
            let (whole, padded, left_out) = (loss(whole), loss(padded), loss(left_out));
            assert_close(&padded, &left_out, 1e-6);
            assert!(max_difference(&whole, &padded) > 1e-4);
        }
    }
}

#[test]
fn an_absent_sample_and_padding_change_nothing_for_others() {
    for device in devices() {
        for config in configs() {
            let alignment = config.init(&device);
            // Of the last sample there is one modality alone: it is in no pair.
            let given = parts([&[4, 2, 3, 0], &[1, 2, 3, 0], &[3, 3, 2, 4]], &device);
            let found = alignment.loss(given.clone(), None).total;
            let less = |(modality, tokens): (Modality, Tokens)| (modality, part(&tokens, 0..3, 4));
            let less: Parts = given.clone().into_iter().map(less).collect();
            assert_close(&found, &alignment.loss(less, None).total, 1e-5);
            // Each vector is that of the sample alone, without its padding.
            let together = alignment.embed(given.clone());
            let alone = part(given.get(AUDIO).unwrap(), 2..3, 2);
            let alone = alignment.embed(Parts::new().with(AUDIO, alone));
            let together = together[&AUDIO].vectors.clone().narrow(0, 2, 1);
            assert_close(&together, &alone[&AUDIO].vectors, 1e-5);
        }
    }
}

#[test]
fn samples_that_belong_together_are_no_wrong_answers() {
    for device in devices() {
        let alignment = AlignmentConfig::new(&WIDTHS[..2], 5).init(&device);
        let given = parts([&[4, 2, 3, 4], &[1, 2, 3, 4], &[4; 4]], &device);
        let given: Parts = given.into_iter().filter(|(m, _)| *m != AUDIO).collect();
        let groups = |groups: [i64; 4]| Some(Tensor::<1, Int>::from_data(groups, &device));
        let loss = |groups| alignment.loss(given.clone(), groups).total;
        // All of one's own is as if nothing were said.
        assert_close(&loss(None), &loss(groups([0, 1, 2, 3])), 1e-6);
        assert_close(&loss(None), &loss(groups([-1, -1, 5, -1])), 1e-6);
        let together = loss(groups([7, 1, 7, -1]));
        assert!(max_difference(&loss(None), &together) > 1e-3);

        let vectors = alignment.embed(given.clone());
        let pairs = Pairs::new(
            vectors[&IMAGE].vectors.clone(),
            vectors[&TEXT].vectors.clone(),
        );
        let expected = Contrastive::new(&device).loss(pairs, None).total;
        assert_close(&loss(None), &expected, 1e-5);
    }
}

#[test]
fn a_batch_without_a_pair_has_a_loss_of_zero_that_can_be_differentiated() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let alignment = config.init(&device).train();
            let given = parts([&[4, 2], &[0, 0], &[0, 0]], &device);
            let text = given.get(TEXT).unwrap().clone();
            for parts in [given, Parts::new().with(TEXT, text)] {
                let loss = alignment.loss(parts, None).total;
                assert_eq!(loss.clone().into_scalar::<f32>(), 0.0);
                let weight = alignment.projections.get(TEXT).unwrap().weight.val();
                let grad = weight.grad(&loss.backward());
                assert!(grad.is_none_or(|grad| floats(&grad).iter().all(|g| *g == 0.0)));
            }
        }
    }
}

/// Another encoder, of another modality.
#[derive(Module, Debug)]
struct Columns {
    rows: Rows,
}

impl Encoder for Columns {
    const MODALITY: Modality = Modality("columns");
    type Batch = Tokens;

    fn d_output(&self) -> usize {
        self.rows.d_output()
    }

    fn encode_with<T: Tap>(&self, batch: Tokens, tap: &mut T) -> Tokens {
        self.rows.encode_with(batch, tap)
    }
}

#[test]
fn several_encoders_learn_from_it_in_every_parameter() {
    for device in devices().into_iter().map(Device::autodiff) {
        let rows = |d| Rows::new(d, [4, 1], true, &device).trainable();
        let widths = [(Rows::MODALITY, 8), (Columns::MODALITY, 8)];
        let alignment = AlignmentConfig::new(&widths, 5).init(&device);
        let both = Aligning::new((rows(3), Columns { rows: rows(2) }), alignment);
        let first = ragged(&[4, 2, 3, 0], 4, 3, &device);
        let second = ragged(&[3, 3, 4, 4], 4, 2, &device);
        let groups = Tensor::from_data([1, 1, -1, -1], &device);
        check_gradients(both, |both| {
            let loss = both.learn(((Some(first), Some(second)), Some(groups))).loss;
            assert_eq!(loss.terms[0].0, "columns_rows");
            loss.total
        });
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let config = |widths: &[(Modality, usize)]| AlignmentConfig::new(widths, 5);
    for (config, expected) in [
        (
            config(&WIDTHS[..1]),
            "modalities: an alignment needs two modalities at least",
        ),
        (
            config(&[(TEXT, 1), (IMAGE, 2), (TEXT, 3)]),
            "modalities: a modality is named twice",
        ),
        (
            config(&[(TEXT, 0), (IMAGE, 2)]),
            "modalities: text is 0 wide; use 1 to 1048576",
        ),
        (
            AlignmentConfig::new(&WIDTHS, 0),
            "d_embed: 0 must be 1 to 1048576",
        ),
        (
            config(&WIDTHS[..2]).with_anchor(Some(AUDIO)),
            "anchor: audio is none of the modalities",
        ),
        (
            config(&WIDTHS).with_temperature(f64::NAN),
            "temperature: NaN must be 0.01 to 1000",
        ),
    ] {
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
}

#[test]
#[should_panic(expected = "this alignment was not made for audio")]
fn a_modality_that_is_not_known_is_a_mistake() {
    let device = &devices()[0];
    let alignment = AlignmentConfig::new(&WIDTHS[..2], 5).init(device);
    alignment.embed(parts([&[1], &[1], &[1]], device));
}

#[test]
fn parameter_paths_hold_the_names_of_modalities() {
    let device = &devices()[0];
    let config = AlignmentConfig::new(&WIDTHS, 5).with_pool(PoolKind::Attention);
    let expected = "pools.audio.query [1, 8]\npools.image.query [1, 4]\npools.text.query [1, 6]\n\
        projections.audio.weight [8, 5]\nprojections.image.weight [4, 5]\n\
        projections.text.weight [6, 5]\n";
    let softmax = parameter_snapshot(&config.init(device));
    assert_eq!(softmax.trim(), format!("{expected}softmax.logit_scale [1]"));
    let sigmoid = parameter_snapshot(&config.with_by(AlignBy::Sigmoid).init(device));
    let numbers = "sigmoid.logit_scale [1]\nsigmoid.logit_bias [1]";
    assert_eq!(sigmoid.trim(), format!("{expected}{numbers}"));
}
