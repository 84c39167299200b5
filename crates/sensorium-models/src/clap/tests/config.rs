//! What is read of `config.json`, and what is refused.

use burn::module::Module;
use sensorium_core::nn::Activation;
use sensorium_testkit::devices;
use serde_json::{Value, json};

use crate::clap::{ClapAudioConfig, ClapConfig, ClapTextConfig};
use crate::parity::Case;

#[test]
fn a_tower_can_be_taken_from_a_whole_models_configuration() {
    let case = Case::fixture("clap-odd");
    let whole = ClapConfig::parse("clap", &case.config).expect("a config");
    let text = ClapTextConfig::parse("clap", &case.config).expect("a config");
    let audio = ClapAudioConfig::parse("clap", &case.config).expect("a config");
    assert_eq!((whole.d_embed, text.d_embed, audio.d_embed), (6, 6, 6));
    assert_eq!(audio.projection_activation, Activation::Silu);
    assert_eq!(whole.logit_scale, 3.5);
    assert_eq!((&text, &audio), (&whole.text, &whole.audio));

    // What a whole model's file says goes before what its parts say.
    let mut other = case.config.clone();
    other["text_config"]["projection_dim"] = json!(9);
    other["text_config"]["projection_hidden_act"] = json!("gelu");
    assert_eq!(ClapConfig::parse("clap", &other).unwrap().text, text);
    let alone = ClapTextConfig::parse("clap", &other["text_config"]).unwrap();
    assert_eq!(
        (alone.d_embed, alone.projection_activation),
        (9, Activation::Gelu)
    );
}

#[test]
fn what_a_file_leaves_out_is_as_transformers_assumes() {
    let empty = json!({"model_type": "clap"});
    let config = ClapConfig::parse("config.json", &empty).unwrap();
    assert_eq!(config.text, ClapTextConfig::roberta());
    assert_eq!(config.audio, ClapAudioConfig::htsat());
    assert_eq!((config.d_embed, config.logit_scale), (512, 1.0 / 0.07));
    assert_eq!(config.audio.spectrogram(), [1024, 64]);
    assert_eq!(
        (config.audio.grid(), config.audio.places()),
        ([64, 64], [2, 32])
    );
    assert_eq!((config.audio.views(), config.text.max_tokens()), (1, 512));

    // The shape of LAION's files.
    let json = json!({
        "model_type": "clap",
        "audio_config": {"enable_fusion": true, "fusion_type": "aff_2d", "patch_stride": [4, 4], "num_classes": 527},
        "text_config": {"hidden_size": 768, "pad_token_id": null, "classifier_dropout": null},
        "text_config_dict": null,
    });
    let config = ClapConfig::parse("config.json", &json).unwrap();
    assert_eq!(config.audio.views(), 4);
    assert_eq!(config.text.max_tokens(), 512);
    assert!(config.audio.other.contains_key("num_classes"));
}

#[test]
fn what_is_written_is_read_back() {
    let mut config = ClapConfig::debug();
    config.other.insert("torch_dtype".into(), json!("float32"));
    config.audio.other.insert("num_classes".into(), json!(7));
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["audio_config"]["hidden_size"], 8);
    assert_eq!(ClapConfig::parse("config.json", &json).unwrap(), config);
    let json = serde_json::to_value(&config.audio).unwrap();
    let again = ClapAudioConfig::parse("config.json", &json).unwrap();
    assert_eq!(again, config.audio);
}

/// What is said of a small model's file with one change at a JSON pointer.
fn refusal(pointer: &str, value: Value) -> String {
    let audio = ClapAudioConfig::debug().with_fusion();
    let config = ClapConfig::new(ClapTextConfig::debug(), audio);
    let mut json = serde_json::to_value(config).unwrap();
    json["audio_config"]["fusion_type"] = json!("aff_2d");
    json["audio_config"]["flatten_patch_embeds"] = json!(true);
    *json.pointer_mut(pointer).expect("a key") = value;
    let error = ClapConfig::parse("config.json", &json).unwrap_err();
    let told = error.to_string();
    let place = told.strip_prefix("config.json: ").expect(&told);
    place.to_owned()
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    for (key, value, expected) in [
        (
            "hidden_size",
            json!(9),
            "hidden_size: 9 must be 8, as patch_embeds_hidden_size = 4",
        ),
        (
            "num_mel_bins",
            json!(0),
            "num_mel_bins: 0 must be 1 to 4096",
        ),
        (
            "num_mel_bins",
            json!(17),
            "num_mel_bins: 17 must be at most spec_size = 16",
        ),
        (
            "num_mel_bins",
            json!(5),
            "spec_size: 16 must be a multiple of 3",
        ),
        (
            "num_mel_bins",
            json!(2),
            "num_mel_bins: 4 rows of the last stage cannot",
        ),
        (
            "spec_size",
            json!(1_000_000),
            "spec_size: 1000000 must be 1 to 4096",
        ),
        (
            "patch_size",
            json!(1),
            "patch_size: 1 must be patch_stride = 2 to 5",
        ),
        (
            "patch_size",
            json!([2, 6]),
            "patch_size: 6 must be patch_stride = 2 to 5",
        ),
        (
            "patch_size",
            json!(3),
            "patch_size: 3 gives 7 patches, but patch_stride = 2 goes 8",
        ),
        (
            "patch_size",
            json!([1, 2, 3]),
            "patch_size: a size must be a whole number",
        ),
        (
            "patch_stride",
            json!(0),
            "patch_stride: 0 must be 1 to 4096",
        ),
        (
            "patch_embed_input_channels",
            json!(4),
            "patch_embed_input_channels: 4 is not",
        ),
        (
            "patch_embeds_hidden_size",
            json!(0),
            "patch_embeds_hidden_size: 0 must be 1",
        ),
        ("depths", json!([]), "depths: 0 stages must be 1 to 8"),
        ("depths", json!([1, 0]), "depths: 0 must be 1 to 512"),
        (
            "depths",
            json!([1]),
            "num_attention_heads: has 2 numbers, but depths has 1",
        ),
        (
            "num_attention_heads",
            json!([1, 3]),
            "num_attention_heads: 3 must divide 8",
        ),
        (
            "num_attention_heads",
            json!(4),
            "num_attention_heads: invalid type",
        ),
        (
            "mlp_ratio",
            json!(-1.0),
            "mlp_ratio: -1 must be above 0 and at most 64",
        ),
        ("mlp_ratio", json!(0.1), "mlp_ratio: 0 must be 1 to"),
        ("window_size", json!(0), "window_size: 0 must be 1 to 32"),
        (
            "window_size",
            json!(5),
            "window_size: 5 is more than the last stage has: 4 x 4",
        ),
        ("aff_block_r", json!(5), "aff_block_r: 5 must be 1 to 4"),
        (
            "drop_path_rate",
            json!(1.0),
            "drop_path_rate: 1 must be at least 0",
        ),
        (
            "layer_norm_eps",
            json!(0.0),
            "layer_norm_eps: 0 must be above 0",
        ),
        (
            "hidden_act",
            json!("mish"),
            "hidden_act: the activation `mish` is not one of",
        ),
        (
            "fusion_type",
            json!("channel_map"),
            "fusion_type: \"channel_map\" is not supported",
        ),
        (
            "flatten_patch_embeds",
            json!(false),
            "flatten_patch_embeds: false is not",
        ),
    ] {
        let found = refusal(&format!("/audio_config/{key}"), value);
        assert!(
            found.starts_with(&format!("audio_config: {expected}")),
            "{found}"
        );
    }
}

#[test]
fn what_cannot_work_elsewhere_is_refused_by_key() {
    for (pointer, value, expected) in [
        (
            "/text_config/hidden_size",
            json!(9),
            "text_config: hidden_size: 9 must be a multiple",
        ),
        (
            "/text_config/hidden_size",
            json!(u64::MAX / 2 - 1),
            "text_config: hidden_size: 9223372036854775806 must be",
        ),
        (
            "/text_config/pad_token_id",
            json!(16),
            "text_config: max_position_embeddings: 10 must be above the first position, 17",
        ),
        (
            "/text_config/max_position_embeddings",
            json!(2),
            "text_config: max_position_embeddings: 2",
        ),
        (
            "/projection_dim",
            json!(0),
            "projection_dim: 0 must be 1 to 65536",
        ),
        (
            "/projection_hidden_act",
            json!("x"),
            "projection_hidden_act: the activation `x`",
        ),
        (
            "/logit_scale_init_value",
            json!(0.0),
            "logit_scale_init_value: 0 must be above 0",
        ),
        ("/audio_config", json!(3), "audio_config: "),
    ] {
        let found = refusal(pointer, value);
        assert!(found.starts_with(expected), "{found}");
    }
    let three = ClapAudioConfig {
        depths: vec![1, 1, 1, 1, 1],
        n_heads: vec![1; 5],
        d_model: 64,
        ..ClapAudioConfig::debug()
    };
    let error = three.validate().unwrap_err().to_string();
    assert!(
        error.contains("depths: 8 x 8 patches cannot be halved"),
        "{error}"
    );
}

#[test]
fn presets_have_as_many_parameters_as_the_reference() {
    // Parameters are drawn when first used, so that counting them costs nothing. What batch norms have learned counts too.
    let device = &devices()[0];
    for (config, parameters, learned) in [
        (ClapConfig::htsat_unfused(), 153_492_890, 128),
        (ClapConfig::htsat_fused(), 153_507_530, 608),
    ] {
        assert_eq!(config.init(device).num_params(), parameters + learned);
    }
}
