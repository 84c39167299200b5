//! Each change is what was asked for, measured on the sound; the same generator makes the same change, and none changes no bit.

use proptest::prelude::*;
use sensorium_core::{HostBytes, ModalityKit, Processor, SampleRng, Source, seed};

use super::wave::{add, play, power};
use super::*;
use crate::tests::float_wav;
use crate::{AudioConfig, AudioKit, AudioProcessor, AudioSample};

pub(super) const RATE_HZ: u32 = 8000;

pub(super) fn rng(n: u64) -> SampleRng {
    seed::rng(11, &[n])
}

fn tone(hz: f32, count: usize) -> Vec<f32> {
    let at = |i: usize| 0.3 * (std::f32::consts::TAU * hz * i as f32 / RATE_HZ as f32).sin();
    (0..count).map(at).collect()
}

/// How many times the middle half crosses zero upwards, a second.
fn frequency(samples: &[f32]) -> f64 {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let ups = middle.windows(2).filter(|w| w[0] <= 0.0 && w[1] > 0.0);
    ups.count() as f64 * f64::from(RATE_HZ) / middle.len() as f64
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

pub(super) fn processor(augment: AugmentConfig) -> AudioProcessor {
    let config = AudioConfig {
        sample_rate_hz: RATE_HZ,
        max_seconds: 1.0,
        n_mels: 20,
        augment,
        ..AudioConfig::default()
    };
    AudioKit::fit(&config, &mut std::iter::empty()).unwrap()
}

/// Half a second of a tone, prepared.
pub(super) fn prepared(processor: &AudioProcessor) -> AudioSample {
    let wav = float_wav(&tone(440.0, 4000), RATE_HZ);
    processor.process(&Source::bytes("tone.wav", wav)).unwrap()
}

#[test]
fn speed_changes_length_and_pitch_by_its_factor() {
    for percent in [50, 90, 93, 100, 107, 110, 150] {
        let played = play(&tone(440.0, 8000), percent);
        assert_eq!(played.len(), 800_000usize.div_ceil(percent as usize));
        let expected = 440.0 * f64::from(percent) / 100.0;
        let found = frequency(&played);
        assert!((found - expected).abs() < 4.0, "{percent}: {found} Hz");
    }
    assert_eq!(play(&tone(440.0, 100), 100), tone(440.0, 100));
}

#[test]
fn speeds_are_drawn_from_all_that_was_asked_for() {
    let config = AugmentConfig {
        speed: 0.1,
        ..AugmentConfig::default()
    };
    let sound = tone(440.0, 4000);
    let draw = |n| config.waveform(&sound, RATE_HZ, &rng(n)).len();
    let lengths: Vec<usize> = (0..200).map(draw).collect();
    let (least, most) = (lengths.iter().min(), lengths.iter().max());
    assert_eq!(
        (least, most),
        (Some(&3637), Some(&4445)),
        "n / 1.1, n / 0.9"
    );
}

#[test]
fn noise_stands_as_far_below_the_sound_as_asked() {
    for colour in [NoiseColour::White, NoiseColour::Pink] {
        for (n, snr_db) in [-10.0f32, 0.0, 7.5, 40.0].into_iter().enumerate() {
            for count in [16, 4000] {
                let sound = tone(440.0, count);
                let mut noisy = sound.clone();
                add(&mut noisy, colour, snr_db, &mut rng(n as u64));
                let noise: Vec<f32> = noisy.iter().zip(&sound).map(|(a, b)| a - b).collect();
                let found = decibels(power(&sound) / power(&noise));
                assert!((found - f64::from(snr_db)).abs() < 0.01, "{found} dB");
            }
        }
        let mut silence = vec![0.0; 100];
        add(&mut silence, colour, 10.0, &mut rng(0));
        assert!(
            silence.iter().all(|s| *s == 0.0),
            "there is nothing to stand below"
        );
    }
}

#[test]
fn ratios_are_drawn_from_all_that_was_asked_for() {
    let config = AugmentConfig {
        snr_db: Some([5.0, 30.0]),
        ..AugmentConfig::default()
    };
    let sound = tone(440.0, 400);
    let ratio = |n| {
        let noisy = config.waveform(&sound, RATE_HZ, &rng(n));
        let noise: Vec<f32> = noisy.iter().zip(&sound).map(|(a, b)| a - b).collect();
        decibels(power(&sound) / power(&noise))
    };
    let ratios: Vec<f64> = (0..300).map(ratio).collect();
    assert!(ratios.iter().all(|r| (4.99..30.01).contains(r)));
    // One in 25 is within a decibel of an end: of 300, all but surely some.
    assert!(ratios.iter().any(|r| *r < 6.0) && ratios.iter().any(|r| *r > 29.0));
}

#[test]
fn pink_noise_has_the_same_power_in_each_octave_and_white_three_decibels_more() {
    for (colour, step_db) in [(NoiseColour::White, 3.0), (NoiseColour::Pink, 0.0)] {
        // Noise alone: far above a sound that is hardly there.
        let mut samples = vec![1e-6; 1 << 16];
        add(&mut samples, colour, -40.0, &mut rng(3));
        let stft = crate::Stft::new(crate::StftConfig::new(1024, 512)).unwrap();
        let mut octaves = [0.0; 6];
        stft.each_power(&samples, stft.n_frames(samples.len()), |spectrum| {
            for (octave, sum) in octaves.iter_mut().enumerate() {
                let first = 8 << octave;
                *sum += spectrum[first..2 * first].iter().sum::<f64>();
            }
        });
        for pair in octaves.windows(2) {
            let found = decibels(pair[1] / pair[0]);
            // The lowest octave has 8 bins and 129 frames: a deviation of 0.2 dB, and the filters' half.
            assert!((found - step_db).abs() < 1.0, "{colour:?}: {octaves:?}");
        }
    }
}

#[test]
fn loudness_and_place_change_as_far_as_asked_and_no_further() {
    let louder = AugmentConfig {
        gain_db: 6.0,
        ..AugmentConfig::default()
    };
    let sound = tone(440.0, 400);
    let gains: Vec<f64> = (0..200)
        .map(|n| decibels(power(&louder.waveform(&sound, RATE_HZ, &rng(n))) / power(&sound)))
        .collect();
    assert!(gains.iter().all(|g| g.abs() <= 6.01));
    assert!(gains.iter().any(|g| *g > 5.0) && gains.iter().any(|g| *g < -5.0));

    let moved = AugmentConfig {
        shift_s: 0.01,
        ..AugmentConfig::default()
    };
    let mut click = vec![0.0; 400];
    click[200] = 1.0;
    let places: Vec<usize> = (0..200)
        .map(|n| {
            let samples = moved.waveform(&click, RATE_HZ, &rng(n));
            assert_eq!((samples.len(), samples.iter().sum::<f32>()), (400, 1.0));
            samples.iter().position(|s| *s == 1.0).unwrap()
        })
        .collect();
    assert!(places.iter().all(|p| (120..=280).contains(p)));
    assert!(places.iter().any(|p| *p < 130) && places.iter().any(|p| *p > 270));
}

/// Which frames, and which bands, are blanked in features that are 1 throughout.
pub(super) fn blanked(config: &AugmentConfig, n: u64) -> (Vec<usize>, Vec<usize>) {
    const FRAMES: usize = 50;
    const MELS: usize = 20;
    let mut features = vec![1.0; FRAMES * MELS];
    config.features(&mut features, MELS, &mut rng(n));
    let at = |frame: usize, mel: usize| features[frame * MELS + mel] == 0.0;
    let frames: Vec<usize> = (0..FRAMES)
        .filter(|f| (0..MELS).all(|m| at(*f, m)))
        .collect();
    let mels: Vec<usize> = (0..MELS)
        .filter(|m| (0..FRAMES).all(|f| at(f, *m)))
        .collect();
    for frame in 0..FRAMES {
        for mel in 0..MELS {
            assert_eq!(
                at(frame, mel),
                frames.contains(&frame) || mels.contains(&mel)
            );
        }
    }
    (frames, mels)
}

#[test]
fn a_stretched_sound_has_other_frames_between_the_same_ends() {
    let ramp: Vec<f32> = (0..11).flat_map(|i| [i as f32, -2.0 * i as f32]).collect();
    for (by, frames) in [(0.5, 6), (1.0, 11), (1.4, 15), (2.0, 22), (0.01, 1)] {
        let stretched = stretch(&ramp, 2, by);
        assert_eq!(stretched.len(), 2 * frames, "{by}");
        for (i, frame) in stretched.chunks_exact(2).enumerate() {
            let expected = i as f32 * 10.0 / (frames.max(2) - 1) as f32;
            assert!((frame[0] - expected).abs() < 1e-5, "{by}: {stretched:?}");
            assert!((frame[1] + 2.0 * expected).abs() < 1e-5);
        }
    }
    assert_eq!(stretch(&ramp, 2, 1.0), ramp);
    assert_eq!(
        (stretch(&[], 2, 1.5), stretch(&[3.0], 1, 2.0)),
        (vec![], vec![3.0, 3.0])
    );

    let config = AugmentConfig {
        tempo: 0.25,
        ..AugmentConfig::default()
    };
    let frames = (0..300).map(|n| {
        let paced = config.paced(vec![1.0; 200], 2, &mut rng(n));
        paced.len() / 2
    });
    let (least, most) = (frames.clone().min(), frames.max());
    assert_eq!((least, most), (Some(80), Some(125)));
    // Never more frames than there are positions.
    let processor = processor(AugmentConfig {
        tempo: 1.0,
        ..config
    });
    let long = AudioSample {
        features: vec![0.5; 101 * 20],
        frames: 101,
        samples: Default::default(),
    };
    let frames = (0..50).map(|n| processor.augment(long.clone(), &mut rng(n)).frames);
    assert_eq!(frames.max(), Some(101));
}

#[test]
fn masks_are_as_wide_and_as_many_as_asked() {
    let one = AugmentConfig {
        mask_frames: 10,
        mask_mels: 5,
        ..AugmentConfig::default()
    };
    let two = AugmentConfig {
        n_frame_masks: 2,
        n_mel_masks: 3,
        ..one
    };
    let runs = |places: &[usize]| match places.len() {
        0 => 0,
        _ => 1 + places.windows(2).filter(|w| w[1] != w[0] + 1).count(),
    };
    let drawn = |config: AugmentConfig| (0..300).map(move |n| blanked(&config, n));
    assert!(drawn(one).all(|(f, m)| runs(&f) <= 1 && runs(&m) <= 1));
    assert_eq!(drawn(one).map(|(f, _)| f.len()).max(), Some(10));
    assert_eq!(drawn(one).map(|(_, m)| m.len()).max(), Some(5));
    assert!(
        drawn(one).any(|(f, _)| f.is_empty()),
        "a width of 0 is drawn too"
    );
    assert_eq!(drawn(two).map(|(f, _)| runs(&f)).max(), Some(2));
    assert_eq!(drawn(two).map(|(_, m)| runs(&m)).max(), Some(3));
    // Of 50 frames at most a tenth.
    let few = AugmentConfig {
        mask_share: 0.1,
        ..one
    };
    assert_eq!(drawn(few).map(|(f, _)| f.len()).max(), Some(5));
    // The first and the last frame are reached.
    assert!(drawn(one).any(|(f, _)| f.contains(&0)) && drawn(one).any(|(f, _)| f.contains(&49)));
}

#[test]
fn nothing_asked_for_changes_no_bit_and_keeps_no_sound() {
    let processor = processor(AugmentConfig::default());
    let sample = prepared(&processor);
    assert!(sample.samples.is_empty());
    assert_eq!(processor.augment(sample.clone(), &mut rng(1)), sample);
}

#[test]
fn a_changed_sound_is_prepared_like_any_other() {
    let config = AugmentConfig {
        speed: 0.1,
        shift_s: 0.02,
        gain_db: 6.0,
        snr_db: Some([10.0, 30.0]),
        noise_colour: NoiseColour::Pink,
        ..AugmentConfig::default()
    };
    let changing = processor(config);
    let plain = processor(AugmentConfig::default());
    let sample = prepared(&changing);
    assert_eq!(
        sample.features,
        prepared(&plain).features,
        "measuring sees no change"
    );
    assert_eq!(sample.host_bytes(), 4 * (sample.features.len() + 4000));

    let draw = |n| changing.augment(sample.clone(), &mut rng(n));
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    let changed = config.waveform(&sample.samples, RATE_HZ, &rng(3));
    let wav = float_wav(&changed, RATE_HZ);
    let again = plain.process(&Source::bytes("changed.wav", wav)).unwrap();
    assert_eq!(draw(3).features, again.features);
    assert_eq!(draw(3).frames, again.frames);
}

#[test]
fn the_waveform_s_draws_do_not_move_those_of_the_features() {
    let masks = AugmentConfig {
        mask_frames: 10,
        ..AugmentConfig::default()
    };
    let both = AugmentConfig {
        gain_db: 6.0,
        ..masks
    };
    let zeros = |config, n| {
        let processor = processor(config);
        let changed = processor.augment(prepared(&processor), &mut rng(n));
        let frames = changed.features.chunks_exact(20);
        frames
            .map(|f| f.iter().all(|v| *v == 0.0))
            .collect::<Vec<_>>()
    };
    for n in 0..10 {
        assert_eq!(zeros(masks, n), zeros(both, n));
    }
}

#[test]
fn a_sound_as_long_as_allowed_may_be_played_faster() {
    let config = AugmentConfig {
        speed: 0.2,
        ..AugmentConfig::default()
    };
    let processor = processor(config);
    let wav = float_wav(&tone(440.0, 20_000), RATE_HZ);
    let sample = processor.process(&Source::bytes("long.wav", wav)).unwrap();
    // One second is heard; a fifth more is kept.
    assert_eq!(sample.frames, 101);
    assert_eq!(sample.samples.len(), (8256.0f64 * 1.2).ceil() as usize);
    let frames = (0..50).map(|n| processor.augment(sample.clone(), &mut rng(n)).frames);
    assert!(frames.min() == Some(101));
}

#[test]
fn what_is_wrong_is_named() {
    let check = |config: AugmentConfig, expected: &str| {
        let error = AudioKit::validate(&AudioConfig {
            augment: config,
            ..AudioConfig::default()
        });
        assert_eq!(error.unwrap_err().to_string(), expected);
    };
    let base = AugmentConfig::default;
    check(
        AugmentConfig {
            speed: 0.6,
            ..base()
        },
        "augment.speed: 0.6; use 0 (off) to 0.5",
    );
    check(
        AugmentConfig {
            gain_db: f32::NAN,
            ..base()
        },
        "augment.gain_db: NaN; use 0 (off) to 60",
    );
    check(
        AugmentConfig {
            snr_db: Some([30.0, 5.0]),
            ..base()
        },
        "augment.snr_db: [30, 5] must be the least and the most decibels, within -40 and 120",
    );
    check(
        AugmentConfig {
            n_mel_masks: 101,
            ..base()
        },
        "augment.n_mel_masks: 101 must be at most 100",
    );
    check(
        AugmentConfig {
            mask_share: 1.1,
            ..base()
        },
        "augment.mask_share: 1.1; use 0 (off) to 1",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_sound_stays_finite_and_bounded(
        samples in prop::collection::vec(prop_oneof![-1.0f32..1.0, Just(0.0), Just(f32::MAX), Just(1e-40)], 1..600),
        n in any::<u64>(), speed in 0.0f32..0.5, shift_s in 0.0f32..3600.0, gain_db in 0.0f32..60.0,
        snr_db in -40.0f32..120.0, tempo in 0.0f32..1.0, pink in any::<bool>(), mask in 0usize..1 << 20,
    ) {
        let config = AugmentConfig {
            speed, shift_s, gain_db, tempo, snr_db: Some([snr_db, 120.0]),
            noise_colour: if pink { NoiseColour::Pink } else { NoiseColour::White },
            mask_frames: mask, mask_mels: mask, shift_frames: mask, n_frame_masks: 3, ..AugmentConfig::default()
        };
        config.validate().unwrap();
        let processor = processor(config);
        let wav = float_wav(&samples, RATE_HZ);
        let sample = processor.process(&Source::bytes("any.wav", wav)).unwrap();
        let changed = processor.augment(sample, &mut rng(n));
        prop_assert!(changed.features.iter().all(|v| v.is_finite()));
        prop_assert!(changed.frames <= processor.max_frames());
    }
}
