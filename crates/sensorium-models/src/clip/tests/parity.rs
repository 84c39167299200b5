//! The same results as Transformers, layer by layer.

use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::{assert_close, devices};
use sensorium_vision::ImageBatch;

use crate::clip::{
    ClipConfig, ClipModel, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection,
    ClipVisionConfig, ClipVisionModel, ClipVisionModelWithProjection,
};
use crate::vit::tests::reference::Case;

#[test]
fn both_towers_equal_the_reference() {
    for device in devices() {
        for name in ["clip", "clip-odd", "clip-resized"] {
            let case = Case::open(name);
            let mut clip = case.load::<ClipModel>(&device).model;
            if name == "clip-resized" {
                clip = clip.with_interpolated_positions();
            }
            let (images, texts) = (ImageBatch::dense(case.input(&device)), case.texts(&device));
            let mut seen = Recorder::default();
            let scores = clip.run_with((images.clone(), texts.clone()), &mut seen);
            case.compare_tower(&seen, "text.", "text.");
            case.compare_tower(&seen, "vision.", "vision.");
            case.compare("text.pooler_output", &clip.text.embed(texts.clone()));
            case.compare("vision.pooler_output", &clip.vision.embed(images.clone()));
            case.compare("logits_per_image", &scores);

            let text_embeds = clip.embed_texts(texts);
            let image_embeds = clip.embed_images(images);
            case.compare("text_embeds", &text_embeds);
            case.compare("image_embeds", &image_embeds);
            case.compare("logits_per_image", &clip.scores(image_embeds, text_embeds));
        }
    }
}

#[test]
fn a_text_tower_alone_equals_the_reference() {
    for device in devices() {
        let case = Case::open("clip-text");
        let tower = case.load::<ClipTextModel>(&device).model;
        let mut seen = Recorder::default();
        let pooled = tower.embed_with(case.texts(&device), &mut seen);
        case.compare_layers(&seen, "");
        case.compare("pooler_output", &pooled);
        let tokens = tower.encode(case.texts(&device));
        case.compare("last_hidden_state", &tokens.embeds);

        let case = Case::open("clip-text-projection");
        let tower = case.load::<ClipTextModelWithProjection>(&device).model;
        let mut seen = Recorder::default();
        let embedding = tower.embed_with(case.texts(&device), &mut seen);
        case.compare_layers(&seen, "text.");
        case.compare("text_embeds", &embedding);
        let tokens = tower.encode(case.texts(&device));
        assert_close(&tokens.embeds.squeeze_dim(1), &embedding, 1e-5);
    }
}

#[test]
fn a_vision_tower_alone_equals_the_reference() {
    for device in devices() {
        let case = Case::open("clip-vision");
        let images = ImageBatch::dense(case.input(&device));
        let tower = case.load::<ClipVisionModel>(&device).model;
        let mut seen = Recorder::default();
        let pooled = tower.embed_with(images.clone(), &mut seen);
        case.compare_layers(&seen, "");
        case.compare("pooler_output", &pooled);
        let hidden = tower.last_hidden_state(images);
        case.compare("last_hidden_state", &hidden.embeds);

        let case = Case::open("clip-vision-projection");
        let images = ImageBatch::dense(case.input(&device));
        let tower = case.load::<ClipVisionModelWithProjection>(&device).model;
        let mut seen = Recorder::default();
        let embedding = tower.embed_with(images.clone(), &mut seen);
        case.compare_layers(&seen, "vision.");
        case.compare("image_embeds", &embedding);
        let tokens = tower.encode(images);
        assert_close(&tokens.embeds.squeeze_dim(1), &embedding, 1e-5);
    }
}

#[test]
fn a_tower_can_be_taken_from_a_whole_models_configuration() {
    let case = Case::open("clip");
    let whole = ClipConfig::parse("clip", &case.config).expect("a config");
    let text = ClipTextConfig::parse("clip", &case.config).expect("a config");
    let vision = ClipVisionConfig::parse("clip", &case.config).expect("a config");
    assert_eq!((text, vision), (whole.text, whole.vision));
}
