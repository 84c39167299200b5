//! What a `config.json` may say, and what is refused by key.

use serde_json::{Value, json};

use super::*;
use crate::ctc::{CtcLoss, CtcReduction};

#[test]
fn a_config_is_read_and_written_without_loss() {
    for config in configs() {
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(Wav2Vec2Config::parse("config.json", &json).unwrap(), config);
    }
    // What Transformers assumes where nothing is said.
    let empty = Wav2Vec2Config::parse("config.json", &json!({})).unwrap();
    let expected = Wav2Vec2Config {
        dropout: 0.1,
        final_dropout: 0.1,
        ..Wav2Vec2Config::base()
    };
    assert_eq!(empty, expected);
    let json = json!({"model_type": "hubert", "feat_proj_layer_norm": false, "own": {"a": 1}});
    let hubert = Wav2Vec2Config::parse("config.json", &json).unwrap();
    assert_eq!(hubert.kind, Wav2Vec2Kind::Hubert);
    assert_eq!(hubert.other["own"], json!({"a": 1}));
    let written = serde_json::to_value(&hubert).unwrap();
    assert_eq!(written["feat_proj_layer_norm"], json!(false));
    assert_eq!(written["own"], json["own"]);
}

/// A key, what it says, and what is said about that.
#[rustfmt::skip]
const CANNOT_WORK: [(&str, &str, &str); 34] = [
    ("hidden_size", "9", "hidden_size: 9 must be a multiple"),
    ("hidden_size", "1e9", "hidden_size"),
    ("num_hidden_layers", "0", "num_hidden_layers: 0 must"),
    ("num_attention_heads", "0", "num_attention_heads: 0"),
    ("intermediate_size", "0", "intermediate_size: 0 must be"),
    ("conv_dim", "[]", "conv_dim: names 0 convolutions"),
    ("conv_dim", "[6, 4]", "conv_stride: has 3 numbers, but conv_dim has 2"),
    ("conv_kernel", "[4, 3]", "conv_kernel: has 2 numbers"),
    ("conv_kernel", "[4, 0, 2]", "conv_kernel: 0 must be 1 to"),
    ("conv_stride", "[0, 2, 2]", "conv_stride: 0 must be 1 to"),
    ("conv_stride", "[4096, 4096, 2]", "conv_stride: with conv_kernel makes tokens of"),
    ("conv_dim", "[6, 4, -5]", "conv_dim"),
    ("feat_extract_norm", r#""batch""#, "feat_extract_norm: unknown variant `batch`"),
    ("feat_extract_activation", r#""selu""#, "`selu` is not one of"),
    ("hidden_act", r#""mish""#, "`mish` is not one of"),
    ("num_conv_pos_embeddings", "0", "num_conv_pos_embeddings: 0"),
    ("num_conv_pos_embedding_groups", "3", "groups: 3 must divide hidden_size = 8"),
    ("num_conv_pos_embedding_groups", "0", "groups: 0 must divide"),
    ("layer_norm_eps", "0", "layer_norm_eps: 0 must be above"),
    ("hidden_dropout", "1", "hidden_dropout: 1 must be"),
    ("mask_time_prob", "-0.1", "mask_time_prob: -0.1 must be"),
    ("mask_time_length", "0", "mask_time_length: 0 must be"),
    ("mask_feature_min_masks", "99999", "mask_feature_min_masks: 99999"),
    ("vocab_size", "0", "vocab_size: 0 must be 1 to"),
    ("pad_token_id", r#""[PAD]""#, "pad_token_id"),
    ("ctc_loss_reduction", r#""none""#, "ctc_loss_reduction: unknown variant `none`, expected `sum` or `mean`"),
    ("ctc_loss_reduction", "null", "ctc_loss_reduction"),
    ("ctc_zero_infinity", "1", "ctc_zero_infinity"),
    ("classifier_proj_size", "0", "classifier_proj_size: 0"),
    ("id2label", r#"{"1": "a"}"#, "id2label: its ids must"),
    ("model_type", r#""wavlm""#, "model_type: unknown variant `wavlm`"),
    ("add_adapter", "true", "add_adapter: true is not supported"),
    ("adapter_attn_dim", "16", "adapter_attn_dim: 16 is not supported"),
    ("conv_pos_batch_norm", "true", "conv_pos_batch_norm: true is not"),
];

#[test]
fn the_loss_is_what_the_config_says_and_refused_without_a_blank() {
    let read = |json| Wav2Vec2Config::parse("config.json", &json).unwrap();
    let usual = read(json!({})).ctc_loss().unwrap();
    assert_eq!(usual, CtcLoss::new(0));
    let json = json!({"pad_token_id": 31, "ctc_loss_reduction": "mean", "ctc_zero_infinity": true});
    let expected = CtcLoss {
        blank: 31,
        reduction: CtcReduction::Mean,
        zero_infinity: true,
    };
    assert_eq!(read(json).ctc_loss().unwrap(), expected);
    for (blank, said) in [(json!(null), "null"), (json!(-1), "-1"), (json!(32), "32")] {
        let error = read(json!({"pad_token_id": blank})).ctc_loss().unwrap_err();
        let expected = format!("config.json: pad_token_id: {said} is none of the 32 ids");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn a_config_that_cannot_work_is_refused_by_key() {
    let good = serde_json::to_value(Wav2Vec2Config::debug()).unwrap();
    for (key, value, expected) in CANNOT_WORK {
        let mut bad = good.clone();
        bad[key] = serde_json::from_str(value).unwrap();
        let error = Wav2Vec2Config::parse("config.json", &bad).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut deep = good.clone();
    deep["conv_dim"] = json!(vec![1; 65]);
    let error = Wav2Vec2Config::parse("config.json", &deep).unwrap_err();
    assert!(error.to_string().contains("conv_dim: names 65"), "{error}");
    let mut headless = good;
    headless["vocab_size"] = Value::Null;
    assert!(<Wav2Vec2Model as Published>::parse("config.json", &headless).is_ok());
    let error = <Wav2Vec2ForCtc as Published>::parse("config.json", &headless).unwrap_err();
    assert!(error.to_string().contains("vocab_size: is null"), "{error}");
}
