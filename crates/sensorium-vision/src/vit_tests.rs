//! The encoder trains in every parameter, and neither neighbours nor absent images change a result.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::{Encoder, Recorder, Tokens};
use sensorium_testkit::{assert_close, bools, check_gradients, devices, floats, random};

use super::*;

/// An image of 8 pixels becomes one of 4, whose patches are of 2.
const STEM: StemConfig = StemConfig {
    halvings: 1,
    width: 3,
    depth: 2,
};

fn configs() -> [VitConfig; 3] {
    [
        VitConfig::debug(),
        VitConfig::debug()
            .with_channels(1)
            .with_class_token(false)
            .with_fused_qkv(false)
            .with_d_ff(12),
        VitConfig::debug().with_stem(STEM),
    ]
}

fn images(config: &VitConfig, batch: usize, device: &Device) -> Tensor<4> {
    random([batch, config.channels, 8, 8], 1, device)
}

fn first(tokens: &Tokens) -> Tensor<3> {
    let [_, n, d] = tokens.dims();
    tokens.embeds.clone().slice([0..1, 0..n, 0..d])
}

#[test]
fn an_image_becomes_its_patches_and_a_class_token() {
    for device in devices() {
        for config in configs() {
            let vit = config.init(&device);
            let tokens = vit.encode(ImageBatch::dense(images(&config, 2, &device)));
            assert_eq!(tokens.dims(), [2, config.n_tokens(), vit.d_output()]);
            assert!(bools(&tokens.pad).iter().all(|pad| !pad));
        }
    }
}

#[test]
fn a_patch_holds_its_pixels_by_channel_row_and_column() {
    for device in devices() {
        let count = 3 * 8 * 8;
        let pixels = Tensor::<1>::from_floats(
            (0..count).map(|v| v as f32).collect::<Vec<_>>().as_slice(),
            &device,
        );
        let patches = floats(&unfold(pixels.reshape([1, 3, 8, 8]), [4, 4]));
        // Patch 1 is the top right one.
        let start = 3 * 16;
        for (c, row, column) in [(0, 0, 0), (0, 1, 2), (2, 3, 3), (1, 2, 0)] {
            let found = patches[start + c * 16 + row * 4 + column];
            assert_eq!(found, (c * 64 + row * 8 + 4 + column) as f32);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut vit = config.init(&device);
            for block in &mut vit.transformer.blocks {
                // A softmax does not see what all of its scores share, as from a bias on the keys.
                if let Some(key) = &mut block.attention.key {
                    key.bias = None;
                }
            }
            let batch = ImageBatch::dense(images(&config, 2, &device));
            let weight = random([2, config.n_tokens(), 8], 2, &device);
            check_gradients(vit, |vit| (vit.encode(batch).embeds * weight).sum());
        }
    }
}

#[test]
fn batched_equals_single_and_absent_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let vit = config.init(&device);
            let pixels = images(&config, 3, &device);
            let alone = pixels.clone().slice([0..1, 0..config.channels, 0..8, 0..8]);
            let alone = vit.encode(ImageBatch::dense(alone));
            let batched = vit.encode(ImageBatch::dense(pixels.clone()));
            assert_close(&alone.embeds, &first(&batched), 1e-5);

            let present = Tensor::<1, Bool>::from_data([true, false, true], &device);
            for absent in [pixels.clone(), pixels * 1e3] {
                let keep = config.channels;
                let absent = Tensor::cat(
                    vec![
                        images(&config, 1, &device),
                        absent.slice([1..3, 0..keep, 0..8, 0..8]),
                    ],
                    0,
                );
                let tokens = vit.encode(ImageBatch::new(absent, present.clone()));
                assert_close(&alone.embeds, &first(&tokens), 1e-5);
                assert_eq!(bools(&tokens.present()), [true, false, true]);
                assert!(floats(&tokens.embeds).iter().all(|v| v.is_finite()));
            }
        }
    }
}

#[test]
fn an_absent_image_trains_nothing() {
    for device in devices().into_iter().map(Device::autodiff) {
        let config = VitConfig::debug();
        let vit = config.init(&device);
        let present = Tensor::<1, Bool>::from_data([true, false], &device);
        let gradient = |second: f32| {
            let pixels = images(&config, 1, &device);
            let pixels = Tensor::cat(vec![pixels.clone(), pixels * second], 0);
            let tokens = vit.encode(ImageBatch::new(pixels, present.clone()));
            let weight = random([2, config.n_tokens(), 8], 2, &device);
            let grads = (tokens.zero_padding().embeds * weight).sum().backward();
            vit.patch.weight.val().grad(&grads).expect("a gradient")
        };
        assert_close(&gradient(0.0), &gradient(50.0), 1e-5);
    }
}

#[test]
fn a_tap_sees_every_block_and_changes_nothing() {
    for device in devices() {
        let config = VitConfig::debug();
        let vit = config.init(&device);
        let batch = ImageBatch::dense(images(&config, 2, &device));
        let mut recorder = Recorder::default();
        let seen = vit.encode_with(batch.clone(), &mut recorder);
        assert_close(&seen.embeds, &vit.encode(batch).embeds, 1e-5);
        let names: Vec<&str> = recorder.seen.iter().map(|(n, _, _)| n.as_str()).collect();
        assert_eq!(
            names,
            [
                "patches",
                "transformer.blocks.0.attention.weights",
                "transformer.blocks.0.output",
                "transformer.blocks.1.attention.weights",
                "transformer.blocks.1.output",
                "transformer.output",
            ]
        );
        assert_eq!(
            recorder.get("patches").map(|(shape, _)| shape),
            Some(&[2, 4, 8][..])
        );
    }
}

#[derive(Default)]
struct Paths {
    path: Vec<String>,
    lines: Vec<String>,
    count: usize,
}

impl ModuleVisitor for Paths {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.shape().to_vec();
        self.count += shape.iter().product::<usize>();
        self.lines
            .push(format!("{} {shape:?}", self.path.join(".")));
    }
}

#[test]
fn checkpoint_keys_stay() {
    let mut paths = Paths::default();
    VitConfig::debug().init(&devices()[0]).visit(&mut paths);
    let expected = "\
patch.weight [48, 8]
patch.bias [8]
class [1, 8]
position.weight [5, 8]
transformer.blocks.0.norm_attention.layer.gamma [8]
transformer.blocks.0.norm_attention.layer.beta [8]
transformer.blocks.0.attention.qkv.weight [8, 24]
transformer.blocks.0.attention.qkv.bias [24]
transformer.blocks.0.attention.output.weight [8, 8]
transformer.blocks.0.attention.output.bias [8]
transformer.blocks.0.norm_feed_forward.layer.gamma [8]
transformer.blocks.0.norm_feed_forward.layer.beta [8]
transformer.blocks.0.feed_forward.up.weight [8, 32]
transformer.blocks.0.feed_forward.up.bias [32]
transformer.blocks.0.feed_forward.down.weight [32, 8]
transformer.blocks.0.feed_forward.down.bias [8]
transformer.blocks.1.norm_attention.layer.gamma [8]
transformer.blocks.1.norm_attention.layer.beta [8]
transformer.blocks.1.attention.qkv.weight [8, 24]
transformer.blocks.1.attention.qkv.bias [24]
transformer.blocks.1.attention.output.weight [8, 8]
transformer.blocks.1.attention.output.bias [8]
transformer.blocks.1.norm_feed_forward.layer.gamma [8]
transformer.blocks.1.norm_feed_forward.layer.beta [8]
transformer.blocks.1.feed_forward.up.weight [8, 32]
transformer.blocks.1.feed_forward.up.bias [32]
transformer.blocks.1.feed_forward.down.weight [32, 8]
transformer.blocks.1.feed_forward.down.bias [8]
transformer.norm.layer.gamma [8]
transformer.norm.layer.beta [8]";
    assert_eq!(paths.lines.join("\n"), expected);
}

#[test]
fn the_base_model_has_as_many_parameters_as_published() {
    // Parameters are drawn when first used, so that counting 86 million costs nothing.
    let mut paths = Paths::default();
    VitConfig::b16_224().init(&devices()[0]).visit(&mut paths);
    // 86,567,656 with the classifier of 768 x 1000 weights and 1000 biases.
    assert_eq!(paths.count, 86_567_656 - 769_000);
}

#[test]
fn what_cannot_work_is_refused_with_a_way_out() {
    let cases = [
        (
            VitConfig::new(30, 8, 8, 1, 2),
            "image_size: 30 is not a multiple of patch_size 8; use 32",
        ),
        (
            VitConfig::new(usize::MAX, 8, 8, 1, 2),
            "image_size: 18446744073709551615; use 1 to 16384",
        ),
        (
            VitConfig::new(32, 0, 8, 1, 2),
            "patch_size: 0; use 1 to 16384",
        ),
        (
            VitConfig::new(32, 8, 10, 1, 4),
            "d_model: 10 must be a multiple of n_heads = 4, at most 65536",
        ),
        (
            VitConfig::debug().with_channels(usize::MAX),
            "channels: 18446744073709551615; use 3 or 1, and at most 1024",
        ),
        (
            VitConfig::new(32, 8, 8, 0, 2),
            "n_layers: 0 must be 1 to 512",
        ),
        (
            VitConfig::new(32, 8, 8, 1_000_000, 2),
            "n_layers: 1000000 must be 1 to 512",
        ),
        (
            VitConfig::new(32, 8, 8, 1, 0),
            "n_heads: 0 must be 1 to 1024",
        ),
        (
            VitConfig::new(32, 8, usize::MAX - 1, 1, 2),
            "d_model: 18446744073709551614 must be a multiple of n_heads = 2, at most 65536",
        ),
        (
            VitConfig::debug().with_d_ff(0),
            "d_ff: 0 must be 1 to 1048576",
        ),
        (
            VitConfig::debug().with_stem(StemConfig::new(3)),
            "patch_size: 4 is not a multiple of 8, what 3 halvings of the stem make one; use 8",
        ),
        (
            VitConfig::debug().with_stem(StemConfig::new(9)),
            "stem.halvings: 9 must be 1 to 4",
        ),
        (
            VitConfig::debug().with_dropout(1.0),
            "dropout: 1 must be at least 0 and below 1",
        ),
    ];
    for (config, message) in cases {
        let error = config.validate().expect_err("must be refused");
        assert_eq!(error.to_string(), message);
    }
    for config in [VitConfig::b16_224(), VitConfig::debug()] {
        config.validate().expect("presets are valid");
    }
}

#[test]
#[should_panic(expected = "pixels has shape [1, 3, 4, 4], but [1, 3, 8, 8] is needed")]
fn an_image_of_another_size_is_a_mistake() {
    let device = &devices()[0];
    let small = Tensor::zeros([1, 3, 4, 4], device);
    VitConfig::debug()
        .init(device)
        .encode(ImageBatch::dense(small));
}

#[test]
fn opening_and_closing_is_encoding_to_the_last_bit() {
    for device in devices() {
        for config in configs() {
            let vit = config.init(&device);
            let pixels = images(&config, 3, &device);
            let present = Tensor::<1, Bool>::from_data([true, false, true], &device);
            let batch = ImageBatch {
                pixels: pixels.clone(),
                present: present.clone(),
            };
            // As it is written in one piece: a class token before all patches, then positions of all.
            let x = match &vit.stem {
                Some(stem) => unfold(stem.forward(pixels.clone()), [2; 2]),
                None => unfold(pixels.clone(), [4; 2]),
            };
            let x = vit.patch.forward(x);
            let x = match &vit.class {
                Some(class) => {
                    let class = class.val().unsqueeze_dim::<3>(0).expand([3, 1, 8]);
                    Tensor::cat(vec![class, x], 1)
                }
                None => x,
            };
            let x = Tokens::with_presence(vit.position.forward(x), present);
            let expected = vit.transformer.forward(x);

            let opened = vit.open(batch.clone());
            assert_eq!(opened.tokens.dims(), [3, config.n_patches(), 8]);
            assert_eq!(vit.grid().iter().product::<usize>(), config.n_patches());
            assert_eq!(opened.contents.dims(), [3, 4, vit.d_content()]);
            assert_eq!(
                floats(&opened.contents),
                floats(&unfold(pixels.clone(), [4; 2]))
            );
            assert_eq!(floats(&vit.images(opened.contents)), floats(&pixels));
            for found in [vit.encode(batch), vit.close(opened.tokens)] {
                assert_eq!(found.dims()[1], vit.n_extra() + 4);
                assert_eq!(floats(&found.embeds), floats(&expected.embeds));
                assert_eq!(bools(&found.pad), bools(&expected.pad));
            }
        }
    }
}

#[test]
fn a_token_that_is_left_out_is_not_seen_and_order_does_not_matter() {
    for device in devices() {
        let vit = VitConfig::debug().init(&device);
        let opened = vit.open(ImageBatch::dense(images(&VitConfig::debug(), 1, &device)));
        let some = |places: [i64; 3]| {
            let places = Tensor::from_data(places, &device);
            let embeds = opened.tokens.embeds.clone().select(1, places);
            vit.close(Tokens::dense(embeds))
        };
        // The same as if the last one were padding.
        let pad = Tensor::from_data([[false, false, false, true]], &device);
        let padded = vit.close(Tokens::new(opened.tokens.embeds.clone(), pad));
        let left = some([0, 1, 2]);
        assert_close(&left.embeds, &padded.embeds.narrow(1, 0, 4), 1e-5);
        let turned = some([2, 1, 0]).embeds;
        assert_close(&first_token(&left.embeds), &first_token(&turned), 1e-5);
        assert_close(
            &left.embeds.narrow(1, 1, 3),
            &turned.narrow(1, 1, 3).flip([1]),
            1e-5,
        );
    }
}

fn first_token(x: &Tensor<3>) -> Tensor<3> {
    x.clone().narrow(1, 0, 1)
}
