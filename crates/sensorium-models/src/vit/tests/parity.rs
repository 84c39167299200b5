//! The same results as Transformers, layer by layer.

use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::devices;
use sensorium_vision::ImageBatch;

use super::reference::Case;
use crate::vit::{VitForImageClassification, VitModel};

#[test]
fn a_tower_with_its_pooler_equals_the_reference() {
    for device in devices() {
        for name in ["vit", "vit-odd"] {
            let case = Case::open(name);
            let vit = case.load::<VitModel>(&device).model;
            let mut recorder = Recorder::default();
            let batch = ImageBatch::dense(case.input(&device));
            let tokens = vit.encode_with(batch.clone(), &mut recorder);
            case.compare_layers(&recorder, "");
            case.compare("pooler_output", &vit.pool(&tokens).expect("a pooler"));
            case.compare("last_hidden_state", &vit.encode(batch).embeds);
        }
    }
}

#[test]
fn a_classifier_equals_the_reference_at_its_size_and_at_others() {
    for device in devices() {
        for (name, interpolated) in [("vit-classification", false), ("vit-resized", true)] {
            let case = Case::open(name);
            let loaded = case.load::<VitForImageClassification>(&device);
            assert_eq!(loaded.config.labels(), ["cat", "dog", "bird"]);
            let mut model = loaded.model;
            if interpolated {
                model = model.with_interpolated_positions();
            }
            let mut recorder = Recorder::default();
            let batch = ImageBatch::dense(case.input(&device));
            let logits = model.run_with(batch.clone(), &mut recorder);
            case.compare_layers(&recorder, "vit.");
            case.compare("logits", &logits);
            case.compare("logits", &model.run(batch));
        }
    }
}
