//! What must hold of AST: shapes, gradients, absence, batches, names of parameters.

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor};
use sensorium_audio::AudioBatch;
use sensorium_core::nn::Activation;
use sensorium_core::{Encoder, Model, NoTap, Recorder};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};
use serde_json::json;

use super::*;

/// The plain one, and one that is odd in all that can be.
fn configs() -> [AstConfig; 2] {
    [
        AstConfig::debug(),
        AstConfig {
            n_heads: 1,
            activation: Activation::Relu,
            qkv_bias: false,
            patch_size: 2,
            frequency_stride: 5,
            time_stride: 1,
            ..AstConfig::debug()
        },
    ]
    .map(|config| config.with_labels(["rain", "wind", "birds"]))
}

fn sounds(config: &AstConfig, batch: usize, device: &Device) -> AudioBatch {
    AudioBatch::dense(random([batch, config.max_length, config.n_mels], 1, device))
}

#[test]
fn a_sound_becomes_two_tokens_and_its_patches() {
    for device in devices() {
        for config in configs() {
            let ast = config.init(&device);
            let tokens = ast.encode(sounds(&config, 2, &device));
            assert_eq!(tokens.dims(), [2, config.n_tokens(), ast.d_output()]);
            assert!(bools(&tokens.pad).iter().all(|pad| !pad));
            let logits = config
                .init_classification(&device)
                .run(sounds(&config, 2, &device));
            assert_eq!(logits.dims(), [2, 3]);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model = config.init_classification(&device);
            // A softmax does not see what all of its scores share, as from a bias on the keys.
            for block in &mut model.ast.encoder.blocks {
                if let Some(key) = &mut block.attention.key {
                    key.bias = None;
                }
            }
            let batch = sounds(&config, 2, &device);
            let weight = random([2, 3], 4, &device);
            check_gradients(model, |model| (model.run(batch) * weight).sum());
        }
    }
}

#[test]
fn batched_equals_single_and_absent_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let model = config.init_classification(&device);
            let features = sounds(&config, 3, &device).features;
            let present = Tensor::<2, Bool>::from_data([[true], [false], [true]], &device);
            let some = AudioBatch {
                features: features.clone(),
                pad: present.bool_not().repeat_dim(1, config.max_length),
            };
            let alone = AudioBatch::dense(features.clone().narrow(0, 0, 1));
            let alone = model.run(alone);
            for batch in [AudioBatch::dense(features), some.clone()] {
                assert_close(&alone, &model.run(batch).narrow(0, 0, 1), 1e-5);
            }
            let tokens = model.ast.encode(some);
            assert_eq!(bools(&tokens.present()), [true, false, true]);
            assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
#[should_panic(expected = "features has shape [1, 9, 6], but [1, 10, 6] is needed")]
fn a_sound_of_another_length_is_a_mistake() {
    let device = &devices()[0];
    let features = Tensor::zeros([1, 9, 6], device);
    AstConfig::debug()
        .init(device)
        .encode(AudioBatch::dense(features));
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = AstConfig::debug();
        let model = config.init_classification(&device);
        let batch = sounds(&config, 2, &device);
        let mut recorder = Recorder::default();
        let seen = model.run_with(batch.clone(), &mut recorder);
        assert_close(&seen, &model.run_with(batch, &mut NoTap), 1e-5);
        let names = recorder.seen.iter().map(|(name, _, _)| name.as_str());
        let expected = [
            "ast.embeds",
            "ast.encoder.blocks.0.attention.weights",
            "ast.encoder.blocks.0.output",
            "ast.encoder.blocks.1.attention.weights",
            "ast.encoder.blocks.1.output",
            "ast.encoder.output",
            "logits",
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let one = AstConfig {
        n_layers: 1,
        ..AstConfig::debug()
    };
    let expected = "\
ast.embeddings.class [1, 1, 8]
ast.embeddings.distillation [1, 1, 8]
ast.embeddings.patch.weight [8, 1, 3, 3]
ast.embeddings.patch.bias [8]
ast.embeddings.position [1, 8, 8]
ast.encoder.blocks.0.norm_attention.layer.gamma [8]
ast.encoder.blocks.0.norm_attention.layer.beta [8]
ast.encoder.blocks.0.attention.query.weight [8, 8]
ast.encoder.blocks.0.attention.query.bias [8]
ast.encoder.blocks.0.attention.key.weight [8, 8]
ast.encoder.blocks.0.attention.key.bias [8]
ast.encoder.blocks.0.attention.value.weight [8, 8]
ast.encoder.blocks.0.attention.value.bias [8]
ast.encoder.blocks.0.attention.output.weight [8, 8]
ast.encoder.blocks.0.attention.output.bias [8]
ast.encoder.blocks.0.norm_feed_forward.layer.gamma [8]
ast.encoder.blocks.0.norm_feed_forward.layer.beta [8]
ast.encoder.blocks.0.feed_forward.up.weight [8, 12]
ast.encoder.blocks.0.feed_forward.up.bias [12]
ast.encoder.blocks.0.feed_forward.down.weight [12, 8]
ast.encoder.blocks.0.feed_forward.down.bias [8]
ast.encoder.norm.layer.gamma [8]
ast.encoder.norm.layer.beta [8]
norm.layer.gamma [8]
norm.layer.beta [8]
classifier.weight [8, 2]
classifier.bias [2]";
    let model = one.init_classification(device);
    assert_eq!(parameter_snapshot(&model), expected);
}

#[test]
fn the_preset_has_as_many_parameters_as_the_reference() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    let config = AstConfig::base().with_labels((0..527).map(|i| i.to_string()));
    assert_eq!(config.n_tokens(), 1214);
    assert_eq!(config.init_classification(device).num_params(), 86_594_063);
}

#[test]
fn a_config_that_cannot_work_is_refused_by_key() {
    let good = serde_json::to_value(AstConfig::debug()).unwrap();
    assert_eq!(
        AstConfig::parse("config.json", &good).unwrap(),
        AstConfig::debug()
    );
    for (key, value, expected) in [
        ("hidden_size", json!(9), "hidden_size: 9 must be a multiple"),
        ("patch_size", json!(0), "patch_size: 0 must be 1 to"),
        ("patch_size", json!(7), "num_mel_bins: 6 must be at least"),
        ("frequency_stride", json!(0), "frequency_stride: 0 must be"),
        ("time_stride", json!(0), "time_stride: 0 must be 1 to"),
        ("max_length", json!(2), "max_length: 2 must be at least"),
        ("num_mel_bins", json!(-1), "num_mel_bins"),
        ("hidden_act", json!("mish"), "`mish` is not one of"),
        ("id2label", json!({"1": "a"}), "id2label: its ids must"),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let error = AstConfig::parse("config.json", &bad).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
