//! What `config.json` may say.

use serde_json::{Value, json};

use crate::causal::{CausalConfig, LlamaConfig, LlamaKind};

fn published() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 24,
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "hidden_act": "silu",
        "rope_theta": 500_000.0,
        "rope_scaling": {
            "type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192
        },
        "rope_interleaved": false
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut json = published();
    json[key] = value;
    json
}

#[test]
fn a_published_config_is_read_and_written_without_loss() {
    let config = LlamaConfig::parse("config.json", &published()).unwrap();
    assert_eq!((config.n_kv_heads(), config.d_head()), (1, 4));
    assert_eq!(config.max_positions(), 2048);
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["rope_interleaved"], json!(false));
    let again = LlamaConfig::parse("config.json", &written).unwrap();
    assert_eq!(again, config);
    let qwen3 = LlamaConfig::parse("c", &with("model_type", json!("qwen3"))).unwrap();
    assert_eq!((qwen3.kind, qwen3.d_head()), (LlamaKind::Qwen3, 128));
    assert_eq!(qwen3.max_positions(), 32_768);
}

#[test]
fn what_cannot_work_is_refused_by_its_key() {
    let rope = |key: &str, value: Value| {
        let mut json = published();
        json["rope_scaling"][key] = value;
        json
    };
    for (json, said) in [
        (
            with("num_key_value_heads", json!(3)),
            "num_key_value_heads: 3 must divide",
        ),
        (
            with("hidden_size", json!(9)),
            "num_attention_heads: 2 must divide hidden_size = 9",
        ),
        (with("head_dim", json!(3)), "head_dim: 3 must be even"),
        (with("hidden_act", json!("gelu")), "hidden_act: only silu"),
        (
            with("use_sliding_window", json!(true)),
            "use_sliding_window: only",
        ),
        (
            with(
                "layer_types",
                json!(["full_attention", "sliding_attention"]),
            ),
            "use_sliding_window",
        ),
        (
            with("rms_norm_eps", json!(0)),
            "rms_norm_eps: 0 must be above 0",
        ),
        (
            with("max_position_embeddings", json!(0)),
            "max_position_embeddings",
        ),
        (with("model_type", json!("bert")), "model_type"),
        (
            rope("type", json!("longrope")),
            "rope_type: \"longrope\" is none of default",
        ),
        (
            rope("factor", json!(0)),
            "factor: 0 must be a number above 0",
        ),
        (
            rope("high_freq_factor", json!(1)),
            "high_freq_factor: 1 must be a number above 1",
        ),
        (
            rope("partial_rotary_factor", json!(0.5)),
            "partial_rotary_factor",
        ),
        (
            rope("mrope_section", json!([1, 2])),
            "mrope_section: [1, 2] must add up to half a head, 2",
        ),
        (rope("rope_theta", json!(0.5)), "rope_theta"),
    ] {
        let error = CausalConfig::parse("config.json", &json)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(said) && !error.contains('\n'),
            "{said}: {error}"
        );
    }
    let gpt2 = json!({
        "model_type": "gpt2", "vocab_size": 24, "n_embd": 8, "n_layer": 1, "n_head": 2,
        "scale_attn_by_inverse_layer_idx": true
    });
    let error = CausalConfig::parse("config.json", &gpt2)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("scale_attn_by_inverse_layer_idx: only false"),
        "{error}"
    );
}
