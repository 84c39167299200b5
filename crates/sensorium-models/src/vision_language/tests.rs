//! Every parameter trains, names stay, and prompts are expanded as the reference expands them.

use std::path::Path;

use burn::tensor::Device;
use sensorium_testkit::{check_gradients, devices, parameter_snapshot, random};
use sensorium_vision::PatchBatch;
use serde_json::{Value, json};

use super::idefics3::Idefics3ImagesConfig;
use super::llava::LlavaImagesConfig;
use super::qwen2_5_vl::Qwen25VlImagesConfig;
use super::*;

pub(super) fn debug() -> [ImageFeaturesConfig; 3] {
    [
        ImageFeaturesConfig::Idefics3(Idefics3ImagesConfig::debug()),
        ImageFeaturesConfig::Llava(LlavaImagesConfig::debug()),
        ImageFeaturesConfig::Qwen25Vl(Qwen25VlImagesConfig::debug()),
    ]
}

/// Two pictures for a model of [`debug`].
pub(super) fn pictures(config: &ImageFeaturesConfig, device: &Device) -> Images {
    match config {
        ImageFeaturesConfig::Idefics3(_) => Images::Pixels(random([2, 3, 16, 16], 1, device)),
        ImageFeaturesConfig::Llava(_) => Images::Pixels(random([2, 3, 8, 8], 1, device)),
        ImageFeaturesConfig::Qwen25Vl(config) => {
            let patches = random([24 + 8, config.d_patch()], 1, device);
            Images::Patches(PatchBatch::new(patches, vec![[1, 4, 6], [1, 2, 4]]))
        }
    }
}

/// A softmax does not see what all of its scores share, as from a bias on the keys; and a LLaVA does not look at its last block.
pub(super) fn only_what_trains(mut model: ImageFeatures) -> ImageFeatures {
    use burn::module::Module;
    match &mut model.encoder {
        ImageEncoder::Idefics3(tower) => crate::clip::tests::without_key_bias(&mut tower.encoder),
        ImageEncoder::Llava(llava) => {
            crate::clip::tests::without_key_bias(&mut llava.tower.encoder);
            let last = llava.tower.encoder.blocks.pop().expect("blocks");
            llava.tower.encoder.blocks.push(last.no_grad());
            llava.tower.post_norm = llava.tower.post_norm.clone().no_grad();
        }
        // Its bias is one with those of query and value.
        ImageEncoder::Qwen25Vl(_) => {}
    }
    model
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in debug() {
            let model = only_what_trains(config.init(&device));
            let images = pictures(&config, &device);
            check_gradients(model, |model| {
                let features = model.forward(images);
                let weight = random(features.dims(), 2, &device);
                (features * weight).sum()
            });
        }
    }
}

#[test]
fn images_become_as_many_vectors_as_is_said() {
    let device = &devices()[0];
    let [idefics3, llava, qwen] = debug();
    let count = |config: &ImageFeaturesConfig| {
        let model = config.init(device);
        let [count, d_text] = model.forward(pictures(config, device)).dims();
        assert_eq!(d_text, config.d_text());
        count
    };
    assert_eq!(
        count(&idefics3),
        2 * Idefics3ImagesConfig::debug().n_tokens()
    );
    assert_eq!(count(&llava), 2 * LlavaImagesConfig::debug().n_tokens());
    assert_eq!(count(&qwen), 24 / 4 + 8 / 4);
    assert_eq!(Idefics3ImagesConfig::smolvlm_256m().n_tokens(), 64);
    assert_eq!(LlavaImagesConfig::v1_5_7b().n_tokens(), 576);
    for config in [
        Idefics3ImagesConfig::smolvlm_256m().validate(),
        LlavaImagesConfig::v1_5_7b().validate(),
        Qwen25VlImagesConfig::qwen2_5_vl_3b().validate(),
    ] {
        config.expect("a preset that works");
    }
}

#[test]
fn parity_of_what_stands_for_images() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vision-language/prompts.json");
    let text = std::fs::read_to_string(file).expect("a fixture");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let mut tried = 0;
    for (family, entries) in all.as_object().expect("families") {
        for entry in entries.as_array().expect("entries") {
            let grid = entry["grid"].as_array().expect("a grid").iter();
            let grid: Vec<usize> = grid
                .map(|n| n.as_u64().expect("a number") as usize)
                .collect();
            let text = match (family.as_str(), grid.as_slice()) {
                ("idefics3" | "smolvlm", [rows, columns]) => {
                    idefics3::image_text([*rows, *columns], 2)
                }
                ("llava", [rows, columns]) => {
                    let class = usize::from(entry["strategy"] == "full");
                    llava::image_text(rows * columns + class)
                }
                ("qwen2_5_vl", [frames, rows, columns]) => {
                    qwen2_5_vl::image_text([*frames, *rows, *columns], 2)
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(entry["text"], text, "{family} {grid:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, 15);
}

#[test]
fn placeholders_are_for_as_many_images_in_their_order() {
    let images = |n: usize| (1..=n).map(|i| format!("[{i}<image>]")).collect::<Vec<_>>();
    for (prompt, n, expected) in [
        ("no image", 0, "no image"),
        ("", 0, ""),
        ("<image>", 1, "[1<image>]"),
        (
            "a<image><image>b<image>",
            3,
            "a[1<image>][2<image>]b[3<image>]",
        ),
    ] {
        assert_eq!(
            expand(prompt, "<image>", &images(n)).expect("fits"),
            expected
        );
    }
    let error = expand("<image> and <image>", "<image>", &images(3)).expect_err("two places");
    assert_eq!(
        error.to_string(),
        "places for images in the prompt (<image>): 2; images given: 3"
    );
}

fn refused(json: &Value) -> String {
    use crate::config::ModelConfig;
    let error = ImageFeaturesConfig::parse("config.json", json).expect_err("cannot work");
    error.to_string()
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    let idefics3 = |more: Value| json!({"model_type": "smolvlm", "vision_config": more});
    let llava = |key: &str, value: Value| json!({"model_type": "llava", key: value});
    let qwen = |more: Value| json!({"model_type": "qwen2_5_vl", "vision_config": more});
    for (json, start) in [
        (
            json!({"model_type": "bert"}),
            "config.json: is a BERT, which does not read",
        ),
        (
            idefics3(json!({"patch_size": 0})),
            "config.json: vision_config: patch_size: ",
        ),
        (
            idefics3(json!({"image_size": [64, 96]})),
            "config.json: vision_config: image_size: ",
        ),
        (
            idefics3(json!({"image_size": 96})),
            "config.json: scale_factor: 2 must divide the 3",
        ),
        (idefics3(json!(7)), "config.json: vision_config: "),
        (
            json!({"model_type": "idefics3", "scale_factor": -1}),
            "config.json: scale_factor: ",
        ),
        (
            json!({"model_type": "idefics3", "vision_config": {"patch_size": 16}, "text_config": {"hidden_size": 0}}),
            "config.json: hidden_size: ",
        ),
        (
            llava("vision_feature_layer", json!(25)),
            "config.json: vision_feature_layer: 25 must be -25 to 24",
        ),
        (
            llava("vision_feature_layer", json!([])),
            "config.json: vision_feature_layer: ",
        ),
        (
            llava("vision_feature_layer", json!("last")),
            "config.json: ",
        ),
        (
            llava("vision_feature_select_strategy", json!("some")),
            "config.json: ",
        ),
        (
            llava(
                "vision_config",
                json!({"model_type": "siglip_vision_model"}),
            ),
            "config.json: vision_config: model_type: ",
        ),
        (
            qwen(json!({"num_heads": 11})),
            "config.json: vision_config: hidden_size: ",
        ),
        (
            qwen(json!({"hidden_size": 96})),
            "config.json: vision_config: hidden_size: gives heads of 6",
        ),
        (
            qwen(json!({"hidden_act": "gelu"})),
            "config.json: vision_config: hidden_act: ",
        ),
        (
            qwen(json!({"window_size": 9})),
            "config.json: vision_config: window_size: ",
        ),
        (
            qwen(json!({"fullatt_block_indexes": [40]})),
            "config.json: vision_config: fullatt_block_indexes: ",
        ),
        (
            qwen(json!({"rope_parameters": {"rope_theta": 5.0}})),
            "config.json: vision_config: rope_theta: ",
        ),
    ] {
        let message = refused(&json);
        assert!(message.starts_with(start), "{message}");
        assert!(!message.contains('\n') && message.len() < 300, "{message}");
    }
}

#[test]
fn checkpoint_keys_stay() {
    let device = &devices()[0];
    let names = |config: &ImageFeaturesConfig| {
        let snapshot = parameter_snapshot(&config.init(device));
        let names = snapshot.lines().filter(|line| !line.contains("blocks."));
        names.map(|line| line.to_owned() + "\n").collect::<String>()
    };
    let [idefics3, llava, qwen] = debug();
    assert_eq!(
        names(&idefics3),
        "encoder.embeddings.patch.weight [8, 3, 4, 4]\nencoder.embeddings.patch.bias [8]\n\
         encoder.embeddings.position.weight [16, 8]\nencoder.encoder.norm.layer.gamma [8]\n\
         encoder.encoder.norm.layer.beta [8]\nprojector.projection.weight [32, 8]\n"
    );
    assert_eq!(
        names(&llava),
        "encoder.tower.embeddings.class [8]\nencoder.tower.embeddings.patch.weight [8, 3, 4, 4]\n\
         encoder.tower.embeddings.position.weight [5, 8]\nencoder.tower.pre_norm.layer.gamma [8]\n\
         encoder.tower.pre_norm.layer.beta [8]\nencoder.tower.post_norm.layer.gamma [8]\n\
         encoder.tower.post_norm.layer.beta [8]\nprojector.up.weight [8, 8]\nprojector.up.bias [8]\n\
         projector.down.weight [8, 8]\nprojector.down.bias [8]\n"
    );
    assert_eq!(
        names(&qwen),
        "encoder.patch [8, 3, 2, 2, 2]\nprojector.norm.rms.gamma [8]\nprojector.up.weight [32, 32]\n\
         projector.up.bias [32]\nprojector.down.weight [32, 8]\nprojector.down.bias [8]\n"
    );
}
