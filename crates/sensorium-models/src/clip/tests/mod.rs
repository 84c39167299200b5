//! What must hold of CLIP: shapes, gradients, padding and absence, batches, pooling, names of parameters.

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

/// The plain one, and one that is odd in all that can be.
fn configs() -> [ClipConfig; 2] {
    let odd = ClipConfig {
        text: ClipTextConfig {
            d_model: 6,
            n_heads: 1,
            n_layers: 1,
            activation: Activation::Gelu,
            end_id: 2,
            ..ClipTextConfig::debug()
        },
        vision: ClipVisionConfig {
            n_heads: 4,
            channels: 1,
            image_size: [9, 7],
            patch_size: [2, 3],
            activation: Activation::Gelu,
            ..ClipVisionConfig::debug()
        },
        d_embed: 3,
        ..ClipConfig::debug()
    };
    [ClipConfig::debug(), odd]
}

pub(crate) fn images(config: &ClipVisionConfig, batch: usize, device: &Device) -> Tensor<4> {
    let [height, width] = config.image_size;
    random([batch, config.channels, height, width], 1, device)
}

/// Three texts that end with 15, of 4, 2 and 5 tokens, and `extra` places of padding after them, filled with `fill`.
pub(crate) fn texts(extra: usize, fill: i64, device: &Device) -> TextBatch {
    let rows: [&[i64]; 3] = [&[1, 7, 3, 15], &[4, 15], &[1, 2, 3, 4, 15]];
    let n = 5 + extra;
    let (mut ids, mut pad) = (Vec::new(), Vec::new());
    for row in rows {
        ids.extend(row);
        ids.resize(ids.len() + n - row.len(), fill);
        pad.extend((0..n).map(|place| place >= row.len()));
    }
    let ids = Tensor::<1, burn::tensor::Int>::from_data(ids.as_slice(), device);
    let pad = Tensor::<1, Bool>::from_data(pad.as_slice(), device);
    TextBatch {
        ids: ids.reshape([3, n]),
        pad: pad.reshape([3, n]),
    }
}

/// One text of a batch, without its padding.
pub(crate) fn alone(batch: &TextBatch, row: usize, n_tokens: usize) -> TextBatch {
    TextBatch {
        ids: batch.ids.clone().slice([row..row + 1, 0..n_tokens]),
        pad: batch.pad.clone().slice([row..row + 1, 0..n_tokens]),
    }
}

pub(crate) fn row(embeds: &Tensor<2>, row: usize) -> Tensor<2> {
    let [_, d] = embeds.dims();
    embeds.clone().slice([row..row + 1, 0..d])
}

/// A softmax does not see what all of its scores share, as from a bias on the keys.
pub(crate) fn without_key_bias(encoder: &mut sensorium_core::nn::Transformer) {
    for block in &mut encoder.blocks {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
}

#[test]
fn towers_give_tokens_and_embeddings() {
    for device in devices() {
        for config in configs() {
            let pixels = ImageBatch::dense(images(&config.vision, 2, &device));
            let batch = texts(1, 0, &device);
            let tower = config.vision.init(&device);
            let tokens = tower.encode(pixels.clone());
            let expected = [2, config.vision.n_tokens(), tower.d_output()];
            assert_eq!(tokens.dims(), expected);
            assert_close(
                &tokens.embeds.clone().slice([0..2, 0..1]).squeeze_dim(1),
                &tower.embed(pixels.clone()),
                1e-5,
            );
            let tower = config.vision.init_with_projection(&device);
            assert_eq!(tower.encode(pixels.clone()).dims(), [2, 1, 5]);
            assert_eq!(tower.d_output(), 5);

            let tower = config.text.init(&device);
            let tokens = tower.encode(batch.clone());
            assert_eq!(tokens.dims(), [3, 6, tower.d_output()]);
            assert_eq!(bools(&tokens.pad), bools(&batch.pad));
            let tower = config.text.init_with_projection(&device);
            assert_eq!(tower.encode(batch.clone()).dims(), [3, 1, 5]);

            let clip = config.init(&device);
            let images = clip.embed_images(pixels);
            let texts = clip.embed_texts(batch);
            assert_eq!(images.dims(), [2, config.d_embed]);
            assert_eq!(texts.dims(), [3, config.d_embed]);
            let shares = clip.probabilities(clip.scores(images, texts));
            assert_eq!(shares.dims(), [2, 3]);
            for sum in floats(&shares.sum_dim(1)) {
                assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let pixels = ImageBatch::dense(images(&config.vision, 2, &device));
            let batch = texts(0, 0, &device);

            let mut tower = config.vision.init(&device);
            without_key_bias(&mut tower.encoder);
            let weight = random([2, config.vision.n_tokens(), 8], 2, &device);
            check_gradients(tower, |tower| {
                (tower.encode(pixels.clone()).embeds * weight).sum()
            });
            let mut tower = config.vision.init_with_projection(&device);
            without_key_bias(&mut tower.vision.encoder);
            let weight = random([2, 1, 5], 2, &device);
            check_gradients(tower, |tower| {
                (tower.encode(pixels.clone()).embeds * weight).sum()
            });

            let mut tower = config.text.init(&device);
            without_key_bias(&mut tower.encoder);
            let weight = random([3, 5, config.text.d_model], 2, &device);
            check_gradients(tower, |tower| {
                (tower.encode(batch.clone()).embeds * weight).sum()
            });
            let mut tower = config.text.init_with_projection(&device);
            without_key_bias(&mut tower.text.encoder);
            let weight = random([3, 1, 5], 2, &device);
            check_gradients(tower, |tower| {
                (tower.encode(batch.clone()).embeds * weight).sum()
            });

            let mut clip = config.init(&device);
            without_key_bias(&mut clip.text.encoder);
            without_key_bias(&mut clip.vision.encoder);
            let weight = random([2, 3], 2, &device);
            check_gradients(clip, |clip| (clip.run((pixels, batch)) * weight).sum());
        }
    }
}

#[test]
fn batched_equals_single_and_padding_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let clip = config.init(&device);
            let pixels = images(&config.vision, 3, &device);
            let [_, channels, height, width] = pixels.dims();
            let present = Tensor::<1, Bool>::from_data([true, false, true], &device);
            let some = ImageBatch::new(pixels.clone(), present);
            let absent = clip.vision.encode(some.clone());
            assert_eq!(bools(&absent.present()), [true, false, true]);
            let one = pixels
                .clone()
                .slice([2..3, 0..channels, 0..height, 0..width]);
            let one = clip.embed_images(ImageBatch::dense(one));
            for batch in [ImageBatch::dense(pixels), some] {
                let all = clip.embed_images(batch);
                assert_close(&one, &row(&all, 2), 1e-5);
                assert!(floats(&all).iter().all(|v| v.is_finite()));
            }

            // With the end's id as padding, as in OpenAI's checkpoints, and with the smallest, as in LAION's.
            let plain = texts(0, 0, &device);
            let all = clip.embed_texts(plain.clone());
            for padded in [
                texts(0, 15, &device),
                texts(1, 0, &device),
                texts(1, 15, &device),
            ] {
                assert_close(&all, &clip.embed_texts(padded), 1e-5);
            }
            for (place, n_tokens) in [(0, 4), (1, 2), (2, 5)] {
                let one = clip.embed_texts(alone(&plain, place, n_tokens));
                assert_close(&one, &row(&all, place), 1e-5);
            }
        }
    }
}

#[test]
fn an_absent_text_is_padding_and_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let tower = config.text.init_with_projection(&device);
            let plain = texts(0, 0, &device);
            let gone = Tensor::<2, Bool>::from_data([[false], [true], [false]], &device);
            let some = TextBatch {
                ids: plain.ids.clone(),
                pad: plain.pad.clone().bool_or(gone.expand([3, 5])),
            };
            let (all, rest) = (tower.embed(plain), tower.embed(some.clone()));
            assert_close(&row(&all, 0), &row(&rest, 0), 1e-5);
            assert_close(&row(&all, 2), &row(&rest, 2), 1e-5);
            assert!(floats(&rest).iter().all(|v| v.is_finite()));
            let present = tower.encode(some).present();
            assert_eq!(bools(&present), [true, false, true]);
        }
    }
}

/// The place of the pooled token, by comparison with all tokens.
fn pooled_place(tower: &ClipTextModel, batch: TextBatch) -> usize {
    let tokens = floats(&tower.encode(batch.clone()).embeds);
    let pooled = floats(&tower.embed(batch));
    tokens
        .chunks_exact(pooled.len())
        .position(|token| token == pooled)
        .expect("a token is pooled")
}

#[test]
fn the_end_of_a_text_is_pooled_in_both_of_its_forms() {
    for device in devices() {
        let one = |ids: [i64; 5]| TextBatch {
            ids: Tensor::from_data([ids], &device),
            pad: Tensor::from_data([[false; 5]], &device),
        };
        for (end_id, ids, expected) in [
            (15, [1, 3, 15, 15, 15], 2),
            // The end need not be the largest id.
            (9, [1, 12, 3, 9, 4], 3),
            // No end: the first token, as in Transformers.
            (9, [1, 12, 3, 5, 4], 0),
            // The largest id, wherever it stands; the first if it stands twice.
            (2, [1, 2, 15, 2, 15], 2),
            (2, [1, 3, 4, 5, 6], 4),
        ] {
            let config = ClipTextConfig {
                end_id,
                ..ClipTextConfig::debug()
            };
            let tower = config.init(&device);
            assert_eq!(pooled_place(&tower, one(ids)), expected, "{end_id} {ids:?}");
        }
    }
}

#[test]
fn a_text_does_not_see_what_comes_after() {
    for device in devices() {
        let tower = ClipTextConfig::debug().init(&device);
        let texts: [Tensor<3>; 2] = [[1, 2, 3, 4], [1, 2, 9, 9]].map(|ids| {
            let ids = Tensor::from_data([ids], &device);
            let pad = Tensor::from_data([[false; 4]], &device);
            tower.encode(TextBatch { ids, pad }).embeds
        });
        let [a, b] = texts.map(|tokens| tokens.slice([0..1, 0..2, 0..8]));
        assert_close(&a, &b, 1e-5);
    }
}

#[test]
fn scores_depend_on_directions_alone_and_a_zero_fits_nothing() {
    for device in devices() {
        let clip = ClipConfig::debug().init(&device);
        let (a, b) = (random([2, 5], 1, &device), random([3, 5], 2, &device));
        let scores = clip.scores(a.clone(), b.clone());
        let scaled = clip.scores(a.clone().mul_scalar(7.0), b.clone().mul_scalar(0.1));
        assert_close(&scores, &scaled, 1e-4);
        let same = floats(&clip.scores(a.clone(), a));
        assert!((same[0] - 2.6592f32.exp()).abs() < 1e-3, "{same:?}");
        assert_eq!(
            floats(&clip.scores(Tensor::zeros([1, 5], &device), b)),
            [0.0; 3]
        );
    }
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = ClipConfig::debug();
        let clip = config.init(&device);
        let batch = (
            ImageBatch::dense(images(&config.vision, 2, &device)),
            texts(0, 0, &device),
        );
        let mut recorder = Recorder::default();
        let seen = clip.run_with(batch.clone(), &mut recorder);
        assert_close(&seen, &clip.run_with(batch, &mut NoTap), 1e-4);
        let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
        let tower = |tower: &str, last: &str| {
            let names = [
                "embeds",
                "encoder.blocks.0.attention.weights",
                "encoder.blocks.0.output",
                "encoder.blocks.1.attention.weights",
                "encoder.blocks.1.output",
                "encoder.output",
                "pooled",
            ];
            let names = names.map(|name| format!("{tower}.{name}"));
            names.into_iter().chain([last.to_owned()])
        };
        let expected = tower("vision", "image_embeds").chain(tower("text", "text_embeds"));
        let expected: Vec<String> = expected.chain(["logits".to_owned()]).collect();
        assert_eq!(names, expected);
    }
}

#[test]
#[should_panic(expected = "7 tokens, but there are only 6 positions")]
fn a_text_that_is_too_long_is_a_mistake() {
    let device = &devices()[0];
    ClipTextConfig::debug()
        .init(device)
        .encode(texts(2, 0, device));
}

#[test]
#[should_panic(expected = "pixels has shape [1, 3, 12, 8], but [1, 3, 8, 8] is needed")]
fn an_image_of_another_size_is_a_mistake() {
    let device = &devices()[0];
    let pixels = Tensor::zeros([1, 3, 12, 8], device);
    ClipVisionConfig::debug()
        .init(device)
        .encode(ImageBatch::dense(pixels));
}

const BLOCK: &str = "\
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
";

/// What one block adds to a snapshot, and what stands around it, with something before each line.
pub(crate) fn lines(under: &str, before: &str, after: &str) -> String {
    let all = format!("{before}{BLOCK}{after}");
    all.lines().map(|line| format!("{under}{line}\n")).collect()
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let mut config = ClipConfig::debug();
    (config.text.n_layers, config.vision.n_layers) = (1, 1);
    let text = |under| {
        let before = "embeddings.token.weight [16, 8]\nembeddings.position.weight [6, 8]\n";
        let after = "encoder.norm.layer.gamma [8]\nencoder.norm.layer.beta [8]\n";
        lines(under, before, after)
    };
    let vision = |under| {
        let before = "embeddings.class [8]\nembeddings.patch.weight [8, 3, 4, 4]\n\
            embeddings.position.weight [5, 8]\npre_norm.layer.gamma [8]\npre_norm.layer.beta [8]\n";
        let after = "post_norm.layer.gamma [8]\npost_norm.layer.beta [8]\n";
        lines(under, before, after)
    };
    let snapshot = |module: String| module + "\n";
    let tower = parameter_snapshot(&config.text.init(device));
    assert_eq!(snapshot(tower), text(""));
    let tower = parameter_snapshot(&config.vision.init(device));
    assert_eq!(snapshot(tower), vision(""));
    let tower = parameter_snapshot(&config.text.init_with_projection(device));
    assert_eq!(
        snapshot(tower),
        text("text.") + "projection.weight [8, 5]\n"
    );
    let tower = parameter_snapshot(&config.vision.init_with_projection(device));
    assert_eq!(
        snapshot(tower),
        vision("vision.") + "projection.weight [8, 5]\n"
    );
    let own = "text_projection.weight [8, 5]\nvisual_projection.weight [8, 5]\nlogit_scale [1]\n";
    let model = parameter_snapshot(&config.init(device));
    assert_eq!(snapshot(model), text("text.") + &vision("vision.") + own);
}
