//! What must hold of every DINOv2: shapes, gradients, absence, batches, other sizes of images, names of parameters.

mod config;

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::{Encoder, Model, NoTap, Recorder, Tokens};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, max_difference, parameter_snapshot,
    random,
};
use sensorium_vision::ImageBatch;

use super::*;

/// The plain one, one with registers, and one that is odd in all that can be.
fn configs() -> [Dinov2Config; 3] {
    [
        Dinov2Config::debug(),
        Dinov2Config::debug().with_registers(3),
        Dinov2Config {
            channels: 1,
            image_size: [9, 7],
            patch_size: [2, 3],
            swiglu: true,
            qkv_bias: false,
            mask: false,
            layer_scale: 0.3,
            ..Dinov2Config::debug()
        },
    ]
    .map(|config| config.with_labels(["cat", "dog", "bird"]))
}

fn images(config: &Dinov2Config, batch: usize, device: &Device) -> Tensor<4> {
    let [height, width] = config.image_size;
    random([batch, config.channels, height, width], 1, device)
}

/// More rows than the model was made for, fewer columns, and pixels that fill no patch.
fn others(config: &Dinov2Config, batch: usize, device: &Device) -> Tensor<4> {
    let [ph, pw] = config.patch_size;
    random([batch, config.channels, 5 * ph + 1, pw], 1, device)
}

fn first(tokens: &Tokens) -> Tensor<3> {
    let [_, n, d] = tokens.dims();
    tokens.embeds.clone().slice([0..1, 0..n, 0..d])
}

/// A softmax does not see what all of its scores share, as from a bias on the keys.
fn without_key_bias(mut dino: Dinov2Model) -> Dinov2Model {
    for block in &mut dino.encoder.blocks {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
    dino
}

#[test]
fn an_image_becomes_a_class_token_registers_and_its_patches() {
    for device in devices() {
        for config in configs() {
            let dino = config.init(&device);
            let batch = ImageBatch::dense(images(&config, 2, &device));
            let tokens = dino.encode(batch.clone());
            assert_eq!(tokens.dims(), [2, config.n_tokens(), dino.d_output()]);
            let class = tokens.embeds.slice([0..2, 0..1, 0..8]);
            assert_close(&dino.embed(batch.clone()).unsqueeze_dim(1), &class, 1e-5);
            let logits = config.init_classification(&device).run(batch);
            assert_eq!(logits.dims(), [2, 3]);

            let tokens = dino.encode(ImageBatch::dense(others(&config, 2, &device)));
            assert_eq!(tokens.dims(), [2, 1 + config.n_registers() + 5, 8]);
        }
    }
}

#[test]
fn every_parameter_trains_at_any_size_of_image() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            for pixels in [images(&config, 2, &device), others(&config, 2, &device)] {
                let batch = ImageBatch::dense(pixels);
                let dino = without_key_bias(config.init(&device));
                let dims = dino.encode(batch.clone()).dims();
                let weight = random(dims, 2, &device);
                check_gradients(dino, |dino| {
                    (dino.encode(batch.clone()).embeds * weight).sum()
                });

                let mut model = config.init_classification(&device);
                model.dinov2 = without_key_bias(model.dinov2);
                let weight = random([2, 3], 4, &device);
                check_gradients(model, |model| (model.run(batch) * weight).sum());
            }
        }
    }
}

#[test]
fn batched_equals_single_and_absent_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let dino = config.init(&device);
            let classifier = config.init_classification(&device);
            let pixels = others(&config, 3, &device);
            let [_, channels, height, width] = pixels.dims();
            let alone = pixels
                .clone()
                .slice([0..1, 0..channels, 0..height, 0..width]);
            let alone = ImageBatch::dense(alone);
            let present = Tensor::<1, Bool>::from_data([true, false, true], &device);
            let some = ImageBatch::new(pixels.clone(), present);
            for batch in [ImageBatch::dense(pixels), some.clone()] {
                let tokens = dino.encode(batch.clone());
                assert_close(&dino.encode(alone.clone()).embeds, &first(&tokens), 1e-5);
                let logits = classifier.run(batch);
                let first = logits.slice([0..1, 0..3]);
                assert_close(&classifier.run(alone.clone()), &first, 1e-5);
            }
            let tokens = dino.encode(some);
            assert_eq!(bools(&tokens.present()), [true, false, true]);
            assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn the_classifier_sees_the_mean_of_patches_and_no_register() {
    for device in devices() {
        let config = Dinov2Config::debug().with_registers(2);
        let model = config.init_classification(&device);
        let tokens = random::<3>([2, 7, 8], 1, &device);
        let features = |tokens: Tensor<3>| model.features(&Tokens::dense(tokens));
        let found = features(tokens.clone());
        let at = |i: usize| tokens.clone().slice([0..2, i..i + 1, 0..8]);
        let mean = (at(3) + at(4) + at(5) + at(6)) / 4.0;
        let expected: Tensor<2> = Tensor::cat(vec![at(0), mean], 2).squeeze_dim(1);
        assert_close(&expected, &found, 1e-6);

        let other = random::<3>([2, 2, 8], 9, &device);
        let patches = tokens.clone().slice([0..2, 3..7, 0..8]);
        let changed = Tensor::cat(vec![at(0), other, patches], 1);
        assert_close(&found, &features(changed), 0.0);
    }
}

#[test]
fn the_kinds_resample_positions_differently() {
    for device in devices() {
        let plain = Dinov2Config::debug();
        // Eight places a side become two, which only the one with registers smooths.
        let plain = Dinov2Config {
            image_size: [32, 32],
            ..plain
        };
        let registers = plain.clone().with_registers(0);
        let pixels = random([1, 3, 8, 8], 1, &device);
        let embeds = |config: Dinov2Config, position| {
            let mut dino = config.init(&device);
            dino.embeddings.class =
                burn::module::Param::from_tensor(Tensor::zeros([1, 1, 8], &device));
            dino.embeddings.patch.weight =
                burn::module::Param::from_tensor(Tensor::zeros([8, 3, 4, 4], &device));
            dino.embeddings.position = burn::module::Param::from_tensor(position);
            dino.embeddings.forward(pixels.clone())
        };
        let position = random::<3>([1, 65, 8], 2, &device);
        let plain = embeds(plain, position.clone());
        let smooth = embeds(registers, position.clone());
        let class = |x: &Tensor<3>| x.clone().slice([0..1, 0..1, 0..8]);
        assert_close(&class(&plain), &class(&position), 1e-6);
        assert_close(&class(&plain), &class(&smooth), 0.0);
        assert!(max_difference(&plain, &smooth) > 0.1);
    }
}

#[test]
fn the_mask_token_is_kept_and_not_trained() {
    for device in devices().into_iter().map(Device::autodiff) {
        let dino = Dinov2Config::debug().init(&device).train();
        let mask = dino.embeddings.mask.as_ref().expect("a mask token");
        assert!(!mask.is_require_grad());
        assert_eq!(floats(&mask.val()), [0.0; 8]);
        let odd = Dinov2Config {
            mask: false,
            ..Dinov2Config::debug()
        };
        assert!(odd.init(&device).embeddings.mask.is_none());
        let registers = odd.with_registers(1).init(&device);
        assert!(registers.embeddings.mask.is_some());
    }
}

#[test]
fn a_tap_sees_every_layer_and_changes_nothing() {
    for device in devices() {
        let config = Dinov2Config::debug().with_registers(1);
        let model = config.init_classification(&device);
        let batch = ImageBatch::dense(images(&config, 2, &device));
        let mut recorder = Recorder::default();
        let seen = model.run_with(batch.clone(), &mut recorder);
        assert_close(&seen, &model.run_with(batch, &mut NoTap), 1e-5);
        let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
        let expected = [
            "dinov2.embeds",
            "dinov2.encoder.blocks.0.attention.weights",
            "dinov2.encoder.blocks.0.output",
            "dinov2.encoder.blocks.1.attention.weights",
            "dinov2.encoder.blocks.1.output",
            "dinov2.encoder.output",
            "logits",
        ];
        assert_eq!(names, expected);
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let one = Dinov2Config {
        n_layers: 1,
        swiglu: true,
        ..Dinov2Config::debug()
    };
    let expected = "\
embeddings.class [1, 1, 8]
embeddings.mask [1, 8]
embeddings.registers [1, 2, 8]
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
encoder.blocks.0.scale_attention.gamma [8]
encoder.blocks.0.norm_feed_forward.layer.gamma [8]
encoder.blocks.0.norm_feed_forward.layer.beta [8]
encoder.blocks.0.feed_forward.up.weight [8, 16]
encoder.blocks.0.feed_forward.up.bias [16]
encoder.blocks.0.feed_forward.gate.weight [8, 16]
encoder.blocks.0.feed_forward.gate.bias [16]
encoder.blocks.0.feed_forward.down.weight [16, 8]
encoder.blocks.0.feed_forward.down.bias [8]
encoder.blocks.0.scale_feed_forward.gamma [8]
encoder.norm.layer.gamma [8]
encoder.norm.layer.beta [8]";
    let registers = one.with_registers(2);
    assert_eq!(parameter_snapshot(&registers.init(device)), expected);

    let classifier = parameter_snapshot(&registers.init_classification(device));
    let tower = expected.lines().map(|line| format!("dinov2.{line}\n"));
    let head = "classifier.weight [16, 2]\nclassifier.bias [2]";
    assert_eq!(classifier, tower.collect::<String>() + head);
}

#[test]
fn presets_have_as_many_parameters_as_published() {
    // Parameters are drawn when first used, so that counting them costs nothing.
    let device = &devices()[0];
    for (config, expected) in [
        (Dinov2Config::small(), 22_056_576),
        (Dinov2Config::base(), 86_580_480),
        (Dinov2Config::large(), 304_368_640),
        (Dinov2Config::giant(), 1_136_480_768),
    ] {
        assert_eq!(config.init(device).num_params(), expected);
    }
}
