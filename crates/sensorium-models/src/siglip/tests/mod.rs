//! What must hold of SigLIP: shapes, gradients, padding and absence, batches, names of parameters.

mod config;

use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::nn::Activation;
use sensorium_core::{Encoder, Model, NoTap, Recorder};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};
use sensorium_text::TextBatch;
use sensorium_vision::ImageBatch;

use super::*;
use crate::clip::tests::{alone, lines, row, texts, without_key_bias};

/// The plain one, and one that is odd in all that can be.
fn configs() -> [SiglipConfig; 2] {
    let odd = SiglipConfig::new(
        SiglipTextConfig {
            d_model: 6,
            n_heads: 1,
            n_layers: 1,
            activation: Activation::Gelu,
            d_embed: Some(8),
            pad_token_id: Some(0),
            ..SiglipTextConfig::debug()
        },
        SiglipVisionConfig {
            n_heads: 4,
            channels: 1,
            image_size: [9, 7],
            patch_size: [2, 3],
            activation: Activation::QuickGelu,
            ..SiglipVisionConfig::debug()
        },
    );
    [SiglipConfig::debug(), odd]
}

fn images(config: &SiglipVisionConfig, batch: usize, device: &Device) -> Tensor<4> {
    let [height, width] = config.image_size;
    random([batch, config.channels, height, width], 1, device)
}

/// All biases on keys, which a softmax does not see.
fn trainable(mut vision: SiglipVisionModel) -> SiglipVisionModel {
    without_key_bias(&mut vision.encoder);
    let head = vision.head.as_mut();
    if let Some(key) = head.and_then(|head| head.attention.key.as_mut()) {
        key.bias = None;
    }
    vision
}

#[test]
fn towers_give_tokens_and_embeddings() {
    for device in devices() {
        for config in configs() {
            let pixels = ImageBatch::dense(images(&config.vision, 2, &device));
            let batch = texts(0, 0, &device);
            let siglip = config.init(&device);
            let tokens = siglip.vision.encode(pixels.clone());
            let expected = [2, config.vision.n_tokens(), siglip.vision.d_output()];
            assert_eq!(tokens.dims(), expected);
            // Filled up to the longest text there can be.
            let tokens = siglip.text.encode(batch.clone());
            assert_eq!(tokens.dims(), [3, 6, siglip.text.d_output()]);
            let there: Vec<bool> = [4, 2, 5]
                .iter()
                .flat_map(|n| (0..6).map(move |place| place >= *n))
                .collect();
            assert_eq!(bools(&tokens.pad), there);

            let images = siglip.embed_images(pixels.clone());
            let texts = siglip.embed_texts(batch);
            assert_eq!((images.dims(), texts.dims()), ([2, 8], [3, 8]));
            let fits = siglip.probabilities(siglip.scores(images, texts));
            assert_eq!(fits.dims(), [2, 3]);
            assert!(floats(&fits).iter().all(|p| (0.0..1.0).contains(p)));
            assert!(siglip.vision.without_head().embed(pixels).is_none());
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let pixels = ImageBatch::dense(images(&config.vision, 2, &device));
            let batch = texts(0, 0, &device);

            let tower = trainable(config.vision.init(&device));
            let weight = random([2, config.vision.n_tokens(), 8], 2, &device);
            check_gradients(tower.clone().without_head(), |tower| {
                (tower.encode(pixels.clone()).embeds * weight).sum()
            });
            let weight = random([2, 8], 2, &device);
            check_gradients(tower, |tower| {
                let pooled = tower.embed(pixels.clone()).expect("a head");
                (pooled * weight).sum()
            });

            let mut tower = config.text.init(&device);
            without_key_bias(&mut tower.encoder);
            let weight = random([3, 8], 2, &device);
            check_gradients(tower, |tower| (tower.embed(batch.clone()) * weight).sum());

            let mut siglip = config.init(&device);
            without_key_bias(&mut siglip.text.encoder);
            siglip.vision = trainable(siglip.vision);
            let weight = random([2, 3], 2, &device);
            check_gradients(siglip, |siglip| {
                (siglip.run((pixels, batch)) * weight).sum()
            });
        }
    }
}

#[test]
fn batched_equals_single_however_far_a_batch_is_filled() {
    for device in devices() {
        for config in configs() {
            let siglip = config.init(&device);
            let pixels = images(&config.vision, 3, &device);
            let [_, channels, height, width] = pixels.dims();
            let present = Tensor::<1, Bool>::from_data([true, false, true], &device);
            let some = ImageBatch::new(pixels.clone(), present);
            let absent = siglip.vision.encode(some.clone());
            assert_eq!(bools(&absent.present()), [true, false, true]);
            let one = pixels
                .clone()
                .slice([2..3, 0..channels, 0..height, 0..width]);
            let one = siglip.embed_images(ImageBatch::dense(one));
            for batch in [ImageBatch::dense(pixels), some] {
                let all = siglip.embed_images(batch);
                assert_close(&one, &row(&all, 2), 1e-5);
                assert!(floats(&all).iter().all(|v| v.is_finite()));
            }

            let fill = config.text.pad_id() as i64;
            let plain = texts(0, fill, &device);
            let all = siglip.embed_texts(plain.clone());
            assert_close(&all, &siglip.embed_texts(texts(1, fill, &device)), 1e-5);
            for (place, n_tokens) in [(0, 4), (1, 2), (2, 5)] {
                let one = siglip.embed_texts(alone(&plain, place, n_tokens));
                assert_close(&one, &row(&all, place), 1e-5);
            }
            let absent = TextBatch {
                ids: plain.ids.clone(),
                pad: Tensor::full([3, 5], true, &device),
            };
            let tokens = siglip.text.encode(absent);
            assert_eq!(bools(&tokens.present()), [false; 3]);
            assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn padding_is_seen_and_its_id_can_be_chosen() {
    for device in devices() {
        let tower = SiglipTextConfig::debug().init(&device);
        let one = alone(&texts(0, 0, &device), 0, 4);
        let filled = tower.embed(one.clone());
        let by_hand = Tensor::from_data([[1, 7, 3, 15, 1, 1]], &device);
        let by_hand = tower.pool(tower.forward_with(by_hand, &mut NoTap));
        assert_close(&filled, &by_hand, 1e-5);

        let other = Tensor::from_data([[1, 7, 3, 15, 0, 0]], &device);
        let other = tower.pool(tower.forward_with(other, &mut NoTap));
        assert!(sensorium_testkit::max_difference(&filled, &other) > 1e-4);
        assert_close(&tower.with_pad_id(0).embed(one), &other, 1e-5);
    }
}

#[test]
fn scores_begin_as_in_the_paper() {
    for device in devices() {
        let siglip = SiglipConfig::debug().init(&device);
        let a = random([2, 8], 1, &device);
        let scores = floats(&siglip.scores(a.clone().mul_scalar(3.0), a));
        // Ten times a cosine of one, less ten.
        assert!(
            scores[0].abs() < 1e-4 && scores[3].abs() < 1e-4,
            "{scores:?}"
        );
        assert!((scores[1] - scores[2]).abs() < 1e-4, "{scores:?}");
    }
}

#[test]
fn images_of_other_sizes_are_taken_if_asked() {
    for device in devices() {
        for config in configs() {
            let siglip = config.init(&device);
            let pixels = images(&config.vision, 1, &device);
            let plain = siglip.embed_images(ImageBatch::dense(pixels.clone()));
            let siglip = siglip.with_interpolated_positions();
            let same = siglip.embed_images(ImageBatch::dense(pixels));
            assert_close(&plain, &same, 0.0);
            let pixels = random([1, config.vision.channels, 13, 12], 1, &device);
            let tokens = siglip.vision.encode(ImageBatch::dense(pixels));
            let [ph, pw] = config.vision.patch_size;
            assert_eq!(tokens.dims(), [1, (13 / ph) * (12 / pw), 8]);
        }
    }
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = SiglipConfig::debug();
        let siglip = config.init(&device);
        let batch = (
            ImageBatch::dense(images(&config.vision, 2, &device)),
            texts(0, 0, &device),
        );
        let mut recorder = Recorder::default();
        let seen = siglip.run_with(batch.clone(), &mut recorder);
        assert_close(&seen, &siglip.run_with(batch, &mut NoTap), 1e-4);
        let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
        let tower = |tower: &str, more: Option<&str>| {
            let names = [
                "embeds",
                "encoder.blocks.0.attention.weights",
                "encoder.blocks.0.output",
                "encoder.blocks.1.attention.weights",
                "encoder.blocks.1.output",
                "encoder.output",
            ];
            let names = names.into_iter().chain(more).chain(["pooled"]);
            names
                .map(|name| format!("{tower}.{name}"))
                .collect::<Vec<_>>()
        };
        let mut expected = tower("vision", Some("head.attention.weights"));
        expected.extend(tower("text", None));
        expected.push("logits".to_owned());
        assert_eq!(names, expected);
    }
}

#[test]
#[should_panic(expected = "7 tokens, but there are only 6 positions")]
fn a_text_that_is_too_long_is_a_mistake() {
    let device = &devices()[0];
    let tower = SiglipTextConfig::debug().init(device);
    tower.encode(texts(2, 0, device));
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let mut config = SiglipConfig::debug();
    (config.text.n_layers, config.vision.n_layers) = (1, 1);
    let norm = "encoder.norm.layer.gamma [8]\nencoder.norm.layer.beta [8]\n";
    let text = |under| {
        let before = "embeddings.token.weight [16, 8]\nembeddings.position.weight [6, 8]\n";
        let after = format!("{norm}head.weight [8, 8]\nhead.bias [8]\n");
        lines(under, before, &after)
    };
    let vision = |under| {
        let before = "embeddings.patch.weight [8, 3, 4, 4]\nembeddings.patch.bias [8]\n\
            embeddings.position.weight [4, 8]\n";
        let attention = ["query", "key", "value", "output"].map(|name| {
            format!("head.attention.{name}.weight [8, 8]\nhead.attention.{name}.bias [8]\n")
        });
        let rest = "head.norm.layer.gamma [8]\nhead.norm.layer.beta [8]\n\
            head.feed_forward.up.weight [8, 12]\nhead.feed_forward.up.bias [12]\n\
            head.feed_forward.down.weight [12, 8]\nhead.feed_forward.down.bias [8]\n";
        let attention = attention.concat();
        let after = format!("{norm}head.probe [1, 1, 8]\n{attention}{rest}");
        lines(under, before, &after)
    };
    let snapshot = |module: String| module + "\n";
    let tower = parameter_snapshot(&config.text.init(device));
    assert_eq!(snapshot(tower), text(""));
    let tower = parameter_snapshot(&config.vision.init(device));
    assert_eq!(snapshot(tower), vision(""));
    let model = parameter_snapshot(&config.init(device));
    let own = "logit_scale [1]\nlogit_bias [1]\n";
    assert_eq!(snapshot(model), text("text.") + &vision("vision.") + own);
}
