//! The same results as Transformers, layer by layer.

use sensorium_core::{Encoder, Model, Recorder};
use sensorium_testkit::devices;
use sensorium_vision::ImageBatch;

use super::reference::Case;
use crate::vit::VitConfig;

#[test]
fn a_tower_with_its_pooler_equals_the_reference() {
    for device in devices() {
        for name in ["vit", "vit-odd"] {
            let case = Case::open(name);
            let config = VitConfig::parse(name, &case.config).expect("a config");
            let vit = case.load(
                config.init_with_pooler(&device),
                &config.tower_names(),
                None,
            );
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
            let config = VitConfig::parse(name, &case.config).expect("a config");
            assert_eq!(config.labels(), ["cat", "dog", "bird"]);
            let names = config.classification_names();
            let mut model = case.load(config.init_classification(&device), &names, None);
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
