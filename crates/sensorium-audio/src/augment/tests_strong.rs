//! A strongly changed copy is what its table says, or masked beside what the usual changes do, and costs nothing that is not asked for.

use sensorium_core::{ModalityKit, Processor};

use super::tests::{RATE_HZ, blanked, prepared, processor, rng};
use super::*;
use crate::{AudioConfig, AudioKit, AudioProcessor};

#[test]
fn a_strong_copy_is_what_its_table_says_or_masked_beside_the_usual() {
    let config = |strong| AudioConfig {
        sample_rate_hz: RATE_HZ,
        n_mels: 20,
        strong,
        ..AudioConfig::default()
    };
    let fit = |strong| AudioKit::fit(&config(strong), &mut std::iter::empty()).unwrap();
    let strongly = |p: &AudioProcessor, n| p.augment_strongly(prepared(p), &mut rng(n));

    let plain = fit(None);
    let sample = prepared(&plain);
    assert!(sample.samples.is_empty(), "nothing is kept for it");
    assert_eq!(plain.augment(sample.clone(), &mut rng(1)), sample);
    assert_eq!(strongly(&plain, 3), strongly(&plain, 3));
    let masked = AugmentConfig::default().stronger(20);
    let longest = (0.2 * sample.frames as f32) as usize;
    for n in 0..20 {
        let (frames, bands) = blanked(&masked, n);
        assert!(frames.len() <= 2 * longest && bands.len() <= 12, "{n}");
        assert_eq!(
            strongly(&plain, n),
            processor(masked).augment(sample.clone(), &mut rng(n))
        );
    }
    assert!((0..20).filter(|n| strongly(&plain, *n) != sample).count() > 15);

    let faster = AugmentConfig {
        speed: 0.1,
        ..AugmentConfig::default()
    };
    let said = fit(Some(faster));
    let sample = prepared(&said);
    assert_eq!(sample.samples.len(), 4000);
    assert_eq!(said.augment(sample.clone(), &mut rng(1)), sample);
    let found = strongly(&said, 1);
    assert_eq!(
        found,
        processor(faster).augment(sample.clone(), &mut rng(1))
    );
    assert_ne!(found.frames, sample.frames);
    // Two copies by one generator.
    let mut one = rng(1);
    let first = said.augment_strongly(sample.clone(), &mut one);
    assert_ne!(first, said.augment_strongly(sample, &mut one));
}

#[test]
fn what_is_stronger_keeps_what_is_said_and_can_be_made() {
    let usual = AugmentConfig {
        speed: 0.1,
        snr_db: Some([15.0, 40.0]),
        mask_frames: 200,
        n_frame_masks: 3,
        mask_share: 0.5,
        ..AugmentConfig::default()
    };
    let strong = usual.stronger(40);
    assert_eq!((strong.speed, strong.snr_db), (0.1, usual.snr_db));
    assert_eq!((strong.mask_frames, strong.n_frame_masks), (200, 3));
    assert_eq!(
        (strong.mask_share, strong.mask_mels, strong.n_mel_masks),
        (0.5, 13, 2)
    );
    strong.validate().unwrap();
    let heard = AugmentConfig {
        mask_frames: 0,
        ..usual
    };
    let heard = heard.stronger_waveform();
    assert_eq!((heard.shift_s, heard.snr_db), (0.1, Some([5.0, 20.0])));
    assert!(!heard.changes_features());
    heard.validate().unwrap();
    let loud = AugmentConfig {
        snr_db: Some([-10.0, -5.0]),
        ..AugmentConfig::default()
    };
    assert_eq!(loud.stronger_waveform().snr_db, Some([-10.0, -5.0]));
}

#[test]
fn what_is_wrong_in_the_strong_table_is_named() {
    let strong = AugmentConfig {
        n_mel_masks: 101,
        ..AugmentConfig::default()
    };
    let error = AudioKit::validate(&AudioConfig {
        strong: Some(strong),
        ..AudioConfig::default()
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "strong.n_mel_masks: 101 must be at most 100"
    );
    let json = r#"{"strong": {"snr_db": [5, 20], "mask_frames": 8}}"#;
    let read: AudioConfig = serde_json::from_str(json).unwrap();
    assert_eq!(read.strong.unwrap().mask_frames, 8);
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<AudioConfig>(&written).unwrap(), read);
    let plain = serde_json::to_string(&AudioConfig::default()).unwrap();
    assert!(!plain.contains("strong"), "{plain}");
}
