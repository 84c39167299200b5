//! A published tower as an encoder: its output, what is left to train, and its names, for each family.

use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use sensorium_audio::AudioBatch;
use sensorium_core::Encoder;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{assert_close, check_gradients, devices, parameter_snapshot, random};
use sensorium_text::TextBatch;
use sensorium_vision::ImageBatch;
use serde_json::Value;

use super::{
    ImageTower, LoraConfig, LoraLayers, Output, SoundTower, TextTower, Tower, TowerConfig, Tune,
};

fn checkpoint(name: &str) -> Checkpoint {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Checkpoint::folder(&fixtures.join(name))
}

/// The same without anything dropped: of so few features a draw may drop all, or leave none above zero.
fn whole(name: &str, into: &Path) -> Checkpoint {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    copy(&from, &into.join(name));
    Checkpoint::folder(&into.join(name))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if path.ends_with("config.json") {
            let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            drop_nothing(&mut json);
            std::fs::write(to, json.to_string()).unwrap();
        } else {
            std::fs::copy(&path, to).unwrap();
        }
    }
}

fn drop_nothing(json: &mut Value) {
    for (key, value) in json.as_object_mut().into_iter().flatten() {
        drop_nothing(value);
        if value.is_f64() && ["drop", "mask"].iter().any(|part| key.contains(part)) {
            *value = 0.0.into();
        }
    }
}

const VISION: [&str; 5] = ["vit", "dinov2-registers", "clip", "clip-vision", "siglip"];
const TEXT: [&str; 8] = [
    "bert",
    "sentence",
    "clip",
    "clip-text",
    "siglip",
    "clap",
    "clap-text",
    "clap-text-projection",
];
/// Checkpoints that hear, with the frames and bands that they take.
const SOUND: [(&str, [usize; 2]); 10] = [
    ("ast", [13, 10]),
    ("ast-classification", [13, 10]),
    ("whisper", [24, 6]),
    ("clap", [121, 8]),
    ("clap-fused", [4 * 90, 8]),
    ("clap-audio", [128, 8]),
    ("clap-audio-projection", [64, 8]),
    ("wav2vec2", [150, 1]),
    ("wav2vec2-ctc", [120, 1]),
    ("hubert", [91, 1]),
];
const OUTPUTS: [Output; 2] = [Output::Tokens, Output::Embedding];

fn images(device: &Device) -> ImageBatch {
    ImageBatch::dense(random([2, 3, 8, 8], 5, device))
}

/// Two texts, the second shorter, ids within the smallest vocabulary; 22 ends CLIP's.
fn texts(device: &Device) -> TextBatch {
    let ids = Tensor::from_data([[3, 9, 4, 7, 22], [7, 5, 22, 1, 1]], device);
    let no = false;
    let pad = [[no, no, no, no, no], [no, no, no, true, true]];
    TextBatch {
        ids,
        pad: Tensor::from_data(pad, device),
    }
}

/// Two sounds, the second with silence at its end.
fn sounds([frames, bands]: [usize; 2], device: &Device) -> AudioBatch {
    let pad = (0..2 * frames).map(|i| i >= frames + frames / 2);
    let pad = TensorData::new(pad.collect::<Vec<bool>>(), [2, frames]);
    AudioBatch {
        features: random([2, frames, bands], 5, device),
        pad: Tensor::from_data(pad, device),
    }
}

/// A loss that depends on every number, on each differently.
fn uneven(embeds: Tensor<3>) -> Tensor<1> {
    let weights = random(embeds.dims(), 9, &embeds.device());
    (embeds * weights).sum()
}

#[test]
fn every_parameter_of_every_tower_trains() {
    let dir = tempfile::tempdir().unwrap();
    for device in devices() {
        for output in OUTPUTS {
            for name in VISION {
                let tower =
                    ImageTower::load(&whole(name, dir.path()), output, &device).expect(name);
                check_gradients(tower, |tower| {
                    let images = images(&device.clone().autodiff());
                    uneven(tower.encode(images).embeds)
                });
            }
            for name in TEXT {
                let tower = TextTower::load(&whole(name, dir.path()), output, &device).expect(name);
                check_gradients(tower, |tower| {
                    let texts = texts(&device.clone().autodiff());
                    uneven(tower.encode(texts).zero_padding().embeds)
                });
            }
            for (name, takes) in SOUND {
                let tower =
                    SoundTower::load(&whole(name, dir.path()), output, &device).expect(name);
                check_gradients(tower, |tower| {
                    let sounds = sounds(takes, &device.clone().autodiff());
                    uneven(tower.encode(sounds).embeds)
                });
            }
        }
    }
}

#[test]
fn an_embedding_is_the_only_token() {
    for device in devices() {
        for name in VISION {
            let tower = ImageTower::load(&checkpoint(name), Output::Embedding, &device).unwrap();
            let tokens = tower.encode(images(&device));
            assert_eq!(tokens.dims(), [2, 1, tower.d_output()], "{name}");
            assert_close(
                &tokens.embeds.squeeze_dim(1),
                &tower.embed(images(&device)),
                0.0,
            );
        }
        for name in TEXT {
            let tower = TextTower::load(&checkpoint(name), Output::Embedding, &device).unwrap();
            let tokens = tower.encode(texts(&device));
            assert_eq!(tokens.dims(), [2, 1, tower.d_output()], "{name}");
            assert_close(
                &tokens.embeds.squeeze_dim(1),
                &tower.embed(texts(&device)),
                0.0,
            );
        }
        for (name, takes) in SOUND {
            let tower = SoundTower::load(&checkpoint(name), Output::Embedding, &device).unwrap();
            let tokens = tower.encode(sounds(takes, &device));
            assert_eq!(tokens.dims(), [2, 1, tower.d_output()], "{name}");
            let embeds = tokens.embeds.squeeze_dim(1);
            assert_close(&embeds, &tower.embed(sounds(takes, &device)), 0.0);
        }
    }
}

/// Paths of the parameters that train.
fn trainable<M: Module>(module: &M) -> Vec<String> {
    #[derive(Default)]
    struct Paths {
        path: Vec<String>,
        found: Vec<String>,
    }
    impl ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, _holder: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _holder: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.found.push(self.path.join("."));
            }
        }
    }
    let mut paths = Paths::default();
    module.clone().train().visit(&mut paths);
    paths.found
}

#[test]
fn frozen_and_low_rank_towers_begin_as_the_checkpoint_and_train_what_they_say() {
    for device in devices() {
        let whole = ImageTower::load(&checkpoint("clip"), Output::Tokens, &device).unwrap();
        let expected = whole.encode(images(&device)).embeds;
        let lora = LoraConfig {
            rank: 2,
            alpha: 4.0,
            layers: LoraLayers::Attention,
        };

        let frozen = Tune::Frozen.apply(whole.clone(), &lora);
        assert_close(&frozen.encode(images(&device)).embeds, &expected, 0.0);
        assert!(trainable(&frozen).is_empty());

        let tuned = Tune::Lora.apply(whole.clone(), &lora);
        // The additions are nothing yet, but biases are added after them: sums in another order.
        assert_close(&tuned.encode(images(&device)).embeds, &expected, 1e-5);
        let paths = trainable(&tuned);
        // Four matrices in each of two layers, two factors each.
        assert_eq!(paths.len(), 2 * 4 * 2, "{paths:?}");
        let in_attention = |path: &String| path.contains(".attention.") && path.contains(".lora.");
        assert!(paths.iter().all(in_attention), "{paths:?}");

        let all = LoraConfig {
            layers: LoraLayers::All,
            ..lora
        };
        let tuned = Tune::Lora.apply(whole, &all);
        assert_eq!(
            trainable(&tuned).len(),
            2 * 6 * 2,
            "the feed-forward part has two more"
        );
        check_lora_gradients(tuned, &device);
    }
}

#[test]
fn low_rank_changes_leave_what_batch_norms_have_learned() {
    for device in devices() {
        let whole = SoundTower::load(&checkpoint("clap-fused"), Output::Embedding, &device);
        let whole = whole.expect("an audio tower");
        let takes = [4 * 90, 8];
        let expected = whole.embed(sounds(takes, &device));
        let lora = LoraConfig {
            rank: 2,
            ..LoraConfig::default()
        };
        let tuned = Tune::Lora.apply(whole, &lora).train();
        let paths = trainable(&tuned);
        // Six matrices in each of three blocks, two factors each; no table of distances.
        assert_eq!(paths.len(), 3 * 6 * 2, "{paths:?}");
        let training = device.clone().autodiff();
        for _ in 0..2 {
            let found = tuned.embed(sounds(takes, &training)).without_autodiff();
            assert_close(&found, &expected, 1e-5);
        }
    }
}

/// Once `b` is no longer zero, both factors of every addition have a gradient.
fn check_lora_gradients(tower: ImageTower, device: &Device) {
    struct Nudge;
    impl ModuleMapper for Nudge {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let trains = param.is_require_grad();
            param.map(|value| {
                let moved = (value + 0.01).detach();
                if trains { moved.require_grad() } else { moved }
            })
        }
    }
    check_gradients(tower.train().map(&mut Nudge), |tower| {
        uneven(tower.encode(images(&device.clone().autodiff())).embeds)
    });
}

#[test]
fn what_is_laid_out_has_the_loaded_towers_parameters() {
    let device = Device::flex();
    for output in OUTPUTS {
        for name in VISION {
            let loaded = ImageTower::load(&checkpoint(name), output, &device).unwrap();
            let laid_out = ImageTower::lay_out(&checkpoint(name), output, &device).unwrap();
            assert_eq!(
                parameter_snapshot(&loaded),
                parameter_snapshot(&laid_out),
                "{name}"
            );
        }
        for name in TEXT {
            let loaded = TextTower::load(&checkpoint(name), output, &device).unwrap();
            let laid_out = TextTower::lay_out(&checkpoint(name), output, &device).unwrap();
            assert_eq!(
                parameter_snapshot(&loaded),
                parameter_snapshot(&laid_out),
                "{name}"
            );
        }
        for (name, _) in SOUND {
            let loaded = SoundTower::load(&checkpoint(name), output, &device).unwrap();
            let laid_out = SoundTower::lay_out(&checkpoint(name), output, &device).unwrap();
            assert_eq!(
                parameter_snapshot(&loaded),
                parameter_snapshot(&laid_out),
                "{name}"
            );
        }
    }
}

#[test]
fn what_a_tower_cannot_be_is_said() {
    let device = Device::flex();
    let check = |error: crate::Error, expected: &str| {
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        ImageTower::load(&checkpoint("bert"), Output::Tokens, &device).unwrap_err(),
        "BERT takes texts, not images",
    );
    check(
        TextTower::load(&checkpoint("vit"), Output::Tokens, &device).unwrap_err(),
        "ViT takes images, not texts",
    );
    check(
        SoundTower::load(&checkpoint("clip"), Output::Tokens, &device).unwrap_err(),
        "CLIP takes images and texts, not sounds",
    );
    check(
        ImageTower::load(&checkpoint("ast"), Output::Tokens, &device).unwrap_err(),
        "AST takes sounds, not images",
    );
    check(
        ImageTower::load(&checkpoint("clap"), Output::Tokens, &device).unwrap_err(),
        "CLAP takes sounds and texts, not images",
    );
    check(
        ImageTower::load(&checkpoint("siglip-headless"), Output::Embedding, &device).unwrap_err(),
        "has no head that pools",
    );
    check(
        TowerConfig::default().validate().unwrap_err(),
        "recipe: from: is empty",
    );
    let mut config = TowerConfig::new("a/b");
    config.lora.rank = 0;
    check(config.validate().unwrap_err(), "lora.rank: 0 must be 1");
}
