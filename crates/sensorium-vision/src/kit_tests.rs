//! A recipe's table makes a processor and an encoder that fit each other, or is refused by key.

use sensorium_core::{Encoder, Processor, SampleRng, seed};
use sensorium_testkit::devices;

use super::*;

fn png() -> Source {
    let image = image::RgbImage::from_fn(9, 7, |x, y| {
        image::Rgb([(x * 20) as u8, (y * 30) as u8, 40])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("can be encoded");
    Source::bytes("small.png", bytes.into_inner())
}

#[test]
fn a_table_makes_what_fits_each_other() {
    for device in devices() {
        let config = ImageConfig {
            image_size: 8,
            channels: 1,
            patch_size: 4,
            d_model: 8,
            n_heads: 2,
            augment: AugmentConfig {
                shift: 0.1,
                ..AugmentConfig::default()
            },
            ..ImageConfig::default()
        };
        let processor = ImageKit::fit(&config, &mut std::iter::empty()).expect("valid");
        let sample = processor.process(&png()).expect("a sample");
        let mut rng: SampleRng = seed::rng(1, &[]);
        let changed = processor.augment(sample.clone(), &mut rng);
        assert_ne!(changed, sample);
        let encoder = ImageKit::encoder(&config, &processor, &device).unwrap();
        let tokens = encoder.encode(processor.collate(&[Some(&sample), None], &device));
        assert_eq!(tokens.dims(), [2, 5, 8]);
        assert_eq!(ImageKit::MODALITY, Vit::MODALITY);

        let folder = tempfile::tempdir().expect("a folder");
        ImageKit::save(&processor, folder.path()).expect("nothing to save");
        let opened = ImageKit::open(&config, folder.path()).expect("nothing to read");
        assert_eq!(opened.process(&png()).expect("a sample"), sample);
    }
}

#[test]
fn a_strong_copy_is_what_its_table_says_or_stronger_than_the_usual() {
    let usual = AugmentConfig {
        flip: true,
        ..AugmentConfig::default()
    };
    let noise = AugmentConfig {
        noise: 0.1,
        ..AugmentConfig::default()
    };
    let fit = |strong| {
        let config = ImageConfig {
            augment: usual,
            strong,
            ..ImageConfig::default()
        };
        ImageKit::fit(&config, &mut std::iter::empty()).expect("valid")
    };
    let sample = fit(None).process(&png()).expect("a sample");
    let strongly = |processor: &ImageProcessor, n| {
        processor.augment_strongly(sample.clone(), &mut seed::rng(1, &[n]))
    };
    let applied = |config: AugmentConfig, n| {
        let ends = ImageConfig::default().prepare().black_and_white();
        config.apply(sample.clone(), &ends, &mut seed::rng(1, &[n]))
    };
    for n in 0..10 {
        // Instead of the usual changes, not on top of them.
        assert_eq!(strongly(&fit(Some(noise)), n), applied(noise, n));
        assert_eq!(strongly(&fit(None), n), applied(usual.stronger(), n));
        assert_eq!(strongly(&fit(Some(AugmentConfig::default())), n), sample);
        assert_ne!(strongly(&fit(None), n), sample);
    }
}

#[test]
fn a_strong_table_that_cannot_work_is_refused_by_key() {
    let config = ImageConfig {
        strong: Some(AugmentConfig {
            crop: Some(1.5),
            ..AugmentConfig::default()
        }),
        ..ImageConfig::default()
    };
    for refused in [
        ImageKit::validate(&config),
        ImageKit::fit(&config, &mut std::iter::empty()).map(|_| ()),
    ] {
        let said = refused.expect_err("more than all").to_string();
        assert!(said.starts_with("strong.crop: 1.5; "), "{said}");
    }
}

#[test]
fn the_default_table_is_valid() {
    ImageKit::validate(&ImageConfig::default()).expect("valid");
}

#[test]
fn what_cannot_work_is_refused_by_key() {
    let base = ImageConfig::default();
    let cases = [
        (
            ImageConfig {
                image_size: 30,
                ..base.clone()
            },
            "image_size",
        ),
        (
            ImageConfig {
                channels: 2,
                ..base.clone()
            },
            "channels",
        ),
        (
            ImageConfig {
                d_model: 65,
                ..base.clone()
            },
            "d_model",
        ),
        (
            ImageConfig {
                dropout: 1.5,
                ..base.clone()
            },
            "dropout",
        ),
        (
            ImageConfig {
                channels: 1,
                normalize: Normalize::Clip,
                ..base.clone()
            },
            "normalize",
        ),
        (
            ImageConfig {
                stem: Some(StemConfig::new(4)),
                ..base.clone()
            },
            "patch_size",
        ),
        (
            ImageConfig {
                augment: AugmentConfig {
                    shift: 2.0,
                    ..AugmentConfig::default()
                },
                ..base
            },
            "augment.shift",
        ),
    ];
    for (config, expected) in cases {
        match ImageKit::validate(&config) {
            Err(Error::Config(misfit)) => assert_eq!(misfit.key, expected),
            other => panic!("{expected}: {other:?}"),
        }
        assert!(ImageKit::fit(&config, &mut std::iter::empty()).is_err());
    }
}

#[test]
fn a_table_is_written_as_it_is_read_and_unknown_keys_are_refused() {
    let config = ImageConfig {
        channels: 1,
        fit: Fit::Stretch,
        filter: Filter::Lanczos,
        mean: Some(vec![0.25]),
        d_ff: Some(96),
        stem: Some(StemConfig::new(2)),
        augment: AugmentConfig {
            noise: 0.5,
            ..AugmentConfig::default()
        },
        strong: Some(AugmentConfig {
            crop: Some(0.5),
            rand_augment: Some(crate::RandAugment::default()),
            ..AugmentConfig::default()
        }),
        ..ImageConfig::default()
    };
    let text = toml::to_string(&config).expect("can be written");
    assert!(
        text.contains("filter = \"lanczos\"") && !text.contains("shortest_edge"),
        "{text}"
    );
    let plain = toml::to_string(&ImageConfig::default()).expect("can be written");
    assert!(
        !plain.contains("strong") && !plain.contains("stem"),
        "{plain}"
    );
    let inline: ImageConfig = toml::from_str("stem = { halvings = 3 }").expect("read");
    assert_eq!(inline.stem, Some(StemConfig::new(3)));
    let inline: ImageConfig =
        toml::from_str("strong = { crop = 0.08, rand_augment = { n = 2, m = 10 } }").expect("read");
    let few = inline.strong.expect("given").rand_augment;
    assert_eq!(few, Some(crate::RandAugment::default()));
    assert_eq!(
        toml::from_str::<ImageConfig>(&text).expect("can be read"),
        config
    );
    assert_eq!(
        toml::from_str::<ImageConfig>("").expect("all defaults"),
        ImageConfig::default()
    );
    for unknown in [
        "imagesize = 3",
        "[augment]\nshfit = 0.1",
        "stem = { halvings = 3, widht = 8 }",
        "strong = { rand_augment = { k = 2 } }",
    ] {
        let error = toml::from_str::<ImageConfig>(unknown)
            .expect_err("unknown")
            .to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn the_readmes_table_is_valid() {
    let readme = include_str!("../README.md");
    let table = readme
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let config: ImageConfig = toml::from_str(table.expect("a table")).expect("can be read");
    ImageKit::validate(&config).expect("valid");
    assert_eq!(config.channels, 1);
}
