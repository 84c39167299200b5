//! CLIP, whole and each tower alone.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::assert_close;

use super::Case;
use crate::clip::{
    ClipModel, ClipTextModel, ClipTextModelWithProjection, ClipVisionModel,
    ClipVisionModelWithProjection,
};

pub(super) fn whole(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClipModel>(device, saved);
    let mut clip = loaded.model;
    if case.is_resized() {
        clip = clip.with_interpolated_positions();
    }
    let (images, texts) = (case.images(device), case.texts(device));
    let mut seen = Recorder::default();
    let scores = clip.run_with((images.clone(), texts.clone()), &mut seen);
    let reference = &case.reference;
    reference.check_layers(&seen, "text.", "text.");
    reference.check_layers(&seen, "vision.", "vision.");
    let pooled = clip.text.embed(texts.clone());
    reference.check("text.pooler_output", &pooled);
    let pooled = clip.vision.embed(images.clone());
    reference.check("vision.pooler_output", &pooled);
    reference.check("logits_per_image", &scores);

    let (images, texts) = (clip.embed_images(images), clip.embed_texts(texts));
    reference.check("text_embeds", &texts);
    reference.check("image_embeds", &images);
    reference.check("logits_per_image", &clip.scores(images, texts));
}

pub(super) fn text(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClipTextModel>(device, saved);
    let mut seen = Recorder::default();
    let pooled = loaded.model.embed_with(case.texts(device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    case.reference.check("pooler_output", &pooled);
    let tokens = loaded.model.encode(case.texts(device));
    case.reference.check("last_hidden_state", &tokens.embeds);
}

pub(super) fn text_projection(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClipTextModelWithProjection>(device, saved);
    let mut seen = Recorder::default();
    let embedding = loaded.model.embed_with(case.texts(device), &mut seen);
    case.reference.check_layers(&seen, "text.", "");
    case.reference.check("text_embeds", &embedding);
    let tokens = loaded.model.encode(case.texts(device));
    assert_close(&tokens.embeds.squeeze_dim(1), &embedding, 1e-5);
}

pub(super) fn vision(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClipVisionModel>(device, saved);
    let mut seen = Recorder::default();
    let pooled = loaded.model.embed_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    case.reference.check("pooler_output", &pooled);
    let hidden = loaded.model.last_hidden_state(case.images(device));
    case.reference.check("last_hidden_state", &hidden.embeds);
}

pub(super) fn vision_projection(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClipVisionModelWithProjection>(device, saved);
    let mut seen = Recorder::default();
    let embedding = loaded.model.embed_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "vision.", "");
    case.reference.check("image_embeds", &embedding);
    let tokens = loaded.model.encode(case.images(device));
    assert_close(&tokens.embeds.squeeze_dim(1), &embedding, 1e-5);
}
