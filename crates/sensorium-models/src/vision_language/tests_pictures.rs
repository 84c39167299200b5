//! From image files and a prompt to places and vectors that fit each other.

use std::path::{Path, PathBuf};

use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_testkit::devices;
use serde_json::{Map, Value, json};

use super::*;
use crate::Published;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy of a tiny checkpoint with a file that says how images are prepared.
fn checkpoint(folder: &Path, fixture: &str, preparation: &Value) -> Checkpoint {
    for file in ["config.json", "model.safetensors"] {
        let from = fixtures().join(fixture).join(file);
        std::fs::copy(from, folder.join(file)).expect("copied");
    }
    let text = preparation.to_string();
    std::fs::write(folder.join("preprocessor_config.json"), text).expect("written");
    Checkpoint::folder(folder)
}

/// Renames the tensors of a file.
fn rename(path: &Path, names: &[(&str, &str)]) {
    let bytes = std::fs::read(path).expect("a file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let renamed = header.into_iter().map(|(name, value)| {
        let found = names.iter().find(|(from, _)| name.starts_with(from));
        match found {
            Some((from, to)) => (name.replacen(from, to, 1), value),
            None => (name, value),
        }
    });
    let mut header = serde_json::to_vec(&renamed.collect::<Map<_, _>>()).expect("JSON");
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(&bytes[8 + length..]);
    std::fs::write(path, file).expect("written");
}

#[test]
fn names_of_other_years_are_read() {
    let device = &devices()[0];
    let [_, llava, qwen] = preparations();
    for ((fixture, preparation), names) in [
        // As published, of which version 5 leaves a part out.
        (
            llava,
            &[("vision_tower.", "vision_tower.vision_model.")][..],
        ),
        (
            qwen,
            &[
                ("visual.", "model.visual."),
                ("model.", "model.language_model."),
            ],
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoint = checkpoint(folder.path(), fixture, &preparation);
        let before = VisionLanguage::load(&checkpoint, device).expect("loads");
        rename(&folder.path().join("model.safetensors"), names);
        let after = VisionLanguage::load(&checkpoint, device).expect("loads by other names");
        assert_eq!(after.report.unused, [""; 0]);
        assert_eq!(after.report.loaded, before.report.loaded);
        let features = ImageFeatures::load(&checkpoint, device).map(|loaded| loaded.report.loaded);
        assert!(features.expect("its eyes alone") > 20, "{fixture}");
    }
}

/// Pictures of several shapes: of the vision crate's own tests.
fn photos() -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../sensorium-vision/tests/fixtures/published-cut/pictures");
    let path = |name| Source::path(folder.join(format!("{name}.png")));
    ["odd", "panorama", "row"].map(path).into()
}

fn preparations() -> [(&'static str, Value); 3] {
    [
        (
            "idefics3",
            json!({"image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 32}, "max_image_size": {"longest_edge": 16}}),
        ),
        (
            "llava",
            json!({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 12}, "crop_size": 12}),
        ),
        (
            "qwen2-5-vl",
            json!({"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 2, "min_pixels": 32, "max_pixels": 200}),
        ),
    ]
}

#[test]
fn each_image_has_as_many_places_as_it_gives_vectors() {
    let device = &devices()[0];
    for (fixture, preparation) in preparations() {
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoint = checkpoint(folder.path(), fixture, &preparation);
        let pictures = Pictures::open(&checkpoint).expect("opens");
        let model = VisionLanguage::load(&checkpoint, device)
            .expect("loads")
            .model;
        let photos = photos();
        let images = photos
            .iter()
            .map(|photo| pictures.process(photo).expect("a picture"));
        let images: Vec<PreparedImage> = images.collect();
        let prompt = format!("one {0} two {0}{0}.", pictures.placeholder());
        let prompt = pictures.expand(&prompt, &images).expect("three images");
        assert!(
            prompt.starts_with("one <") && prompt.ends_with(">."),
            "{prompt}"
        );
        // A word of its own for all that is no place of an image.
        let mut parts = prompt.split(pictures.placeholder()).peekable();
        let mut tokens = Vec::new();
        while let Some(part) = parts.next() {
            tokens.extend((!part.is_empty()).then_some(3));
            tokens.extend(parts.peek().map(|_| model.image_token));
        }
        let images = pictures.collate(&images, device);
        let logits = model
            .forward(&[&tokens], images)
            .expect("as many places as vectors");
        assert_eq!(logits.dims(), [1, tokens.len(), 40]);
        assert!(pictures.collate(&[], device).is_none());
        assert!(pictures.expand("none", &[]).is_ok());
    }
}

#[test]
fn preparations_that_make_other_images_are_refused() {
    let [idefics3, llava, qwen] = preparations();
    for ((fixture, mut preparation), key, value, part) in [
        (
            idefics3,
            "max_image_size",
            json!({"longest_edge": 8}),
            "makes tiles of 8 pixels a side (max_image_size), but config.json says image_size = 16",
        ),
        (llava, "crop_size", json!(8), "makes images of 8 x 8 pixels"),
        (
            qwen,
            "patch_size",
            json!(3),
            "makes patches of 54 numbers that are merged 2 by 2, but config.json asks for 24 and 2 by 2",
        ),
    ] {
        preparation[key] = value;
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoint = checkpoint(folder.path(), fixture, &preparation);
        let message = Pictures::open(&checkpoint)
            .expect_err("another size")
            .to_string();
        assert!(message.contains(part), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_model_of_texts_alone_takes_no_pictures() {
    let checkpoint = Checkpoint::folder(&fixtures().join("bert"));
    let message = Pictures::open(&checkpoint).expect_err("a BERT").to_string();
    assert!(
        message.contains("does not read text with images in it"),
        "{message}"
    );
}
