//! Images of any shape and content are changed without a panic, grey ones stay grey, and settings do not meddle with each other.

use proptest::prelude::*;
use rand::RngExt;
use sensorium_core::seed;

use super::rand_augment::Operation;
use super::*;

const UNIT: [[f32; 2]; 4] = [[0.0, 1.0]; 4];

fn sample(channels: usize, height: usize, width: usize) -> ImageSample {
    let count = channels * height * width;
    let pixels = (0..count).map(|i| (i * 37 % 101) as f32 / 101.0);
    ImageSample::new(channels, height, width, pixels.collect())
}

/// A picture that is black nowhere.
fn clear(size: usize) -> ImageSample {
    let mut clear = sample(3, size, size);
    clear
        .pixels_mut()
        .iter_mut()
        .for_each(|v| *v = 0.25 + 0.5 * *v);
    clear
}

fn apply(config: AugmentConfig, sample: &ImageSample, n: u64) -> ImageSample {
    config.validate().expect("valid");
    config.apply(sample.clone(), &UNIT, &mut seed::rng(n, &[]))
}

/// Everything at once, as far as it goes.
fn all() -> AugmentConfig {
    AugmentConfig {
        crop: Some(0.01),
        shift: 0.5,
        zoom: 0.9,
        rotate_deg: 180.0,
        shear: 0.5,
        flip: true,
        jitter_chance: 1.0,
        brightness: 1.0,
        contrast: 1.0,
        saturation: 1.0,
        hue: 0.5,
        grayscale: 0.5,
        sharpness: 1.0,
        blur: 1.0,
        autocontrast: 0.5,
        equalize: 0.5,
        posterize: 0.5,
        solarize: 0.5,
        noise: 1.0,
        erase: 1.0,
        rand_augment: Some(RandAugment { n: 16, m: 30.0 }),
    }
}

#[test]
fn any_shape_is_changed_and_stays_in_range() {
    for (height, width) in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 40), (41, 23)] {
        for channels in 1..=4 {
            let original = sample(channels, height, width);
            for n in 0..30 {
                let changed = apply(all(), &original, n);
                assert_eq!(changed.dims(), original.dims());
                let fits = changed.pixels().iter().all(|v| (0.0..=1.0).contains(v));
                assert!(fits, "{channels} x {height} x {width}, {n}");
            }
        }
    }
    let nothing = ImageSample::new(3, 0, 0, Vec::new());
    assert_eq!(apply(all(), &nothing, 1), nothing);
}

#[test]
fn what_is_no_number_is_no_panic() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        for channels in [1, 3, 4] {
            let mut original = sample(channels, 7, 6);
            original.pixels_mut()[5] = bad;
            let all_bad = ImageSample::new(channels, 7, 6, vec![bad; channels * 42]);
            for n in 0..30 {
                assert_eq!(apply(all(), &original, n).dims(), [channels, 7, 6]);
                assert_eq!(apply(all(), &all_bad, n).dims(), [channels, 7, 6]);
            }
        }
    }
    for operation in Operation::ALL {
        let mut bad = ImageSample::new(3, 5, 5, vec![f32::NAN; 75]);
        operation.apply(&mut bad, 1.0, -1.0);
    }
}

#[test]
fn black_that_is_white_is_no_panic() {
    let original = sample(3, 6, 6);
    let ends = [[0.5, 0.5]; 3];
    let changed = all().apply(original, &ends, &mut seed::rng(1, &[]));
    assert!(changed.pixels().iter().all(|v| v.is_finite()));
}

#[test]
fn grey_images_have_no_colour_to_change() {
    let config = AugmentConfig {
        saturation: 1.0,
        hue: 0.5,
        grayscale: 1.0,
        ..AugmentConfig::default()
    };
    let grey = sample(1, 8, 8);
    // Three channels that are alike stay alike; torchvision's weights of the colours add up to 0.9999.
    let threefold = ImageSample::new(3, 8, 8, grey.pixels().repeat(3));
    for n in 0..20 {
        assert_eq!(apply(config, &grey, n), grey);
        let changed = apply(config, &threefold, n);
        let pairs = changed.pixels().iter().zip(threefold.pixels());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 3e-4));
    }
}

#[test]
fn a_setting_leaves_the_draws_of_the_others_alone() {
    let noise = AugmentConfig {
        noise: 0.02,
        shift: 0.2,
        ..AugmentConfig::default()
    };
    // What blanks the same rectangle draws the same as ever.
    let erased = |config: AugmentConfig, n| {
        let changed = apply(
            AugmentConfig {
                erase: 1.0,
                ..config
            },
            &clear(12),
            n,
        );
        let zeros = changed.pixels()[..144].iter().map(|v| *v == 0.0);
        zeros.collect::<Vec<_>>()
    };
    let colour = AugmentConfig {
        crop: Some(0.5),
        hue: 0.2,
        blur: 1.0,
        brightness: 0.0,
        rand_augment: Some(RandAugment::default()),
        ..noise
    };
    for n in 0..10 {
        let plain = erased(noise, n);
        let busy = erased(colour, n);
        let kept = plain.iter().zip(&busy).filter(|(a, _)| **a);
        assert!(kept.into_iter().all(|(a, b)| a == b), "{n}");
    }
    // The generator goes on from the same place whatever was asked for.
    for config in [
        all(),
        AugmentConfig {
            noise: 0.0,
            ..all()
        },
    ] {
        let quiet = AugmentConfig {
            noise: 0.0,
            ..config
        };
        let after = |config: AugmentConfig| {
            let mut rng = seed::rng(3, &[]);
            config.apply(sample(3, 4, 4), &UNIT, &mut rng);
            rng.random::<u64>()
        };
        let flip = AugmentConfig {
            flip: true,
            ..AugmentConfig::default()
        };
        assert_eq!(after(quiet), after(flip));
    }
}

#[test]
fn a_chance_decides_of_all_jitter_together() {
    let original = sample(3, 8, 8);
    let config = AugmentConfig {
        jitter_chance: 0.5,
        brightness: 0.2,
        contrast: 0.5,
        saturation: 0.5,
        hue: 0.2,
        ..AugmentConfig::default()
    };
    let always = AugmentConfig {
        jitter_chance: 1.0,
        ..config
    };
    let same = (0..40).filter(|n| apply(config, &original, *n) == original);
    let same = same.count();
    assert!((8..=32).contains(&same), "{same} of 40 stay as they are");
    for n in 0..40 {
        let changed = apply(config, &original, n);
        assert!(changed == original || changed == apply(always, &original, n));
    }
}

#[test]
fn values_are_spread_where_there_are_pixels_enough() {
    let config = AugmentConfig {
        equalize: 0.5,
        ..AugmentConfig::default()
    };
    let (small, large) = (clear(8), clear(32));
    let spread: Vec<ImageSample> = (0..20).map(|n| apply(config, &large, n)).collect();
    let changed: Vec<_> = spread.iter().filter(|s| **s != large).collect();
    assert!((4..=16).contains(&changed.len()), "{}", changed.len());
    for sample in changed {
        let below = sample.pixels()[..1024].iter().filter(|v| **v < 0.25);
        let below = below.count();
        // A fourth, but for Pillow's steps, which are rounded to three pixels.
        assert!((180..=260).contains(&below), "{below} of 1024");
    }
    assert!((0..20).all(|n| apply(config, &small, n) == small));
}

#[test]
fn two_copies_by_one_generator_differ() {
    let config = AugmentConfig {
        crop: Some(0.2),
        ..AugmentConfig::default()
    };
    let mut rng = seed::rng(1, &[]);
    let original = sample(3, 8, 8);
    let one = config.apply(original.clone(), &UNIT, &mut rng);
    assert_ne!(one, config.apply(original, &UNIT, &mut rng));
}

#[test]
fn parts_are_as_large_as_asked_and_lie_everywhere() {
    let mut rng = seed::rng(1, &[]);
    let mut corners = [false; 2];
    for _ in 0..500 {
        let part = Part::draw(40, 40, 0.25, &mut rng);
        let share = (part.height * part.width) as f32 / 1600.0;
        let ratio = part.width as f32 / part.height as f32;
        assert!((0.24..=1.0).contains(&share), "{share}");
        assert!((0.71..=1.4).contains(&ratio), "{ratio}");
        assert!(part.top + part.height <= 40 && part.left + part.width <= 40);
        corners[0] |= part.top == 0;
        corners[1] |= part.top + part.height == 40 && part.height < 40;
    }
    assert_eq!(corners, [true, true]);
    // Nothing of such a shape fits: the middle.
    let part = Part::draw(1, 100, 0.9, &mut rng);
    assert_eq!((part.height, part.width, part.left), (1, 1, 49));
}

#[test]
fn rand_augment_never_mirrors_and_reaches_every_change() {
    let config = AugmentConfig {
        rand_augment: Some(RandAugment { n: 1, m: 10.0 }),
        ..AugmentConfig::default()
    };
    let original = sample(3, 20, 20);
    let kinds: std::collections::BTreeSet<Vec<u32>> = (0..300)
        .map(|n| apply(config, &original, n))
        .map(|s| s.pixels().iter().map(|v| v.to_bits()).collect())
        .collect();
    // Nine of fourteen have two directions, and what is none or only one of two may come out alike.
    assert!((20..=23).contains(&kinds.len()), "{}", kinds.len());
    let row = |s: &ImageSample, y: usize| s.pixels()[y * 20..(y + 1) * 20].to_vec();
    let mirrored: Vec<f32> = row(&original, 7).into_iter().rev().collect();
    assert!((0..300).all(|n| row(&apply(config, &original, n), 7) != mirrored));
}

#[test]
fn what_is_strong_is_named() {
    let check = |config: AugmentConfig, key: &str| {
        let named = |error: Result<(), Error>| match error {
            Err(Error::Config(misfit)) => misfit.key,
            other => panic!("{key}: {other:?}"),
        };
        let usual = key.replace("strong", "augment");
        assert_eq!(named(config.validate_as(Changes::Strong)), key);
        assert_eq!(named(config.validate()), usual);
    };
    let few = |n, m| AugmentConfig {
        rand_augment: Some(RandAugment { n, m }),
        ..AugmentConfig::default()
    };
    let changed = |change: fn(&mut AugmentConfig)| {
        let mut config = AugmentConfig::default();
        change(&mut config);
        config
    };
    check(changed(|c| c.crop = Some(0.0)), "strong.crop");
    check(changed(|c| c.crop = Some(f32::NAN)), "strong.crop");
    check(changed(|c| c.shear = 0.6), "strong.shear");
    check(changed(|c| c.hue = 0.6), "strong.hue");
    check(changed(|c| c.blur = -0.1), "strong.blur");
    check(changed(|c| c.jitter_chance = 1.1), "strong.jitter_chance");
    check(few(0, 10.0), "strong.rand_augment.n");
    check(few(2, 31.0), "strong.rand_augment.m");
    AugmentConfig::simclr().validate().expect("a preset");
    all().stronger().validate().expect("as large as can be");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_table_that_is_valid_can_be_followed(
        crop in 0.001f32..=1.0, amount in 0.0f32..=0.5, chance in 0.0f32..=1.0, n in 1usize..=16, m in 0.0f32..=30.0,
        height in 1usize..12, width in 1usize..12, channels in 1usize..=4, seed in any::<u64>(),
    ) {
        let config = AugmentConfig {
            crop: Some(crop), shift: amount, shear: amount, hue: amount, saturation: chance, sharpness: chance, blur: chance,
            rand_augment: Some(RandAugment { n, m }), ..AugmentConfig::default()
        };
        let changed = apply(config, &sample(channels, height, width), seed);
        prop_assert!(changed.pixels().iter().all(|v| (-1e-6..=1.0 + 1e-6).contains(v)));
    }
}
