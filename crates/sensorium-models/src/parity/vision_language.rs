//! Models that read text with images in it: how they see, layer by layer.

use std::path::Path;

use burn::tensor::Device;
use sensorium_core::{NoTap, Recorder};
use sensorium_testkit::{Reference, devices};
use sensorium_vision::PatchBatch;
use serde_json::Value;

use super::Case;
use crate::vision_language::idefics3;
use crate::vision_language::{ImageEncoder, ImageFeatures, Images};

/// The pictures of a case.
fn images(reference: &Reference, device: &Device) -> Images {
    if !reference.has("input.grids") {
        return Images::Pixels(reference.tensor("input.pixels", device));
    }
    let (_, grids) = reference.ints("input.grids");
    let (grids, _) = grids.as_chunks::<3>();
    let grids = grids.iter().map(|grid| grid.map(|n| n as usize)).collect();
    let patches = reference.tensor("input.pixels", device);
    Images::Patches(PatchBatch::new(patches, grids))
}

fn features(case: &Case, device: &Device) -> ImageFeatures {
    let checkpoint = sensorium_hub::Checkpoint::folder(&case.folder);
    let loaded = <ImageFeatures as crate::Published>::load(&checkpoint, device);
    loaded.expect("a checkpoint that fits").model
}

pub(super) fn seeing(case: &Case, device: &Device, _saved: &Path) {
    let model = features(case, device);
    let reference = &case.reference;
    let mut seen = Recorder::default();
    let found = model.forward_with(images(reference, device), &mut seen);
    let layers = reference.names("vision.hidden.").count();
    assert!(layers > 1);
    for layer in 0..layers {
        let name = match (layer, &model.encoder) {
            (0, _) => "encoder.embeds".to_owned(),
            (n, ImageEncoder::Qwen25Vl(_)) => format!("encoder.encoder.blocks.{}.patches", n - 1),
            (n, _) => format!("encoder.encoder.blocks.{}.output", n - 1),
        };
        // A LLaVA does not compute the last.
        let Some((shape, values)) = seen.get(&name) else {
            assert!(matches!(&model.encoder, ImageEncoder::Llava(_)), "{name}");
            assert_eq!(layer, layers - 1, "{name}");
            continue;
        };
        reference.check_values(&format!("vision.hidden.{layer}"), shape, values);
    }
    if reference.has("vision.last_hidden_state") {
        let (shape, values) = seen.get("encoder.encoder.output").expect("a last state");
        reference.check_values("vision.last_hidden_state", shape, values);
    }
    reference.check("features", &found);
    if let ImageEncoder::Idefics3(tower) = &model.encoder {
        masked(tower, reference, device);
    }
}

fn masked(tower: &idefics3::Idefics3VisionModel, reference: &Reference, device: &Device) {
    let (_, filled) = reference.ints("masked.filled");
    let (filled, _) = filled.as_chunks::<2>();
    let filled: Vec<[usize; 2]> = filled.iter().map(|f| f.map(|n| n as usize)).collect();
    let pixels = reference.tensor::<4>("input.pixels", device);
    let pixels = pixels.narrow(0, 0, filled.len());
    let tokens = tower.forward_filled_with(pixels, &filled, &mut NoTap);
    reference.check("masked.last_hidden_state", &tokens.zero_padding().embeds);
}

#[test]
fn patches_stand_where_the_reference_puts_them() {
    let file = super::fixtures().join("vision-language/places.json");
    let text = std::fs::read_to_string(file).expect("a fixture");
    let tables: Value = serde_json::from_str(&text).expect("JSON");
    let tables = tables.as_object().expect("tables");
    assert_eq!(tables.len(), 5);
    for (side, rows) in tables {
        let rows = rows.as_array().expect("rows");
        for (row, places) in rows.iter().enumerate() {
            let found = idefics3::places(row + 1, side.parse().expect("a number"));
            // Of those that are not there nothing is said.
            let places = places.as_array().expect("places");
            let expected = places
                .iter()
                .map(|n| n.as_u64().expect("a number") as usize);
            assert_eq!(found, expected.take(row + 1).collect::<Vec<_>>(), "{side}");
        }
    }
}

#[test]
fn pictures_are_seen_alike_one_by_one() {
    for name in ["idefics3", "llava", "qwen2-5-vl"] {
        let case = Case::fixture(name);
        for device in devices() {
            let model = features(&case, &device);
            let whole = model.forward(images(&case.reference, &device));
            let one = match images(&case.reference, &device) {
                Images::Pixels(pixels) => Images::Pixels(pixels.narrow(0, 0, 1)),
                Images::Patches(PatchBatch { patches, grids }) => {
                    let count = grids[0].iter().product();
                    Images::Patches(PatchBatch::new(patches.narrow(0, 0, count), vec![grids[0]]))
                }
            };
            let one = model.forward(one);
            let [count, _] = one.dims();
            sensorium_testkit::assert_close(&one, &whole.narrow(0, 0, count), 1e-5);
        }
    }
}
