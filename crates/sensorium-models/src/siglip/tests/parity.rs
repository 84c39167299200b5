//! The same results as Transformers, layer by layer.

use burn::tensor::Tensor;
use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::{assert_close, devices};
use sensorium_text::TextBatch;
use sensorium_vision::ImageBatch;

use crate::Loaded;
use crate::siglip::{SiglipModel, SiglipTextModel, SiglipVisionModel};
use crate::vit::tests::reference::Case;

#[test]
fn both_towers_equal_the_reference() {
    for device in devices() {
        for name in ["siglip", "siglip-odd"] {
            let case = Case::open(name);
            let siglip = case.load::<SiglipModel>(&device).model;
            let (images, texts) = (ImageBatch::dense(case.input(&device)), case.texts(&device));
            let mut seen = Recorder::default();
            let scores = siglip.run_with((images.clone(), texts.clone()), &mut seen);
            case.compare_tower(&seen, "text.", "text.");
            case.compare_tower(&seen, "vision.", "vision.");
            case.compare("logits_per_image", &scores);

            let text_embeds = siglip.embed_texts(texts);
            let image_embeds = siglip.embed_images(images);
            case.compare("text_embeds", &text_embeds);
            case.compare("image_embeds", &image_embeds);
            let scores = siglip.scores(image_embeds, text_embeds);
            case.compare("logits_per_image", &scores);
        }
    }
}

#[test]
fn a_text_tower_alone_equals_the_reference_however_the_batch_is_filled() {
    for device in devices() {
        let case = Case::open("siglip-text");
        let tower = case.load::<SiglipTextModel>(&device).model;
        let texts = case.texts(&device);
        let mut seen = Recorder::default();
        let pooled = tower.embed_with(texts.clone(), &mut seen);
        case.compare_layers(&seen, "");
        case.compare("pooler_output", &pooled);
        case.compare("last_hidden_state", &tower.encode(texts.clone()).embeds);

        // The first two texts, as a processor that fills up to the longest collates them.
        let short = TextBatch {
            ids: texts.ids.slice([0..2, 0..3]),
            pad: texts.pad.slice([0..2, 0..3]),
        };
        assert_close(&tower.embed(short), &pooled.slice([0..2, 0..16]), 1e-5);
    }
}

#[test]
fn a_vision_tower_alone_equals_the_reference() {
    for device in devices() {
        for name in ["siglip-headless", "siglip-resized"] {
            let case = Case::open(name);
            let Loaded { model, config, .. } = case.load::<SiglipVisionModel>(&device);
            let mut tower = model;
            if name == "siglip-resized" {
                tower = tower.with_interpolated_positions();
            }
            let images = ImageBatch::dense(case.input(&device));
            let mut seen = Recorder::default();
            let tokens = tower.encode_with(images.clone(), &mut seen);
            case.compare_layers(&seen, "");
            case.compare("last_hidden_state", &tokens.embeds);
            let pooled: Option<Tensor<2>> = tower.embed(images);
            assert_eq!(pooled.is_some(), config.with_head);
            if let Some(pooled) = pooled {
                case.compare("pooler_output", &pooled);
            }
        }
    }
}
