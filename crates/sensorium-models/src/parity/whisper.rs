//! Whisper, with logits and without.

use std::path::Path;

use burn::tensor::Device;
use sensorium_audio::AudioBatch;
use sensorium_core::{Encoder, Recorder};
use sensorium_hub::Checkpoint;
use sensorium_testkit::Reference;
use sensorium_text::TextBatch;

use super::Case;
use crate::Published;
use crate::whisper::{WhisperEncoder, WhisperForConditionalGeneration, WhisperModel};

fn sounds(case: &Case, device: &Device) -> AudioBatch {
    AudioBatch::dense(case.reference.tensor("input.features", device))
}

fn texts(case: &Case, device: &Device) -> TextBatch {
    TextBatch::dense(case.reference.ids("input.ids", device))
}

/// Every layer of both parts; ours stand under `ours`.
fn check_both(reference: &Reference, seen: &Recorder, ours: &str) {
    for (part, blocks) in [("encoder", "encoder"), ("decoder", "decoder")] {
        let (ours, theirs) = (format!("{ours}{part}."), format!("{part}."));
        reference.check_blocks(seen, &ours, blocks, &theirs);
    }
}

pub(super) fn generation(case: &Case, device: &Device, saved: &Path) {
    let model = case
        .load::<WhisperForConditionalGeneration>(device, saved)
        .model;
    let mut seen = Recorder::default();
    let logits = model.forward_with(sounds(case, device), texts(case, device), &mut seen);
    check_both(&case.reference, &seen, "model.");
    case.reference.check("logits", &logits);

    // Token by token, which the rest of a transcript is made by.
    let heard = model.model.encoder.encode(sounds(case, device)).embeds;
    let mut cache = model.begin(&heard);
    let stepped = model.step(texts(case, device).ids, &mut cache);
    case.reference.check("logits", &stepped);

    // The encoder alone, out of the whole.
    let checkpoint = Checkpoint::folder(&case.folder);
    let encoder = WhisperEncoder::load(&checkpoint, device).expect("an encoder");
    let heard = encoder.model.encode(sounds(case, device)).embeds;
    case.reference.check("encoder.last_hidden_state", &heard);
}

pub(super) fn headless(case: &Case, device: &Device, saved: &Path) {
    let model = case.load::<WhisperModel>(device, saved).model;
    let mut seen = Recorder::default();
    let tokens = model.forward_with(sounds(case, device), texts(case, device), &mut seen);
    check_both(&case.reference, &seen, "");
    case.reference
        .check("decoder.last_hidden_state", &tokens.embeds);
}
