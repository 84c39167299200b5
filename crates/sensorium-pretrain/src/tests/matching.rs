//! Pairs are told: all of it trains, and who lacks a side is in no pair.

use sensorium_core::{Fusion, Head, Logits, Parts};
use sensorium_testkit::{
    assert_close, check_gradients, check_same_on_all, devices, floats, ints, random,
};
use sensorium_train::Learned;

use super::*;
use crate::*;

const TEXT: Modality = Modality("text");
const IMAGE: Modality = Modality("image");

/// Tokens of both, which see each other.
#[derive(Module, Debug)]
struct Joined {
    image: Linear,
    text: Linear,
    transformer: Transformer,
}

impl Fusion for Joined {
    fn d_output(&self) -> usize {
        8
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, _tap: &mut T) -> Tokens {
        let own = |modality: Modality, layer: &Linear| {
            let tokens = parts.get(modality).expect("both are there").clone();
            Tokens::new(linear(layer, tokens.embeds), tokens.pad)
        };
        let all = vec![own(IMAGE, &self.image), own(TEXT, &self.text)];
        self.transformer.forward(Tokens::concat(all))
    }
}

/// The mean of what is there, and two logits.
#[derive(Module, Debug)]
struct Two {
    output: Linear,
}

impl Head for Two {
    type Output = Logits;

    fn forward_with<T: Tap>(&self, fused: Tokens, _tap: &mut T) -> Logits {
        let there = fused.pad.clone().bool_not().float().sum_dim(1);
        let sum = fused.zero_padding().embeds.sum_dim(1).squeeze_dim::<2>(1);
        linear(&self.output, sum / there.clamp_min(1.0))
    }
}

fn matching(device: &Device) -> Matching<Joined, Two> {
    let alignment = AlignmentConfig::new(&[(IMAGE, 4), (TEXT, 6)], 5).init(device);
    let linear = |d, out| LinearConfig::new(d, out).init(device);
    let mut transformer = TransformerConfig::new(8, 2, 1).with_d_ff(12).init(device);
    without_key_bias(&mut transformer);
    let joined = Joined {
        image: linear(4, 8),
        text: linear(6, 8),
        transformer,
    };
    let two = Two {
        output: linear(8, 2),
    };
    Matching::new(alignment, joined, two)
}

fn parts(images: &[usize], texts: &[usize], device: &Device) -> Parts {
    Parts::new()
        .with(IMAGE, ragged(images, 4, 4, device))
        .with(TEXT, ragged(texts, 5, 6, device))
}

/// Nothing is the same, and noise by a seed.
fn wrong(batch: usize, seed: u64, device: &Device) -> WrongPairs {
    let noise = [0, 1].map(|side| random([batch, batch], seed + side, device));
    WrongPairs {
        noise,
        same: Tensor::full([batch, batch], false, device),
        hard: true,
    }
}

fn total(learned: &Learned) -> f32 {
    floats(&learned.loss.total)[0]
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        check_gradients(matching(&device), |matching| {
            let parts = parts(&[4, 2, 3, 1], &[1, 5, 2, 3], &device);
            let learned = matching.learn(parts, wrong(4, 1, &device));
            let names = learned.loss.terms.iter().map(|(name, _)| name.as_str());
            assert_eq!(
                names.collect::<Vec<_>>(),
                ["image_text", "scale", "matching", "matched", "unmatched"]
            );
            assert_eq!(floats(&learned.tally.unwrap().counted), [12.0]);
            learned.loss.total
        });
    }
}

#[test]
fn devices_agree() {
    let begun = matching(&devices()[0]);
    check_same_on_all(1e-4, |device| {
        let parts = parts(&[4, 2, 3, 1], &[1, 5, 2, 3], device);
        let matching = begun.clone().fork(device);
        matching.learn(parts, wrong(4, 1, device)).loss.total
    });
}

#[test]
fn who_lacks_a_side_is_in_no_pair() {
    for device in devices() {
        let matching = matching(&device);
        // Of two whole samples each has the other alone as its wrong partner, whatever is drawn.
        let whole = matching.learn(parts(&[4, 2], &[1, 5], &device), wrong(2, 1, &device));
        let with = parts(&[4, 2, 0, 3], &[1, 5, 3, 0], &device);
        let judged = matching.judge(with.clone(), wrong(4, 5, &device)).unwrap();
        assert_eq!(
            ints(&judged.matches),
            [1, 1, -1, -1, 0, 0, -1, 0, 0, 0, 0, -1]
        );
        let lacking = matching.learn(with, wrong(4, 5, &device));
        assert_close(&term(&whole, "matched"), &term(&lacking, "matched"), 1e-5);

        let images = Parts::new().with(IMAGE, ragged(&[4, 2], 4, 4, &device));
        let none = matching.learn(images, wrong(2, 1, &device));
        assert_eq!(total(&none), 0.0);
    }
}

fn term(learned: &Learned, name: &str) -> Tensor<1> {
    let mut terms = learned.loss.terms.iter();
    terms.find(|(of, _)| of == name).expect("a term").1.clone()
}

#[test]
fn padding_changes_nothing_and_the_same_are_no_wrong_pair() {
    for device in devices() {
        let matching = matching(&device);
        let learn = |texts: Tokens, wrong| {
            let images = ragged(&[4, 2, 3], 4, 4, &device);
            let parts = Parts::new().with(IMAGE, images).with(TEXT, texts);
            matching.learn(parts, wrong)
        };
        let texts = ragged(&[1, 3, 2], 5, 6, &device);
        let padded = learn(texts.clone(), wrong(3, 1, &device));
        let short = learn(part(&texts, 0..3, 3), wrong(3, 1, &device));
        assert_close(&padded.loss.total, &short.loss.total, 1e-5);

        let all_same = WrongPairs {
            same: Tensor::full([3, 3], true, &device),
            ..wrong(3, 1, &device)
        };
        let given = Parts::new()
            .with(IMAGE, ragged(&[4, 2, 3], 4, 4, &device))
            .with(TEXT, texts);
        let judged = matching.judge(given, all_same).unwrap();
        assert_eq!(ints(&judged.matches), [1, 1, 1, -1, -1, -1, -1, -1, -1]);
    }
}

#[test]
#[should_panic(expected = "pairs are of two modalities")]
fn three_modalities_are_no_pair() {
    let device = &devices()[0];
    let widths = [(IMAGE, 4), (TEXT, 6), (Modality("audio"), 4)];
    let Matching { fusion, head, .. } = matching(device);
    Matching::new(AlignmentConfig::new(&widths, 5).init(device), fusion, head);
}
