//! Published settings give Transformers' pixels, on fixtures made by tools/parity/processors.py.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use sensorium_core::{Processor, Source};

use super::PublishedImageProcessor;
use crate::{Error, ImageSample, Picture};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn processor(case: &str) -> PublishedImageProcessor {
    let json = String::from_utf8(read(&folder().join(format!("{case}.json")))).expect("is UTF-8");
    let processor = PublishedImageProcessor::from_json(case, &json).expect("a published file");
    assert_eq!(processor.source(), json);
    processor
}

/// How many steps of a byte a sample is from the reference at most, and how many of its pixels are off.
fn distance(processor: &PublishedImageProcessor, found: &[f32], expected: &[f32]) -> (f32, usize) {
    let plane = found.len() / 3;
    let (mut worst, mut off) = (0f32, 0);
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let values = &processor.values[place / plane];
        let steps = (found - expected).abs() / (values[1] - values[0]);
        worst = worst.max(steps);
        off += usize::from(steps > 0.01);
    }
    (worst, off)
}

#[track_caller]
fn equals_the_reference(case: &str) {
    let processor = processor(case);
    let [channels, height, width] = processor.dims();
    let bytes = read(&folder().join(format!("{case}.safetensors")));
    let expected = SafeTensors::deserialize(&bytes).expect("a fixture");
    assert!(expected.len() >= 4, "{case}");
    for (name, tensor) in expected.iter() {
        let path = folder().join(format!("pictures/{name}.png"));
        let found = processor.process(&Source::path(path)).expect("a picture");
        assert_eq!(
            tensor.shape(),
            [channels, height, width],
            "{case} of {name}"
        );
        assert_eq!(found.dims(), [channels, height, width], "{case} of {name}");
        let numbers = tensor.data().chunks_exact(4);
        let numbers: Vec<f32> = numbers
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let (worst, off) = distance(&processor, found.pixels(), &numbers);
        assert!(
            worst <= 0.01,
            "{case} of {name} is off by {worst} steps of a byte"
        );
        assert!(
            off == 0,
            "{case} of {name}: {off} of {} pixels are off",
            numbers.len()
        );
    }
}

#[test]
fn parity_with_transformers_of_every_setting() {
    let mut cases = 0;
    for entry in std::fs::read_dir(folder()).expect("fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ext| ext == "json") {
            let case = path.file_stem().and_then(|stem| stem.to_str());
            equals_the_reference(case.expect("a name"));
            cases += 1;
        }
    }
    assert_eq!(cases, 23);
}

fn fails(json: &str) -> String {
    match PublishedImageProcessor::from_json("model/preprocessor_config.json", json) {
        Err(error @ Error::Published { .. }) => error.to_string(),
        other => panic!("{json} gives {other:?}"),
    }
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    let clip = |more: &str| format!(r#"{{"image_processor_type": "CLIPImageProcessor", {more}}}"#);
    for (more, key) in [
        (r#""size": 0"#, "size"),
        (r#""size": -3"#, "size"),
        (r#""size": 22.5"#, "size"),
        (r#""size": 1e300"#, "size"),
        (r#""size": 99999999999999999999"#, "size"),
        (r#""size": true"#, "size"),
        (r#""size": "224""#, "size"),
        (r#""size": []"#, "size"),
        (r#""size": [1, 2, 3]"#, "size"),
        (r#""size": {}"#, "size"),
        (r#""size": {"height": 9}"#, "size"),
        (r#""size": {"height": 9, "width": 0}"#, "size"),
        (r#""size": {"longest_edge": 9}"#, "size"),
        (r#""size": {"shortest_edge": 9, "width": 3}"#, "size"),
        (
            r#""size": {"shortest_edge": 9, "longest_edge": -1}"#,
            "size",
        ),
        (r#""crop_size": {"shortest_edge": 9}"#, "crop_size"),
        (r#""crop_size": 100000"#, "crop_size"),
        (r#""crop_size": {"height": 9, "width": null}"#, "crop_size"),
        (r#""do_resize": 1"#, "do_resize"),
        (r#""do_center_crop": "yes""#, "do_center_crop"),
        (r#""do_center_crop": false"#, "size"),
        (
            r#""do_center_crop": false, "do_resize": false"#,
            "do_resize",
        ),
        (r#""resample": 6"#, "resample"),
        (r#""resample": -1"#, "resample"),
        (r#""resample": "sharp""#, "resample"),
        (r#""rescale_factor": 0"#, "rescale_factor"),
        (r#""rescale_factor": -1"#, "rescale_factor"),
        (r#""rescale_factor": [1]"#, "rescale_factor"),
        (r#""rescale_factor": 1e300"#, "image_std"),
        (r#""image_mean": [0.5]"#, "image_mean"),
        (r#""image_mean": [0.5, 0.5, "0.5"]"#, "image_mean"),
        (r#""image_mean": [0.5, 0.5, 1e60]"#, "image_mean"),
        (r#""image_std": [0.5, 0.5, 0]"#, "image_std"),
        (r#""image_std": 0"#, "image_std"),
        (r#""image_std": -1"#, "image_std"),
        (r#""image_std": [1e-40, 1e-40, 1e-40]"#, "image_std"),
        (r#""image_std": [1e-300, 1, 1]"#, "image_std"),
        (r#""do_pad": true"#, "do_pad"),
        (r#""rescale_offset": true"#, "rescale_offset"),
        (r#""crop_pct": 0.875"#, "crop_pct"),
        (r#""use_square_size": true"#, "use_square_size"),
        (r#""image_mean": [NaN, 0, 0]"#, "the file"),
        (r#""rescale_factor": 1e999"#, "the file"),
    ] {
        let message = fails(&clip(more));
        let start = format!("model/preprocessor_config.json: {key}: ");
        assert!(message.starts_with(&start), "{more}: {message}");
        assert!(message.len() < 300, "{message}");
    }
}

#[test]
fn what_is_no_file_of_settings_is_refused() {
    for (json, key) in [
        ("", "the file"),
        ("{", "the file"),
        ("[1]", "the file"),
        (&"[".repeat(100_000), "the file"),
        (r#"{"image_processor": 3}"#, "image_processor"),
        (r#"{"image_processor_type": 3}"#, "image_processor_type"),
        (
            r#"{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}}"#,
            "image_processor_type",
        ),
        (
            r#"{"image_processor_type": "Siglip2ImageProcessor"}"#,
            "image_processor_type",
        ),
    ] {
        let message = fails(json);
        let start = format!("model/preprocessor_config.json: {key}: ");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn a_class_that_is_not_known_must_say_everything() {
    let all = [
        r#""do_resize": true"#,
        r#""size": {"height": 8, "width": 8}"#,
        r#""resample": 2"#,
        r#""do_center_crop": true"#,
        r#""crop_size": 4"#,
        r#""do_rescale": true"#,
        r#""do_normalize": true"#,
        r#""image_mean": [0, 0, 0]"#,
        r#""image_std": [1, 1, 1]"#,
    ];
    for class in [r#""feature_extractor_type": "Acme""#, r#""other": 1"#] {
        let file = |keys: Vec<&str>| format!("{{{class}, {}}}", keys.join(", "));
        let whole = PublishedImageProcessor::from_json("file", &file(all.to_vec()));
        assert_eq!(whole.expect("says everything").dims(), [3, 4, 4]);
        for left_out in all {
            let key = left_out.split('"').nth(1).expect("a key");
            let rest = all.into_iter().filter(|other| *other != left_out).collect();
            let message = fails(&file(rest));
            let start = format!("model/preprocessor_config.json: {key}: is missing");
            assert!(message.starts_with(&start), "{message}");
        }
    }
    let message = fails(r#"{"do_resize": true, "size": 8}"#);
    assert!(message.contains("size: is one number"), "{message}");
}

#[test]
fn classes_have_their_own_defaults() {
    for (class, dims) in [
        ("CLIPFeatureExtractor", [3, 224, 224]),
        ("CLIPImageProcessorFast", [3, 224, 224]),
        ("ChineseCLIPImageProcessor", [3, 224, 224]),
        ("BitImageProcessor", [3, 224, 224]),
        ("ViTFeatureExtractor", [3, 224, 224]),
        ("DeiTImageProcessor", [3, 224, 224]),
        ("SiglipImageProcessor", [3, 224, 224]),
        ("BlipImageProcessorPil", [3, 384, 384]),
    ] {
        let json = format!(r#"{{"image_processor_type": "{class}"}}"#);
        let processor = PublishedImageProcessor::from_json("file", &json).expect("defaults");
        assert_eq!(processor.dims(), dims, "{class}");
    }
}

#[test]
fn any_shape_of_picture_comes_out_at_one_size() {
    let shapes = [
        (1, 1),
        (1, 65_535),
        (65_535, 1),
        (2, 3),
        (7, 224),
        (300, 31),
    ];
    let device = crate::runtime::open("flex".parse().expect("a backend")).expect("a device");
    for size in [
        r#"{"shortest_edge": 16}"#,
        r#"{"shortest_edge": 3}"#,
        r#"{"shortest_edge": 40, "longest_edge": 2}"#,
        r#"{"height": 3, "width": 50}"#,
    ] {
        for resample in 0..6 {
            let json = format!(
                r#"{{"image_processor_type": "CLIPImageProcessor", "size": {size}, "crop_size": 8, "resample": {resample}}}"#
            );
            let processor = PublishedImageProcessor::from_json("file", &json).expect("can work");
            let samples: Vec<ImageSample> = shapes
                .iter()
                .map(|(w, h)| processor.prepare(Picture::new(*w, *h, 1, vec![7; w * h])))
                .collect();
            let mut all: Vec<Option<&ImageSample>> = samples.iter().map(Some).collect();
            all.push(None);
            let batch = processor.collate(&all, &device);
            assert_eq!(batch.pixels.dims(), [shapes.len() + 1, 3, 8, 8]);
            let (seven, zero) = (processor.values[0][7], processor.values[0][0]);
            for sample in &samples {
                let plane = &sample.pixels()[..64];
                assert!(plane.contains(&seven));
                assert!(plane.iter().all(|v| *v == seven || *v == zero));
            }
        }
    }
}
