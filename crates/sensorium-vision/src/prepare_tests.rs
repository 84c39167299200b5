//! Preparing scales, normalises and lays out as it says, and refuses what cannot work.

use super::*;

fn picture() -> Picture {
    Picture::new(2, 2, 3, (0..12).map(|v| v * 20).collect())
}

#[test]
fn pixels_are_scaled_normalised_and_laid_out_by_channel() {
    let mut config = PrepareConfig::new(2).with_normalize(Normalize::None);
    config.mean = Some(vec![0.1, 0.2, 0.3]);
    config.std = Some(vec![0.5, 2.0, 1.0]);
    let sample = config.prepare(picture());
    assert_eq!(sample.dims(), [3, 2, 2]);
    for (c, (mean, std)) in [(0.1, 0.5), (0.2, 2.0), (0.3, 1.0)].into_iter().enumerate() {
        for place in 0..4 {
            let byte = ((place * 3 + c) * 20) as f32;
            let expected = (byte / 255.0 - mean) / std;
            let found = sample.pixels()[c * 4 + place];
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }
}

#[test]
fn presets_hold_what_their_sources_say() {
    let white = Picture::new(1, 1, 3, vec![255; 3]);
    let corner = |config: PrepareConfig| {
        let sample = PrepareConfig {
            image_size: 1,
            shortest_edge: None,
            ..config
        }
        .prepare(white.clone());
        sample.pixels().to_vec()
    };
    assert_eq!(corner(PrepareConfig::new(224)), [1.0; 3]);
    assert_eq!(
        corner(PrepareConfig::clip())[0],
        (1.0 - 0.481_454_66) / 0.268_629_54
    );
    assert_eq!(corner(PrepareConfig::imagenet())[2], (1.0 - 0.406) / 0.225);
    for preset in [
        PrepareConfig::new(224),
        PrepareConfig::clip(),
        PrepareConfig::imagenet(),
    ] {
        preset.validate().expect("presets are valid");
    }
}

#[test]
fn grey_and_colour_are_made_of_each_other() {
    let grey = Picture::new(1, 1, 1, vec![51]);
    let config = PrepareConfig::new(1).with_normalize(Normalize::None);
    assert_eq!(config.prepare(grey.clone()).pixels(), [0.2; 3]);
    assert_eq!(
        config.with_channels(1).prepare(grey.to_rgb()).pixels(),
        [0.2]
    );
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    let base = PrepareConfig::new(8);
    let grey = base.clone().with_channels(1);
    let cases = [
        (PrepareConfig::new(0), "image_size"),
        (base.clone().with_channels(4), "channels"),
        (
            PrepareConfig {
                shortest_edge: Some(7),
                ..base.clone()
            },
            "shortest_edge",
        ),
        (
            PrepareConfig {
                shortest_edge: Some(9),
                fit: Fit::Stretch,
                ..base.clone()
            },
            "shortest_edge",
        ),
        (grey.clone().with_normalize(Normalize::Clip), "normalize"),
        (
            PrepareConfig {
                mean: Some(vec![0.5; 3]),
                ..grey
            },
            "mean",
        ),
        (
            PrepareConfig {
                mean: Some(vec![f32::NAN]),
                ..base.clone()
            },
            "mean",
        ),
        (
            PrepareConfig {
                std: Some(vec![0.5, 0.0, 0.5]),
                ..base.clone()
            },
            "std",
        ),
        (
            PrepareConfig {
                std: Some(vec![]),
                ..base
            },
            "std",
        ),
    ];
    for (config, expected) in cases {
        match config.validate() {
            Err(Error::Config(misfit)) => assert_eq!(misfit.key, expected, "{config:?}"),
            other => panic!("{config:?}: {other:?}"),
        }
    }
}
