//! ViT and its classifier.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Encoder, Model, Recorder};

use super::Case;
use crate::vit::{VitForImageClassification, VitModel};

pub(super) fn tower(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<VitModel>(device, saved);
    let mut vit = loaded.model;
    if case.is_resized() {
        vit = vit.with_interpolated_positions();
    }
    let mut seen = Recorder::default();
    let tokens = vit.encode_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    let pooled = vit.pool(&tokens).expect("a pooler");
    case.reference.check("pooler_output", &pooled);
    let tokens = vit.encode(case.images(device));
    case.reference.check("last_hidden_state", &tokens.embeds);
}

pub(super) fn classification(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<VitForImageClassification>(device, saved);
    let mut model = loaded.model;
    if case.is_resized() {
        model = model.with_interpolated_positions();
    }
    let mut seen = Recorder::default();
    let logits = model.run_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "vit.", "");
    case.reference.check("logits", &logits);
    let logits = model.run(case.images(device));
    case.reference.check("logits", &logits);
}
