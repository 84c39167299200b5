//! DINOv2 and its classifier, with registers and without.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{Encoder, Model, Recorder};

use super::Case;
use crate::dino::{Dinov2ForImageClassification, Dinov2Model};

pub(super) fn tower(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<Dinov2Model>(device, saved);
    let dino = loaded.model;
    let mut seen = Recorder::default();
    dino.encode_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    let tokens = dino.encode(case.images(device));
    case.reference.check("last_hidden_state", &tokens.embeds);
    let embedded = dino.embed(case.images(device));
    case.reference.check("pooler_output", &embedded);
}

pub(super) fn classification(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<Dinov2ForImageClassification>(device, saved);
    let model = loaded.model;
    let mut seen = Recorder::default();
    let logits = model.run_with(case.images(device), &mut seen);
    case.reference.check_layers(&seen, "dinov2.", "");
    case.reference.check("logits", &logits);
    let logits = model.run(case.images(device));
    case.reference.check("logits", &logits);
}
