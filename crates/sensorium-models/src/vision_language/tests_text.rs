//! Prompts with images: every parameter trains, what is cached is what is not, and what does not fit is one line.

use burn::tensor::{Device, Tensor};
use sensorium_core::{NoTap, Recorder};
use sensorium_decode::Speaker;
use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};
use sensorium_vision::PatchBatch;
use serde_json::json;

use super::laid::Places;
use super::tests::{debug, only_what_trains, pictures};
use super::*;
use crate::causal::Rows;

/// The places of images in prompts of [`VisionLanguageConfig::debug`].
const IMAGE: u32 = 23;

/// A prompt with both pictures of [`pictures`], and one that shows none.
fn prompts(config: &VisionLanguageConfig) -> [Vec<u32>; 2] {
    let vectors = match &config.images {
        ImageFeaturesConfig::Qwen25Vl(_) => [6, 2],
        _ => [4, 4],
    };
    let image = |n: usize| vec![IMAGE; vectors[n]];
    let both = [&[1, 5][..], &image(0), &[9, 3], &image(1), &[4, 11]].concat();
    [both, vec![1, 7, 2]]
}

fn configs() -> Vec<VisionLanguageConfig> {
    debug().map(VisionLanguageConfig::debug).into()
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let mut model = config.init(&device);
            model.images = only_what_trains(model.images);
            let [prompt, other] = prompts(&config);
            let prompts: [&[u32]; 2] = [&prompt, &other];
            let answers: Vec<Vec<Option<u32>>> = prompts
                .map(|prompt| prompt.iter().map(|id| Some(*id)).collect())
                .into();
            let answers: Vec<&[Option<u32>]> = answers.iter().map(Vec::as_slice).collect();
            let images = pictures(&config.images, &device);
            check_gradients(model, |model| {
                model.loss(&prompts, &answers, Some(images)).expect("fits")
            });
        }
    }
}

#[test]
fn what_goes_on_token_by_token_is_what_is_read_at_once() {
    for device in devices() {
        for config in configs() {
            let model = config.init(&device);
            let [both, text] = prompts(&config);
            let images = || Some(pictures(&config.images, &device));
            let (mut answering, first) = model.read(&[&both, &text], images(), 3).expect("fits");
            let second = answering.step(&[6, 8]).expect("a step");
            // The rows change places, and one is taken twice.
            answering.select(&[1, 0, 1], &[0]);
            let third = answering.step(&[2, 10, 12]).expect("a step");

            let alone = |prompt: &[u32], more: &[u32], images| {
                let all = [prompt, more].concat();
                let logits = model.forward(&[&all], images).expect("fits");
                let [_, tokens, _] = logits.dims();
                floats(&logits.narrow(1, tokens - 1, 1))
            };
            for (found, rows) in [
                (
                    first,
                    [alone(&both, &[], images()), alone(&text, &[], None)].concat(),
                ),
                (
                    second,
                    [alone(&both, &[6], images()), alone(&text, &[8], None)].concat(),
                ),
                (
                    third,
                    [
                        alone(&text, &[8, 2], None),
                        alone(&both, &[6, 10], images()),
                        alone(&text, &[8, 12], None),
                    ]
                    .concat(),
                ),
            ] {
                let shape = [1, rows.len()];
                let tensor = |of: &[f32]| Tensor::<1>::from_floats(of, &device).reshape(shape);
                assert_close::<2>(&tensor(&found), &tensor(&rows), 1e-4);
            }
        }
    }
}

#[test]
fn long_prompts_are_read_in_parts() {
    let device = &devices()[0];
    for config in configs() {
        let mut config = config;
        if let crate::causal::CausalConfig::Llama(text) = &mut config.text {
            text.max_position_embeddings = Some(700);
        }
        let model = config.init(device);
        let [both, _] = prompts(&config);
        let long = [vec![3; 505], both].concat();
        let images = || Some(pictures(&config.images, device));
        let (_, scores) = model.read(&[&long], images(), 0).expect("fits");
        let logits = model.forward(&[&long], images()).expect("fits");
        let last = logits.narrow(1, long.len() - 1, 1).squeeze_dim(1);
        let scores = Tensor::<1>::from_floats(scores.as_slice(), device).unsqueeze();
        assert_close::<2>(&scores, &last, 1e-4);
    }
}

#[test]
fn only_answers_are_learnt() {
    for device in devices() {
        let config = &configs()[1];
        let model = config.init(&device);
        let [both, _] = prompts(config);
        let images = || Some(pictures(&config.images, &device));
        let mut answer = vec![None; both.len()];
        answer[both.len() - 1] = Some(7);
        let loss = model.loss(&[&both], &[&answer], images()).expect("fits");
        let logits = model.forward(&[&both], images()).expect("fits");
        let logits = floats(&logits.narrow(1, both.len() - 2, 1));
        let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
        let expected = sum.ln() - logits[7];
        assert!((floats(&loss)[0] - expected).abs() < 1e-4);
    }
}

#[test]
fn a_tap_sees_both_halves_and_changes_nothing() {
    for device in devices() {
        for config in configs() {
            let model = config.init(&device);
            let [both, _] = prompts(&config);
            let images = || Some(pictures(&config.images, &device));
            let mut seen = Recorder::default();
            let found = model
                .forward_with(&[&both], images(), &mut seen)
                .expect("fits");
            let plain = model
                .forward_with(&[&both], images(), &mut NoTap)
                .expect("fits");
            assert_close(&found, &plain, 1e-4);
            for name in [
                "images.encoder.embeds",
                "images.encoder.encoder.blocks.0.output",
                "images.features",
                "text.model.embeds",
                "text.model.transformer.blocks.1.output",
                "logits",
            ] {
                assert!(seen.get(name).is_some(), "{name}");
            }
        }
    }
}

#[test]
fn images_stand_on_axes_of_their_own_and_text_goes_on_behind_their_longer_side() {
    let row: [u32; 11] = [
        1, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, 5, IMAGE, IMAGE, 6,
    ];
    let rows: [&[u32]; 2] = [&row, &[2, 4]];
    let rows = Rows::new(&rows);
    // Two rows of three squares, and one row of two.
    let places = Places::new(&rows, IMAGE, &[[1, 4, 6], [1, 2, 4]], 2).expect("fits");
    assert_eq!(
        places.axes(0),
        [
            &[0, 1, 1, 1, 1, 1, 1, 4, 5, 5, 7][..],
            &[0, 1, 1, 1, 2, 2, 2, 4, 5, 5, 7],
            &[0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7],
        ]
    );
    assert_eq!(places.axes(1), [&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..]; 3]);
    assert_eq!(places.next, [8, 2]);
    // Two images without a word between them.
    let row = [IMAGE; 3];
    let rows: [&[u32]; 1] = [&row];
    let places = Places::new(&Rows::new(&rows), IMAGE, &[[1, 2, 2], [1, 2, 4]], 2);
    let places = places.expect("fits");
    assert_eq!(places.axes(0), [&[0, 1, 1][..], &[0, 1, 1], &[0, 1, 2]]);
}

#[test]
fn what_does_not_fit_is_one_line_with_counts() {
    let device = &devices()[0];
    let [idefics3, llava, qwen] = configs().try_into().expect("three");
    let refused = |config: &VisionLanguageConfig, prompt: &[u32], images: Option<Images>| {
        let error = config.init(device).forward(&[prompt], images);
        let message = error.expect_err("does not fit").to_string();
        assert!(!message.contains('\n') && message.len() < 200, "{message}");
        message
    };
    let pixels = || Some(Images::Pixels(random([1, 3, 8, 8], 1, device)));
    let patches = |grid: [usize; 3]| {
        let count = grid.iter().product();
        Some(Images::Patches(PatchBatch::new(
            random([count, 24], 1, device),
            vec![grid],
        )))
    };
    let many = [IMAGE; 5];
    for (message, expected) in [
        (
            refused(&llava, &many, pixels()),
            "places for images in the prompts (token 23): 5; vectors that images give: 4",
        ),
        (
            refused(&llava, &[1, 2], pixels()),
            "places for images in the prompts (token 23): 0; vectors that images give: 4",
        ),
        (
            refused(&idefics3, &many, None),
            "places for images in the prompts (token 23): 5; vectors that images give: 0",
        ),
        (
            refused(
                &qwen,
                &[1, IMAGE, IMAGE, 2, IMAGE, IMAGE],
                patches([1, 4, 4]),
            ),
            "vectors that image 1 gives: 4 (1 x 2 x 2); places in a row for it in the prompt: 2",
        ),
        (
            refused(&qwen, &[1, IMAGE, 2, IMAGE], patches([1, 2, 2])),
            "the prompt has a place for an image at token 3, behind those of all images, 1 in number",
        ),
        (
            refused(&qwen, &[1, 2], patches([1, 2, 2])),
            "places for images in the prompts (token 23): 0; vectors that images give: 1",
        ),
        (
            refused(&llava, &[1; 65], None),
            "prompt 0 has 65 tokens, and the model reads 64 at the most: shorten it",
        ),
        (
            refused(&llava, &[], None),
            "prompt 0 has no token: give it a word to go on from",
        ),
        (
            refused(&llava, &[24], None),
            "prompt 0 has token 24, and the model knows 24: its tokenizer is another model's",
        ),
    ] {
        assert_eq!(message, expected);
    }
    let model = llava.init(device);
    let answers: [(&[&[Option<u32>]], &str); 4] = [
        (&[], "is one of 1 prompts"),
        (&[&[None]], "has 2 tokens, but its answer 1"),
        (&[&[None, Some(24)]], "is to say token 24"),
        (&[&[Some(1), None]], "has no token that is to be learnt"),
    ];
    for (answers, part) in answers {
        let message = model
            .loss(&[&[1, 2]], answers, None)
            .expect_err("does not fit");
        assert!(message.to_string().contains(part), "{message}");
    }
}

#[test]
fn configurations_are_read_as_published() {
    // As the files of LLaVA 1.5: most of the text's keys are left out.
    let llava = json!({
        "model_type": "llava", "image_token_index": 32_000, "vision_feature_layer": -2,
        "text_config": {"model_type": "llama", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "vocab_size": 32_064},
    });
    let config = VisionLanguageConfig::parse("config.json", &llava).expect("works");
    assert_eq!(config.image_token, 32_000);
    assert_eq!(config.text.max_positions(), 4096);
    assert_eq!(
        (config.text.d_model(), config.text.vocab_size()),
        (4096, 32_064)
    );
    assert!(!config.text.tied());
    // As those of Qwen2.5-VL: the text's keys stand beside the rest.
    let qwen = json!({
        "model_type": "qwen2_5_vl", "image_token_id": 151_655, "hidden_size": 2048, "intermediate_size": 11_008,
        "num_attention_heads": 16, "num_hidden_layers": 36, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 128_000, "tie_word_embeddings": true, "vocab_size": 151_936, "sliding_window": 32_768,
        "use_sliding_window": false, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "rope_theta": 1e6,
        "vision_config": {"hidden_size": 1280, "in_chans": 3, "out_hidden_size": 2048, "spatial_patch_size": 14},
    });
    let config = VisionLanguageConfig::parse("config.json", &qwen).expect("works");
    assert!(config.text.tied());
    assert_eq!(config.axes(), Some(2));
    let mut wrong = qwen.clone();
    wrong["vision_config"]["out_hidden_size"] = json!(1024);
    let error = VisionLanguageConfig::parse("config.json", &wrong).expect_err("two widths");
    assert_eq!(
        error.to_string(),
        "config.json: hidden_size: text of 2048 features cannot hold images of 1024; they must be the same"
    );
    let mut wrong = llava;
    wrong["image_token_index"] = json!(40_000);
    let error = VisionLanguageConfig::parse("config.json", &wrong).expect_err("no such token");
    assert!(
        error
            .to_string()
            .starts_with("config.json: image_token_id: 40000 must"),
        "{error}"
    );
}
