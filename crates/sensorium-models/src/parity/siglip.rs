//! SigLIP, whole and each tower alone.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::{assert_close, devices};
use sensorium_text::TextBatch;

use super::Case;
use crate::siglip::{SiglipModel, SiglipTextModel, SiglipVisionModel};

pub(super) fn whole(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<SiglipModel>(device, saved);
    let siglip = loaded.model;
    let (images, texts) = (case.images(device), case.texts(device));
    let mut seen = Recorder::default();
    let scores = siglip.run_with((images.clone(), texts.clone()), &mut seen);
    let reference = &case.reference;
    reference.check_layers(&seen, "text.", "text.");
    reference.check_layers(&seen, "vision.", "vision.");
    reference.check("logits_per_image", &scores);

    let (images, texts) = (siglip.embed_images(images), siglip.embed_texts(texts));
    reference.check("text_embeds", &texts);
    reference.check("image_embeds", &images);
    reference.check("logits_per_image", &siglip.scores(images, texts));
}

pub(super) fn text(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<SiglipTextModel>(device, saved);
    let mut seen = Recorder::default();
    let pooled = loaded.model.embed_with(case.texts(device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    case.reference.check("pooler_output", &pooled);
    let tokens = loaded.model.encode(case.texts(device));
    case.reference.check("last_hidden_state", &tokens.embeds);
}

pub(super) fn vision(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<SiglipVisionModel>(device, saved);
    let mut tower = loaded.model;
    if case.is_resized() {
        tower = tower.with_interpolated_positions();
    }
    let mut seen = Recorder::default();
    let tokens = tower.encode_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    case.reference.check("last_hidden_state", &tokens.embeds);
    let pooled: Option<Tensor<2>> = tower.embed(case.images(device));
    assert_eq!(pooled.is_some(), loaded.config.with_head);
    if let Some(pooled) = pooled {
        case.reference.check("pooler_output", &pooled);
    }
}

#[test]
fn texts_that_are_not_filled_up_are_embedded_alike() {
    let case = Case::fixture("siglip-text");
    for device in devices() {
        let saved = tempfile::tempdir().expect("a folder");
        let tower = case.load::<SiglipTextModel>(&device, saved.path()).model;
        let texts = case.texts(&device);
        // The first two texts, as a processor that fills up to the longest collates them.
        let short = TextBatch {
            ids: texts.ids.clone().slice([0..2, 0..3]),
            pad: texts.pad.clone().slice([0..2, 0..3]),
        };
        let pooled = tower.embed(texts).slice([0..2, 0..16]);
        assert_close(&tower.embed(short), &pooled, 1e-5);
    }
}
