//! What must hold of every sentence encoder, and what its files may say.

use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::{Encoder, Processor, Source, Tokens};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};
use sensorium_text::{TextBatch, Tokenizer};
use serde_json::{Value, json};

use super::pooling::pool;
use super::*;
use crate::Error;
use crate::bert::BertConfig;

const ALL: [Pooling; 6] = [
    Pooling::Cls,
    Pooling::Max,
    Pooling::Mean,
    Pooling::MeanSqrtLen,
    Pooling::WeightedMean,
    Pooling::Last,
];

fn batch(device: &Device) -> TextBatch {
    let ids = [[2, 5, 9, 3, 0], [2, 7, 3, 0, 0], [0; 5]];
    let pad = [
        [false, false, false, false, true],
        [false, false, false, true, true],
        [true; 5],
    ];
    TextBatch {
        ids: Tensor::<2, Int>::from_data(ids, device),
        pad: Tensor::<2, Bool>::from_data(pad, device),
    }
}

#[test]
fn pooling_goes_by_what_is_not_padding() {
    for device in devices() {
        // Padding at the right, nothing but padding, and padding at the left.
        let (a, b, junk) = ([1.0, -4.0], [3.0, -2.0], [99.0, 99.0]);
        let embeds = [[a, b, junk], [[7.0; 2]; 3], [junk, a, b]];
        let pad = [[false, false, true], [true; 3], [true, false, false]];
        let tokens = Tokens::new(
            Tensor::from_data(embeds, &device),
            Tensor::<2, Bool>::from_data(pad, &device),
        );
        let root = 2f32.sqrt();
        for (mode, [x, y]) in ALL.into_iter().zip([
            [1.0, -4.0],
            [3.0, -2.0],
            [2.0, -3.0],
            [4.0 / root, -6.0 / root],
            [7.0 / 3.0, -8.0 / 3.0],
            [3.0, -2.0],
        ]) {
            let expected = Tensor::from_data([[x, y], [0.0; 2], [x, y]], &device);
            assert_close(&pool(tokens.clone(), &[mode]), &expected, 1e-6);
        }
        assert_eq!(pool(tokens, &ALL).dims(), [3, 12]);
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let mut encoder = SentenceConfig::debug().init(&device);
        for block in &mut encoder.bert.encoder.blocks {
            // A softmax does not see a key bias.
            block.attention.key.as_mut().unwrap().bias = None;
        }
        let w = random([3, 6], 1, &device);
        check_gradients(encoder, |e| (e.embed(batch(&device)) * w).sum());
    }
}

#[test]
fn padding_and_neighbours_change_nothing_and_length_is_one() {
    for device in devices() {
        let encoder = SentenceConfig::debug().init(&device);
        let together = encoder.encode(batch(&device));
        assert_eq!(together.dims(), [3, 1, encoder.d_output()]);
        assert_eq!(bools(&together.present()), [true, true, false]);
        let TextBatch { ids, pad } = batch(&device);
        let alone = encoder.embed(TextBatch {
            ids: ids.slice([1..2, 0..3]),
            pad: pad.slice([1..2, 0..3]),
        });
        let together = together.embeds.slice([1..2, 0..1, 0..6]).reshape([1, 6]);
        assert_close(&together, &alone, 1e-5);
        let length: f32 = floats(&alone).iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn parameter_paths_are_api() {
    let encoder = SentenceConfig::debug().init(&devices()[0]);
    let snapshot = parameter_snapshot(&encoder);
    let own: Vec<&str> = snapshot
        .lines()
        .filter(|line| !line.starts_with("bert."))
        .collect();
    assert_eq!(
        own,
        ["dense.0.linear.weight [48, 6]", "dense.0.linear.bias [6]"]
    );
}

const TYPES: [&str; 3] = ["Transformer", "Pooling", "Normalize"];

fn entries(types: &[&str]) -> Value {
    let entry = |(idx, kind): (usize, &&str)| {
        let path = if idx == 0 {
            String::new()
        } else {
            format!("{idx}_{kind}")
        };
        json!({"idx": idx, "name": idx.to_string(), "path": path, "type": format!("sentence_transformers.models.{kind}")})
    };
    types.iter().enumerate().map(entry).collect()
}

/// A model's files, with one of them changed.
fn read(modules: Value, changed: &str, json: Value) -> Result<SentenceConfig, Error> {
    let bert = serde_json::to_value(BertConfig::debug()).unwrap();
    SentenceConfig::read(|file| {
        Ok(match file {
            _ if file == changed => Some(json.clone()),
            "modules.json" => Some(modules.clone()),
            "config.json" => Some(bert.clone()),
            "1_Pooling/config.json" => {
                Some(json!({"word_embedding_dimension": 8, "pooling_mode_cls_token": true}))
            }
            "2_Dense/config.json" => Some(json!({
                "in_features": 8, "out_features": 4, "bias": false,
                "activation_function": "torch.nn.modules.linear.Identity"
            })),
            _ => None,
        })
    })
}

#[test]
fn a_model_is_as_its_files_say() {
    let config = read(
        entries(&["Transformer", "Pooling", "Dense", "Normalize"]),
        "sentence_bert_config.json",
        json!({"max_seq_length": 6, "do_lower_case": true}),
    )
    .unwrap();
    assert_eq!(config.pooling, [Pooling::Cls]);
    assert_eq!(config.dense[0].0, "2_Dense");
    assert_eq!(config.dense[0].1.activation, DenseActivation::Identity);
    assert!(config.normalize && config.lower_case && !config.dense[0].1.bias);
    assert_eq!((config.max_tokens, config.d_output()), (6, 4));
    let encoder = config.init(&devices()[0]);
    assert_eq!(encoder.embed(batch(&devices()[0])).dims(), [3, 4]);
}

#[test]
fn the_longest_text_is_bounded_by_the_positions() {
    for (file, json, expected) in [
        (
            "sentence_bert_config.json",
            json!({"max_seq_length": 512}),
            10,
        ),
        (
            "sentence_roberta_config.json",
            json!({"max_seq_length": 4}),
            4,
        ),
        ("tokenizer_config.json", json!({"model_max_length": 7}), 7),
        (
            "tokenizer_config.json",
            json!({"model_max_length": 1e30}),
            10,
        ),
        ("nothing", json!({}), 10),
    ] {
        let config = read(entries(&TYPES), file, json).unwrap();
        assert_eq!(config.max_tokens, expected, "{file}");
    }
}

#[test]
fn without_modules_tokens_are_averaged() {
    let bert = serde_json::to_value(BertConfig::debug()).unwrap();
    let config =
        SentenceConfig::read(|file| Ok((file == "config.json").then(|| bert.clone()))).unwrap();
    assert_eq!(config.pooling, [Pooling::Mean]);
    assert!(!config.normalize);
}

#[test]
fn the_newer_form_of_pooling_is_read() {
    for (mode, expected) in [
        (json!("max"), vec![Pooling::Max]),
        (
            json!(["cls", "mean_sqrt_len_tokens"]),
            vec![Pooling::Cls, Pooling::MeanSqrtLen],
        ),
        (
            json!(["weightedmean", "lasttoken"]),
            vec![Pooling::WeightedMean, Pooling::Last],
        ),
    ] {
        let json = json!({"embedding_dimension": 8, "pooling_mode": mode});
        let config = read(entries(&TYPES), "1_Pooling/config.json", json).unwrap();
        assert_eq!(config.pooling, expected);
    }
}

#[test]
fn the_older_form_of_pooling_has_a_switch_for_each_mode() {
    let read = |json| {
        let config = read(entries(&TYPES), "1_Pooling/config.json", json).unwrap();
        config.pooling
    };
    let mut all = json!({"word_embedding_dimension": 8});
    assert_eq!(read(all.clone()), [Pooling::Mean]);
    for mode in [
        "cls_token",
        "max_tokens",
        "mean_tokens",
        "mean_sqrt_len_tokens",
        "weightedmean_tokens",
        "lasttoken",
    ] {
        all[format!("pooling_mode_{mode}")] = json!(true);
    }
    assert_eq!(read(all.clone()), ALL);
    all["pooling_mode_mean_tokens"] = json!(false);
    assert!(!read(all).contains(&Pooling::Mean));
}

#[test]
fn the_usual_prompt_stands_before_texts() {
    let read = |json| read(entries(&TYPES), "config_sentence_transformers.json", json);
    let prompts = json!({"query": "query: ", "document": ""});
    for (name, expected) in [
        (json!("query"), "query: "),
        (json!("document"), ""),
        (json!(null), ""),
    ] {
        let config = read(json!({"prompts": prompts, "default_prompt_name": name})).unwrap();
        assert_eq!(config.prompt, expected);
    }
    let error = read(json!({"prompts": prompts, "default_prompt_name": "passage"}));
    assert_eq!(
        error.unwrap_err().to_string(),
        "config_sentence_transformers.json: default_prompt_name: \"passage\" is none of its prompts"
    );
}

/// A model with one file changed is refused with a message that begins like this.
fn refused(modules: Value, file: &str, json: Value, expected: &str) {
    let message = read(modules, file, json).unwrap_err().to_string();
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn modules_that_do_not_fit_are_refused() {
    let check = |modules, expected: &str| {
        let expected = format!("modules.json: {expected}");
        refused(modules, "", json!({}), &expected);
    };
    check(
        entries(&["Pooling"]),
        "type: entry 0 is Pooling, but Transformer is needed there",
    );
    check(
        entries(&["Transformer", "Pooling", "WordWeights"]),
        "type: sentence_transformers.models.WordWeights is not supported",
    );
    check(
        entries(&["Transformer", "Pooling", "Normalize", "Dense"]),
        "type: sentence_transformers.models.Dense follows Normalize, which must be the last",
    );
    let mut outside = entries(&TYPES);
    outside[1]["path"] = json!("../1_Pooling");
    check(outside, "path: \"../1_Pooling\" leaves the model's folder");
    check(json!({"0": 1}), "invalid type: map");
}

#[test]
fn pooling_that_is_not_supported_is_refused() {
    let check = |key: &str, value: Value, expected: &str| {
        let mut json = json!({"word_embedding_dimension": 8});
        json[key] = value;
        let expected = format!("1_Pooling/config.json: {key}: {expected}");
        refused(entries(&TYPES), "1_Pooling/config.json", json, &expected);
    };
    check(
        "word_embedding_dimension",
        json!(9),
        "9 must be the tower's",
    );
    check("pooling_mode", json!("best"), "\"best\" is not supported");
    check("pooling_mode", json!([]), "names no mode");
}

#[test]
fn a_dense_layer_or_length_that_does_not_fit_is_refused() {
    let modules = || entries(&["Transformer", "Pooling", "Dense"]);
    let check = |key: &str, value: Value, expected: &str| {
        let mut json = json!({"in_features": 8, "out_features": 2});
        json[key] = value;
        let expected = format!("2_Dense/config.json: {key}: {expected}");
        refused(modules(), "2_Dense/config.json", json, &expected);
    };
    check("in_features", json!(9), "9 must be 8");
    check(
        "activation_function",
        json!("x.Mish"),
        "`x.Mish` is not one of",
    );
    check(
        "module_input_name",
        json!("token"),
        "only a map of the sentence",
    );
    check(
        "module_output_name",
        json!("token"),
        "only a map to the sentence",
    );
    check("use_residual", json!(true), "a map that adds");
    refused(
        entries(&TYPES),
        "sentence_bert_config.json",
        json!({"max_seq_length": 0}),
        "sentence_bert_config.json: max_seq_length: 0 must be 1 to",
    );
}

#[test]
fn texts_stand_behind_their_prompt_lowered_and_cut() {
    // A tokenizer that keeps case, and for which spaces at the ends are tokens.
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {
            "type": "BPE", "merges": [],
            "vocab": {"a": 0, "b": 1, "A": 2, "B": 3, " ": 4}
        }
    });
    let tokenizer = || Tokenizer::from_bytes("t", json.to_string().as_bytes()).unwrap();
    let mut config = SentenceConfig::debug();
    config.max_tokens = 3;
    let ids = |config: &SentenceConfig, text: &str| {
        let processor = SentenceProcessor::new(config, tokenizer());
        processor.process(&Source::text(text)).unwrap().ids
    };
    assert_eq!(ids(&config, " Ab "), [4, 2, 1]);
    assert_eq!(ids(&config, "A bA"), [2, 4, 1]);
    config.lower_case = true;
    assert_eq!(ids(&config, "AB "), [0, 1, 4]);
    config.prompt = "B ".to_owned();
    assert_eq!(ids(&config, "A"), [1, 4, 0]);
    let latin1 = Source::bytes("a.txt", b"caf\xe9".to_vec());
    let error = SentenceProcessor::new(&config, tokenizer()).process(&latin1);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("a.txt: is not UTF-8")
    );
}
