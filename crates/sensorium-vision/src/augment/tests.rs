//! Each change does what its name says, nothing else, and the same again for the same seed.

use sensorium_core::seed;

use super::*;
use crate::{Normalize, PrepareConfig};

const SIZE: usize = 8;

fn prepare() -> PrepareConfig {
    PrepareConfig::new(SIZE).with_normalize(Normalize::Imagenet)
}

/// A picture without symmetry whose pixels stay clear of black and white.
fn sample() -> ImageSample {
    let (mean, std) = (prepare().channel_mean(), prepare().channel_std());
    let pixels = (0..3 * SIZE * SIZE).map(|i| {
        let unit = 0.25 + 0.5 * ((i * 37 % 101) as f32 / 101.0);
        (unit - mean[i / 64]) / std[i / 64]
    });
    ImageSample::new(3, SIZE, SIZE, pixels.collect())
}

fn apply(config: AugmentConfig, seed_: u64) -> ImageSample {
    config.validate().expect("valid");
    config.apply(
        sample(),
        &prepare().black_and_white(),
        &mut seed::rng(seed_, &[]),
    )
}

fn difference(a: &ImageSample, b: &ImageSample) -> f32 {
    let pairs = a.pixels().iter().zip(b.pixels());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn every() -> Vec<AugmentConfig> {
    let off = AugmentConfig::default();
    vec![
        AugmentConfig { shift: 0.2, ..off },
        AugmentConfig { zoom: 0.2, ..off },
        AugmentConfig {
            rotate_deg: 20.0,
            ..off
        },
        AugmentConfig { flip: true, ..off },
        AugmentConfig {
            brightness: 0.2,
            ..off
        },
        AugmentConfig {
            contrast: 0.5,
            ..off
        },
        AugmentConfig { noise: 0.1, ..off },
        AugmentConfig { erase: 1.0, ..off },
        AugmentConfig {
            crop: Some(0.3),
            ..off
        },
        AugmentConfig { shear: 0.2, ..off },
        AugmentConfig {
            saturation: 0.5,
            ..off
        },
        AugmentConfig { hue: 0.2, ..off },
        AugmentConfig {
            grayscale: 0.5,
            ..off
        },
        AugmentConfig {
            sharpness: 0.5,
            ..off
        },
        AugmentConfig { blur: 0.5, ..off },
        AugmentConfig {
            autocontrast: 0.5,
            ..off
        },
        AugmentConfig {
            posterize: 0.5,
            ..off
        },
        AugmentConfig {
            solarize: 0.5,
            ..off
        },
        AugmentConfig {
            rand_augment: Some(RandAugment::default()),
            ..off
        },
    ]
}

fn motion(config: &AugmentConfig, draw: &Draw) -> Motion {
    let more = More::new(&seed::rng(1, &[]));
    Motion::of(config, draw, &more, [3, SIZE, SIZE])
}

#[test]
fn by_default_nothing_changes() {
    assert_eq!(apply(AugmentConfig::default(), 1), sample());
}

#[test]
fn each_change_repeats_for_its_seed_and_differs_for_another() {
    for config in every() {
        assert_eq!(apply(config, 1), apply(config, 1), "{config:?}");
        let kinds: Vec<ImageSample> = (0..12).map(|seed| apply(config, seed)).collect();
        assert!(kinds.iter().any(|k| *k != kinds[0]), "{config:?}");
        for kind in kinds {
            assert_eq!(kind.dims(), [3, SIZE, SIZE]);
            assert!(kind.pixels().iter().all(|p| p.is_finite()), "{config:?}");
        }
    }
}

#[test]
fn pixels_stay_between_black_and_white() {
    let (mean, std) = (prepare().channel_mean(), prepare().channel_std());
    let config = AugmentConfig {
        brightness: 1.0,
        contrast: 1.0,
        noise: 1.0,
        ..AugmentConfig::default()
    };
    for seed in 0..20 {
        let out = apply(config, seed);
        for (i, pixel) in out.pixels().iter().enumerate() {
            let unit = pixel * std[i / 64] + mean[i / 64];
            assert!((-1e-5..=1.0 + 1e-5).contains(&unit), "{unit}");
        }
    }
}

#[test]
fn a_flip_mirrors_left_and_right() {
    let config = AugmentConfig {
        flip: true,
        ..AugmentConfig::default()
    };
    let original = sample();
    let mirrored = |at: usize| {
        let (row, column) = (at / SIZE, at % SIZE);
        original.pixels()[row * SIZE + SIZE - 1 - column]
    };
    let mut flips = 0;
    for seed in 0..40 {
        let out = apply(config, seed);
        if out == original {
            continue;
        }
        flips += 1;
        let same = out
            .pixels()
            .iter()
            .enumerate()
            .all(|(at, p)| *p == mirrored(at));
        assert!(same, "seed {seed}");
    }
    assert!((10..=30).contains(&flips), "{flips} of 40 were flipped");
}

#[test]
fn a_shift_moves_every_channel_alike_and_repeats_the_edge() {
    let draw = Draw {
        shift: [1.0, -1.0],
        ..Draw::new(&mut seed::rng(1, &[]))
    };
    let config = AugmentConfig {
        shift: 0.25,
        ..AugmentConfig::default()
    };
    let (out, original) = (motion(&config, &draw).apply(&sample()), sample());
    let at = |s: &ImageSample, c: usize, x: usize, y: usize| s.pixels()[(c * SIZE + y) * SIZE + x];
    for c in 0..3 {
        for y in 0..SIZE {
            for x in 0..SIZE {
                let expected = at(&original, c, x.saturating_sub(2), (y + 2).min(SIZE - 1));
                assert!((at(&out, c, x, y) - expected).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn a_quarter_turn_is_a_quarter_turn() {
    let draw = Draw {
        rotate: 1.0,
        ..Draw::new(&mut seed::rng(1, &[]))
    };
    let config = AugmentConfig {
        rotate_deg: 90.0,
        ..AugmentConfig::default()
    };
    let (out, original) = (motion(&config, &draw).apply(&sample()), sample());
    for y in 0..SIZE {
        for x in 0..SIZE {
            // Clockwise: what stood at the left end of a row stands at its top.
            let expected = original.pixels()[(SIZE - 1 - x) * SIZE + y];
            assert!((out.pixels()[y * SIZE + x] - expected).abs() < 1e-4);
        }
    }
}

#[test]
fn brightness_is_in_units_of_light() {
    let config = AugmentConfig {
        brightness: 0.2,
        ..AugmentConfig::default()
    };
    let std = prepare().channel_std();
    for seed in 0..10 {
        let (out, original) = (apply(config, seed), sample());
        let light = |i: usize| (out.pixels()[i] - original.pixels()[i]) * std[i / 64];
        assert!(light(0).abs() <= 0.2 + 1e-5);
        assert!((0..3 * 64).all(|i| (light(i) - light(0)).abs() < 1e-5));
    }
}

#[test]
fn erasing_sets_one_rectangle_to_the_mean() {
    let config = AugmentConfig {
        erase: 1.0,
        ..AugmentConfig::default()
    };
    for seed in 0..30 {
        let out = apply(config, seed);
        let erased = out.pixels()[..64].iter().filter(|p| **p == 0.0).count();
        assert!((1..=20).contains(&erased), "{erased} pixels of 64");
        assert!(difference(&out, &sample()) > 0.0);
    }
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    for config in every() {
        config.validate().expect("mild values are valid");
    }
    let bad = [
        AugmentConfig {
            shift: 0.6,
            ..AugmentConfig::default()
        },
        AugmentConfig {
            noise: f32::NAN,
            ..AugmentConfig::default()
        },
        AugmentConfig {
            erase: -0.1,
            ..AugmentConfig::default()
        },
    ];
    for config in bad {
        assert!(
            matches!(config.validate(), Err(Error::Config(_))),
            "{config:?}"
        );
    }
}
