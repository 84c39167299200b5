//! What must hold of CLAP: shapes, padding and absence, batches, crops, names of parameters.

mod config;
mod names;
mod train;

use burn::tensor::{Bool, Device, Tensor};
use sensorium_audio::SoundBatch;
use sensorium_core::nn::Activation;
use sensorium_core::{Encoder, Model, NoTap, Recorder};
use sensorium_testkit::{assert_close, bools, devices, floats, random};
use sensorium_text::TextBatch;

use super::*;
use crate::clip::tests::row;

/// The plain one, one that fuses, and one that is odd in all that can be.
fn configs() -> [ClapConfig; 3] {
    let plain = ClapConfig::debug();
    let fused = ClapAudioConfig::debug().with_fusion();
    let odd = ClapAudioConfig {
        n_mels: 5,
        spec_size: 12,
        patch_size: [3, 5],
        patch_stride: [1, 3],
        window_size: 2,
        d_patch: 6,
        d_model: 12,
        depths: vec![1, 2],
        n_heads: vec![3, 1],
        activation: Activation::Relu,
        qkv_bias: false,
        patch_norm: false,
        d_embed: 3,
        projection_activation: Activation::Silu,
        ..ClapAudioConfig::debug()
    };
    let text = ClapTextConfig {
        d_model: 6,
        n_heads: 1,
        n_layers: 1,
        n_types: 2,
        activation: Activation::Relu,
        pad_token_id: Some(3),
        ..ClapTextConfig::debug()
    };
    [
        plain.clone(),
        ClapConfig::new(plain.text, fused),
        ClapConfig::new(text, odd),
    ]
}

/// Sounds of a few frames, of which the last is too long, where that is told.
fn sounds(config: &ClapAudioConfig, batch: usize, device: &Device) -> SoundBatch {
    let [frames, _] = config.spectrogram();
    let frames = config.views() * (frames - 3);
    let features = random([batch, frames, config.n_mels], 1, device);
    let longer = (1..=batch).map(|sound| sound == batch).collect();
    SoundBatch::dense(features).with_longer(longer)
}

/// Texts of 4, 2 and 5 tokens, and `extra` places of padding after them.
fn texts(extra: usize, device: &Device) -> TextBatch {
    crate::clip::tests::texts(extra, 1, device)
}

/// One sound of a batch.
fn one(batch: &SoundBatch, row: usize) -> SoundBatch {
    let [_, frames, bands] = batch.features.dims();
    let place = [row..row + 1, 0..frames, 0..bands];
    SoundBatch::dense(batch.features.clone().slice(place)).with_longer(vec![batch.longer[row]])
}

/// The same without the second sound, in whose place anything may stand.
fn without_second(batch: &SoundBatch) -> SoundBatch {
    let [batch_size, frames, _] = batch.features.dims();
    let gone: Vec<bool> = (0..batch_size).map(|row| row == 1).collect();
    let gone = Tensor::<1, Bool>::from_data(gone.as_slice(), &batch.features.device());
    SoundBatch {
        pad: gone.reshape([batch_size, 1]).expand([batch_size, frames]),
        ..batch.clone()
    }
}

#[test]
fn towers_give_tokens_and_embeddings() {
    for device in devices() {
        for config in configs() {
            let (audio, d_embed) = (&config.audio, config.d_embed);
            let heard = sounds(audio, 2, &device);
            let tower = audio.init(&device);
            let tokens = tower.encode(heard.clone());
            assert_eq!(tokens.dims(), [2, audio.n_tokens(), tower.d_output()]);
            let mean = tokens.embeds.mean_dim(1).squeeze_dim(1);
            assert_close(&mean, &tower.embed(heard.clone()), 1e-6);
            let tower = audio.init_with_projection(&device);
            assert_eq!(tower.encode(heard.clone()).dims(), [2, 1, d_embed]);
            assert_eq!(tower.d_output(), d_embed);

            let batch = texts(1, &device);
            let tower = config.text.init(&device);
            let tokens = tower.encode(batch.clone());
            assert_eq!(tokens.dims(), [3, 6, tower.d_output()]);
            assert_eq!(bools(&tokens.pad), bools(&batch.pad));
            let tower = config.text.init_with_projection(&device);
            assert_eq!(tower.encode(batch.clone()).dims(), [3, 1, d_embed]);

            let clap = config.init(&device);
            let scores = clap.run((heard, batch));
            assert_eq!(scores.per_text.dims(), [3, 2]);
            let shares = clap.probabilities(scores.per_sound);
            assert_eq!(shares.dims(), [2, 3]);
            for sum in floats(&shares.sum_dim(1)) {
                assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
        }
    }
}

#[test]
fn batched_equals_single_and_an_absent_sound_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let clap = config.init(&device);
            let all = sounds(&config.audio, 3, &device);
            let together = clap.embed_sounds(all.clone());
            for place in 0..3 {
                let alone = clap.embed_sounds(one(&all, place));
                assert_close(&alone, &row(&together, place), 1e-5);
            }
            let some = without_second(&all);
            let rest = clap.embed_sounds(some.clone());
            for place in [0, 2] {
                assert_close(&row(&together, place), &row(&rest, place), 1e-5);
            }
            assert!(floats(&rest).iter().all(|v| v.is_finite()));
            let present = clap.audio.encode(some).present();
            assert_eq!(bools(&present), [true, false, true]);
        }
    }
}

#[test]
fn padding_of_texts_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let clap = config.init(&device);
            let plain = texts(0, &device);
            let all = clap.embed_texts(plain.clone());
            assert_close(&all, &clap.embed_texts(texts(1, &device)), 1e-5);
            for (place, n_tokens) in [(0, 4), (1, 2), (2, 5)] {
                let one = crate::clip::tests::alone(&plain, place, n_tokens);
                assert_close(&clap.embed_texts(one), &row(&all, place), 1e-5);
            }
            let gone = Tensor::<2, Bool>::from_data([[false], [true], [false]], &device);
            let some = TextBatch {
                ids: plain.ids.clone(),
                pad: plain.pad.bool_or(gone.expand([3, 5])),
            };
            let rest = clap.embed_texts(some);
            assert_close(&row(&all, 2), &row(&rest, 2), 1e-5);
            assert!(floats(&rest).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn crops_are_heard_of_what_is_too_long_alone() {
    for device in devices() {
        let config = ClapAudioConfig::debug().with_fusion();
        let tower = config.init(&device);
        let batch = sounds(&config, 2, &device);
        let [_, frames, _] = batch.features.dims();
        let whole = frames / 4;
        // Other crops, after the same view of the whole.
        let crops = random([2, frames - whole, config.n_mels], 9, &device);
        let features = Tensor::cat(vec![batch.features.clone().narrow(1, 0, whole), crops], 1);
        let other = SoundBatch {
            features,
            ..batch.clone()
        };
        let (found, expected) = (tower.embed(other), tower.embed(batch));
        assert_close(&row(&found, 0), &row(&expected, 0), 1e-6);
        let moved = sensorium_testkit::max_difference(&row(&found, 1), &row(&expected, 1));
        assert!(moved > 1e-3, "{moved}");
    }
}

#[test]
fn scores_have_a_scale_each_way_and_depend_on_directions_alone() {
    for device in devices() {
        let mut clap = ClapConfig::debug().init(&device);
        clap.logit_scale_t = clap.logit_scale_t.map(|scale| scale - 1.0);
        let (a, b) = (random([2, 5], 1, &device), random([3, 5], 2, &device));
        let scores = clap.scores(a.clone(), b.clone());
        let scaled = clap.scores(a.clone().mul_scalar(7.0), b.clone().mul_scalar(0.1));
        assert_close(&scores, &scaled, 1e-4);
        let back = clap.scores_of_texts(b, a.clone()).transpose();
        assert_close(&scores, &back.mul_scalar(1f32.exp()), 1e-4);
        let same = floats(&clap.scores(a.clone(), a));
        assert!((same[0] - 1.0 / 0.07).abs() < 1e-3, "{same:?}");
    }
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = ClapConfig::debug();
        let clap = config.init(&device);
        let batch = (sounds(&config.audio, 2, &device), texts(0, &device));
        let mut recorder = Recorder::default();
        let seen = clap.run_with(batch.clone(), &mut recorder).per_sound;
        let unseen = clap.run_with(batch, &mut NoTap).per_sound;
        assert_close(&seen, &unseen, 1e-4);
        let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
        let expected = [
            "audio.embeds",
            "audio.stages.0.blocks.0.attention.weights",
            "audio.stages.0.blocks.0.output",
            "audio.stages.0.blocks.1.attention.weights",
            "audio.stages.0.blocks.1.output",
            "audio.stages.0.output",
            "audio.stages.1.blocks.0.attention.weights",
            "audio.stages.1.blocks.0.output",
            "audio.stages.1.output",
            "audio.output",
            "audio.pooled",
            "audio_embeds",
            "text.embeds",
            "text.encoder.blocks.0.attention.weights",
            "text.encoder.blocks.0.output",
            "text.encoder.blocks.1.attention.weights",
            "text.encoder.blocks.1.output",
            "text.encoder.output",
            "text.pooled",
            "text_embeds",
            "logits_per_sound",
            "logits_per_text",
        ];
        assert_eq!(names, expected);
    }
}

#[test]
#[should_panic(expected = "features has shape [1, 60, 5], but [1, 60, 4] is needed")]
fn other_bands_are_a_mistake() {
    let device = &devices()[0];
    let batch = SoundBatch::dense(Tensor::zeros([1, 60, 5], device));
    ClapAudioConfig::debug().init(device).encode(batch);
}

#[test]
#[should_panic(expected = "65 frames, but 1 views of the same number, at most 64, are needed")]
fn more_frames_than_fill_the_square_are_a_mistake() {
    let device = &devices()[0];
    let batch = SoundBatch::dense(Tensor::zeros([1, 65, 4], device));
    ClapAudioConfig::debug().init(device).encode(batch);
}
