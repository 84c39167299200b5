//! BERT, RoBERTa, their heads and sentence encoders give what the reference gives, layer by layer.

use super::common::{Reference, fixture, load};
use burn::tensor::Tensor;
use sensorium_core::Recorder;
use sensorium_hub::Checkpoint;
use sensorium_models::Loaded;
use sensorium_models::bert::{
    BertForMaskedLm, BertForSequenceClassification, BertModel, SentenceEncoder,
};
use sensorium_testkit::{devices, floats};

const TOLERANCE: f32 = 1e-4;

/// Every hidden state as the tap saw it, first to last.
fn check_layers(reference: &Reference, seen: &Recorder, tower: &str, n_layers: usize) {
    for layer in 0..=n_layers {
        let name = match layer {
            0 => format!("{tower}embeds"),
            n => format!("{tower}encoder.blocks.{}.output", n - 1),
        };
        let (shape, found) = seen.get(&name).expect("the layer is tapped");
        reference.check(&format!("hidden.{layer}"), shape, found, TOLERANCE);
    }
}

fn check<const D: usize>(reference: &Reference, name: &str, found: &Tensor<D>) {
    reference.check(name, &found.dims(), &floats(found), TOLERANCE);
}

fn check_tower(case: &str) {
    for device in devices() {
        let reference = Reference::open(case);
        let Loaded { model, config, .. } = load::<BertModel>(case, &device);
        let mut seen = Recorder::default();
        let tokens = model.forward_with(reference.input(&device), &mut seen);
        check_layers(&reference, &seen, "", config.n_layers);
        let pooled = model.pool(&tokens).expect("there is a pooler");
        check(&reference, "pooled", &pooled);
    }
}

fn check_masked_lm(case: &str) {
    for device in devices() {
        let reference = Reference::open(case);
        let Loaded { model, config, .. } = load::<BertForMaskedLm>(case, &device);
        let mut seen = Recorder::default();
        let logits = model.forward_with(reference.input(&device), &mut seen);
        check_layers(&reference, &seen, "bert.", config.n_layers);
        check(&reference, "logits", &logits);
    }
}

fn check_classification(case: &str) {
    for device in devices() {
        let reference = Reference::open(case);
        let Loaded { model, config, .. } = load::<BertForSequenceClassification>(case, &device);
        let mut seen = Recorder::default();
        let logits = model.forward_with(reference.input(&device), &mut seen);
        check_layers(&reference, &seen, "bert.", config.n_layers);
        check(&reference, "logits", &logits);
    }
}

#[test]
fn towers_and_poolers() {
    check_tower("bert");
    check_tower("roberta");
}

#[test]
fn masked_words_are_guessed_alike() {
    check_masked_lm("bert-masked-lm");
    check_masked_lm("roberta-masked-lm");
}

#[test]
fn texts_are_classified_alike() {
    check_classification("bert-classification");
    check_classification("roberta-classification");
}

#[test]
fn sentences_are_pooled_mapped_and_normalised_alike() {
    let checkpoint = Checkpoint::folder(&fixture("sentence"));
    for device in devices() {
        let (encoder, config) = SentenceEncoder::load(&checkpoint, &device).expect("it fits");
        assert_eq!((config.max_tokens, config.d_output()), (9, 5));
        let reference = Reference::open("sentence");
        let mut seen = Recorder::default();
        let vectors = encoder.embed_with(reference.input(&device), &mut seen);
        let (shape, hidden) = seen.get("bert.encoder.output").expect("the last state");
        reference.check("hidden", shape, hidden, TOLERANCE);
        check(&reference, "sentence", &vectors);
    }
}
