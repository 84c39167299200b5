//! Each change without chance equals torchvision's, on a fixture made by tools/parity/vision/augment.py.

use std::collections::BTreeMap;

use safetensors::SafeTensors;

use super::place::{Motion, Part, resized};
use super::rand_augment::Operation;
use super::{colour, focus, tone};
use crate::ImageSample;

fn cases() -> BTreeMap<String, ImageSample> {
    let bytes = include_bytes!("../../tests/fixtures/augment.safetensors");
    let tensors = SafeTensors::deserialize(bytes).expect("a fixture");
    let read = |(name, tensor): (String, safetensors::tensor::TensorView)| {
        let pixels = tensor.data().chunks_exact(4);
        let pixels = pixels.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let [channels, height, width] = tensor.shape().try_into().expect("three sides");
        let sample = ImageSample::new(channels, height, width, pixels.collect());
        (name, sample)
    };
    let tensors = tensors.tensors();
    tensors.into_iter().map(read).collect()
}

type Change = fn(&mut ImageSample);

const MOVED: Motion = Motion {
    shift: [3.0, -2.0],
    ..Motion::NONE
};

/// On floats in 0..1, as torchvision's are.
const CHANGES: [(&str, Change); 24] = [
    ("crop", |s| {
        let part = Part {
            top: 3,
            left: 2,
            height: 7,
            width: 9,
        };
        *s = resized(s, part);
    }),
    ("brighter", |s| colour::brighten(s, 1.3)),
    ("darker", |s| colour::brighten(s, 0.6)),
    ("more contrast", |s| colour::contrast(s, 1.7)),
    ("less contrast", |s| colour::contrast(s, 0.4)),
    ("more contrast of grey", |s| colour::contrast(s, 1.7)),
    ("more saturated", |s| colour::saturate(s, 1.6)),
    ("less saturated", |s| colour::saturate(s, 0.3)),
    ("hue up", |s| colour::shift_hue(s, 0.2)),
    ("hue down", |s| colour::shift_hue(s, -0.35)),
    ("grey out", colour::grey_out),
    ("solarized", |s| tone::solarize(s, 0.41)),
    ("posterized 4", |s| tone::posterize(s, 4)),
    ("posterized 6", |s| tone::posterize(s, 6)),
    ("autocontrast", tone::autocontrast),
    ("equalized", tone::equalize),
    ("sharper", |s| focus::sharpen(s, 1.8)),
    ("softer", |s| focus::sharpen(s, 0.2)),
    ("blurred 1", |s| focus::blur(s, 1, 0.7)),
    ("blurred 2", |s| focus::blur(s, 2, 1.6)),
    ("sheared across", |s| {
        let shear = [0.2, 0.0];
        *s = Motion {
            shear,
            ..Motion::NONE
        }
        .apply(s);
    }),
    ("sheared down", |s| {
        let shear = [0.0, -0.15];
        *s = Motion {
            shear,
            ..Motion::NONE
        }
        .apply(s);
    }),
    ("turned", |s| {
        let rotate_deg = 20.0;
        *s = Motion {
            rotate_deg,
            ..Motion::NONE
        }
        .apply(s);
    }),
    ("moved", |s| *s = MOVED.apply(s)),
];

/// On bytes, which torchvision rounds down.
const OF_BYTES: [(&str, Change); 5] = [
    ("bytes brighter", |s| colour::brighten(s, 1.3)),
    ("bytes solarized", |s| tone::solarize(s, 0.41)),
    ("bytes posterized 4", |s| tone::posterize(s, 4)),
    ("bytes autocontrast", tone::autocontrast),
    ("bytes equalized", tone::equalize),
];

/// The largest distance where there is something to compare, and in how many places.
fn distance(found: &ImageSample, expected: &ImageSample) -> (f32, usize) {
    assert_eq!(found.dims(), expected.dims());
    let pairs = found.pixels().iter().zip(expected.pixels());
    let known = pairs.filter(|(_, expected)| !expected.is_nan());
    known.fold((0.0, 0), |(most, count), (a, b)| {
        (f32::max(most, (a - b).abs()), count + 1)
    })
}

#[test]
fn each_change_equals_torchvision_s() {
    let cases = cases();
    assert_eq!(cases.len(), 2 + CHANGES.len() + OF_BYTES.len());
    let floats = CHANGES.map(|(name, change)| (name, change, 1e-5));
    let bytes = OF_BYTES.map(|(name, change)| (name, change, 1.0 / 255.0));
    for (name, change, tolerance) in floats.into_iter().chain(bytes) {
        let expected = &cases[name];
        let original = &cases[if expected.dims()[0] == 1 {
            "grey"
        } else {
            "rgb"
        }];
        let mut found = original.clone();
        change(&mut found);
        let (off, compared) = distance(&found, expected);
        assert!(off < tolerance, "{name}: {off}");
        assert!(2 * compared > expected.pixels().len(), "{name}: {compared}");
        let (changed, _) = distance(&found, original);
        assert!(changed > 0.01, "{name} changes something");
    }
}

#[test]
fn rand_augment_is_as_large_as_torchvision_s() {
    let cases = cases();
    let check = |operation: Operation, strength, sign, same: Change| {
        let (mut found, mut expected) = (cases["rgb"].clone(), cases["rgb"].clone());
        operation.apply(&mut found, strength, sign);
        same(&mut expected);
        let (off, _) = distance(&found, &expected);
        assert!(off < 1e-5, "{operation:?}: {off}");
    };
    let third = 1.0 / 3.0;
    check(Operation::Identity, third, 1.0, |_| ());
    check(Operation::Brightness, third, 1.0, |s| {
        colour::brighten(s, 1.3)
    });
    check(Operation::Contrast, 1.0, -1.0, |s| colour::contrast(s, 0.1));
    check(Operation::Colour, third, 1.0, |s| colour::saturate(s, 1.3));
    check(Operation::Sharpness, 1.0, 1.0, |s| focus::sharpen(s, 1.9));
    check(Operation::Posterize, 1.0, 1.0, |s| tone::posterize(s, 4));
    // 10 / 7.5 is nearest to one.
    check(Operation::Posterize, third, 1.0, |s| tone::posterize(s, 7));
    check(Operation::Solarize, third, 1.0, |s| {
        tone::solarize(s, 2.0 / 3.0)
    });
    check(Operation::Turn, third, -1.0, |s| {
        let rotate_deg = -10.0;
        *s = Motion {
            rotate_deg,
            ..Motion::NONE
        }
        .apply(s);
    });
    check(Operation::ShearDown, 1.0, 1.0, |s| {
        let shear = [0.0, 0.3];
        *s = Motion {
            shear,
            ..Motion::NONE
        }
        .apply(s);
    });
    // 150 / 331 of 17 is 7.7, and of 13 is 5.9.
    check(Operation::MoveAcross, 1.0, 1.0, |s| {
        let shift = [7.0, 0.0];
        *s = Motion {
            shift,
            ..Motion::NONE
        }
        .apply(s);
    });
    check(Operation::MoveDown, 1.0, -1.0, |s| {
        let shift = [0.0, -5.0];
        *s = Motion {
            shift,
            ..Motion::NONE
        }
        .apply(s);
    });
}
