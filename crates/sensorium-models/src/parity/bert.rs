//! BERT, RoBERTa, their heads, and sentence encoders.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::Recorder;
use sensorium_hub::Checkpoint;

use super::Case;
use crate::bert::{
    BertForMaskedLm, BertForSequenceClassification, BertInput, BertModel, SentenceEncoder,
};

/// Ids, mask and, where the case has them, types.
fn input(case: &Case, device: &Device) -> BertInput {
    let reference = &case.reference;
    let types = reference.has("input.types");
    BertInput {
        ids: reference.ids("input.ids", device),
        pad: reference.pad("input.mask", device),
        types: types.then(|| reference.ids("input.types", device)),
    }
}

pub(super) fn tower(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<BertModel>(device, saved);
    let mut seen = Recorder::default();
    let tokens = loaded.model.forward_with(input(case, device), &mut seen);
    case.reference.check_layers(&seen, "", "");
    let pooled = loaded.model.pool(&tokens).expect("a pooler");
    case.reference.check("pooled", &pooled);
}

pub(super) fn masked_lm(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<BertForMaskedLm>(device, saved);
    let mut seen = Recorder::default();
    let logits = loaded.model.forward_with(input(case, device), &mut seen);
    case.reference.check_layers(&seen, "bert.", "");
    case.reference.check("logits", &logits);
}

pub(super) fn classification(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<BertForSequenceClassification>(device, saved);
    let mut seen = Recorder::default();
    let logits = loaded.model.forward_with(input(case, device), &mut seen);
    case.reference.check_layers(&seen, "bert.", "");
    case.reference.check("logits", &logits);
}

pub(super) fn sentence(case: &Case, device: &Device, saved: &Path) {
    let checkpoint = Checkpoint::folder(&case.folder);
    let (encoder, config) = SentenceEncoder::load(&checkpoint, device).expect("it fits");
    assert_eq!((config.max_tokens, config.d_output()), (9, 5));
    let mut seen = Recorder::default();
    let vectors = encoder.embed_with(input(case, device), &mut seen);
    let (shape, hidden) = seen.get("bert.encoder.output").expect("the last state");
    case.reference.check_values("hidden", shape, hidden);
    case.reference.check("sentence", &vectors);

    encoder.save(&config, &checkpoint, saved).expect("saved");
    for part in ["", "2_Dense"] {
        case.check_saved(saved, part);
    }
    for file in [
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
    ] {
        let read = |folder: &Path| std::fs::read(folder.join(file)).expect(file);
        assert_eq!(read(saved), read(&case.folder), "{file}");
    }
}
