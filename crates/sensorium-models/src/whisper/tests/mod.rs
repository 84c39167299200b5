//! What must hold of Whisper: shapes, gradients, absence, batches, token by token, names of parameters.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_audio::AudioBatch;
use sensorium_core::nn::Activation;
use sensorium_core::{Encoder, NoTap, Recorder};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};
use sensorium_text::TextBatch;
use serde_json::json;

use super::*;

/// The plain one, and one that is odd in all that can be.
fn configs() -> [WhisperConfig; 2] {
    [
        WhisperConfig::debug(),
        WhisperConfig {
            n_mels: 3,
            encoder_layers: 1,
            decoder_layers: 3,
            activation: Activation::Relu,
            max_source_positions: 7,
            tied: false,
            ..WhisperConfig::debug()
        },
    ]
}

fn sounds(config: &WhisperConfig, batch: usize, device: &Device) -> AudioBatch {
    AudioBatch::dense(random([batch, config.n_frames(), config.n_mels], 1, device))
}

fn texts(device: &Device) -> TextBatch {
    TextBatch::dense(Tensor::from_data([[1, 5, 9, 2], [3, 3, 0, 23]], device))
}

#[test]
fn a_sound_becomes_tokens_and_a_text_logits() {
    for device in devices() {
        for config in configs() {
            let model = config.init_generation(&device);
            let heard = model.model.encoder.encode(sounds(&config, 2, &device));
            assert_eq!(heard.dims(), [2, config.max_source_positions, 8]);
            assert!(bools(&heard.pad).iter().all(|pad| !pad));
            let logits = model.forward(sounds(&config, 2, &device), texts(&device));
            assert_eq!(logits.dims(), [2, 4, 24]);
            assert_eq!(model.model.encoder.n_frames(), config.n_frames());
        }
    }
}

#[test]
fn every_parameter_trains_but_the_fixed_positions() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let model = config.init_generation(&device);
            let weight = random([2, 4, 24], 2, &device);
            let (sounds, texts) = (sounds(&config, 2, &device), texts(&device));
            // Only as many of the positions of words as are taken have a gradient, which is enough.
            check_gradients(model, |model| (model.forward(sounds, texts) * weight).sum());
        }
    }
}

#[test]
fn batched_equals_single_and_absent_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let model = config.init_generation(&device);
            let features = sounds(&config, 3, &device).features;
            let present = Tensor::<2, Bool>::from_data([[true], [false], [true]], &device);
            let pad = present.bool_not().repeat_dim(1, config.n_frames());
            let some = AudioBatch {
                features: features.clone(),
                pad,
            };
            let alone = AudioBatch::dense(features.clone().narrow(0, 0, 1));
            let alone = model.model.encoder.encode(alone).embeds;
            for batch in [AudioBatch::dense(features), some.clone()] {
                let tokens = model.model.encoder.encode(batch).embeds;
                assert_close(&alone, &tokens.narrow(0, 0, 1), 1e-5);
            }
            let tokens = model.model.encoder.encode(some);
            assert_eq!(bools(&tokens.present()), [true, false, true]);
            assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));

            let batch = sounds(&config, 2, &device);
            let both = model.forward(batch.clone(), texts(&device));
            let first = AudioBatch::dense(batch.features.narrow(0, 0, 1));
            let text = TextBatch::dense(texts(&device).ids.narrow(0, 0, 1));
            assert_close(&model.forward(first, text), &both.narrow(0, 0, 1), 1e-5);
        }
    }
}

#[test]
fn token_by_token_is_all_at_once() {
    for device in devices() {
        for config in configs() {
            let model = config.init_generation(&device);
            let (sounds, ids) = (sounds(&config, 2, &device), texts(&device).ids);
            let whole = model.forward(sounds.clone(), texts(&device));
            let heard = model.model.encoder.encode(sounds).embeds;
            let mut cache = model.begin(&heard);
            let first = model.step(ids.clone().narrow(1, 0, 2), &mut cache);
            assert_close(&whole.clone().narrow(1, 0, 2), &first, 1e-5);
            for i in 2..4 {
                let next = model.next(ids.clone().narrow(1, i, 1), &mut cache);
                assert_close(&whole.clone().narrow(1, i, 1).squeeze_dim(1), &next, 1e-5);
            }
        }
    }
}

#[test]
#[should_panic(expected = "features has shape [1, 8, 6], but [1, 20, 6] is needed")]
fn a_sound_of_another_length_is_a_mistake() {
    let device = &devices()[0];
    let features = Tensor::zeros([1, 8, 6], device);
    let encoder = WhisperConfig::debug().init_encoder(device);
    encoder.encode(AudioBatch::dense(features));
}

#[test]
#[should_panic(expected = "13 tokens, but there are only 12 positions")]
fn a_text_beyond_its_positions_is_a_mistake() {
    let device = &devices()[0];
    let config = WhisperConfig::debug();
    let model = config.init_generation(device);
    let ids = Tensor::<2, Int>::zeros([1, 13], device);
    model.forward(sounds(&config, 1, device), TextBatch::dense(ids));
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = WhisperConfig::debug();
        let model = config.init_generation(&device);
        let (sounds, texts) = (sounds(&config, 2, &device), texts(&device));
        let mut recorder = Recorder::default();
        let seen = model.forward_with(sounds.clone(), texts.clone(), &mut recorder);
        assert_close(&seen, &model.forward_with(sounds, texts, &mut NoTap), 1e-5);
        let names = recorder.seen.iter().map(|(name, _, _)| name.as_str());
        let expected = [
            "model.encoder.embeds",
            "model.encoder.encoder.blocks.0.attention.weights",
            "model.encoder.encoder.blocks.0.output",
            "model.encoder.encoder.blocks.1.attention.weights",
            "model.encoder.encoder.blocks.1.output",
            "model.encoder.encoder.output",
            "model.decoder.embeds",
            "model.decoder.decoder.blocks.0.attention.weights",
            "model.decoder.decoder.blocks.0.cross.weights",
            "model.decoder.decoder.blocks.0.output",
            "model.decoder.decoder.blocks.1.attention.weights",
            "model.decoder.decoder.blocks.1.cross.weights",
            "model.decoder.decoder.blocks.1.output",
            "model.decoder.decoder.output",
            "logits",
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let one = WhisperConfig {
        encoder_layers: 1,
        decoder_layers: 1,
        tied: false,
        ..WhisperConfig::debug()
    };
    let expected = include_str!("keys.txt").trim_end();
    assert_eq!(parameter_snapshot(&one.init_generation(device)), expected);
}

#[test]
fn presets_have_as_many_parameters_as_published() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    for (config, expected) in [
        (WhisperConfig::tiny(), 37_760_640),
        (WhisperConfig::base(), 72_593_920),
        (WhisperConfig::small(), 241_734_912),
        (WhisperConfig::medium(), 763_857_920),
        (WhisperConfig::large_v3(), 1_543_490_560),
        (WhisperConfig::large_v3_turbo(), 808_878_080),
    ] {
        assert_eq!(config.init_generation(device).num_params(), expected);
    }
}

#[test]
fn a_config_that_cannot_work_is_refused_by_key() {
    let good = serde_json::to_value(WhisperConfig::debug()).unwrap();
    assert_eq!(
        WhisperConfig::parse("config.json", &good).unwrap(),
        WhisperConfig::debug()
    );
    for (key, value, expected) in [
        ("vocab_size", json!(0), "vocab_size: 0 must be 1 to"),
        ("num_mel_bins", json!(4096), "num_mel_bins: 4096 must be"),
        ("d_model", json!(1 << 20), "d_model: 1048576 must be"),
        (
            "encoder_attention_heads",
            json!(3),
            "encoder_attention_heads: 3 must divide d_model = 8",
        ),
        (
            "decoder_attention_heads",
            json!(0),
            "decoder_attention_heads: 0 must divide",
        ),
        ("encoder_layers", json!(0), "encoder_layers: 0 must be"),
        ("decoder_layers", json!(9999), "decoder_layers: 9999"),
        ("encoder_ffn_dim", json!(0), "encoder_ffn_dim: 0"),
        ("decoder_ffn_dim", json!(-1), "decoder_ffn_dim"),
        ("max_source_positions", json!(1e9), "max_source_positions"),
        ("max_target_positions", json!(0), "max_target_positions: 0"),
        ("dropout", json!(1.0), "dropout: 1 must be"),
        ("activation_function", json!("mish"), "`mish` is not one of"),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let error = WhisperConfig::parse("config.json", &bad).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
