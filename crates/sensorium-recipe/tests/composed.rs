//! Models of any encoder, projector and decoder: vectors stand in their places, every parameter trains, and what does not fit is one line.

use burn::tensor::{Device, Tensor};
use sensorium_audio::{AUDIO, Ast, AstConfig, AudioBatch};
use sensorium_core::{Encoder, NoTap};
use sensorium_decode::Speaker;
use sensorium_fusion::{AnyFusion, FusionConfig, FusionKind, PrefixSplice, PrefixSpliceConfig};
use sensorium_models::causal::{CausalConfig, CausalLm, LlamaConfig};
use sensorium_models::vision_language::{Encoded, VisionLanguage};
use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};
use sensorium_vision::{ImageBatch, Vit, VitConfig};

const TOKEN: u32 = 3;

fn text(device: &Device) -> CausalLm {
    CausalConfig::from(LlamaConfig::debug()).init(device)
}

fn width() -> usize {
    CausalConfig::from(LlamaConfig::debug()).d_model()
}

type Seeing = VisionLanguage<Encoded<Vit, PrefixSplice>>;

fn seeing(device: &Device) -> Seeing {
    let encoder = VitConfig::debug().init(device);
    let projector = PrefixSpliceConfig::new(encoder.d_output(), width()).init(device);
    let features = Encoded { encoder, projector };
    VisionLanguage::composed(features, text(device), TOKEN).unwrap()
}

fn images(n: usize, device: &Device) -> ImageBatch {
    ImageBatch::dense(random([n, 3, 8, 8], 5, device))
}

/// A sound is as many vectors as the resampler has latents, however long it is.
fn hearing(device: &Device) -> VisionLanguage<Encoded<Ast, AnyFusion>> {
    let encoder = AstConfig::debug().init(device);
    let config = FusionConfig {
        kind: FusionKind::Perceiver,
        d_model: width(),
        n_heads: 2,
        n_layers: 1,
        n_latents: Some(3),
        ..FusionConfig::default()
    };
    let projector = config
        .build(&[(AUDIO, encoder.d_output())], device)
        .unwrap();
    let features = Encoded { encoder, projector };
    VisionLanguage::composed(features, text(device), TOKEN).unwrap()
}

/// Prompts around so many places.
fn prompt(places: usize) -> Vec<u32> {
    [vec![1, 5], vec![TOKEN; places], vec![9, 4]].concat()
}

#[test]
fn vectors_stand_where_the_prompt_has_places() {
    for device in devices() {
        let model = seeing(&device);
        let counts = model.images.count(images(2, &device));
        assert_eq!(counts, [5, 5]);
        let prompt = prompt(counts[0]);
        let found = model.forward(&[&prompt, &[1, 7]], Some(first(&images(2, &device))));
        let found = found.unwrap();

        let seen = model.images.encoder.encode(first(&images(2, &device)));
        let seen = model.images.projector.project(seen).embeds;
        let embed = |ids: [[i64; 2]; 1]| {
            model
                .text
                .model
                .token
                .forward(Tensor::from_data(ids, &device))
        };
        let all = Tensor::cat(vec![embed([[1, 5]]), seen, embed([[9, 4]])], 1);
        let layout = sensorium_core::nn::Layout::default();
        let tokens = sensorium_core::Tokens::dense(all);
        let out = model
            .text
            .model
            .forward_in_with(tokens, &layout, &mut NoTap);
        let expected = model.text.logits(out.embeds);
        assert_close(&found.narrow(0, 0, 1), &expected, 1e-5);
    }
}

fn first(images: &ImageBatch) -> ImageBatch {
    ImageBatch::dense(images.pixels.clone().narrow(0, 0, 1))
}

#[test]
fn it_speaks_token_by_token_as_all_at_once() {
    for device in devices() {
        let model = seeing(&device);
        let prompt = prompt(5);
        let (mut speaking, scores) = model.read(&[&prompt], Some(images(1, &device)), 2).unwrap();
        let more = speaking.step(&[6]).unwrap();
        let whole = [&prompt[..], &[6]].concat();
        let logits = model.forward(&[&whole], Some(images(1, &device))).unwrap();
        let at = |place: usize| floats(&logits.clone().narrow(1, place, 1));
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near(&scores, &at(prompt.len() - 1)) && near(&more, &at(prompt.len())));
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let sounds = || AudioBatch::dense(random([1, 12, 8], 5, &device));
        let seen = prompt(5);
        let answer: Vec<Option<u32>> = seen.iter().map(|id| Some(*id)).collect();
        check_gradients(seeing(&device), |model| {
            let images = Some(images(1, &device));
            model.loss(&[&seen], &[&answer], images).expect("fits")
        });
        let heard = prompt(3);
        let answer: Vec<Option<u32>> = heard.iter().map(|id| Some(*id)).collect();
        check_gradients(hearing(&device), |model| {
            model
                .loss(&[&heard], &[&answer], Some(sounds()))
                .expect("fits")
        });
    }
}

#[test]
fn what_is_padding_takes_no_place() {
    for device in devices() {
        let model = hearing(&device);
        let sounds = random([1, 8, 8], 5, &device);
        let longer = Tensor::cat(vec![sounds.clone(), Tensor::zeros([1, 4, 8], &device)], 1);
        let pad = Tensor::cat(
            vec![
                Tensor::full([1, 8], false, &device),
                Tensor::full([1, 4], true, &device),
            ],
            1,
        );
        let padded = AudioBatch {
            features: longer,
            pad,
        };
        let heard = prompt(3);
        assert_eq!(model.images.count(padded.clone()), [3]);
        let found = model.forward(&[&heard], Some(padded)).unwrap();
        let expected = model.forward(&[&heard], Some(AudioBatch::dense(sounds)));
        assert_close(&found, &expected.unwrap(), 1e-5);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Device::flex();
    let encoder = VitConfig::debug().init(&device);
    let compose = |wide: usize, token: u32| {
        let projector = PrefixSpliceConfig::new(encoder.d_output(), wide).init(&device);
        let features = Encoded {
            encoder: encoder.clone(),
            projector,
        };
        let composed = VisionLanguage::composed(features, text(&device), token);
        composed.err().map(|error| error.to_string())
    };
    let error = compose(width() + 1, TOKEN).unwrap();
    assert!(error.contains("cannot hold vectors of"), "{error}");
    let error = compose(width(), 24).unwrap();
    assert!(
        error.contains("24 must be below the text's vocabulary of 24"),
        "{error}"
    );
    let model = seeing(&device);
    let error = model
        .forward(&[&prompt(4)], Some(images(1, &device)))
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(": 4; vectors that images give: 5"),
        "{error}"
    );
}
