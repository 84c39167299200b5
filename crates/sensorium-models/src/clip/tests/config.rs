//! What is read of `config.json`, and what is refused.

use burn::module::Module;
use sensorium_core::nn::Activation;
use sensorium_testkit::devices;
use serde_json::{Value, json};

use crate::clip::{ClipConfig, ClipTextConfig, ClipVisionConfig};
use crate::parity::Case;

#[test]
fn a_tower_can_be_taken_from_a_whole_models_configuration() {
    let case = Case::fixture("clip");
    let whole = ClipConfig::parse("clip", &case.config).expect("a config");
    let text = ClipTextConfig::parse("clip", &case.config).expect("a config");
    let vision = ClipVisionConfig::parse("clip", &case.config).expect("a config");
    // The parts of this file say 512.
    assert_eq!((whole.d_embed, text.d_embed, vision.d_embed), (6, 6, 6));
    assert_eq!((text, vision), (whole.text, whole.vision));

    let mut alone = case.config["vision_config"].clone();
    alone["projection_dim"] = json!(7);
    let alone = ClipVisionConfig::parse("clip", &alone).expect("a config");
    assert_eq!(alone.d_embed, 7);
}

#[test]
fn what_a_file_leaves_out_is_as_in_the_first_checkpoint() {
    let empty = json!({"model_type": "clip"});
    let config = ClipConfig::parse("config.json", &empty).unwrap();
    let expected = ClipConfig::base_patch32();
    assert_eq!(config.text, expected.text);
    assert_eq!(config.vision, expected.vision);
    assert_eq!((config.d_embed, config.logit_scale), (512, 2.6592));

    // The shape of LAION's files.
    let json = json!({
        "model_type": "clip",
        "projection_dim": 1024,
        "text_config": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "hidden_act": "gelu", "id2label": {"0": "LABEL_0"}},
        "vision_config": {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32,
            "num_attention_heads": 16, "patch_size": 14, "hidden_act": "gelu"},
        "text_config_dict": null,
    });
    let config = ClipConfig::parse("config.json", &json).unwrap();
    assert_eq!(config.text.activation, Activation::Gelu);
    assert_eq!((config.text.max_tokens, config.text.end_id), (77, 49_407));
    assert_eq!(config.vision.n_tokens(), 257);
    assert_eq!(config.d_embed, 1024);
    assert!(config.text.other.contains_key("id2label"));
}

#[test]
fn an_older_key_of_a_tower_is_taken_whole() {
    let json = json!({
        "text_config": {"hidden_size": 8, "num_attention_heads": 2, "vocab_size": 10, "eos_token_id": 3},
        "text_config_dict": {"hidden_size": 16, "num_attention_heads": 4},
        "vision_config": null,
        "vision_config_dict": {"image_size": 32},
        "other": true,
    });
    let config = ClipConfig::parse("config.json", &json).unwrap();
    assert_eq!((config.text.d_model, config.text.n_heads), (16, 4));
    assert_eq!(
        (config.text.vocab_size, config.text.end_id),
        (49_408, 49_407)
    );
    assert_eq!(config.vision.image_size, [32; 2]);
    assert_eq!(ClipTextConfig::parse("", &json).unwrap(), config.text);
    assert_eq!(ClipVisionConfig::parse("", &json).unwrap(), config.vision);
    assert_eq!(config.other.keys().collect::<Vec<_>>(), ["other"]);
}

#[test]
fn a_tower_of_its_own_is_read_too() {
    let json = json!({"model_type": "clip_text_model", "hidden_size": 24, "projection_dim": 7});
    let config = ClipTextConfig::parse("config.json", &json).unwrap();
    assert_eq!((config.d_model, config.d_embed), (24, 7));
    let json = json!({"model_type": "clip_vision_model", "image_size": [64, 32]});
    let config = ClipVisionConfig::parse("config.json", &json).unwrap();
    assert_eq!(config.image_size, [64, 32]);
}

#[test]
fn what_is_written_is_read_back() {
    let mut config = ClipConfig::debug();
    config.other.insert("torch_dtype".into(), json!("float32"));
    config.text.other.insert("bos_token_id".into(), json!(14));
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["text_config"]["hidden_size"], 8);
    assert_eq!(ClipConfig::parse("config.json", &json).unwrap(), config);
    let json = serde_json::to_value(&config.text).unwrap();
    assert_eq!(
        ClipTextConfig::parse("config.json", &json).unwrap(),
        config.text
    );
}

/// What is said of a small model's file with one change at a JSON pointer.
fn refusal(pointer: &str, value: Value) -> String {
    let mut json = serde_json::to_value(ClipConfig::debug()).unwrap();
    *json.pointer_mut(pointer).expect("a key") = value;
    ClipConfig::parse("config.json", &json)
        .unwrap_err()
        .to_string()
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    for (pointer, value, expected) in [
        (
            "/text_config/hidden_size",
            json!(9),
            "config.json: text_config: hidden_size: 9 must be a multiple of num_attention_heads = 2",
        ),
        (
            "/text_config/vocab_size",
            json!(0),
            "config.json: text_config: vocab_size: 0 must be 1 to 16777216",
        ),
        (
            "/text_config/hidden_act",
            json!("mish"),
            "config.json: text_config: hidden_act: the activation `mish` is not one of",
        ),
        (
            "/text_config/eos_token_id",
            json!([1, 2]),
            "config.json: text_config: eos_token_id: invalid type: sequence",
        ),
        (
            "/vision_config/patch_size",
            json!(9),
            "config.json: vision_config: image_size: 8 must be at least patch_size = 9",
        ),
        (
            "/vision_config/attention_dropout",
            json!(1.0),
            "config.json: vision_config: attention_dropout: 1 must be at least 0 and below 1",
        ),
        (
            "/vision_config/layer_norm_eps",
            json!(0.0),
            "config.json: vision_config: layer_norm_eps: 0 must be above 0 and below 1",
        ),
        (
            "/vision_config/num_hidden_layers",
            json!(100_000),
            "config.json: vision_config: num_hidden_layers: 100000 must be 1 to 512",
        ),
        (
            "/projection_dim",
            json!(0),
            "config.json: projection_dim: 0 must be 1 to 65536",
        ),
        (
            "/projection_dim",
            json!("many"),
            "config.json: projection_dim: invalid type",
        ),
        ("/vision_config", json!(3), "config.json: vision_config: "),
    ] {
        let found = refusal(pointer, value);
        assert!(found.starts_with(expected), "{found}");
    }
    let not_an_object = ClipConfig::parse("config.json", &json!([1])).unwrap_err();
    assert!(not_an_object.to_string().starts_with("config.json: "));
}

#[test]
fn presets_have_as_many_parameters_as_published() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    for (config, expected) in [
        (ClipConfig::base_patch32(), 151_277_313),
        (ClipConfig::large_patch14(), 427_616_513),
    ] {
        assert_eq!(config.init(device).num_params(), expected);
    }
}
