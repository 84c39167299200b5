//! What must hold of every BERT: gradients, padding, batches, names of parameters, and what a config may say.

mod config;

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::{Encoder, NoTap, Recorder, Tokens};
use sensorium_testkit::{
    assert_close, check_gradients, devices, floats, parameter_snapshot, random,
};
use sensorium_text::TextBatch;

use super::*;

const KINDS: [BertKind; 2] = [BertKind::Bert, BertKind::Roberta];

fn config(kind: BertKind) -> BertConfig {
    BertConfig::debug()
        .with_kind(kind)
        .with_labels(["no", "yes", "perhaps"])
}

/// Two texts, of five and three tokens, beside `extra` columns of padding.
fn batch(extra: usize, device: &Device) -> TextBatch {
    texts(&[&[2, 5, 9, 14, 3], &[2, 7, 3]], 5 + extra, device)
}

fn texts(ids: &[&[i64]], width: usize, device: &Device) -> TextBatch {
    let row = |text: &&[i64]| (0..width).map(|i| text.get(i).copied()).collect::<Vec<_>>();
    let flat: Vec<Option<i64>> = ids.iter().flat_map(row).collect();
    let shape = [ids.len(), width];
    let pad: Vec<bool> = flat.iter().map(Option::is_none).collect();
    let ids: Vec<i64> = flat.into_iter().map(|id| id.unwrap_or(1)).collect();
    TextBatch {
        ids: Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device),
        pad: Tensor::<2, Bool>::from_data(TensorData::new(pad, shape), device),
    }
}

/// A softmax does not see a key bias: its gradient is rounding noise.
fn without_key_bias(mut bert: BertModel) -> BertModel {
    for block in &mut bert.encoder.blocks {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
    bert
}

fn shown(tokens: Tokens, row: usize, len: usize) -> Tensor<3> {
    let [_, _, d] = tokens.dims();
    tokens.embeds.slice([row..row + 1, 0..len, 0..d])
}

#[test]
fn every_parameter_of_a_tower_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for kind in KINDS {
            let bert = without_key_bias(config(kind).init(&device));
            let w = random([2, 5, 8], 1, &device);
            check_gradients(bert, |b| {
                (b.encode(batch(0, &device)).zero_padding().embeds * w).sum()
            });
        }
    }
}

#[test]
fn every_parameter_of_a_masked_lm_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for (kind, tied) in KINDS.iter().flat_map(|k| [(*k, true), (*k, false)]) {
            let mut config = config(kind);
            config.tied = tied;
            let mut model = config.init_masked_lm(&device);
            model.bert = without_key_bias(model.bert);
            let w = random([2, 5, 20], 1, &device);
            check_gradients(model, |m| (m.forward(batch(0, &device)) * w).sum());
        }
    }
}

#[test]
fn every_parameter_of_a_classifier_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for kind in KINDS {
            let mut model = config(kind).init_classification(&device);
            model.bert = without_key_bias(model.bert);
            let w = random([2, 3], 1, &device);
            check_gradients(model, |m| (m.forward(batch(0, &device)) * w).sum());
        }
    }
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        for kind in KINDS {
            let bert = config(kind).init(&device);
            let together = bert.encode(batch(3, &device));
            let alone = bert.encode(texts(&[&[2, 7, 3]], 3, &device));
            assert_close(&shown(together, 1, 3), &alone.embeds, 1e-5);

            let masked = config(kind).init_masked_lm(&device);
            let together = masked.forward(batch(3, &device));
            let alone = masked.forward(texts(&[&[2, 7, 3]], 3, &device));
            assert_close(&together.slice([1..2, 0..3, 0..20]), &alone, 1e-5);

            let classifier = config(kind).init_classification(&device);
            let together = classifier.forward(batch(3, &device));
            let alone = classifier.forward(texts(&[&[2, 7, 3]], 3, &device));
            assert_close(&together.slice([1..2, 0..3]), &alone, 1e-5);
        }
    }
}

#[test]
fn an_absent_text_is_padding_and_finite() {
    for device in devices() {
        for kind in KINDS {
            let bert = config(kind).init(&device);
            let tokens = bert.encode(texts(&[&[2, 3], &[]], 2, &device));
            assert_eq!(sensorium_testkit::bools(&tokens.present()), [true, false]);
            assert!(floats(&tokens.embeds).iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn roberta_counts_tokens_and_not_padding() {
    for device in devices() {
        let config = config(BertKind::Roberta);
        assert_eq!((config.pad_id(), config.max_tokens()), (1, 8));
        let bert = config.init(&device);
        let right = texts(&[&[2, 7, 3]], 5, &device);
        let left = TextBatch {
            ids: right.ids.clone().flip([1]),
            pad: right.pad.clone().flip([1]),
        };
        // Read backwards, the same three tokens stand at the positions 2, 3 and 4 too.
        let backwards = bert.encode(texts(&[&[3, 7, 2]], 3, &device));
        let found = bert.encode(left).embeds.slice([0..1, 2..5, 0..8]);
        assert_close(&found, &backwards.embeds, 1e-5);
    }
}

#[test]
fn token_types_are_seen_and_0_is_the_default() {
    for device in devices() {
        let bert = config(BertKind::Bert).init(&device);
        let input = BertInput::from(batch(0, &device));
        let types = |last: i64| {
            let row = [0, 0, 0, last, last];
            let types = Tensor::<2, Int>::from_data([row, row], &device);
            bert.forward(input.clone().with_types(types)).embeds
        };
        let plain = bert.forward(input.clone()).embeds;
        assert_close(&plain, &types(0), 1e-6);
        assert!(sensorium_testkit::max_difference(&plain, &types(1)) > 1e-3);
    }
}

#[test]
fn the_pooler_and_what_a_tap_sees() {
    for device in devices() {
        let bert = config(BertKind::Bert).init_with_pooler(&device);
        let mut seen = Recorder::default();
        let tokens = bert.forward_with(batch(0, &device), &mut seen);
        let plain = bert.forward_with(batch(0, &device), &mut NoTap);
        assert_close(&tokens.embeds, &plain.embeds, 1e-5);
        for name in [
            "embeds",
            "encoder.blocks.0.output",
            "encoder.blocks.1.output",
        ] {
            assert_eq!(seen.get(name).expect(name).0, [2, 5, 8]);
        }
        let pooled = bert.pool(&tokens).expect("there is a pooler");
        assert_eq!(pooled.dims(), [2, 8]);
        assert!(floats(&pooled).iter().all(|x| x.abs() <= 1.0));
        assert!(config(BertKind::Bert).init(&device).pool(&tokens).is_none());
    }
}

#[test]
fn a_tied_head_follows_the_table_of_words() {
    for device in devices() {
        let mut model = config(BertKind::Bert).init_masked_lm(&device);
        let zeros = Tensor::zeros([20, 8], &device);
        model.bert.embeddings.word.weight = Param::from_tensor(zeros);
        let logits = floats(&model.forward(batch(0, &device)));
        assert!(logits.iter().all(|x| *x == 0.0), "{logits:?}");
    }
}

#[test]
#[should_panic(expected = "11 tokens, but there are only 10 positions")]
fn too_long_a_text_says_so() {
    let device = &devices()[0];
    BertConfig::debug().init(device).encode(batch(6, device));
}

#[test]
fn parameter_paths_are_api() {
    let mut config = config(BertKind::Bert);
    config.n_layers = 1;
    let device = &devices()[0];
    let tower = "\
embeddings.word.weight [20, 8]
embeddings.position.weight [10, 8]
embeddings.token_type.weight [2, 8]
embeddings.norm.layer.gamma [8]
embeddings.norm.layer.beta [8]
encoder.blocks.0.norm_attention.layer.gamma [8]
encoder.blocks.0.norm_attention.layer.beta [8]
encoder.blocks.0.attention.query.weight [8, 8]
encoder.blocks.0.attention.query.bias [8]
encoder.blocks.0.attention.key.weight [8, 8]
encoder.blocks.0.attention.key.bias [8]
encoder.blocks.0.attention.value.weight [8, 8]
encoder.blocks.0.attention.value.bias [8]
encoder.blocks.0.attention.output.weight [8, 8]
encoder.blocks.0.attention.output.bias [8]
encoder.blocks.0.norm_feed_forward.layer.gamma [8]
encoder.blocks.0.norm_feed_forward.layer.beta [8]
encoder.blocks.0.feed_forward.up.weight [8, 12]
encoder.blocks.0.feed_forward.up.bias [12]
encoder.blocks.0.feed_forward.down.weight [12, 8]
encoder.blocks.0.feed_forward.down.bias [8]
pooler.weight [8, 8]
pooler.bias [8]";
    assert_eq!(parameter_snapshot(&config.init_with_pooler(device)), tower);
    let heads = |snapshot: String| -> Vec<String> {
        let own = snapshot.lines().filter(|line| !line.starts_with("bert."));
        own.map(str::to_owned).collect()
    };
    let classifier = parameter_snapshot(&config.init_classification(device));
    assert_eq!(
        heads(classifier),
        ["classifier.weight [8, 3]", "classifier.bias [3]"]
    );
    config.tied = false;
    assert_eq!(
        heads(parameter_snapshot(&config.init_masked_lm(device))),
        [
            "transform.weight [8, 8]",
            "transform.bias [8]",
            "norm.layer.gamma [8]",
            "norm.layer.beta [8]",
            "decoder.weight [8, 20]",
            "decoder.bias [20]",
            "bias [20]"
        ]
    );
}

#[test]
fn sizes_of_published_models_are_those_of_their_papers() {
    let device = &devices()[0];
    for (config, expected) in [
        // The embeddings, blocks and pooler of bert-base-uncased.
        (BertConfig::base_uncased(), 109_482_240),
        (BertConfig::roberta_base(), 124_645_632),
        (BertConfig::minilm_l6(), 22_713_216),
    ] {
        // One layer stands for all: the rest is arithmetic.
        let count = |layers| {
            let mut config = config.clone();
            config.n_layers = layers;
            config.init_with_pooler(device).num_params()
        };
        let (one, two) = (count(1), count(2));
        assert_eq!(one + (two - one) * (config.n_layers - 1), expected);
    }
}
