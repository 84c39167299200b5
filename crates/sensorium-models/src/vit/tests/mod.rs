//! What must hold of every ViT: shapes, gradients, absence, batches, other sizes of images, names of parameters.

mod config;

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::nn::Activation;
use sensorium_core::{Encoder, Model, NoTap, Recorder, Tokens};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};
use sensorium_vision::ImageBatch;

use super::*;

/// The plain one, and one that is odd in all that can be.
fn configs() -> [VitConfig; 2] {
    [
        VitConfig::debug(),
        VitConfig {
            channels: 1,
            image_size: [9, 7],
            patch_size: [2, 3],
            activation: Activation::QuickGelu,
            qkv_bias: false,
            d_pooled: Some(5),
            pooler_activation: PoolerActivation::Of(Activation::Gelu),
            ..VitConfig::debug()
        },
    ]
    .map(|config| config.with_labels(["cat", "dog", "bird"]))
}

fn images(config: &VitConfig, batch: usize, device: &Device) -> Tensor<4> {
    let [height, width] = config.image_size;
    random([batch, config.channels, height, width], 1, device)
}

fn first(tokens: &Tokens) -> Tensor<3> {
    let [_, n, d] = tokens.dims();
    tokens.embeds.clone().slice([0..1, 0..n, 0..d])
}

/// A softmax does not see what all of its scores share, as from a bias on the keys.
fn without_key_bias(mut vit: VitModel) -> VitModel {
    for block in &mut vit.encoder.blocks {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
    vit
}

#[test]
fn an_image_becomes_a_class_token_and_its_patches() {
    for device in devices() {
        for config in configs() {
            let vit = config.init_with_pooler(&device);
            let batch = ImageBatch::dense(images(&config, 2, &device));
            let tokens = vit.encode(batch.clone());
            assert_eq!(tokens.dims(), [2, config.n_tokens(), vit.d_output()]);
            assert!(bools(&tokens.pad).iter().all(|pad| !pad));
            let pooled = vit.pool(&tokens).expect("a pooler");
            assert_eq!(pooled.dims(), [2, config.pooled_size()]);
            let class = tokens.embeds.clone().slice([0..2, 0..1, 0..8]);
            assert_close(&vit.embed(batch.clone()).unsqueeze_dim(1), &class, 1e-5);
            assert!(config.init(&device).pool(&tokens).is_none());
            let logits = config.init_classification(&device).run(batch);
            assert_eq!(logits.dims(), [2, 3]);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let batch = ImageBatch::dense(images(&config, 2, &device));
            let vit = without_key_bias(config.init_with_pooler(&device));
            let weight = random([2, config.n_tokens(), 8], 2, &device);
            let pooled_weight = random([2, config.pooled_size()], 3, &device);
            check_gradients(vit, |vit| {
                let tokens = vit.encode(batch.clone());
                let pooled = vit.pool(&tokens).expect("a pooler");
                (tokens.embeds * weight).sum() + (pooled * pooled_weight).sum()
            });

            let mut model = config.init_classification(&device);
            model.vit = without_key_bias(model.vit);
            let weight = random([2, 3], 4, &device);
            check_gradients(model, |model| (model.run(batch) * weight).sum());
        }
    }
}

#[test]
fn batched_equals_single_and_absent_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let vit = config.init(&device);
            let classifier = config.init_classification(&device);
            let pixels = images(&config, 3, &device);
            let [_, channels, height, width] = pixels.dims();
            let alone = pixels
                .clone()
                .slice([0..1, 0..channels, 0..height, 0..width]);
            let alone = ImageBatch::dense(alone);
            let present = Tensor::<1, Bool>::from_data([true, false, true], &device);
            let some = ImageBatch::new(pixels.clone(), present);
            for batch in [ImageBatch::dense(pixels), some.clone()] {
                let tokens = vit.encode(batch.clone());
                assert_close(&vit.encode(alone.clone()).embeds, &first(&tokens), 1e-5);
                let logits = classifier.run(batch);
                let first = logits.slice([0..1, 0..3]);
                assert_close(&classifier.run(alone.clone()), &first, 1e-5);
            }
            let tokens = vit.encode(some);
            assert_eq!(bools(&tokens.present()), [true, false, true]);
            assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn positions_follow_images_of_other_sizes_if_asked() {
    for device in devices() {
        for config in configs() {
            let vit = config.init(&device);
            let pixels = images(&config, 1, &device);
            let plain = vit.encode(ImageBatch::dense(pixels.clone()));
            let vit = vit.with_interpolated_positions();
            let same = vit.encode(ImageBatch::dense(pixels));
            assert_close(&plain.embeds, &same.embeds, 0.0);

            let [ph, pw] = config.patch_size;
            let pixels = random([2, config.channels, 5 * ph + 1, 3 * pw], 1, &device);
            let tokens = vit.encode(ImageBatch::dense(pixels.clone()));
            assert_eq!(tokens.dims(), [2, 1 + 5 * 3, 8]);
            let classifier = config.init_classification(&device);
            let classifier = classifier.with_interpolated_positions();
            assert_eq!(classifier.run(ImageBatch::dense(pixels)).dims(), [2, 3]);
        }
    }
}

#[test]
#[should_panic(expected = "pixels has shape [1, 3, 12, 8], but [1, 3, 8, 8] is needed")]
fn an_image_of_another_size_is_a_mistake_otherwise() {
    let device = &devices()[0];
    let pixels = Tensor::zeros([1, 3, 12, 8], device);
    VitConfig::debug()
        .init(device)
        .encode(ImageBatch::dense(pixels));
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = VitConfig::debug();
        let model = config.init_classification(&device);
        let batch = ImageBatch::dense(images(&config, 2, &device));
        let mut recorder = Recorder::default();
        let seen = model.run_with(batch.clone(), &mut recorder);
        assert_close(&seen, &model.run_with(batch, &mut NoTap), 1e-5);
        let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
        let expected = [
            "vit.embeds",
            "vit.encoder.blocks.0.attention.weights",
            "vit.encoder.blocks.0.output",
            "vit.encoder.blocks.1.attention.weights",
            "vit.encoder.blocks.1.output",
            "vit.encoder.output",
            "logits",
        ];
        assert_eq!(names, expected);
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let one = VitConfig {
        n_layers: 1,
        ..VitConfig::debug()
    };
    let expected = "\
embeddings.class [1, 1, 8]
embeddings.patch.weight [8, 3, 4, 4]
embeddings.patch.bias [8]
embeddings.position [1, 5, 8]
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
encoder.norm.layer.gamma [8]
encoder.norm.layer.beta [8]";
    assert_eq!(parameter_snapshot(&one.init(device)), expected);

    let pooled = parameter_snapshot(&one.init_with_pooler(device));
    let added = "\npooler.weight [8, 8]\npooler.bias [8]";
    assert_eq!(pooled, format!("{expected}{added}"));

    let classifier = parameter_snapshot(&one.init_classification(device));
    let tower = expected.lines().map(|line| format!("vit.{line}\n"));
    let head = "classifier.weight [8, 2]\nclassifier.bias [2]";
    assert_eq!(classifier, tower.collect::<String>() + head);
}

#[test]
fn presets_have_as_many_parameters_as_published() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    let thousand = |config: VitConfig| config.with_labels((0..1000).map(|i| i.to_string()));
    for (config, expected) in [
        (VitConfig::base_patch16_224(), 86_567_656),
        (VitConfig::large_patch16_224(), 304_326_632),
    ] {
        let model = thousand(config).init_classification(device);
        assert_eq!(model.num_params(), expected);
    }
}
