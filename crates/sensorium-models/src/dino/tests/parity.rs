//! The same results as Transformers, layer by layer.

use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::devices;
use sensorium_vision::ImageBatch;

use crate::dino::Dinov2Config;
use crate::vit::tests::reference::{Case, Rule};

const RULES: [Rule; 19] = [
    ("embeddings.class", "embeddings.cls_token", None),
    ("embeddings.mask", "embeddings.mask_token", None),
    ("embeddings.registers", "embeddings.register_tokens", None),
    (
        "embeddings.position",
        "embeddings.position_embeddings",
        None,
    ),
    (
        "embeddings.patch",
        "embeddings.patch_embeddings.projection",
        None,
    ),
    ("encoder.norm", "layernorm", None),
    ("blocks", "layer", None),
    ("norm_attention", "norm1", None),
    ("norm_feed_forward", "norm2", None),
    ("scale_attention.gamma", "layer_scale1.lambda1", None),
    ("scale_feed_forward.gamma", "layer_scale2.lambda1", None),
    ("attention.output", "attention.output.dense", None),
    ("attention.query", "attention.attention.query", None),
    ("attention.key", "attention.attention.key", None),
    ("attention.value", "attention.attention.value", None),
    ("feed_forward.up", "mlp.fc1", None),
    ("feed_forward.down", "mlp.fc2", None),
    ("feed_forward.gate", "mlp.gate", None),
    ("dinov2.", "dinov2.", None),
];

fn rules(config: &Dinov2Config) -> Vec<Rule> {
    let registers = config.n_registers() > 0;
    RULES
        .into_iter()
        .map(|(ours, theirs, half)| match (ours, config.swiglu) {
            ("feed_forward.gate", true) => (ours, "mlp.weights_in", Some(0)),
            ("feed_forward.up", true) => (ours, "mlp.weights_in", Some(1)),
            ("feed_forward.down", true) => (ours, "mlp.weights_out", None),
            ("dinov2.", _) if registers => (ours, "dinov2_with_registers.", None),
            _ => (ours, theirs, half),
        })
        .collect()
}

#[test]
fn a_tower_equals_the_reference() {
    for device in devices() {
        for name in ["dinov2", "dinov2-odd", "dinov2-registers"] {
            let case = Case::open(name);
            let config = Dinov2Config::parse(name, &case.config).expect("a config");
            let dino = case.load(config.init(&device), &rules(&config));
            let mut recorder = Recorder::default();
            let batch = ImageBatch::dense(case.input(&device));
            dino.encode_with(batch.clone(), &mut recorder);
            case.compare_layers(&recorder, "");
            case.compare("last_hidden_state", &dino.encode(batch.clone()).embeds);
            case.compare("pooler_output", &dino.embed(batch));
        }
    }
}

#[test]
fn a_classifier_equals_the_reference_at_its_size_and_at_others() {
    for device in devices() {
        for name in [
            "dinov2-swiglu",
            "dinov2-resized",
            "dinov2-registers-resized",
        ] {
            let case = Case::open(name);
            let config = Dinov2Config::parse(name, &case.config).expect("a config");
            let model = case.load(config.init_classification(&device), &rules(&config));
            let mut recorder = Recorder::default();
            let batch = ImageBatch::dense(case.input(&device));
            let logits = model.run_with(batch.clone(), &mut recorder);
            case.compare_layers(&recorder, "dinov2.");
            case.compare("logits", &logits);
            case.compare("logits", &model.run(batch));
        }
    }
}
