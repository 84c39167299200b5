//! Many channels become one, with the standard's weights and FFmpeg's numbers.

use sensorium_core::Source;
use symphonia::core::audio::{Channels, Position};

use super::decode;
use super::downmix::weights;
use super::tests_formats::fixture;

fn samples(name: &str, bytes: Vec<u8>) -> Vec<f32> {
    decode(&Source::bytes(name, bytes)).unwrap().samples
}

#[test]
fn layouts_are_mixed_as_ffmpeg_mixes_them() {
    for name in [
        "stereo.wav",
        "surround30.flac",
        "quad.wav",
        "surround51.flac",
        "surround51.wav",
        "surround61.wav",
        "surround71.wav",
        "surround71.flac",
    ] {
        let found = samples(name, fixture(name));
        let (stem, _) = name.split_once('.').unwrap();
        let expected = samples(name, fixture(&format!("{stem}.mono.wav")));
        assert_eq!(found.len(), 200, "{name}");
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // FFmpeg mixes integers, with weights in steps of 1/32768.
            let difference = (found - expected).abs();
            assert!(
                difference < 3.0 / 32768.0,
                "{name}: {found} is not {expected} at {i}"
            );
        }
    }
}

/// A WAV of one frame; `mask` makes it an extensible one.
fn wav(frame: &[f32], mask: Option<u32>) -> Vec<u8> {
    let channels = frame.len() as u16;
    let mut format = Vec::new();
    format.extend(if mask.is_some() { 0xFFFEu16 } else { 3 }.to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(8000u32.to_le_bytes());
    format.extend((8000 * 4 * u32::from(channels)).to_le_bytes());
    format.extend((4 * channels).to_le_bytes());
    format.extend(32u16.to_le_bytes());
    if let Some(mask) = mask {
        format.extend(22u16.to_le_bytes());
        format.extend(32u16.to_le_bytes());
        format.extend(mask.to_le_bytes());
        // Floats.
        format.extend(b"\x03\0\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
    }
    let data: Vec<u8> = frame.iter().flat_map(|s| s.to_le_bytes()).collect();
    let length = (20 + format.len() + data.len()) as u32;
    let lengths = [format.len() as u32, data.len() as u32].map(u32::to_le_bytes);
    let head = [
        &b"RIFF"[..],
        &length.to_le_bytes(),
        b"WAVEfmt ",
        &lengths[0],
    ]
    .concat();
    [&head[..], &format, b"data", &lengths[1], &data].concat()
}

fn mixed(frame: &[f32], mask: Option<u32>) -> f32 {
    samples("a.wav", wav(frame, mask))[0]
}

#[test]
fn the_weights_are_those_of_the_standard() {
    const HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
    // Left, right, centre, effects, left and right behind.
    let sum = 2.0 * HALF + 1.0 + 2.0 * 0.5;
    let expected = [HALF, HALF, 1.0, 0.0, 0.5, 0.5].map(|part| (part / sum) as f32);
    for (channel, expected) in expected.into_iter().enumerate() {
        let mut frame = [0.0; 6];
        frame[channel] = 1.0;
        assert_eq!(mixed(&frame, Some(0x3F)), expected, "channel {channel}");
    }
    // At the sides and behind.
    let sum = 2.0 * HALF + 1.0 + 4.0 * 0.5;
    let side = mixed(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], Some(0x63F));
    assert_eq!(side, (0.5 / sum) as f32);
}

#[test]
fn a_full_sound_in_all_channels_just_fits() {
    for bits in 1..1u64 << 18 {
        let channels = Channels::Positioned(Position::from_bits(bits).unwrap());
        let weights = weights(&channels, true);
        assert_eq!(weights.len(), bits.count_ones() as usize);
        let sum: f32 = weights.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{bits:b}: {sum}");
        assert!(weights.iter().all(|weight| *weight >= 0.0), "{bits:b}");
    }
}

#[test]
fn channels_without_places_become_their_mean() {
    let frame = [1.0, 0.5, 0.25, 0.25];
    // Of four microphones none is a subwoofer.
    assert_eq!(mixed(&frame, None), 0.5);
    assert_eq!(mixed(&frame, Some(0)), 0.5);
    // Left, right, centre, effects.
    assert!((mixed(&frame, Some(0xF)) - 0.5429).abs() < 1e-3);
    // Nothing but effects is heard all the same.
    assert_eq!(mixed(&[0.5], Some(8)), 0.5);
}
