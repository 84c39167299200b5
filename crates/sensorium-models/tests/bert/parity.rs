//! BERT, RoBERTa, their heads and sentence encoders give what the reference gives, layer by layer.

use super::common::{Reference, fixture, json, load};
use burn::tensor::{Device, Tensor};
use sensorium_core::Recorder;
use sensorium_models::bert::{BertConfig, SentenceConfig};
use sensorium_testkit::{devices, floats};

const TOLERANCE: f32 = 1e-4;

fn config(case: &str) -> BertConfig {
    let json = json(&fixture(case).join("config.json")).expect("the case has a config.json");
    BertConfig::parse("config.json", &json).expect("a published config")
}

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

/// Tower and answer of a head.
fn check_head<const D: usize>(
    case: &str,
    run: impl Fn(&BertConfig, &Reference, &mut Recorder, &Device) -> Tensor<D>,
) {
    for device in devices() {
        let (config, reference) = (config(case), Reference::open(case));
        let mut seen = Recorder::default();
        let logits = run(&config, &reference, &mut seen, &device);
        check_layers(&reference, &seen, "bert.", config.n_layers);
        check(&reference, "logits", &logits);
    }
}

fn check_tower(case: &str) {
    for device in devices() {
        let (config, reference) = (config(case), Reference::open(case));
        let mut bert = config.init_with_pooler(&device);
        let file = fixture(case).join("model.safetensors");
        load(&mut bert, &config.tower_names(), &file, &[]);
        let mut seen = Recorder::default();
        let tokens = bert.forward_with(reference.input(&device), &mut seen);
        check_layers(&reference, &seen, "", config.n_layers);
        let pooled = bert.pool(&tokens).expect("there is a pooler");
        check(&reference, "pooled", &pooled);
    }
}

fn check_masked_lm(case: &str) {
    check_head(case, |config, reference, seen, device| {
        let mut model = config.init_masked_lm(device);
        let file = fixture(case).join("model.safetensors");
        load(&mut model, &config.masked_lm_names(), &file, &[]);
        model.forward_with(reference.input(device), seen)
    });
}

fn check_classification(case: &str) {
    check_head(case, |config, reference, seen, device| {
        let mut model = config.init_classification(device);
        let file = fixture(case).join("model.safetensors");
        load(&mut model, &config.classification_names(), &file, &[]);
        model.forward_with(reference.input(device), seen)
    });
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
    let folder = fixture("sentence");
    let config = SentenceConfig::read(|file| Ok(json(&folder.join(file)))).expect("its files");
    assert_eq!((config.max_tokens, config.d_output()), (9, 5));
    for device in devices() {
        let reference = Reference::open("sentence");
        let mut encoder = config.init(&device);
        let names = config.bert.tower_names();
        load(
            &mut encoder.bert,
            &names,
            &folder.join("model.safetensors"),
            &[],
        );
        for (dense, (path, _)) in encoder.dense.iter_mut().zip(&config.dense) {
            load(
                dense,
                &[],
                &folder.join(path).join("model.safetensors"),
                &[],
            );
        }
        let mut seen = Recorder::default();
        let vectors = encoder.embed_with(reference.input(&device), &mut seen);
        let (shape, hidden) = seen.get("bert.encoder.output").expect("the last state");
        reference.check("hidden", shape, hidden, TOLERANCE);
        check(&reference, "sentence", &vectors);
    }
}
