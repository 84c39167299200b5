//! Models that read text with images in it: how they see and what they say, layer by layer.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use sensorium_core::{NoTap, Recorder};
use sensorium_decode::Speaker;
use sensorium_testkit::{Reference, devices};
use sensorium_vision::PatchBatch;
use serde_json::Value;

use super::Case;
use crate::vision_language::idefics3;
use crate::vision_language::{ImageEncoder, ImageFeatures, Images, VisionLanguage};

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

pub(super) fn whole(case: &Case, device: &Device, saved: &Path) {
    seeing(case, device);
    let model = case.load::<VisionLanguage>(device, saved).model;
    for images in [0, 1, 3] {
        saying(&model, &case.reference, &format!("prompt{images}."), device);
    }
    side_by_side(&model, &case.reference, device);
}

/// Some of the pictures of a case, in this order.
fn chosen(reference: &Reference, which: &[i64], device: &Device) -> Option<Images> {
    if which.is_empty() {
        return None;
    }
    let (shape, sizes) = reference.ints("input.sizes");
    // Of each picture: so many tiles, or so many patches in time, down and across.
    let counts = sizes.chunks_exact(sizes.len() / shape[0]);
    let counts: Vec<usize> = counts
        .map(|size| size.iter().product::<i64>() as usize)
        .collect();
    let start = |picture: usize| counts[..picture].iter().sum::<usize>();
    let which = which.iter().map(|picture| *picture as usize);
    Some(match images(reference, device) {
        Images::Pixels(pixels) => {
            let parts = which.map(|i| pixels.clone().narrow(0, start(i), counts[i]));
            Images::Pixels(Tensor::cat(parts.collect(), 0))
        }
        Images::Patches(PatchBatch { patches, grids }) => {
            let parts = which
                .clone()
                .map(|i| patches.clone().narrow(0, start(i), counts[i]));
            let patches = Tensor::cat(parts.collect(), 0);
            Images::Patches(PatchBatch::new(patches, which.map(|i| grids[i]).collect()))
        }
    })
}

fn tokens(numbers: &[i64]) -> Vec<u32> {
    numbers.iter().map(|n| *n as u32).collect()
}

fn saying(model: &VisionLanguage, reference: &Reference, prompt: &str, device: &Device) {
    let ints = |name: &str| reference.ints(&format!("{prompt}{name}")).1;
    let ids = tokens(ints("ids"));
    let images = || chosen(reference, ints("images"), device);
    let mut seen = Recorder::default();
    let logits = model
        .forward_with(&[&ids], images(), &mut seen)
        .expect("a prompt that fits");
    reference.check_blocks(&seen, "text.model.", "transformer", prompt);
    reference.check(&format!("{prompt}logits"), &logits);

    let learnt = ints("labels").iter().map(|id| u32::try_from(*id).ok());
    let learnt: Vec<Option<u32>> = learnt.collect();
    let loss = model
        .loss(&[&ids], &[&learnt], images())
        .expect("an answer that fits");
    reference.check(&format!("{prompt}loss"), &loss);

    let expected = tokens(ints("written"));
    let (mut answering, mut scores) = model.read(&[&ids], images(), 8).expect("read");
    let mut written = Vec::new();
    while written.len() < expected.len() {
        let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        written.push(best.expect("scores").0 as u32);
        scores = answering
            .step(&written[written.len() - 1..])
            .expect("a step");
    }
    assert_eq!(written, expected, "{prompt}");
}

/// Two prompts, of which the shorter is padded in front, and what goes on with both.
fn side_by_side(model: &VisionLanguage, reference: &Reference, device: &Device) {
    let (shape, ids) = reference.ints("side.ids");
    let (_, mask) = reference.ints("side.mask");
    let rows = ids.chunks_exact(shape[1]).zip(mask.chunks_exact(shape[1]));
    let rows = rows.map(|(ids, mask)| {
        let there = ids.iter().zip(mask).filter(|(_, there)| **there == 1);
        there.map(|(id, _)| *id as u32).collect::<Vec<u32>>()
    });
    let rows: Vec<Vec<u32>> = rows.collect();
    let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    let images = || chosen(reference, &[0, 0, 1, 2], device);
    let logits = model.forward(&rows, images()).expect("prompts that fit");
    let there = reference
        .ids::<2>("side.mask", device)
        .float()
        .unsqueeze_dim(2);
    reference.check("side.logits", &(logits * there));

    let expected =
        ["prompt1.written", "prompt3.written"].map(|name| tokens(reference.ints(name).1));
    let (mut answering, mut scores) = model.read(&rows, images(), 8).expect("read");
    for (one, other) in expected[0].iter().zip(&expected[1]) {
        let best = scores.chunks_exact(scores.len() / 2).map(|scores| {
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.expect("scores").0 as u32
        });
        let best: Vec<u32> = best.collect();
        assert_eq!(best, [*one, *other]);
        scores = answering.step(&best).expect("a step");
    }
}

fn seeing(case: &Case, device: &Device) {
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
