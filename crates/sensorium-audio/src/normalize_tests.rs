//! What is taken out of features is what a microphone and a floor of silence put in.

use super::*;
use proptest::prelude::*;

fn normalised(config: NormalizeConfig, features: &[f32]) -> Vec<f32> {
    let mut features = features.to_vec();
    config.raise(&mut features);
    config.apply(&mut features, 2);
    features
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let values: Vec<f32> = values.collect();
    values.iter().sum::<f32>() / values.len() as f32
}

const FEATURES: [f32; 8] = [-3.0, 1.0, -1.0, 2.0, -2.5, 4.0, -0.5, 3.0];

#[test]
fn mean_and_deviation_are_the_sound_s_or_the_band_s() {
    for over in [NormalizeOver::Sound, NormalizeOver::Band] {
        let config = NormalizeConfig {
            over,
            floor_db: None,
        };
        let found = normalised(config, &FEATURES);
        assert!(mean(found.iter().copied()).abs() < 1e-6);
        assert!((mean(found.iter().map(|v| v * v)) - 1.0).abs() < 1e-5);
        let band = mean(found.iter().step_by(2).copied());
        assert_eq!(band.abs() < 1e-6, over == NormalizeOver::Band, "{band}");
    }
    let usual = normalised(NormalizeConfig::default(), &FEATURES);
    let mut plain = FEATURES;
    standardise(&mut plain);
    assert_eq!(usual, plain, "what models were trained with stays");
}

#[test]
fn a_microphone_s_colour_is_gone_by_bands() {
    let config = NormalizeConfig {
        over: NormalizeOver::Band,
        floor_db: None,
    };
    // A filter is a product in each band, and so a sum of logarithms.
    let filtered: Vec<f32> = FEATURES
        .iter()
        .enumerate()
        .map(|(i, v)| v + [5.0, -2.0][i % 2])
        .collect();
    let (found, expected) = (normalised(config, &filtered), normalised(config, &FEATURES));
    assert!(
        found
            .iter()
            .zip(&expected)
            .all(|(f, e)| (f - e).abs() < 1e-5),
        "{found:?}"
    );
}

#[test]
fn nothing_is_quieter_than_the_floor() {
    let config = NormalizeConfig {
        floor_db: Some(20.0),
        ..NormalizeConfig::default()
    };
    // 20 dB of power are a factor of 100, and so 4.605 in natural logarithms.
    let floor = 4.0 - 100f32.ln();
    let silent: Vec<f32> = [&FEATURES[..], &[-23.0, -23.0]].concat();
    let clamped: Vec<f32> = [&FEATURES[..], &[floor, floor]].concat();
    let clamped: Vec<f32> = clamped.iter().map(|v| v.max(floor)).collect();
    let expected = normalised(NormalizeConfig::default(), &clamped);
    let found = normalised(config, &silent);
    assert!(
        found
            .iter()
            .zip(&expected)
            .all(|(f, e)| (f - e).abs() < 1e-5),
        "{found:?}"
    );
    for floor_db in [0.0, 201.0, f32::NAN] {
        let config = NormalizeConfig {
            floor_db: Some(floor_db),
            ..config
        };
        let error = config.validate().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("floor_db: {floor_db} must be 1 to 200, or left out")
        );
    }
}

proptest! {
    #[test]
    fn any_features_become_numbers(
        features in prop::collection::vec(-100f32..200.0, 0..20), band in any::<bool>(), floor_db in prop::option::of(1f32..200.0)
    ) {
        let over = if band { NormalizeOver::Band } else { NormalizeOver::Sound };
        let config = NormalizeConfig { over, floor_db };
        let whole = features.len() / 2 * 2;
        prop_assert!(normalised(config, &features[..whole]).iter().all(|v| v.is_finite()));
        let silence = normalised(config, &vec![-23.0; whole]);
        prop_assert!(silence.iter().all(|v| *v == 0.0));
    }
}
