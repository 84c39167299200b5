//! What must hold of wav2vec 2.0: shapes, gradients, padding, batches, names of parameters.

mod config;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use sensorium_audio::AudioBatch;
use sensorium_core::nn::Activation;
use sensorium_core::{Encoder, Model, NoTap, Recorder, seed};
use sensorium_hub::Checkpoint;
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};
use serde_json::Value;

use super::*;
use crate::Published;

/// The plain one, one like the large models, and one that is odd in all that can be.
fn configs() -> [Wav2Vec2Config; 3] {
    [
        Wav2Vec2Config::debug(),
        Wav2Vec2Config {
            feature_norm: FeatureNorm::Layer,
            conv_bias: true,
            pre_norm: true,
            ..Wav2Vec2Config::debug()
        },
        Wav2Vec2Config {
            kind: Wav2Vec2Kind::Hubert,
            n_heads: 1,
            activation: Activation::Relu,
            feature_activation: Activation::GeluTanh,
            conv_dim: vec![3],
            conv_stride: vec![5],
            conv_kernel: vec![4],
            position_kernel: 3,
            position_groups: 8,
            projection_norm: false,
            mask_time_prob: 0.0,
            ..Wav2Vec2Config::debug()
        },
    ]
    .map(|config| config.with_labels(["rain", "wind", "birds"]))
}

fn samples(batch: usize, device: &Device) -> Tensor<2> {
    random([batch, 60], 1, device)
}

/// Sounds of these lengths, with noise after them, and one that is absent.
fn padded(lengths: &[usize], device: &Device) -> AudioBatch {
    let pad: Vec<bool> = lengths
        .iter()
        .flat_map(|n| (0..60).map(move |i| i >= *n))
        .collect();
    let batch = lengths.len();
    AudioBatch {
        features: samples(batch, device).reshape([batch, 60, 1]),
        pad: Tensor::from_data(TensorData::new(pad, [batch, 60]), device),
    }
}

#[test]
fn samples_become_tokens_characters_and_classes() {
    for device in devices() {
        for config in configs() {
            let tower = config.init(&device);
            let tokens = tower.forward_with(Wav2Vec2Input::dense(samples(2, &device)), &mut NoTap);
            assert_eq!(tokens.dims(), [2, config.n_tokens(60), tower.d_output()]);
            assert!(bools(&tokens.pad).iter().all(|pad| !pad));
            let characters = config.init_ctc(&device).run(padded(&[60, 40], &device));
            assert_eq!(characters.logits.dims(), [2, config.n_tokens(60), 7]);
            let there = bools(&characters.pad).iter().filter(|pad| !**pad).count();
            assert_eq!(there, config.n_tokens(60) + config.n_tokens(40));
            let classes = config.init_classification(&device);
            assert_eq!(classes.run(padded(&[60, 40], &device)).dims(), [2, 3]);
        }
    }
}

#[test]
fn counts_of_tokens_are_those_of_the_convolutions() {
    let base = Wav2Vec2Config::base();
    assert_eq!((base.samples_heard(), base.samples_per_token()), (400, 320));
    let step = |n: usize, (kernel, stride): (&usize, &usize)| match n >= *kernel {
        true => (n - kernel) / stride + 1,
        false => 0,
    };
    for config in [base, Wav2Vec2Config::debug()] {
        for samples in (0..900).chain([16_000, 320_001]) {
            let convolutions = config.conv_kernel.iter().zip(&config.conv_stride);
            let expected = convolutions.fold(samples, step);
            assert_eq!(config.n_tokens(samples), expected, "{samples}");
        }
    }
}

/// Without the biases that a softmax does not see.
fn without_key_bias(mut tower: Wav2Vec2Model) -> Wav2Vec2Model {
    for block in &mut tower.encoder.blocks {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
    tower
}

#[test]
fn every_parameter_trains_where_some_tokens_are_hidden() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model = config.init_ctc(&device);
            model.wav2vec2 = without_key_bias(model.wav2vec2);
            let mut input = Wav2Vec2Input::from(padded(&[60, 45], &device));
            // What stands for hidden tokens is there if the configuration hides any, and has a gradient then.
            assert_eq!(model.wav2vec2.mask.is_some(), config.mask_time_prob > 0.0);
            input = config.hide(input, &[60, 45], &mut seed::rng(2, &[]));
            assert_eq!(input.hidden.is_some(), config.mask_time_prob > 0.0);
            let weight = random([2, config.n_tokens(60), 7], 2, &device);
            check_gradients(model, |model| (model.forward(input).logits * weight).sum());
        }
    }
}

#[test]
fn every_parameter_of_a_classifier_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for weighted in [false, true] {
            for config in configs() {
                let config = Wav2Vec2Config {
                    use_weighted_layer_sum: weighted,
                    mask_time_prob: 0.0,
                    ..config
                };
                let mut model = config.init_classification(&device);
                assert_eq!(model.layer_weights.is_some(), weighted);
                model.wav2vec2 = without_key_bias(model.wav2vec2);
                if weighted {
                    model.wav2vec2.encoder.norm = None; // which no layer's output goes through
                }
                let batch = padded(&[60, 45], &device);
                let weight = random([2, 3], 2, &device);
                check_gradients(model, |model| (model.run(batch) * weight).sum());
            }
        }
    }
}

/// Texts of two sounds, of which the second says the same twice in a row.
fn texts() -> [Vec<i64>; 2] {
    [vec![3, 1, 5], vec![4, 4, -100]]
}

#[test]
fn every_parameter_trains_by_the_loss_of_texts() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model = config.init_ctc(&device);
            model.wav2vec2 = without_key_bias(model.wav2vec2);
            let input = config.hide(
                padded(&[60, 45], &device).into(),
                &[60, 45],
                &mut seed::rng(2, &[]),
            );
            let loss = config.ctc_loss().unwrap();
            check_gradients(model, |model| {
                model.loss(input, &[60, 45], &texts(), &loss).unwrap()
            });
        }
    }
}

#[test]
fn a_few_steps_make_texts_likelier() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model = config.init_ctc(&device);
            let loss = config.ctc_loss().unwrap();
            let batch = padded(&[60, 45], &device);
            let mut optimizer = AdamConfig::new().init();
            let mut losses = Vec::new();
            for _ in 0..8 {
                let loss = model
                    .loss(batch.clone(), &[60, 45], &texts(), &loss)
                    .unwrap();
                losses.extend(floats(&loss));
                let gradients = GradientsParams::from_grads(loss.backward(), &model);
                model = optimizer.step(0.01, model, gradients);
            }
            assert!(losses[7] < 0.8 * losses[0], "{losses:?}");
        }
    }
}

#[test]
fn a_sound_too_short_for_a_token_is_no_text_or_never_said() {
    for device in devices() {
        let config = Wav2Vec2Config::debug();
        let model = config.init_ctc(&device);
        let loss = config.ctc_loss().unwrap();
        let lengths = [60, config.samples_heard() - 1];
        let batch = || padded(&lengths, &device);
        let of = |texts: &[Vec<i64>]| model.loss(batch(), &lengths, texts, &loss).unwrap();
        let said = of(&[vec![3], vec![3]]);
        assert_eq!(floats(&said), [f32::INFINITY]);
        let alone = model.loss(padded(&[60], &device), &[60], &[vec![3]], &loss);
        assert_close(&of(&[vec![3], vec![]]), &alone.unwrap(), 1e-5);
    }
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let model = config.init_ctc(&device);
            let classes = config.init_classification(&device);
            let lengths = [37, 60, 0, 24];
            let batch = padded(&lengths, &device);
            let together = model.run(batch.clone());
            let classified = classes.run(batch.clone());
            for (i, length) in lengths.iter().enumerate() {
                let tokens = config.n_tokens(*length);
                let pad = bools(&together.pad.clone().narrow(0, i, 1));
                let expected: Vec<bool> = (0..config.n_tokens(60)).map(|t| t >= tokens).collect();
                assert_eq!(pad, expected, "sound {i}");
                if tokens == 0 {
                    continue;
                }
                let alone = batch.features.clone().narrow(0, i, 1).narrow(1, 0, *length);
                let alone = Wav2Vec2Input::dense(alone.reshape([1, *length]));
                let here = together.logits.clone().narrow(0, i, 1).narrow(1, 0, tokens);
                assert_close(&model.forward(alone.clone()).logits, &here, 1e-5);
                let here = classified.clone().narrow(0, i, 1);
                assert_close(&classes.forward_with(alone, &mut NoTap), &here, 1e-5);
            }
            assert!(floats(&together.logits).iter().all(|v| v.is_finite()));
            assert!(floats(&classified).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn a_sound_too_short_for_a_token_is_absent() {
    for device in devices() {
        for config in configs() {
            let short = Wav2Vec2Input::dense(random([2, config.samples_heard() - 1], 1, &device));
            let tokens = config.init(&device).forward_with(short, &mut NoTap);
            assert_eq!(bools(&tokens.pad), [true, true]);
            assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn hidden_tokens_are_all_alike_before_positions_and_features_are_zero() {
    for device in devices() {
        let config = Wav2Vec2Config {
            mask_feature_prob: 0.5,
            ..Wav2Vec2Config::debug()
        };
        let tower = config.init(&device);
        let all = Tensor::<2, Bool>::full([1, config.n_tokens(60)], true, &device);
        let run = |seed| {
            let input = Wav2Vec2Input::dense(random([1, 60], seed, &device));
            let input = input.with_hidden(all.clone());
            tower.forward_with(input, &mut NoTap).embeds
        };
        assert_close(&run(1), &run(2), 1e-6);

        // With everything hidden, of tokens and then of features, nothing is left but positions.
        let features = Tensor::<2, Bool>::full([1, 8], true, &device);
        let input = Wav2Vec2Input::dense(samples(1, &device));
        let input = input.with_hidden_features(features);
        let (embeds, _) = tower.embed_with(input, &mut NoTap);
        let bias = tower.position.bias.val().reshape([1, 1, 8]);
        let bias = Activation::Gelu.forward(bias);
        let bias = tower.norm.as_ref().unwrap().forward(bias);
        assert_close(&embeds, &bias.expand(embeds.dims()), 1e-5);

        let drawn = config.hide(
            Wav2Vec2Input::dense(samples(2, &device)),
            &[60, 30],
            &mut seed::rng(5, &[]),
        );
        let tokens = bools(&drawn.hidden.unwrap());
        let (first, second) = tokens.split_at(config.n_tokens(60));
        assert!(first.contains(&true) && second.contains(&true));
        let beyond = config.n_tokens(30);
        assert!(second[beyond..].iter().all(|hidden| !hidden));
        assert!(bools(&drawn.hidden_features.unwrap()).contains(&true));
    }
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = Wav2Vec2Config::debug();
        let model = config.init_ctc(&device);
        let batch = padded(&[60, 50], &device);
        let mut recorder = Recorder::default();
        let seen = model.run_with(batch.clone(), &mut recorder);
        assert_close(
            &seen.logits,
            &model.run_with(batch, &mut NoTap).logits,
            1e-5,
        );
        let names = recorder.seen.iter().map(|(name, _, _)| name.as_str());
        let expected = [
            "wav2vec2.features",
            "wav2vec2.embeds",
            "wav2vec2.encoder.blocks.0.attention.weights",
            "wav2vec2.encoder.blocks.0.output",
            "wav2vec2.encoder.blocks.1.attention.weights",
            "wav2vec2.encoder.blocks.1.output",
            "wav2vec2.encoder.output",
            "logits",
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let base = Wav2Vec2Config {
        n_layers: 1,
        use_weighted_layer_sum: true,
        ..Wav2Vec2Config::debug()
    };
    let large = Wav2Vec2Config {
        n_layers: 1,
        ..configs()[1].clone()
    };
    let found = [
        parameter_snapshot(&base.init_classification(device)),
        parameter_snapshot(&large.init_ctc(device)),
    ];
    let expected = include_str!("keys.txt").trim_end();
    assert_eq!(found.join("\n\n"), expected);
}

#[test]
fn presets_have_as_many_parameters_as_the_reference() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    let base = Wav2Vec2Config::base().init_ctc(device);
    assert_eq!(base.num_params(), 94_396_320);
    let large = Wav2Vec2Config::large().init_ctc(device);
    assert_eq!(large.num_params(), 315_471_520);
}

fn fixture(name: &str) -> std::path::PathBuf {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(name)
}

/// A file of weights with some names changed.
fn renamed(weights: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let (header, numbers) = weights[8..].split_at(length);
    let header: serde_json::Map<String, Value> = serde_json::from_slice(header).unwrap();
    let header: serde_json::Map<String, Value> = header
        .into_iter()
        .map(|(name, value)| (change(&name), value))
        .collect();
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(numbers);
    bytes
}

#[test]
fn checkpoints_of_an_older_pytorch_are_read() {
    let device = Device::flex();
    let original = fixture("wav2vec2-ctc");
    let folder = tempfile::tempdir().unwrap();
    let weights = std::fs::read(original.join("model.safetensors")).unwrap();
    let older = renamed(&weights, |name| {
        name.replace("parametrizations.weight.original0", "weight_g")
            .replace("parametrizations.weight.original1", "weight_v")
    });
    assert!(older.windows(8).any(|part| part == b"weight_g"));
    std::fs::write(folder.path().join("model.safetensors"), older).unwrap();
    std::fs::copy(
        original.join("config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();

    let input = || Wav2Vec2Input::dense(samples(1, &device));
    let older = Wav2Vec2ForCtc::load(&Checkpoint::folder(folder.path()), &device).unwrap();
    let newer = Wav2Vec2ForCtc::load(&Checkpoint::folder(&original), &device).unwrap();
    assert_eq!(older.report.loaded, newer.report.loaded);
    let logits = older.model.forward(input()).logits;
    assert_close(&logits, &newer.model.forward(input()).logits, 0.0);
}

#[test]
fn a_checkpoint_without_what_stands_for_hidden_tokens_loads() {
    let device = Device::flex();
    let original = fixture("wav2vec2-ctc");
    let folder = tempfile::tempdir().unwrap();
    let weights = std::fs::read(original.join("model.safetensors")).unwrap();
    let rest = without(&weights, "wav2vec2.masked_spec_embed");
    std::fs::write(folder.path().join("model.safetensors"), rest).unwrap();
    std::fs::copy(
        original.join("config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    let loaded = Wav2Vec2ForCtc::load(&Checkpoint::folder(folder.path()), &device).unwrap();
    assert!(loaded.config.masks() && loaded.model.wav2vec2.mask.is_none());
    assert!(loaded.model.wav2vec2.with_mask(&device).mask.is_some());
    let whole = Wav2Vec2ForCtc::load(&Checkpoint::folder(&original), &device).unwrap();
    assert!(whole.model.wav2vec2.mask.is_some());
}

/// A file of weights without one of them.
fn without(weights: &[u8], name: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let (header, numbers) = weights[8..].split_at(length);
    let mut header: serde_json::Map<String, Value> = serde_json::from_slice(header).unwrap();
    let gone = header.remove(name).expect("a tensor of this name");
    let at = |i: usize| gone["data_offsets"][i].as_u64().unwrap();
    let (start, end) = (at(0), at(1));
    for tensor in header.values_mut() {
        if let Some(offsets) = tensor.get_mut("data_offsets") {
            let moved = [0, 1].map(|i| {
                let offset = offsets[i].as_u64().unwrap();
                if offset >= end {
                    offset - (end - start)
                } else {
                    offset
                }
            });
            *offsets = serde_json::json!(moved);
        }
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&numbers[..start as usize]);
    bytes.extend_from_slice(&numbers[end as usize..]);
    bytes
}
