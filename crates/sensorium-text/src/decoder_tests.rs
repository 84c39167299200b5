//! What must hold of a decoder that writes: shapes, gradients, padding, token by token, names of parameters, parity.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Activation, NormOrder};
use sensorium_core::{Encoder, Tokens};
use sensorium_testkit::{
    Reference, assert_close, check_gradients, devices, parameter_snapshot, random,
};

use crate::{Positions, TextBatch, TextDecoder, TextDecoderConfig, TextEncoder, TextEncoderConfig};

fn configs() -> [TextDecoderConfig; 3] {
    let base = TextDecoderConfig::debug();
    [
        base.clone(),
        base.clone()
            .with_positions(Positions::Learned)
            .with_order(NormOrder::Pre)
            .with_activation(Activation::Gelu),
        base.with_positions(Positions::Rotary),
    ]
}

fn texts(device: &Device) -> TextBatch {
    TextBatch::dense(Tensor::from_data([[1, 5, 9, 2], [3, 3, 0, 15]], device))
}

/// Two contexts of three tokens, the last of the second being padding.
fn context(device: &Device) -> Tokens {
    let pad = Tensor::from_data([[false, false, false], [false, false, true]], device);
    Tokens::new(random([2, 3, 6], 3, device), pad)
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let weight = random([2, 4, 16], 2, &device);
            let (texts, context) = (texts(&device), context(&device));
            check_gradients(config.init(&device), |model| {
                (model.forward(texts, &context) * weight).sum()
            });
        }
    }
}

#[test]
fn token_by_token_is_all_at_once() {
    for device in devices() {
        for config in configs() {
            let model = config.init(&device);
            let (ids, context) = (texts(&device).ids, context(&device));
            let whole = model.forward(texts(&device), &context);
            let at = |i| whole.clone().narrow(1, i, 1).squeeze_dim::<2>(1);
            let mut cache = model.begin(&context.embeds, Some(&context.pad));
            let second = model.step(ids.clone().narrow(1, 0, 2), &mut cache);
            assert_close(&at(1), &second, 1e-5);
            let third = model.step(ids.clone().narrow(1, 2, 1), &mut cache);
            assert_close(&at(2), &third, 1e-5);
            // The second text alone goes on.
            cache.select(&Tensor::from_data([1], &device));
            let last = model.step(ids.slice([1..2, 3..4]), &mut cache);
            assert_close(&at(3).narrow(0, 1, 1), &last, 1e-5);
        }
    }
}

#[test]
fn padding_of_texts_and_contexts_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let model = config.init(&device);
            let context = context(&device);
            let whole = model.forward(texts(&device), &context);
            let padded = TextBatch {
                ids: Tensor::from_data([[1, 5, 9, 2, 7], [3, 3, 0, 15, 4]], &device),
                pad: Tensor::from_data([[false, false, false, false, true]; 2], &device),
            };
            let found = model.forward(padded, &context);
            assert_close(&whole, &found.narrow(1, 0, 4), 1e-5);
            let one = |x: &Tensor<3>| x.clone().narrow(0, 1, 1);
            let short = Tokens::dense(one(&context.embeds).narrow(1, 0, 2));
            let text = TextBatch::dense(texts(&device).ids.narrow(0, 1, 1));
            assert_close(&one(&whole), &model.forward(text, &short), 1e-5);
        }
    }
}

#[test]
#[should_panic(expected = "9 tokens, but a text has at most 8")]
fn a_text_that_is_too_long_says_so() {
    let device = &devices()[0];
    let texts = TextBatch::dense(Tensor::zeros([2, 9], device));
    TextDecoderConfig::debug()
        .init(device)
        .forward(texts, &context(device));
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |config: TextDecoderConfig| config.validate().unwrap_err().to_string();
    let base = TextDecoderConfig::debug;
    assert_eq!(
        refused(TextDecoderConfig::new(16, 1, 8, 2, 2)),
        "max_tokens: 1 must be 2 to 65536"
    );
    assert_eq!(
        refused(base().with_d_context(0)),
        "d_context: 0 must be 1 to 65536"
    );
    assert_eq!(
        refused(TextDecoderConfig::new(16, 8, 6, 2, 2).with_positions(Positions::Rotary)),
        "positions: rotary positions need an even width a head, not d_model / n_heads = 3"
    );
    assert!(
        TextDecoderConfig::transformer_base(37_000, 512)
            .validate()
            .is_ok()
    );
}

#[test]
fn parameters_have_their_names() {
    let decoder = TextDecoderConfig::new(16, 8, 8, 1, 2)
        .with_d_ff(12)
        .with_d_context(6)
        .init(&devices()[0]);
    assert_eq!(parameter_snapshot(&decoder), NAMES.trim());
}

const NAMES: &str = "
embedding.weight [16, 8]
decoder.blocks.0.norm_attention.layer.gamma [8]
decoder.blocks.0.norm_attention.layer.beta [8]
decoder.blocks.0.attention.query.weight [8, 8]
decoder.blocks.0.attention.query.bias [8]
decoder.blocks.0.attention.key.weight [8, 8]
decoder.blocks.0.attention.key.bias [8]
decoder.blocks.0.attention.value.weight [8, 8]
decoder.blocks.0.attention.value.bias [8]
decoder.blocks.0.attention.output.weight [8, 8]
decoder.blocks.0.attention.output.bias [8]
decoder.blocks.0.norm_cross.layer.gamma [8]
decoder.blocks.0.norm_cross.layer.beta [8]
decoder.blocks.0.cross.query.weight [8, 8]
decoder.blocks.0.cross.query.bias [8]
decoder.blocks.0.cross.key.weight [6, 8]
decoder.blocks.0.cross.key.bias [8]
decoder.blocks.0.cross.value.weight [6, 8]
decoder.blocks.0.cross.value.bias [8]
decoder.blocks.0.cross.output.weight [8, 8]
decoder.blocks.0.cross.output.bias [8]
decoder.blocks.0.norm_feed_forward.layer.gamma [8]
decoder.blocks.0.norm_feed_forward.layer.beta [8]
decoder.blocks.0.feed_forward.up.weight [8, 12]
decoder.blocks.0.feed_forward.up.bias [12]
decoder.blocks.0.feed_forward.down.weight [12, 8]
decoder.blocks.0.feed_forward.down.bias [8]
";

/// Both halves, by the paths that the reference has.
#[derive(Module, Debug)]
struct Pair {
    encoder: TextEncoder,
    decoder: TextDecoder,
}

#[test]
fn parity_with_torchs_transformer() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/transformer");
    for device in devices() {
        let reference = Reference::open(&fixture);
        let encoder = TextEncoderConfig::new(16, 8, 8, 2, 2)
            .with_d_ff(12)
            .with_positions(Positions::Sinusoidal)
            .with_order(NormOrder::Post)
            .with_activation(Activation::Relu)
            .with_scale_embeddings(true);
        let decoder = TextDecoderConfig::new(16, 8, 8, 2, 2).with_d_ff(12);
        let Pair { encoder, decoder } = reference.fill(Pair {
            encoder: encoder.init(&device),
            decoder: decoder.init(&device),
        });
        let source = TextBatch {
            ids: reference.ids("source", &device),
            pad: reference.pad("source.mask", &device),
        };
        let context = encoder.encode(source);
        // What stands in padding is no one's business.
        let expected = Tokens::new(reference.tensor("context", &device), context.pad.clone());
        let (found, expected) = (context.clone().zero_padding(), expected.zero_padding());
        assert_close(&found.embeds, &expected.embeds, sensorium_testkit::PARITY);
        let target = TextBatch::dense(reference.ids("target", &device));
        reference.check("logits", &decoder.forward(target, &context));
    }
}
