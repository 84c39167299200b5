//! A window is what decoding everything and cutting gives, to the last bit.

use sensorium_core::Source;

use super::tests_formats::fixture;
use super::{Sound, attempt, decode, decode_window};
use crate::Error;
use crate::tests::float_wav;

/// Five seconds at 8 kHz, or two where nothing is lost.
const LONG: [&str; 10] = [
    "long_cbr.mp3",
    "long_vbr.mp3",
    "long.ogg",
    "long.m4a",
    "long.aac",
    "long.flac",
    "long_alac.m4a",
    "long_aac.mkv",
    "long_mp3.mkv",
    "long_vorbis.mkv",
];

fn cut(sound: &Sound, start_s: f64, duration_s: f64) -> Vec<f32> {
    let at = |s: f64| (s * f64::from(sound.sample_rate_hz)).round() as usize;
    let (start, end) = (at(start_s), at(start_s + duration_s));
    sound.samples[start..end.min(sound.samples.len())].to_vec()
}

fn check(source: &Source, name: &str) {
    let whole = decode(source).unwrap();
    let length = whole.seconds();
    let step = 0.0937;
    for i in 0..(length / step) as usize {
        let start_s = i as f64 * step;
        for duration_s in [0.01, 0.35] {
            let window = decode_window(source, start_s, duration_s).unwrap();
            assert_eq!(window.sample_rate_hz, whole.sample_rate_hz, "{name}");
            let expected = cut(&whole, start_s, duration_s);
            assert!(
                window.samples == expected,
                "{name}: {duration_s} s from {start_s} s"
            );
        }
    }
    // From the last sample on, and beyond.
    let rate_hz = f64::from(whole.sample_rate_hz);
    let last = decode_window(source, length - 1.0 / rate_hz, 3.0).unwrap();
    assert_eq!(
        last.samples,
        whole.samples[whole.samples.len() - 1..],
        "{name}"
    );
    for start_s in [length, 1000.0] {
        let error = decode_window(source, start_s, 1.0).unwrap_err().to_string();
        let expected = format!(
            "{name}: is {length:.2} seconds long; a window that begins at {start_s:.2} holds none of it"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn a_window_is_a_part_of_the_whole() {
    for name in LONG.into_iter().chain(["long_flac.mkv"]) {
        check(&Source::bytes(name, fixture(name)), name);
    }
    let noise = (0..40_000).map(|i| ((i as f32 * 12.9898).sin() * 43_758.547).fract());
    let mut noise: Vec<f32> = noise.collect();
    let wav = |samples: &[f32]| Source::bytes("long.wav", float_wav(samples, 8000));
    check(&wav(&noise), "long.wav");
    let whole = decode_window(&wav(&noise), 2.0, 1.0).unwrap();
    // Of a WAV only the window is read.
    (noise[0], noise[39_999]) = (f32::NAN, f32::NAN);
    assert_eq!(decode_window(&wav(&noise), 2.0, 1.0).unwrap(), whole);
}

#[test]
fn short_files_of_every_kind_have_windows() {
    for name in [
        "alaw.wav",
        "u8.wav",
        "s24.wav",
        "f64.wav",
        "film_aac.mp4",
        "film_aac.mkv",
        "film_flac.mkv",
        "film_pcm.mkv",
        "film_mp3.mkv",
        "film_piped.mkv",
        "film_vorbis.webm",
        "surround51.flac",
        "surround71.wav",
    ] {
        let source = Source::bytes(name, fixture(name));
        let whole = decode(&source).unwrap();
        for i in 0..9 {
            let start_s = whole.seconds() * f64::from(i) / 9.0;
            let window = decode_window(&source, start_s, 0.004).unwrap();
            assert!(
                window.samples == cut(&whole, start_s, 0.004),
                "{name}: {start_s} s"
            );
        }
    }
}

#[test]
fn windows_that_follow_each_other_miss_and_repeat_nothing() {
    let source = Source::bytes("long.m4a", fixture("long.m4a"));
    // A width that no number of samples has.
    let width = 1.0 / 3.0;
    let windows = (0..15).map(|i| decode_window(&source, f64::from(i) * width, width).unwrap());
    let joined: Vec<f32> = windows.flat_map(|window| window.samples).collect();
    assert!(joined == decode(&source).unwrap().samples[..joined.len()]);
    assert_eq!(joined.len(), 40_000);
}

#[test]
fn what_lies_before_a_window_is_not_decoded() {
    for (name, from) in [
        ("long_cbr.mp3", 1000),
        ("long.aac", 1000),
        ("long.m4a", 200),
        ("long.flac", 10_000),
        ("long_aac.mkv", 1000),
    ] {
        let file = fixture(name);
        let whole = decode(&Source::bytes(name, file.clone())).unwrap();
        let start_s = 0.8 * whole.seconds();
        let expected = cut(&whole, start_s, 0.1);
        // Bytes inside of a packet, far before the window: decoding them gives another sound or fails.
        let mut spoilt = file;
        for at in (from..from + 60).step_by(2) {
            spoilt[at] ^= 0x5A;
        }
        let spoilt = Source::bytes(name, spoilt);
        assert!(
            decode(&spoilt).map_or(true, |sound| sound != whole),
            "{name} is not spoilt"
        );
        let window = decode_window(&spoilt, start_s, 0.1);
        assert!(
            window.is_ok_and(|window| window.samples == expected),
            "{name}"
        );
    }
}

#[test]
fn as_little_is_decoded_as_the_format_allows() {
    // Besides the 80 samples of the window: the rest of a packet.
    for (name, most) in [
        ("long_cbr.mp3", 576),
        ("long_vbr.mp3", 576),
        ("long.ogg", 1024),
        ("long.m4a", 1024),
        ("long.aac", 1024),
        ("long.flac", 512),
        ("long_alac.m4a", 4096),
        ("long_aac.mkv", 1024),
        ("long_mp3.mkv", 576),
    ] {
        let bytes = fixture(name).into();
        let want = |_| 12_345..12_425;
        let (sound, decoded) = attempt(name, &bytes, None, &want, true).unwrap();
        assert_eq!(sound.samples.len(), 80, "{name}");
        assert!(decoded <= 80 + 2 * most, "{name}: {decoded}");
        let (same, all) = attempt(name, &bytes, None, &want, false).unwrap();
        assert!(same == sound && all >= 12_425, "{name}: {all}");
    }
    // Uncompressed samples are counted by their bytes; these films have two packets or three.
    for name in ["film_pcm.mkv", "s24_big.mov"] {
        let want = |_| 2300..2400;
        let (_, decoded) = attempt(name, &fixture(name).into(), None, &want, true).unwrap();
        assert!(decoded < 2400, "{name}: {decoded}");
    }
}

#[test]
fn noise_that_a_decoder_makes_is_the_same_in_a_window() {
    let source = Source::bytes("noise.m4a", fixture("noise.m4a"));
    let whole = decode(&source).unwrap();
    assert_eq!(whole.samples.len(), 4 * 48_000);
    // Packets of 1024 samples: before, at and after the place where the decoder is made anew.
    for packet in [1, 60, 126, 127, 128, 129, 170] {
        let start_s = f64::from(packet * 1024) / 48_000.0;
        let window = decode_window(&source, start_s, 0.05).unwrap();
        assert!(
            window.samples == cut(&whole, start_s, 0.05),
            "packet {packet}"
        );
    }
}

#[test]
fn a_window_may_lie_in_the_second_part_of_a_chained_ogg() {
    let once = fixture("long.ogg");
    let twice = Source::bytes("a.ogg", [once.clone(), once].concat());
    let whole = decode(&twice).unwrap();
    for start_s in [0.5, 4.9, 5.1, 7.3, 9.9] {
        let window = decode_window(&twice, start_s, 0.3).unwrap();
        assert!(window.samples == cut(&whole, start_s, 0.3), "{start_s} s");
    }
}

#[test]
fn a_window_that_cannot_be_is_refused() {
    let source = Source::bytes("a.wav", fixture("s16.wav"));
    let check = |start_s: f64, duration_s: f64, expected: &str| {
        let error = decode_window(&source, start_s, duration_s).unwrap_err();
        assert!(matches!(error, Error::Config(_)));
        assert_eq!(error.to_string(), expected);
    };
    check(-0.5, 1.0, "start_s: -0.5 must be 0 to 3600000");
    check(f64::NAN, 1.0, "start_s: NaN must be 0 to 3600000");
    check(1e7, 1.0, "start_s: 10000000 must be 0 to 3600000");
    check(
        0.0,
        0.0,
        "duration_s: 0 must be above 0 and at most 3600000",
    );
    check(
        10.0,
        f64::INFINITY,
        "duration_s: inf must be above 0 and at most 3599990",
    );
    check(
        10.0,
        f64::NAN,
        "duration_s: NaN must be above 0 and at most 3599990",
    );
}
