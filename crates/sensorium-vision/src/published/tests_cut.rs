//! Images in tiles, in patches and made square are Transformers', on fixtures made by tools/parity/processors_cut.py.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use sensorium_core::{Processor, Source};

use super::{PatchedImageProcessor, PublishedImageProcessor, TiledImageProcessor};
use crate::runtime;
use crate::{Error, Limits, Picture};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published-cut")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn settings(case: &str) -> String {
    String::from_utf8(read(&format!("{case}.json"))).expect("is UTF-8")
}

fn numbers<const N: usize, T>(view: &TensorView, read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = view.data().as_chunks::<N>();
    numbers.iter().map(|b| read(*b)).collect()
}

/// The pictures of an entry such as `odd+square`.
fn sources(name: &str) -> Vec<Source> {
    let path = |name| Source::path(folder().join(format!("pictures/{name}.png")));
    name.split('+').map(path).collect()
}

/// Calls `found` with each entry's pictures, for its shape, pixels and grids, and compares them.
#[track_caller]
fn check(case: &str, found: impl Fn(&[Source]) -> (Vec<usize>, Vec<f32>, Vec<usize>)) {
    let bytes = read(&format!("{case}.safetensors"));
    let expected = SafeTensors::deserialize(&bytes).expect("a fixture");
    let mut entries = 0;
    for (name, tensor) in expected.iter() {
        let Some(entry) = name.strip_suffix(".pixel_values") else {
            continue;
        };
        entries += 1;
        let (shape, pixels, grid) = found(&sources(entry));
        assert_eq!(shape, tensor.shape(), "{case} of {entry}");
        let right = numbers(&tensor, f32::from_le_bytes);
        assert_eq!(pixels.len(), right.len(), "{case} of {entry}");
        let differences = pixels.iter().zip(&right).map(|(a, b)| (a - b).abs());
        // A step of a byte is 0.0078 and more.
        let off = differences.filter(|d| d.is_nan() || *d > 1e-5).count();
        assert_eq!(off, 0, "{case} of {entry}: so many pixels are off");
        let grids = expected.tensor(&format!("{entry}.grid"));
        let right = grids.map(|grids| numbers(&grids, i64::from_le_bytes));
        let right: Vec<usize> = right.into_iter().flatten().map(|n| n as usize).collect();
        assert_eq!(grid, right, "{case} of {entry}");
    }
    assert!(entries >= 9, "{case}: {entries} entries");
}

#[test]
fn parity_of_tiles() {
    for case in ["idefics3", "smolvlm", "smolvlm-whole", "smolvlm-one-tile"] {
        let json = settings(case);
        let processor = TiledImageProcessor::from_json(case, &json).expect("a published file");
        assert_eq!(processor.source(), json);
        check(case, |sources| {
            let images = sources.iter().map(|source| processor.process(source));
            let images: Vec<_> = images.collect::<Result<_, _>>().expect("pictures");
            let device = runtime::open("flex".parse().expect("a name")).expect("a device");
            let batch = processor.collate(&images, &device).pixels;
            let grids = images.iter().flat_map(|image| image.grid()).collect();
            let shape = batch.dims().to_vec();
            (shape, batch.into_data().iter().collect(), grids)
        });
    }
}

#[test]
fn parity_of_patches() {
    for case in ["qwen2-vl", "qwen2-vl-odd", "qwen2-vl-grown"] {
        let json = settings(case);
        let processor = PatchedImageProcessor::from_json(case, &json).expect("a published file");
        assert_eq!(processor.source(), json);
        check(case, |sources| {
            let images = sources.iter().map(|source| processor.process(source));
            let images: Vec<_> = images.collect::<Result<_, _>>().expect("pictures");
            let device = runtime::open("flex".parse().expect("a name")).expect("a device");
            let batch = processor.collate(&images, &device);
            let shape = batch.patches.dims().to_vec();
            let grids = batch.grids.into_iter().flatten().collect();
            (shape, batch.patches.into_data().iter().collect(), grids)
        });
    }
}

#[test]
fn parity_of_pictures_made_square() {
    for case in ["llava", "llava-padded"] {
        let processor = PublishedImageProcessor::from_json(case, &settings(case));
        let processor = processor.expect("a published file");
        check(case, |sources| {
            let image = processor.process(&sources[0]).expect("a picture");
            let [channels, height, width] = image.dims();
            let shape = vec![1, channels, height, width];
            (shape, image.pixels().to_vec(), Vec::new())
        });
    }
}

#[test]
fn parity_of_every_setting_is_tried() {
    let entries = std::fs::read_dir(folder()).expect("fixtures");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let cases = names.filter(|name| name.to_string_lossy().ends_with(".json"));
    assert_eq!(cases.count(), 9);
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    let tiled = |more: &str| {
        let json = format!(r#"{{"image_processor_type": "SmolVLMImageProcessor", {more}}}"#);
        TiledImageProcessor::from_json("model/preprocessor_config.json", &json).map(drop)
    };
    let patched = |more: &str| {
        let json = format!(r#"{{"image_processor_type": "Qwen2VLImageProcessor", {more}}}"#);
        PatchedImageProcessor::from_json("model/preprocessor_config.json", &json).map(drop)
    };
    let other = |json: &str| {
        let tiled = TiledImageProcessor::from_json("model/preprocessor_config.json", json);
        let patched = PatchedImageProcessor::from_json("model/preprocessor_config.json", json);
        assert!(tiled.is_err(), "{json}");
        patched.map(drop)
    };
    let square = |more: &str| {
        let json =
            format!(r#"{{"image_processor_type": "LlavaImageProcessor", "do_pad": true, {more}}}"#);
        PublishedImageProcessor::from_json("model/preprocessor_config.json", &json).map(drop)
    };
    for (result, key) in [
        (tiled(r#""size": 512"#), "size"),
        (tiled(r#""size": {"height": 9, "width": 9}"#), "size"),
        (tiled(r#""size": {"longest_edge": 0}"#), "size"),
        (tiled(r#""size": {"longest_edge": 1e9}"#), "size"),
        (
            tiled(r#""max_image_size": {"longest_edge": -1}"#),
            "max_image_size",
        ),
        (
            tiled(r#""max_image_size": {"longest_edge": 1}"#),
            "max_image_size",
        ),
        (tiled(r#""do_resize": false"#), "do_resize"),
        (tiled(r#""do_image_splitting": 1"#), "do_image_splitting"),
        (tiled(r#""resample": 9"#), "resample"),
        (tiled(r#""image_std": 0"#), "image_std"),
        (tiled(r#""crop_pct": 0.5"#), "crop_pct"),
        (patched(r#""size": 512"#), "size"),
        (patched(r#""size": {"longest_edge": 900}"#), "size"),
        (
            patched(r#""size": {"shortest_edge": 900, "longest_edge": 800}"#),
            "size",
        ),
        (patched(r#""min_pixels": 0"#), "min_pixels"),
        (patched(r#""max_pixels": 99999999999"#), "max_pixels"),
        (patched(r#""max_pixels": 9"#), "size"),
        (patched(r#""patch_size": 0"#), "patch_size"),
        (patched(r#""merge_size": 1.5"#), "merge_size"),
        (
            patched(r#""temporal_patch_size": 1000"#),
            "temporal_patch_size",
        ),
        (patched(r#""do_resize": false"#), "do_resize"),
        (patched(r#""do_pad": true"#), "do_pad"),
        (
            other(r#"{"image_processor_type": "CLIPImageProcessor"}"#),
            "image_processor_type",
        ),
        (
            other(r#"{"image_processor_type": 3}"#),
            "image_processor_type",
        ),
        (other("{}"), "image_processor_type"),
        (other("["), "the file"),
        (square(r#""image_mean": 1.5"#), "image_mean"),
        (square(r#""do_thumbnail": true"#), "do_thumbnail"),
    ] {
        let message = result.expect_err(key).to_string();
        let start = format!("model/preprocessor_config.json: {key}: ");
        assert!(message.starts_with(&start), "{message}");
        assert!(message.len() < 300, "{message}");
    }
}

#[test]
fn pictures_of_any_shape_are_cut_or_refused_in_bounded_memory() {
    let black =
        |width: usize, height: usize| Picture::new(width, height, 1, vec![0; width * height]);
    let shapes = [(1, 1), (1, 65_535), (65_535, 1), (2, 3), (300, 31)];
    let json = r#"{"image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 40}, "max_image_size": {"longest_edge": 7}}"#;
    let tiled = TiledImageProcessor::from_json("file", json).expect("can work");
    for (width, height) in shapes {
        let image = tiled.prepare(black(width, height));
        let [rows, columns] = image.grid();
        assert!(rows.max(columns) == 6 && rows.min(columns) >= 1);
        assert_eq!(image.tiles().len(), rows * columns + 1);
    }
    let one = tiled.with_splitting(false).prepare(black(300, 31));
    assert_eq!((one.grid(), one.tiles().len()), ([0, 0], 1));

    let json = r#"{"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 4, "min_pixels": 80, "max_pixels": 900}"#;
    let patched = PatchedImageProcessor::from_json("file", json).expect("can work");
    for (width, height) in shapes {
        match patched.prepare("photo", black(width, height)) {
            Ok(image) => {
                let [frames, rows, columns] = image.grid();
                assert!(
                    frames == 1 && rows * columns * 16 <= 900,
                    "{rows} x {columns}"
                );
                assert_eq!(image.patches().len(), rows * columns * patched.d_patch());
            }
            Err(error @ Error::TooNarrow { .. }) => {
                assert!(width.max(height) == 65_535, "{error}");
                assert!(error.to_string().starts_with("photo: "), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_thread_is_not_made_a_square_that_no_memory_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("thread.png");
    image::GrayImage::new(1, 300).save(&path).expect("saved");
    let processor = PublishedImageProcessor::from_json("file", &settings("llava-padded"));
    let processor = processor.expect("a published file");
    assert!(processor.process(&Source::path(&path)).is_ok());
    let few = Limits {
        max_pixels: 80_000,
        ..Limits::default()
    };
    let error = processor.with_limits(few).process(&Source::path(&path));
    let error = error.expect_err("90,000 pixels").to_string();
    assert!(
        error.contains("300 x 300 pixels are more than the 80000"),
        "{error}"
    );
}
