//! wav2vec 2.0 and HuBERT: the tower, its characters and its classes.

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Gradients, Tensor};
use sensorium_core::{Recorder, Tokens};
use sensorium_testkit::{Reference, floats};

use super::Case;
use crate::ctc::{CtcLoss, CtcReduction};
use crate::wav2vec2::{
    Wav2Vec2Config, Wav2Vec2ForCtc, Wav2Vec2ForSequenceClassification, Wav2Vec2Input, Wav2Vec2Model,
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
    let loaded = case.load::<Wav2Vec2ForCtc>(device, saved);
    let model = loaded.model;
    let mut seen = Recorder::default();
    let logits = model.forward_with(sounds(case, device), &mut seen).logits;
    check_layers(&case.reference, &seen, "wav2vec2.");
    case.reference.check("logits", &logits);
    check_tower(case, &model.wav2vec2, device);
    check_losses(case, &loaded.config, model, device);
}

/// Losses as the configuration asks for them and in all other ways, and gradients of some parameters.
fn check_losses(case: &Case, config: &Wav2Vec2Config, model: Wav2Vec2ForCtc, device: &Device) {
    let reference = &case.reference;
    let (shape, _) = reference.floats("input.samples");
    let (batch, samples) = (shape[0], shape[1]);
    let lengths: Vec<usize> = match reference.has("input.mask") {
        true => {
            let (_, mask) = reference.ints("input.mask");
            let own = mask.chunks(samples);
            own.map(|row| row.iter().sum::<i64>() as usize).collect()
        }
        false => vec![samples; batch],
    };
    let device = device.clone().autodiff();
    let model = model.fork(&device).train();
    let asked = config.ctc_loss().expect("a blank");
    for which in ["fits", "many"] {
        let (shape, labels) = reference.ints(&format!("labels.{which}"));
        let texts: Vec<Vec<i64>> = labels.chunks(shape[1]).map(<[i64]>::to_vec).collect();
        let loss = |loss: CtcLoss| {
            let input = sounds(case, &device);
            model.loss(input, &lengths, &texts, &loss).expect("labels")
        };
        if which == "fits" {
            reference.check("loss.asked", &loss(asked));
        }
        for (reduction, name) in [(CtcReduction::Sum, "sum"), (CtcReduction::Mean, "mean")] {
            let name = format!("loss.{which}.{name}");
            let way = |zero_infinity| CtcLoss {
                reduction,
                zero_infinity,
                ..asked
            };
            let found = loss(way(false));
            match reference.floats(&name).1 == [f32::INFINITY] {
                true => assert_eq!(floats(&found), [f32::INFINITY], "{name}"),
                false => reference.check(&name, &found),
            }
            reference.check(&format!("{name}.zeroed"), &loss(way(true)));
        }
        let gradients = loss(CtcLoss {
            reduction: CtcReduction::Mean,
            zero_infinity: true,
            ..asked
        });
        check_gradients(reference, &model, &gradients.backward(), which);
    }
}

fn check_gradients(reference: &Reference, model: &Wav2Vec2ForCtc, all: &Gradients, which: &str) {
    let tower = &model.wav2vec2;
    let name = |name: &str| format!("gradient.{which}.{name}");
    let linear = |path: &str, weight: &Param<Tensor<2>>| {
        let gradient = weight.val().grad(all).expect(path);
        reference.check(&name(path), &gradient.transpose()); // torch has [out, in]
    };
    linear("lm_head.weight", &model.head.weight);
    let query = tower.encoder.blocks[1].attention.query.as_ref();
    let path = "encoder.layers.1.attention.q_proj.weight";
    linear(path, &query.expect(path).weight);
    let path = "feature_projection.projection.weight";
    linear(path, &tower.projection.linear.weight);
    let bias = |path: &str, bias: &Param<Tensor<1>>| {
        reference.check(&name(path), &bias.val().grad(all).expect(path));
    };
    bias("lm_head.bias", model.head.bias.as_ref().expect("a bias"));
    bias("encoder.pos_conv_embed.conv.bias", &tower.position.bias);
    let path = "feature_extractor.conv_layers.0.conv.weight";
    let first = tower.features.layers[0].conv.weight.val();
    reference.check(&name(path), &first.grad(all).expect(path));
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
