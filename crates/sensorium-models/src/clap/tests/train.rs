//! Training: every parameter's gradient, and what is normalised by the batch and learned from it.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_audio::SoundBatch;
use sensorium_core::{Encoder, Model};
use sensorium_testkit::{assert_close, check_gradients, devices, floats, max_difference, random};

use super::*;
use crate::clap::ClapAudioModel;
use crate::clip::tests::without_key_bias;

/// A softmax does not see what all of its scores share, as from a bias on the keys.
fn without_key_biases(tower: &mut ClapAudioModel) {
    for block in tower.stages.iter_mut().flat_map(|stage| &mut stage.blocks) {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
}

/// Sounds all of which are too long, which fusing learns most from.
fn long(config: &ClapAudioConfig, device: &Device) -> SoundBatch {
    sounds(config, 4, device).with_longer(vec![true; 4])
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for mut config in configs() {
            // Five ReLUs may all be below zero by chance.
            config.projection_activation = Activation::Gelu;
            config.text.projection_activation = Activation::Gelu;
            config.audio.projection_activation = Activation::Gelu;
            let (heard, batch) = (long(&config.audio, &device), texts(0, &device));
            let mut tower = config.audio.init(&device);
            without_key_biases(&mut tower);
            let shape = [4, config.audio.n_tokens(), config.audio.d_model];
            let weight = random(shape, 2, &device);
            check_gradients(tower, |tower| {
                (tower.encode(heard.clone()).embeds * weight).sum()
            });
            let mut tower = config.audio.init_with_projection(&device);
            without_key_biases(&mut tower.audio);
            let weight = random([4, config.d_embed], 2, &device);
            check_gradients(tower, |tower| (tower.embed(heard.clone()) * weight).sum());
            let mut tower = config.text.init_with_projection(&device);
            without_key_bias(&mut tower.text.bert.encoder);
            let weight = random([3, config.d_embed], 2, &device);
            check_gradients(tower, |tower| (tower.embed(batch.clone()) * weight).sum());

            let mut clap = config.init(&device);
            without_key_biases(&mut clap.audio);
            without_key_bias(&mut clap.text.bert.encoder);
            let weight = random([4, 3], 2, &device);
            check_gradients(clap, |clap| {
                let scores = clap.run((heard, batch));
                (scores.per_sound * weight.clone()).sum()
                    + (scores.per_text * weight.transpose()).sum()
            });
        }
    }
}

#[test]
fn what_is_learned_of_bands_is_used_without_training() {
    for device in devices() {
        for config in configs() {
            let training = device.clone().autodiff();
            let tower = config.audio.init(&training);
            let before = floats(&tower.spectrogram.norm.running_mean.value());
            assert_eq!(before, vec![0.0; config.audio.n_mels]);
            let batch = long(&config.audio, &training);
            let features = batch.features.clone().add_scalar(3.0);
            let batch = SoundBatch { features, ..batch };
            let first = tower.embed(batch.clone());
            let mean = floats(&tower.spectrogram.norm.running_mean.value_sync());
            assert!(
                mean.iter().all(|mean| (0.2..0.4).contains(mean)),
                "{mean:?}"
            );
            // A second step sees the same of its own batch.
            assert_close(&first, &tower.embed(batch.clone()), 1e-5);
            let here = long(&config.audio, &device);
            let features = here.features.clone().add_scalar(3.0);
            let here = SoundBatch { features, ..here };
            let apart = max_difference(
                &first.without_autodiff(),
                &tower.valid().embed(here.clone()),
            );
            assert!(apart > 1e-3, "{apart}");
            // A frozen tower goes by what was learned, also where others train.
            let frozen = tower.clone().freeze().embed(batch).without_autodiff();
            assert_close(&frozen, &tower.valid().embed(here), 1e-5);
        }
    }
}

#[test]
fn an_absent_sound_changes_nothing_in_training_either() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let all = sounds(&config.audio, 3, &device).with_longer(vec![true, false, true]);
            let (first, last) = (one(&all, 0), one(&all, 2));
            let two = SoundBatch::dense(Tensor::cat(vec![first.features, last.features], 0));
            let two = two.with_longer(vec![true; 2]);
            let tower = config.audio.init(&device);
            let expected = tower.embed(two);
            let found = tower.embed(without_second(&all));
            for (place, at) in [(0, 0), (1, 2)] {
                assert_close(&row(&expected, place), &row(&found, at), 1e-5);
            }
            assert!(floats(&found).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn fusing_a_single_sound_in_training_stays_finite() {
    for device in devices().into_iter().map(Device::autodiff) {
        let config = ClapAudioConfig::debug().with_fusion();
        let tower = config.init(&device);
        // Of the mean over its places there is one number a feature, which has no variance.
        let embed = tower.embed(sounds(&config, 2, &device));
        assert!(floats(&embed).iter().all(|v| v.is_finite()));
        let crops = tower.patches.crops.as_ref().unwrap();
        for branch in [&crops.fusion.local, &crops.fusion.global] {
            for norm in [&branch.norm_down, &branch.norm_up] {
                let variance = floats(&norm.running_var.value_sync());
                assert!(variance.iter().all(|v| v.is_finite()), "{variance:?}");
            }
        }
        assert_eq!(
            floats(&crops.fusion.global.norm_up.running_mean.value_sync()),
            [0.0; 4]
        );
        assert_ne!(
            floats(&crops.fusion.local.norm_up.running_mean.value_sync()),
            [0.0; 4]
        );
    }
}
