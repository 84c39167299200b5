//! wav2vec 2.0 and HuBERT: the tower, its characters and its classes.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Recorder, Tokens};
use sensorium_testkit::{Reference, floats};

use super::Case;
use crate::wav2vec2::{
    Wav2Vec2ForCtc, Wav2Vec2ForSequenceClassification, Wav2Vec2Input, Wav2Vec2Model,
};

fn sounds(case: &Case, device: &Device) -> Wav2Vec2Input {
    let reference = &case.reference;
    let input = Wav2Vec2Input::dense(reference.tensor("input.samples", device));
    Wav2Vec2Input {
        pad: (reference.has("input.mask")).then(|| reference.pad("input.mask", device)),
        ..input
    }
}

/// What the convolutions give, and every layer after them.
fn check_layers(reference: &Reference, seen: &Recorder, ours: &str) {
    let (shape, features) = seen.get(&format!("{ours}features")).expect("features");
    reference.check_values("features", shape, features);
    reference.check_layers(seen, ours, "");
}

/// The last state where tokens are hidden, and of each sound without its padding.
fn check_tower(case: &Case, tower: &Wav2Vec2Model, device: &Device) {
    let reference = &case.reference;
    let forward = |input| tower.forward_with(input, &mut sensorium_core::NoTap).embeds;
    if reference.has("input.hidden") {
        let hidden = reference.pad("input.hidden", device).bool_not();
        let last = forward(sounds(case, device).with_hidden(hidden));
        reference.check("hiding.last_hidden_state", &last);
    }
    if !reference.has("input.lengths") {
        return;
    }
    // Told what is padding, a sound is what it is alone.
    let (_, lengths) = reference.ints("input.lengths");
    let input = sounds(case, device);
    let [_, samples] = input.samples.dims();
    let pad: Vec<bool> = lengths
        .iter()
        .flat_map(|length| (0..samples as i64).map(move |i| i >= *length))
        .collect();
    let pad = burn::tensor::TensorData::new(pad, [lengths.len(), samples]);
    let input = Wav2Vec2Input {
        pad: Some(burn::tensor::Tensor::from_data(pad, device)),
        ..input
    };
    let Tokens { embeds, pad } = tower.forward_with(input, &mut sensorium_core::NoTap);
    for i in 0..lengths.len() {
        let name = format!("alone.{i}");
        let (shape, _) = reference.floats(&name);
        let shape = shape.to_vec();
        let alone = embeds.clone().narrow(0, i, 1).narrow(1, 0, shape[1]);
        reference.check_values(&name, &shape, &floats(&alone));
        let padded = sensorium_testkit::bools(&pad.clone().narrow(0, i, 1));
        let there = padded.iter().filter(|pad| !**pad).count();
        assert_eq!(there, shape[1], "tokens of sound {i}");
    }
}

pub(super) fn tower(case: &Case, device: &Device, saved: &Path) {
    let tower = case.load::<Wav2Vec2Model>(device, saved).model;
    let mut seen = Recorder::default();
    tower.forward_with(sounds(case, device), &mut seen);
    check_layers(&case.reference, &seen, "");
    check_tower(case, &tower, device);
}

pub(super) fn ctc(case: &Case, device: &Device, saved: &Path) {
    let model = case.load::<Wav2Vec2ForCtc>(device, saved).model;
    let mut seen = Recorder::default();
    let logits = model.forward_with(sounds(case, device), &mut seen).logits;
    check_layers(&case.reference, &seen, "wav2vec2.");
    case.reference.check("logits", &logits);
    check_tower(case, &model.wav2vec2, device);
}

pub(super) fn classification(case: &Case, device: &Device, saved: &Path) {
    let model = case
        .load::<Wav2Vec2ForSequenceClassification>(device, saved)
        .model;
    let logits = model.forward_with(sounds(case, device), &mut sensorium_core::NoTap);
    case.reference.check("logits", &logits);
    let mut seen = Recorder::default();
    model.wav2vec2.forward_with(sounds(case, device), &mut seen);
    check_layers(&case.reference, &seen, "");
    check_tower(case, &model.wav2vec2, device);
}
