//! The loss against all ways there are, added up one by one, and its gradient.

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_testkit::{assert_close, check_same_on_all, devices, floats, random};

use super::*;
use crate::Error;

const N_IDS: usize = 4;

/// How unlikely a text is: all ways to label frames, of which those count that say it.
fn by_all_ways(logits: &[f32], blank: u32, text: &[i64]) -> f64 {
    let frames = logits.len() / N_IDS;
    let mut scores = FrameScores::new(N_IDS);
    scores.push(logits);
    let mut probability = 0.0;
    for way in 0..N_IDS.pow(frames as u32) {
        let id = |frame: usize| (way / N_IDS.pow(frame as u32) % N_IDS) as u32;
        let mut said: Vec<u32> = (0..frames).map(id).collect();
        said.dedup();
        said.retain(|id| *id != blank);
        if said
            .iter()
            .map(|id| i64::from(*id))
            .eq(text.iter().copied())
        {
            let log: f64 = (0..frames).map(|t| scores.log_probability(t, id(t))).sum();
            probability += log.exp();
        }
    }
    -probability.ln()
}

/// Texts for six frames: with the same twice, of one label, of as many as fit, of none, and two that do not fit.
fn texts(blank: usize) -> (Vec<Vec<i64>>, Vec<usize>) {
    let ids: Vec<i64> = (0..N_IDS as i64).filter(|id| *id != blank as i64).collect();
    let texts = [
        (&[0, 0, 1][..], 6),
        (&[2], 3),
        (&[2, 1, 0, 1], 4),
        (&[], 5),
        (&[1, 1], 2),
        (&[0, 1, 2, 0, 1, 2, 0], 6),
        (&[1, 2], 6),
        (&[0], 0),
        (&[], 0),
    ];
    let labels = |text: &[usize]| text.iter().map(|i| ids[*i]).collect();
    texts
        .iter()
        .map(|(text, frames)| (labels(text), *frames))
        .unzip()
}

#[test]
fn losses_are_those_of_all_ways_added_up() {
    for device in devices() {
        for blank in [0, 3, 1] {
            let (texts, lengths) = texts(blank);
            let logits = random([texts.len(), 6, N_IDS], 3, &device).mul_scalar(2.0);
            let found = CtcLoss::new(blank).each(logits.clone(), &lengths, &texts);
            let found = floats(&found.unwrap());
            for (i, (text, frames)) in texts.iter().zip(&lengths).enumerate() {
                let all = floats(&logits.clone().narrow(0, i, 1));
                let expected = by_all_ways(&all[..frames * N_IDS], blank as u32, text);
                match expected.is_finite() {
                    true => assert!(
                        (f64::from(found[i]) - expected).abs() < 1e-4,
                        "{text:?}: {} is not {expected}",
                        found[i]
                    ),
                    false => assert_eq!(found[i], f32::INFINITY, "{text:?}"),
                }
            }
        }
    }
}

#[test]
fn gradients_are_those_of_small_steps() {
    for device in devices().into_iter().map(Device::autodiff) {
        let (texts, lengths) = texts(0);
        let logits = random::<3>([texts.len(), 6, N_IDS], 5, &device).require_grad();
        let loss = CtcLoss {
            zero_infinity: true,
            ..CtcLoss::new(0)
        };
        let losses = loss.forward(logits.clone(), &lengths, &texts).unwrap();
        let gradient = floats(&logits.grad(&losses.backward()).unwrap());
        let numbers = floats(&logits);
        for (i, (text, frames)) in texts.iter().zip(&lengths).enumerate() {
            let own = i * 6 * N_IDS..(i * 6 + frames) * N_IDS;
            let here = &numbers[own.clone()];
            for (k, at) in own.clone().enumerate() {
                let moved = |step: f32| {
                    let mut moved = here.to_vec();
                    moved[k] += step;
                    by_all_ways(&moved, 0, text)
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                // What cannot be said has no gradient.
                let expected = if slope.is_finite() { slope } else { 0.0 };
                let difference = (f64::from(gradient[at]) - expected).abs();
                assert!(
                    difference < 1e-4,
                    "{text:?}: {} is not {expected}",
                    gradient[at]
                );
            }
            let beyond = &gradient[own.end..(i + 1) * 6 * N_IDS];
            assert!(beyond.iter().all(|value| *value == 0.0));
        }
    }
}

/// Where ways are alike, each has its share of the gradient. The numbers are torch's, of `ctc_loss` of zeros.
#[test]
fn gradients_of_ways_that_are_alike_are_shared() {
    let expected = [
        0.0, -0.3333, 0.3333, 0.0667, -0.2, 0.1333, 0.0667, 0.1333, -0.2, 0.0, 0.3333, -0.3333,
    ];
    for device in devices().into_iter().map(Device::autodiff) {
        let logits = Tensor::<3>::zeros([1, 4, 3], &device).require_grad();
        let loss = CtcLoss::new(0).forward(logits.clone(), &[4], &[vec![1, 2]]);
        let gradient = logits.grad(&loss.unwrap().backward()).unwrap();
        let expected = TensorData::new(expected.to_vec(), [1, 4, 3]);
        assert_close(
            &gradient,
            &Tensor::from_data(expected, &gradient.device()),
            1e-4,
        );
    }
}

#[test]
fn a_mean_is_over_labels_and_then_over_texts() {
    for device in devices() {
        let logits = random([3, 6, N_IDS], 7, &device);
        let texts = [vec![1, 2, 2], vec![], vec![-100, 3, 0, -1]];
        let sum = CtcLoss::new(0);
        let mean = CtcLoss {
            reduction: CtcReduction::Mean,
            ..sum
        };
        let each = floats(&sum.each(logits.clone(), &[6, 4, 5], &texts).unwrap());
        let of =
            |loss: CtcLoss| floats(&loss.forward(logits.clone(), &[6, 4, 5], &texts).unwrap())[0];
        assert!((of(sum) - each.iter().sum::<f32>()).abs() < 1e-5);
        let expected = (each[0] / 3.0 + each[1] + each[2]) / 3.0;
        assert!((of(mean) - expected).abs() < 1e-5);
    }
}

#[test]
fn what_stands_behind_a_sound_and_beside_it_changes_nothing() {
    for device in devices() {
        let (texts, lengths) = texts(0);
        let logits = random::<3>([texts.len(), 6, N_IDS], 9, &device);
        let loss = CtcLoss::new(0);
        let together = floats(&loss.each(logits.clone(), &lengths, &texts).unwrap());
        for (i, (text, frames)) in texts.iter().zip(&lengths).enumerate() {
            if *frames == 0 {
                continue;
            }
            let own = logits.clone().narrow(0, i, 1).narrow(1, 0, *frames);
            let alone = loss
                .each(own, &[*frames], std::slice::from_ref(text))
                .unwrap();
            let alone = floats(&alone)[0];
            assert!(
                alone == together[i] || (alone - together[i]).abs() < 1e-5,
                "{text:?}: {alone}, {}",
                together[i]
            );
        }
    }
}

#[test]
fn devices_agree_on_a_long_sound_and_nothing_overflows() {
    let text: Vec<i64> = (0..60).map(|i| 1 + i * 7 % 30).collect();
    let loss = |device: &Device| {
        let logits = random([1, 400, 32], 11, device).mul_scalar(20.0);
        let loss = CtcLoss::new(0).each(logits, &[400], std::slice::from_ref(&text));
        loss.unwrap().div_scalar(400.0)
    };
    for device in devices() {
        assert!(floats(&loss(&device))[0].is_finite());
    }
    check_same_on_all(1e-4, loss);
}

#[test]
fn a_label_that_is_none_of_the_ids_is_named() {
    let logits = Tensor::zeros([2, 3, N_IDS], &devices()[0]);
    let texts = [vec![1, -100], vec![2, 4, 1]];
    let error = CtcLoss::new(0)
        .forward(logits, &[3, 3], &texts)
        .unwrap_err();
    let named = matches!(
        error,
        Error::Label {
            sample: 1,
            label: 4,
            n_ids: 4
        }
    );
    assert!(named);
    let expected = "sample 1: label 4 is none of the model's 4 ids, 0 to 3; below 0 is padding";
    assert_eq!(error.to_string(), expected);
}
