//! Texts become the same ids and tokens whatever stands beside them, and every parameter trains.

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use sensorium_core::nn::NormOrder;
use sensorium_core::{Encoder, ModalityKit, Processor, Source, Tokens, seed};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, ints, parameter_snapshot, random,
};

use crate::*;

const TEXTS: [&str; 4] = [
    "it is even",
    "it is odd",
    "less than five",
    "a prime number, it is",
];

fn processor() -> TextProcessor {
    let tokenizer = Tokenizer::fit(TEXTS.into_iter(), 60).unwrap();
    TextProcessor::new(tokenizer, 8)
}

fn configs() -> [TextEncoderConfig; 3] {
    let base = TextEncoderConfig {
        vocab_size: processor().tokenizer().vocab_size(),
        ..TextEncoderConfig::debug()
    };
    [
        base.clone(),
        base.clone().with_positions(Positions::Rotary),
        base.with_positions(Positions::Sinusoidal)
            .with_order(NormOrder::Post),
    ]
}

fn samples(texts: &[&str]) -> Vec<TextSample> {
    let processor = processor();
    texts
        .iter()
        .map(|t| processor.process(&Source::text(*t)).unwrap())
        .collect()
}

fn batch(samples: &[Option<&TextSample>], device: &Device) -> TextBatch {
    processor().collate(samples, device)
}

#[test]
fn the_same_texts_give_the_same_vocabulary_in_any_order() {
    let json = |texts: &mut dyn Iterator<Item = &'static str>| {
        let dir = tempfile::tempdir().unwrap();
        Tokenizer::fit(texts, 60).unwrap().save(dir.path()).unwrap();
        std::fs::read_to_string(dir.path().join("tokenizer.json")).unwrap()
    };
    let forward = json(&mut TEXTS.into_iter());
    for _ in 0..5 {
        assert_eq!(forward, json(&mut TEXTS.into_iter().rev()));
    }
}

#[test]
fn a_saved_tokenizer_splits_alike() {
    let dir = tempfile::tempdir().unwrap();
    let before = processor();
    TextKit::save(&before, dir.path()).unwrap();
    let config = TextConfig {
        max_tokens: 8,
        ..TextConfig::default()
    };
    let after = TextKit::open(&config, dir.path()).unwrap();
    for text in ["it is", "prime odd five", "quite unknown: 好", ""] {
        let source = Source::text(text);
        assert_eq!(
            before.process(&source).unwrap(),
            after.process(&source).unwrap(),
            "{text:?}"
        );
    }
}

#[test]
fn a_long_text_keeps_its_frame() {
    let processor = processor();
    let long = "it is even ".repeat(50);
    let ids = processor.process(&Source::text(long)).unwrap().ids;
    let tokens = processor.tokenizer().tokens(&ids);
    assert_eq!(tokens.len(), 8);
    assert_eq!((tokens[0].as_str(), tokens[7].as_str()), ("[CLS]", "[SEP]"));
    let empty = processor.process(&Source::text("")).unwrap().ids;
    assert_eq!(processor.tokenizer().tokens(&empty), ["[CLS]", "[SEP]"]);
}

#[test]
fn a_batch_is_padded_to_its_longest() {
    for device in devices() {
        let s = samples(&["it is it", "it"]);
        let batch = batch(&[Some(&s[0]), None, Some(&s[1])], &device);
        assert_eq!(batch.ids.dims(), [3, 5]);
        let pad = bools(&batch.pad);
        assert_eq!(pad[..5], [false; 5]);
        assert_eq!(pad[5..10], [true; 5]);
        assert_eq!(pad[10..], [false, false, false, true, true]);
        assert!(ints(&batch.ids).iter().all(|id| (0..60).contains(id)));
    }
}

fn row(tokens: &Tokens, row: usize, len: usize) -> Tensor<3> {
    let [_, _, d] = tokens.dims();
    tokens.embeds.clone().slice([row..row + 1, 0..len, 0..d])
}

#[test]
fn neighbours_padding_and_absence_change_nothing() {
    for device in devices() {
        for config in configs() {
            let encoder = config.init(&device);
            let s = samples(&["odd", "a prime number"]);
            let len = s[0].ids.len();
            let alone = encoder.encode(batch(&[Some(&s[0])], &device));
            let together = encoder.encode(batch(&[Some(&s[1]), None, Some(&s[0])], &device));
            assert_close(&row(&alone, 0, len), &row(&together, 2, len), 1e-5);
            assert_eq!(bools(&together.present()), [true, false, true]);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut encoder = config.init(&device);
            let turned = encoder.transformer.rotary().is_some();
            for block in &mut encoder.transformer.blocks {
                // A softmax does not see a key bias unless positions turn it.
                if !turned {
                    block.attention.key.as_mut().unwrap().bias = None;
                }
            }
            let s = samples(&TEXTS);
            let batch = batch(&s.iter().map(Some).collect::<Vec<_>>(), &device);
            let [b, t] = batch.ids.dims();
            let w = random([b, t, 8], 3, &device);
            check_gradients(encoder, |e| {
                (e.encode(batch).zero_padding().embeds * w).sum()
            });
        }
    }
}

#[test]
fn parameter_paths_are_api() {
    let encoder = TextEncoderConfig::new(16, 8, 8, 1, 2)
        .with_d_ff(12)
        .init(&devices()[0]);
    assert_eq!(
        parameter_snapshot(&encoder).trim(),
        "\
embedding.weight [16, 8]
positions.weight [8, 8]
transformer.blocks.0.norm_attention.layer.gamma [8]
transformer.blocks.0.norm_attention.layer.beta [8]
transformer.blocks.0.attention.query.weight [8, 8]
transformer.blocks.0.attention.query.bias [8]
transformer.blocks.0.attention.key.weight [8, 8]
transformer.blocks.0.attention.key.bias [8]
transformer.blocks.0.attention.value.weight [8, 8]
transformer.blocks.0.attention.value.bias [8]
transformer.blocks.0.attention.output.weight [8, 8]
transformer.blocks.0.attention.output.bias [8]
transformer.blocks.0.norm_feed_forward.layer.gamma [8]
transformer.blocks.0.norm_feed_forward.layer.beta [8]
transformer.blocks.0.feed_forward.up.weight [8, 12]
transformer.blocks.0.feed_forward.up.bias [12]
transformer.blocks.0.feed_forward.down.weight [12, 8]
transformer.blocks.0.feed_forward.down.bias [8]
transformer.norm.layer.gamma [8]
transformer.norm.layer.beta [8]"
    );
}

#[test]
fn dropped_tokens_are_drawn_by_the_sample_and_leave_the_frame() {
    let processor = processor()
        .with_augment(AugmentConfig {
            drop_token: 0.5,
            ..AugmentConfig::default()
        })
        .unwrap();
    let sample = processor.process(&Source::text("it is even")).unwrap();
    let draw = |n| processor.augment(sample.clone(), &mut seed::rng(1, &[n]));
    assert_eq!(draw(3), draw(3));
    let drawn: Vec<TextSample> = (0..20).map(draw).collect();
    assert!(drawn.iter().any(|s| s.ids.len() < sample.ids.len()));
    assert!(
        drawn
            .iter()
            .all(|s| s.ids[0] == sample.ids[0] && s.ids.last() == sample.ids.last())
    );
}

#[test]
fn what_is_wrong_is_named() {
    let check = |config: TextConfig, expected: &str| {
        let message = TextKit::validate(&config).unwrap_err().to_string();
        assert_eq!(message, expected);
    };
    check(
        TextConfig {
            d_model: 10,
            ..TextConfig::default()
        },
        "d_model: 10 must be a multiple of n_heads = 4, at most 65536",
    );
    check(
        TextConfig {
            max_tokens: 1,
            ..TextConfig::default()
        },
        "max_tokens: 1 must be at least 2, for the special tokens",
    );
    check(
        TextConfig {
            d_model: 12,
            positions: Positions::Rotary,
            ..TextConfig::default()
        },
        "positions: rotary positions need an even width a head, not d_model / n_heads = 3",
    );
    let latin1 = Source::bytes("a.txt", b"caf\xe9".to_vec());
    let message = processor().process(&latin1).unwrap_err().to_string();
    assert_eq!(
        message,
        "a.txt: is not UTF-8 text (byte 3); save it as UTF-8"
    );
    let empty = TextKit::fit(&TextConfig::default(), &mut std::iter::empty()).unwrap_err();
    assert!(empty.to_string().starts_with("no training sample has text"));
    let missing = Tokenizer::open("no/such/tokenizer.json".as_ref()).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("no/such/tokenizer.json: cannot be read")
    );
}

proptest! {
    #[test]
    fn broken_tokenizers_are_refused_without_a_panic(cut in 0usize..2000, flip in 0usize..2000, to in any::<u8>()) {
        let dir = tempfile::tempdir().unwrap();
        processor().tokenizer().save(dir.path()).unwrap();
        let mut bytes = std::fs::read(dir.path().join("tokenizer.json")).unwrap();
        let at = flip % bytes.len();
        bytes[at] = to;
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        if let Ok(tokenizer) = Tokenizer::from_bytes("t.json", &bytes) {
            let _ = tokenizer.encode("x", "it is even", 8);
        }
    }

    #[test]
    fn any_text_gives_ids_of_the_vocabulary(text in ".{0,60}") {
        let processor = processor();
        let ids = processor.process(&Source::text(text)).unwrap().ids;
        prop_assert!((2..=8).contains(&ids.len()));
        prop_assert!(ids.iter().all(|id| (*id as usize) < processor.tokenizer().vocab_size()));
    }
}

#[test]
fn a_vocabulary_that_asks_for_a_terabyte_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    processor().tokenizer().save(dir.path()).unwrap();
    let path = dir.path().join("tokenizer.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let device = Device::flex();
    let config = TextConfig {
        d_model: 256,
        ..TextConfig::default()
    };
    for (id, expected) in [
        (
            4_294_967_295u32,
            "vocab_size: 4294967296 must be 1 to 16777216",
        ),
        (
            16_000_000,
            "vocab_size: 16000001 tokens of width 256 are more than",
        ),
    ] {
        json["model"]["vocab"]["far"] = id.into();
        std::fs::write(&path, json.to_string()).unwrap();
        let processor = TextKit::open(&config, dir.path()).unwrap();
        let error = TextKit::encoder(&config, &processor, &device).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
