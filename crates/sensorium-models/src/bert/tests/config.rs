//! What `config.json` may say.

use sensorium_core::nn::Activation;
use serde_json::{Value, json};

use crate::bert::{BertConfig, BertKind};

fn published() -> Value {
    json!({
        "architectures": ["BertForMaskedLM"],
        "hidden_act": "gelu_new",
        "hidden_size": 8,
        "intermediate_size": 12,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 10,
        "model_type": "bert",
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "some_new_key": {"of": ["the", "hub"]},
        "id2label": {"0": "no", "1": "yes"},
        "vocab_size": 20
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut json = published();
    json[key] = value;
    json
}

#[test]
fn a_published_config_is_read_and_written_without_loss() {
    let config = BertConfig::parse("config.json", &published()).unwrap();
    assert_eq!(config.kind, BertKind::Bert);
    assert_eq!((config.d_model, config.n_layers, config.n_heads), (8, 2, 2));
    assert_eq!(config.activation, Activation::GeluTanh);
    assert_eq!(config.labels(), ["no", "yes"]);
    assert_eq!((config.max_tokens(), config.pad_id()), (10, 0));
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["some_new_key"], published()["some_new_key"]);
    assert_eq!(BertConfig::parse("config.json", &written).unwrap(), config);
}

#[test]
fn relatives_count_from_the_padding_id() {
    for name in ["roberta", "xlm-roberta", "camembert"] {
        let config = BertConfig::parse("c", &with("model_type", json!(name))).unwrap();
        assert_eq!((config.pad_id(), config.first_position()), (1, 2), "{name}");
        assert_eq!(config.max_tokens(), 8);
    }
    let mut json = with("model_type", json!("roberta"));
    json["pad_token_id"] = json!(4);
    let config = BertConfig::parse("c", &json).unwrap();
    assert_eq!(config.max_tokens(), 5);
}

fn refused(key: &str, value: Value, expected: &str) {
    let error = BertConfig::parse("m/config.json", &with(key, value)).unwrap_err();
    let (message, expected) = (
        error.to_string(),
        format!("m/config.json: {key}: {expected}"),
    );
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn sizes_that_cannot_work_are_refused_by_their_key() {
    let odd = "9 must be a multiple of num_attention_heads = 2";
    refused("hidden_size", json!(9), odd);
    refused("hidden_size", json!("8"), "invalid type: string");
    refused("num_attention_heads", json!(0), "0 must be 1 to 1024");
    refused("num_hidden_layers", json!(1000), "1000 must be 1 to 512");
    refused("vocab_size", json!(-1), "invalid value: integer `-1`");
    refused("layer_norm_eps", json!(0.0), "0 must be above 0");
    refused("hidden_dropout_prob", json!(1.0), "1 must be at least 0");
    let high = "20 must be below vocab_size = 20";
    refused("pad_token_id", json!(20), high);
}

#[test]
fn what_is_not_supported_is_refused_by_its_key() {
    let unknown = "the activation `mish` is not one of gelu, ";
    refused("hidden_act", json!("mish"), unknown);
    let labels = json!({"0": "a", "2": "b"});
    refused("id2label", labels, "its ids must count from 0");
    refused("model_type", json!("gpt2"), "unknown variant `gpt2`");
    refused("is_decoder", json!(true), "a BERT that decodes is not");
    let relative = "\"relative_key\" is not supported";
    refused("position_embedding_type", json!("relative_key"), relative);
}

#[test]
fn a_missing_size_and_too_few_positions_are_refused() {
    let mut json = published();
    json.as_object_mut().unwrap().remove("hidden_size");
    let message = BertConfig::parse("c", &json).unwrap_err().to_string();
    assert_eq!(message, "c: missing field `hidden_size`");
    let mut json = with("model_type", json!("roberta"));
    json["max_position_embeddings"] = json!(2);
    let message = BertConfig::parse("c", &json).unwrap_err().to_string();
    assert_eq!(
        message,
        "c: max_position_embeddings: 2 must be above the first position, 2"
    );
}

#[test]
fn presets_are_valid() {
    for config in [
        BertConfig::base_uncased(),
        BertConfig::roberta_base(),
        BertConfig::minilm_l6(),
        BertConfig::debug(),
    ] {
        config.validate().unwrap();
    }
    assert_eq!(BertConfig::roberta_base().max_tokens(), 512);
}
