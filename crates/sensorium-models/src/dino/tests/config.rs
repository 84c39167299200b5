//! What `config.json` may say.

use serde_json::{Value, json};

use crate::dino::{Dinov2Config, Dinov2Kind};

fn published() -> Value {
    json!({
        "apply_layernorm": true,
        "architectures": ["Dinov2Model"],
        "attention_probs_dropout_prob": 0.0,
        "drop_path_rate": 0.0,
        "hidden_act": "gelu",
        "hidden_size": 8,
        "image_size": 8,
        "layer_norm_eps": 1e-6,
        "layerscale_value": 1.0,
        "mlp_ratio": 2,
        "model_type": "dinov2",
        "num_attention_heads": 2,
        "num_channels": 3,
        "num_hidden_layers": 2,
        "out_features": ["stage2"],
        "patch_size": 4,
        "qkv_bias": true,
        "use_swiglu_ffn": false
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut json = published();
    json[key] = value;
    json
}

fn parse(json: &Value) -> Dinov2Config {
    Dinov2Config::parse("config.json", json).unwrap()
}

#[test]
fn a_published_config_is_read_and_written_without_loss() {
    let config = parse(&published());
    let expected = Dinov2Config {
        other: config.other.clone(),
        ..Dinov2Config::debug()
    };
    assert_eq!(config, expected);
    assert_eq!((config.d_ff(), config.n_tokens()), (16, 5));
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["out_features"], json!(["stage2"]));
    assert_eq!(parse(&written), config);
}

#[test]
fn a_whole_ratio_is_written_as_one() {
    // Transformers takes no other for `mlp_ratio`.
    let written = serde_json::to_value(parse(&published())).unwrap();
    assert_eq!(written["mlp_ratio"], json!(2));
    let written = serde_json::to_value(parse(&with("mlp_ratio", json!(2.5)))).unwrap();
    assert_eq!(written["mlp_ratio"], json!(2.5));
}

#[test]
fn registers_belong_to_their_kind() {
    let four = parse(&with("model_type", json!("dinov2_with_registers")));
    assert_eq!(four.kind, Dinov2Kind::WithRegisters);
    assert_eq!((four.n_registers(), four.n_tokens()), (4, 9));
    let none = parse(&with("num_register_tokens", json!(2)));
    assert_eq!(none.n_registers(), 0);
    let mut json = with("num_register_tokens", json!(2));
    json["model_type"] = json!("dinov2_with_registers");
    assert_eq!(parse(&json).n_registers(), 2);
}

#[test]
fn a_gated_feed_forward_part_has_two_thirds_in_eights() {
    let mut json = with("use_swiglu_ffn", json!(true));
    assert_eq!(parse(&json).d_ff(), 16); // 16 * 2 / 3 = 10
    json["mlp_ratio"] = json!(3);
    assert_eq!(parse(&json).d_ff(), 16); // 24 * 2 / 3 = 16
    assert_eq!(Dinov2Config::giant().d_ff(), 4096);
}

/// Panics unless a config with this value is refused with a message that begins so.
fn refuses(key: &str, value: Value, expected: &str) {
    let error = Dinov2Config::parse("config.json", &with(key, value)).unwrap_err();
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
        ("mlp_ratio", json!(0), "mlp_ratio: 0 must be at least 1/8,"),
        (
            "mlp_ratio",
            json!(0.1),
            "mlp_ratio: 0.1 must be at least 1/8,",
        ),
        (
            "mlp_ratio",
            json!(1000),
            "mlp_ratio: 1000 must be at least 1/8,",
        ),
        (
            "patch_size",
            json!(9),
            "image_size: 8 must be at least patch_size = 9",
        ),
    ] {
        refuses(key, value, expected);
    }
}

#[test]
fn what_else_cannot_work_is_refused_by_its_key() {
    for (key, value, expected) in [
        (
            "layer_norm_eps",
            json!(-1.0),
            "layer_norm_eps: -1 must be above 0 and below 1",
        ),
        (
            "drop_path_rate",
            json!(1.5),
            "drop_path_rate: 1.5 must be at least 0 and below 1",
        ),
        (
            "hidden_dropout_prob",
            json!(-0.1),
            "hidden_dropout_prob: -0.1 must be at least 0 and below 1",
        ),
        (
            "hidden_act",
            json!("mish"),
            "hidden_act: the activation `mish` is not one of gelu,",
        ),
        (
            "id2label",
            json!({"1": "x"}),
            "id2label: its ids must count from 0 without a gap",
        ),
        (
            "model_type",
            json!("dinov9"),
            "model_type: unknown variant `dinov9`",
        ),
    ] {
        refuses(key, value, expected);
    }
    let mut json = with("num_register_tokens", json!(1 << 20));
    json["model_type"] = json!("dinov2_with_registers");
    let message = Dinov2Config::parse("c", &json).unwrap_err().to_string();
    assert_eq!(
        message,
        "c: num_register_tokens: 1048576 must be at most 4096"
    );
}

#[test]
fn presets_can_work() {
    for config in [
        Dinov2Config::debug(),
        Dinov2Config::small(),
        Dinov2Config::base(),
        Dinov2Config::large(),
        Dinov2Config::giant(),
    ] {
        config.validate().expect("a preset is valid");
    }
}
