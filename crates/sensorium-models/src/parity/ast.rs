//! AST and its classifier.

use std::path::Path;

use burn::tensor::Device;
use sensorium_audio::AudioBatch;
use sensorium_core::{Encoder, Model, Recorder};

use super::Case;
use crate::ast::{AstForAudioClassification, AstModel};

fn sounds(case: &Case, device: &Device) -> AudioBatch {
    AudioBatch::dense(case.reference.tensor("input.features", device))
}

pub(super) fn tower(case: &Case, device: &Device, saved: &Path) {
    let ast = case.load::<AstModel>(device, saved).model;
    let mut seen = Recorder::default();
    ast.encode_with(sounds(case, device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    let pooled = ast.embed(sounds(case, device));
    case.reference.check("pooler_output", &pooled);
}

pub(super) fn classification(case: &Case, device: &Device, saved: &Path) {
    let model = case.load::<AstForAudioClassification>(device, saved).model;
    let mut seen = Recorder::default();
    let logits = model.run_with(sounds(case, device), &mut seen);
    case.reference.check_layers(&seen, "ast.", "");
    case.reference.check("logits", &logits);
}
