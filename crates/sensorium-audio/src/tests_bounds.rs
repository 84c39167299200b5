//! Files as programs really write them are read, and sizes hold at the edges.

use proptest::prelude::*;
use sensorium_core::{ModalityKit, Processor, Source, seed};

use crate::*;

const MP3: &[u8] = include_bytes!("../tests/fixtures/tone.mp3");

/// A picture in an ID3v2.3 tag, as players and shops put before an MP3.
fn with_cover(mp3: &[u8], size: usize) -> Vec<u8> {
    let mut picture = b"\0image/jpeg\0\x03\0".to_vec();
    // Bytes that look like the start of MP3 frames.
    picture.extend([0xFF, 0xFB, 0x90, 0x64].iter().cycle().take(size));
    let mut frame = b"APIC".to_vec();
    frame.extend((picture.len() as u32).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(picture);
    let seven_bits = |shift: u32| (frame.len() >> shift) as u8 & 127;
    let mut file = b"ID3\x03\0\0".to_vec();
    file.extend([21, 14, 7, 0].map(seven_bits));
    file.extend(frame);
    file.extend(mp3);
    file
}

#[test]
fn a_tag_with_a_large_picture_is_passed_over() {
    let plain = decode(&Source::bytes("a.mp3", MP3)).unwrap();
    let tagged = Source::bytes("a.mp3", with_cover(MP3, 2 << 20));
    assert_eq!(decode(&tagged).unwrap(), plain);
}

#[test]
fn a_long_sound_gives_the_features_of_its_start() {
    let config = AudioConfig {
        max_seconds: 0.1,
        ..AudioConfig::default()
    };
    let source = Source::bytes(
        "a.wav",
        include_bytes!("../tests/fixtures/tone.wav").as_slice(),
    );
    let cut = AudioKit::fit(&config, &mut std::iter::empty()).unwrap();
    let found = cut.process(&source).unwrap();
    let all = LogMel::new(config.mel()).unwrap();
    let sound = decode(&source).unwrap();
    let mut expected = all.compute(&sound.samples);
    expected.truncate(found.features.len());
    // Normalised, so compared by what normalising keeps: each difference over the largest.
    let span = |v: &[f32]| v.iter().map(|x| x - v[0]).collect::<Vec<f32>>();
    let (found, expected) = (span(&found.features), span(&expected));
    let most = |v: &[f32]| v.iter().fold(0f32, |m, x| m.max(x.abs()));
    let (a, b) = (most(&found), most(&expected));
    for (f, e) in found.iter().zip(&expected) {
        assert!((f / a - e / b).abs() < 1e-5, "{f} {e}");
    }
}

#[test]
fn changes_as_large_as_a_recipe_can_say_are_refused_or_bounded() {
    let augment = AugmentConfig {
        shift_frames: i64::MAX as usize,
        mask_frames: i64::MAX as usize,
        mask_mels: i64::MAX as usize,
        ..AugmentConfig::default()
    };
    let config = AudioConfig {
        augment,
        ..AudioConfig::default()
    };
    assert_eq!(
        AudioKit::validate(&config).unwrap_err().to_string(),
        "augment.shift_frames: 9223372036854775807 must be at most 1048576"
    );
    let processor =
        AudioProcessor::new(LogMel::new(MelConfig::new(8000, 4)).unwrap(), 1.0, 1).unwrap();
    assert!(processor.clone().with_augment(augment).is_err());
    let largest = AugmentConfig {
        shift_frames: 1 << 20,
        mask_frames: 1 << 20,
        mask_mels: 1 << 20,
        ..augment
    };
    let processor = processor.with_augment(largest).unwrap();
    for at in 0..20 {
        let sample = AudioSample {
            features: vec![1.0; 12],
            frames: 3,
            samples: Default::default(),
        };
        let changed = processor.augment(sample, &mut seed::rng(1, &[at]));
        assert_eq!(changed.features.len(), 12);
    }
}

#[test]
fn a_window_of_odd_size_gives_the_frames_of_librosa() {
    let config = MelConfig {
        n_fft: 255,
        hop: 100,
        ..MelConfig::new(8000, 4)
    };
    let mel = LogMel::new(config).unwrap();
    // 1 + (n + 2 * 127 - 255) / 100
    assert_eq!([99, 100, 101, 1000].map(|n| mel.n_frames(n)), [1, 1, 2, 10]);
    assert_eq!(mel.compute(&[0.1; 101]).len(), 2 * 4);
}

/// A WAV of 16-bit samples in which the lengths are what a program writes that does not know them.
fn piped(samples: &[u8], riff: u32, data: u32) -> Source {
    let mut wav = b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend([8000u32.to_le_bytes(), 16_000u32.to_le_bytes()].concat());
    wav.extend(b"\x02\0\x10\0data....");
    wav.extend(samples);
    wav[4..8].copy_from_slice(&riff.to_le_bytes());
    wav[40..44].copy_from_slice(&data.to_le_bytes());
    Source::bytes("piped.wav", wav)
}

#[test]
fn a_wav_out_of_a_pipe_is_heard_to_its_end() {
    let samples: Vec<u8> = (0..20_001u32)
        .flat_map(|i| ((i * 37) as i16).to_le_bytes())
        .collect();
    let length = samples.len() as u32;
    let known = decode(&piped(&samples, length + 36, length)).unwrap();
    assert_eq!(known.samples.len(), 20_001);
    for (riff, data) in [(u32::MAX, u32::MAX), (0x7FFF_F024, 0x7FFF_F000), (0, 0)] {
        let open = decode(&piped(&samples, riff, data)).unwrap();
        assert!(open == known, "{data}");
    }
}

#[test]
fn an_hour_of_silence_is_a_sound_like_any_other() {
    let hour = piped(&vec![0; 2 * 3600 * 8000], u32::MAX, u32::MAX);
    let sound = decode(&hour).unwrap();
    assert_eq!(sound.samples.len(), 3600 * 8000);
    assert!(sound.samples.iter().all(|sample| *sample == 0.0));
    let json = r#"{"feature_extractor_type": "WhisperFeatureExtractor"}"#;
    let whisper = SoundProcessor::published("p.json", json).unwrap();
    let heard = whisper.process(&hour).unwrap();
    assert_eq!((heard.frames, heard.heard), (3000, 3000));
    assert!(heard.features.iter().all(|v| *v == heard.features[0]));
}

#[test]
fn a_misspelt_key_is_refused() {
    let read = serde_json::from_str::<AudioConfig>(r#"{"sample_rate": 8000}"#);
    assert!(
        read.unwrap_err()
            .to_string()
            .contains("unknown field `sample_rate`")
    );
    let written = serde_json::to_string(&AudioConfig::default()).unwrap();
    let read: AudioConfig = serde_json::from_str(&written).unwrap();
    assert_eq!(read, AudioConfig::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_resampled_sound_has_the_length_it_says(n in 1usize..5000, pair in 0usize..6) {
        let (from, to) = [(44_100, 16_000), (48_000, 16_000), (11_025, 8_000), (8_000, 44_100), (22_050, 16_000), (8_001, 8_000)][pair];
        let sound = Sound { samples: vec![0.5; n], sample_rate_hz: from };
        let expected = (n as u64 * u64::from(to)).div_ceil(u64::from(from));
        prop_assert_eq!(resample(&sound, to).unwrap().len() as u64, expected);
    }
}
