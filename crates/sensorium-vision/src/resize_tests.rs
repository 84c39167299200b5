//! Resizing gives Pillow's bytes, every one, on fixtures made by tools/parity/vision/pillow_resize.py.

use sensorium_core::Source;

use super::{Filter, Fit, resize, resize_and_crop};
use crate::{Limits, Picture, PrepareConfig, decode};

fn fixture(name: &str, channels: usize) -> Picture {
    let path = format!("{}/tests/fixtures/{name}.png", env!("CARGO_MANIFEST_DIR"));
    let rgb = decode(&Source::path(path), &Limits::default()).expect("a fixture");
    if channels == 1 { rgb.to_grey() } else { rgb }
}

#[track_caller]
fn equals(found: &Picture, expected: &Picture, what: &str) {
    assert_eq!(
        (found.width(), found.height(), found.channels()),
        (expected.width(), expected.height(), expected.channels()),
        "{what}"
    );
    let pairs = found.data().iter().zip(expected.data());
    let different = pairs.filter(|(a, b)| a != b).count();
    assert_eq!(different, 0, "{what}: bytes that differ from Pillow's");
}

const FILTERS: [(Filter, &str); 4] = [
    (Filter::Nearest, "nearest"),
    (Filter::Bilinear, "bilinear"),
    (Filter::Bicubic, "bicubic"),
    (Filter::Lanczos, "lanczos"),
];

#[test]
fn parity_with_pillow_at_exact_sizes() {
    for (filter, name) in FILTERS {
        for (width, height) in [(16, 16), (50, 31), (37, 9), (80, 60)] {
            let found = resize(&fixture("source-rgb", 3), width, height, filter);
            let name = format!("{name}-{width}x{height}-rgb");
            equals(&found, &fixture(&name, 3), &name);
        }
        let found = resize(&fixture("source-grey", 1), 16, 16, filter);
        let name = format!("{name}-16x16-grey");
        equals(&found, &fixture(&name, 1), &name);
    }
}

#[test]
fn parity_with_pillow_resizing_and_cropping() {
    for (mode, channels) in [("rgb", 3), ("grey", 1)] {
        for (edge, size) in [(16, 16), (20, 15), (40, 33)] {
            let source = fixture(&format!("source-{mode}"), channels);
            let found = resize_and_crop(&source, edge, size, Filter::Bicubic);
            let name = format!("crop-{edge}-{size}-{mode}");
            equals(&found, &fixture(&name, channels), &name);
        }
    }
}

#[test]
fn the_same_size_changes_nothing() {
    let source = fixture("source-rgb", 3);
    for (filter, name) in FILTERS {
        equals(&resize(&source, 37, 23, filter), &source, name);
    }
}

#[test]
fn any_shape_can_be_cropped() {
    let shapes = [
        (1, 1),
        (1, 65_535),
        (65_535, 1),
        (2, 3),
        (7, 224),
        (300, 31),
    ];
    for (width, height) in shapes {
        let picture = Picture::new(width, height, 1, vec![7; width * height]);
        for filter in FILTERS.map(|(f, _)| f) {
            for (edge, size) in [(1, 1), (16, 16), (33, 16)] {
                let found = resize_and_crop(&picture, edge, size, filter);
                assert_eq!((found.width(), found.height()), (size, size));
                assert!(found.data().iter().all(|v| *v == 7), "{width} x {height}");
            }
        }
        let prepare = PrepareConfig::new(8)
            .with_channels(1)
            .with_fit(Fit::Stretch);
        assert_eq!(prepare.prepare(picture).dims(), [1, 8, 8]);
    }
}
