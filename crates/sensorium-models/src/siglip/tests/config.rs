//! What is read of `config.json`, and what is refused.

use burn::module::Module;
use sensorium_core::nn::Activation;
use sensorium_testkit::devices;
use serde_json::{Value, json};

use crate::siglip::{SiglipConfig, SiglipTextConfig, SiglipVisionConfig};

#[test]
fn what_a_file_leaves_out_is_as_in_the_first_checkpoint() {
    let empty = json!({"model_type": "siglip", "text_config": {}});
    let config = SiglipConfig::parse("config.json", &empty).unwrap();
    let expected = SiglipConfig::base_patch16_224();
    assert_eq!(config.text, expected.text);
    assert_eq!(config.vision, expected.vision);
    assert_eq!(config.vision.activation, Activation::GeluTanh);
    assert_eq!(config.text.pad_id(), 1);
}

#[test]
fn padding_of_siglip_2_is_that_of_its_tokenizer() {
    let json = json!({"model_type": "siglip", "text_config": {"vocab_size": 256_000}});
    let config = SiglipConfig::parse("config.json", &json).unwrap();
    assert_eq!(config.text.pad_id(), 0);
    let said = json!({"vocab_size": 256_000, "pad_token_id": 3});
    let config = SiglipTextConfig::parse("config.json", &said).unwrap();
    assert_eq!(config.pad_id(), 3);
}

#[test]
fn a_tower_is_read_of_its_own_and_of_a_whole_file() {
    let json = json!({"model_type": "siglip_text_model", "hidden_size": 24});
    let config = SiglipTextConfig::parse("config.json", &json).unwrap();
    assert_eq!((config.d_model, config.d_embed()), (24, 24));
    let json = json!({"model_type": "siglip", "vision_config": {"vision_use_head": false}});
    let config = SiglipVisionConfig::parse("config.json", &json).unwrap();
    assert!(!config.with_head);
}

#[test]
fn what_is_written_is_read_back() {
    let mut config = SiglipConfig::debug();
    config.other.insert("torch_dtype".into(), json!("float32"));
    config.text.d_embed = Some(8);
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["text_config"]["projection_size"], 8);
    assert_eq!(SiglipConfig::parse("config.json", &json).unwrap(), config);
}

/// What is said of a small model's file with one key changed.
fn refusal(object: &str, key: &str, value: Value) -> String {
    let mut json = serde_json::to_value(SiglipConfig::debug()).unwrap();
    let object = json.pointer_mut(object).expect("an object");
    object[key] = value;
    let error = SiglipConfig::parse("config.json", &json).unwrap_err();
    error.to_string()
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    for (object, key, value, expected) in [
        (
            "",
            "model_type",
            json!("siglip2"),
            "config.json: model_type: siglip2 (NaFlex, of variable resolution) is not supported;",
        ),
        (
            "/text_config",
            "projection_size",
            json!(9),
            "config.json: text_config: projection_size: 9 must be hidden_size of vision_config = 8",
        ),
        (
            "/text_config",
            "pad_token_id",
            json!(16),
            "config.json: text_config: pad_token_id: 16 must be below vocab_size = 16",
        ),
        (
            "/vision_config",
            "vision_use_head",
            json!(false),
            "config.json: vision_config: vision_use_head: a model of both towers needs the head;",
        ),
        (
            "/vision_config",
            "num_attention_heads",
            json!(3),
            "config.json: vision_config: hidden_size: 8 must be a multiple of num_attention_heads = 3",
        ),
        (
            "/vision_config",
            "image_size",
            json!("big"),
            "config.json: vision_config: image_size: a size must be a whole number, or two",
        ),
    ] {
        let found = refusal(object, key, value);
        assert!(found.starts_with(expected), "{found}");
    }
    let tower = json!({"model_type": "siglip2_vision_model", "num_patches": 256});
    let error = SiglipVisionConfig::parse("config.json", &tower).unwrap_err();
    assert!(error.to_string().contains("siglip2_vision_model (NaFlex"));
}

#[test]
fn presets_have_as_many_parameters_as_published() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    for (config, expected) in [
        (SiglipConfig::base_patch16_224(), 203_155_970),
        (SiglipConfig::v2_base_patch16_224(), 375_187_970),
        (SiglipConfig::so400m_patch14_384(), 877_960_498),
    ] {
        assert_eq!(config.init(device).num_params(), expected);
    }
}
