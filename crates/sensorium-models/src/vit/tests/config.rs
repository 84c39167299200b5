//! What `config.json` may say.

use sensorium_core::nn::Activation;
use serde_json::{Value, json};

use crate::vit::{PoolerActivation, VitConfig};

fn published() -> Value {
    json!({
        "architectures": ["ViTForImageClassification"],
        "encoder_stride": 16,
        "hidden_act": "gelu",
        "hidden_size": 8,
        "id2label": {"0": "tench", "1": "goldfish"},
        "image_size": 8,
        "intermediate_size": 12,
        "label2id": {"tench": 0, "goldfish": 1},
        "layer_norm_eps": 1e-12,
        "model_type": "vit",
        "num_attention_heads": 2,
        "num_channels": 3,
        "num_hidden_layers": 2,
        "patch_size": 4,
        "qkv_bias": true
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut json = published();
    json[key] = value;
    json
}

#[test]
fn a_published_config_is_read_and_written_without_loss() {
    let config = VitConfig::parse("config.json", &published()).unwrap();
    assert_eq!((config.d_model, config.n_layers, config.n_heads), (8, 2, 2));
    assert_eq!((config.image_size, config.patch_size), ([8, 8], [4, 4]));
    assert_eq!((config.grid(), config.n_tokens()), ([2, 2], 5));
    assert_eq!(config.labels(), ["tench", "goldfish"]);
    assert_eq!(config.pooler_activation, PoolerActivation::Tanh);
    let written = serde_json::to_value(&config).unwrap();
    for (key, value) in published().as_object().unwrap() {
        assert_eq!(&written[key], value, "{key}");
    }
    assert_eq!(VitConfig::parse("config.json", &written).unwrap(), config);
}

#[test]
fn rectangles_and_another_pooler_are_read_and_written() {
    let mut json = with("image_size", json!([9, 6]));
    json["patch_size"] = json!([2, 3]);
    json["pooler_act"] = json!("relu");
    json["pooler_output_size"] = json!(5);
    let config = VitConfig::parse("config.json", &json).unwrap();
    assert_eq!((config.grid(), config.pooled_size()), ([4, 2], 5));
    assert_eq!(
        config.pooler_activation,
        PoolerActivation::Of(Activation::Relu)
    );
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["image_size"], json!([9, 6]));
    assert_eq!(written["pooler_act"], json!("relu"));
}

#[test]
fn what_is_left_out_is_as_transformers_assumes() {
    let mut json = published();
    let map = json.as_object_mut().unwrap();
    for key in ["num_channels", "qkv_bias", "layer_norm_eps", "hidden_act"] {
        map.remove(key);
    }
    map.remove("id2label");
    map.insert("pooler_output_size".to_owned(), Value::Null);
    let config = VitConfig::parse("config.json", &json).unwrap();
    let expected = VitConfig {
        other: config.other.clone(),
        ..VitConfig::debug()
    };
    assert_eq!(config, expected);
    assert_eq!(config.labels(), ["LABEL_0", "LABEL_1"]);
}

/// Panics unless a config with this value is refused with a message that begins so.
fn refuses(key: &str, value: Value, expected: &str) {
    let error = VitConfig::parse("config.json", &with(key, value)).unwrap_err();
    let message = error.to_string();
    let expected = format!("config.json: {expected}");
    assert!(message.starts_with(&expected), "{message}\n{expected}");
}

#[test]
fn sizes_that_cannot_work_are_refused_by_their_key() {
    for (key, value, expected) in [
        (
            "hidden_size",
            json!(7),
            "hidden_size: 7 must be a multiple of num_attention_heads = 2",
        ),
        ("hidden_size", json!(0), "hidden_size: 0 must be 1 to 65536"),
        (
            "num_attention_heads",
            json!(0),
            "num_attention_heads: 0 must be 1 to 1024",
        ),
        (
            "num_hidden_layers",
            json!(0),
            "num_hidden_layers: 0 must be 1 to 512",
        ),
        (
            "intermediate_size",
            json!(0),
            "intermediate_size: 0 must be 1 to 1048576",
        ),
        ("patch_size", json!(0), "patch_size: 0 must be 1 to 4096"),
        (
            "patch_size",
            json!([4, 9]),
            "image_size: 8 must be at least patch_size = 9",
        ),
        (
            "image_size",
            json!(3),
            "image_size: 3 must be at least patch_size = 4",
        ),
        (
            "image_size",
            json!(1_000_000),
            "image_size: has 250000 x 250000 patches; 1048576 in all are allowed",
        ),
        (
            "image_size",
            json!("big"),
            "image_size: a size must be a whole number, or two: [height, width]",
        ),
    ] {
        refuses(key, value, expected);
    }
}

#[test]
fn what_else_cannot_work_is_refused_by_its_key() {
    for (key, value, expected) in [
        (
            "num_channels",
            json!(0),
            "num_channels: 0 must be 1 to 4096",
        ),
        (
            "layer_norm_eps",
            json!(0.0),
            "layer_norm_eps: 0 must be above 0 and below 1",
        ),
        (
            "hidden_dropout_prob",
            json!(1.0),
            "hidden_dropout_prob: 1 must be at least 0 and below 1",
        ),
        (
            "pooler_output_size",
            json!(1_u64 << 40),
            "pooler_output_size: 1099511627776 must be at most 65536",
        ),
        (
            "id2label",
            json!({}),
            "id2label: its ids must count from 0 without a gap",
        ),
        (
            "id2label",
            json!({"1": "x"}),
            "id2label: its ids must count from 0 without a gap",
        ),
        (
            "pooler_act",
            json!("mish"),
            "pooler_act: the activation `mish` is not one of gelu,",
        ),
    ] {
        refuses(key, value, expected);
    }
    let mut json = published();
    json.as_object_mut().unwrap().remove("patch_size");
    let message = VitConfig::parse("config.json", &json)
        .unwrap_err()
        .to_string();
    assert!(message.contains("missing field `patch_size`"), "{message}");
}

#[test]
fn presets_can_work() {
    for config in [
        VitConfig::debug(),
        VitConfig::base_patch16_224(),
        VitConfig::large_patch16_224(),
    ] {
        config.validate().expect("a preset is valid");
    }
}
