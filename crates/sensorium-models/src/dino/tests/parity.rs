//! The same results as Transformers, layer by layer.

use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::devices;
use sensorium_vision::ImageBatch;

use crate::dino::{Dinov2ForImageClassification, Dinov2Model};
use crate::vit::tests::reference::Case;

#[test]
fn a_tower_equals_the_reference() {
    for device in devices() {
        for name in ["dinov2", "dinov2-odd", "dinov2-registers"] {
            let case = Case::open(name);
            let dino = case.load::<Dinov2Model>(&device).model;
            let mut recorder = Recorder::default();
            let batch = ImageBatch::dense(case.input(&device));
            dino.encode_with(batch.clone(), &mut recorder);
            case.compare_layers(&recorder, "");
            case.compare("last_hidden_state", &dino.encode(batch.clone()).embeds);
            case.compare("pooler_output", &dino.embed(batch));
        }
    }
}

#[test]
fn a_classifier_equals_the_reference_at_its_size_and_at_others() {
    for device in devices() {
        for name in [
            "dinov2-swiglu",
            "dinov2-resized",
            "dinov2-registers-resized",
        ] {
            let case = Case::open(name);
            let model = case.load::<Dinov2ForImageClassification>(&device).model;
            let mut recorder = Recorder::default();
            let batch = ImageBatch::dense(case.input(&device));
            let logits = model.run_with(batch.clone(), &mut recorder);
            case.compare_layers(&recorder, "dinov2.");
            case.compare("logits", &logits);
            case.compare("logits", &model.run(batch));
        }
    }
}
