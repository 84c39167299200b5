//! A recipe's features may be cepstral coefficients: they are those of the bands, and encoded like bands.

use sensorium_core::{Encoder, ModalityKit, Processor, Source};
use sensorium_testkit::devices;

use crate::tests::float_wav;
use crate::*;

fn config() -> AudioConfig {
    AudioConfig {
        sample_rate_hz: 8000,
        max_seconds: 0.5,
        n_mels: 20,
        n_mfcc: Some(6),
        floor_db: Some(40.0),
        normalize: NormalizeOver::Band,
        d_model: 16,
        ..AudioConfig::default()
    }
}

fn tone() -> Vec<f32> {
    (0..3000)
        .map(|i| (i as f32 * 0.3).sin() * (i as f32 / 3000.0))
        .collect()
}

#[test]
fn coefficients_are_those_of_the_raised_bands() {
    let config = config();
    let processor = AudioKit::fit(&config, &mut std::iter::empty()).unwrap();
    assert_eq!(processor.width(), 6);
    let wav = Source::bytes("a.wav", float_wav(&tone(), 8000));
    let sample = processor.process(&wav).unwrap();
    assert_eq!(sample.features.len(), sample.frames * 6);

    let mfcc = Mfcc::new(MfccConfig {
        mel: config.mel(),
        n_mfcc: 6,
    })
    .unwrap();
    let normalize = NormalizeConfig {
        over: NormalizeOver::Band,
        floor_db: Some(40.0),
    };
    let mut bands = mfcc.mel().compute(&tone());
    normalize.raise(&mut bands);
    let mut expected = mfcc.of_log_mel(&bands);
    normalize.apply(&mut expected, 6);
    assert_eq!(sample.features, expected);
}

#[test]
fn they_are_encoded_like_bands() {
    for device in devices() {
        let config = config();
        let processor = AudioKit::fit(&config, &mut std::iter::empty()).unwrap();
        let encoder = AudioKit::encoder(&config, &processor, &device).unwrap();
        let wav = Source::bytes("a.wav", float_wav(&tone(), 8000));
        let sample = processor.process(&wav).unwrap();
        let tokens = encoder.encode(processor.collate(&[Some(&sample), None], &device));
        assert_eq!(tokens.dims(), [2, sample.frames.div_ceil(4), 16]);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let check = |config: AudioConfig, expected: &str| {
        let error = AudioKit::validate(&config).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    check(
        AudioConfig {
            n_mfcc: Some(21),
            ..config()
        },
        "n_mfcc: 21 must be 1 to 20",
    );
    check(
        AudioConfig {
            n_mfcc: Some(0),
            ..config()
        },
        "n_mfcc: 0 must be 1 to 20",
    );
    check(
        AudioConfig {
            patch_mels: Some(4),
            ..config()
        },
        "patch_mels: 4 must divide n_mels = 6",
    );
    check(
        AudioConfig {
            floor_db: Some(0.5),
            ..config()
        },
        "floor_db: 0.5 must be 1 to 200, or left out",
    );
}
