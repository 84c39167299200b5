//! Files that lie about memory, end early or follow each other.

use sensorium_core::Source;

use super::{Sound, decode, decode_start};
use crate::resample::needed;
use crate::{Error, resample};

const FLAC: &[u8] = include_bytes!("../../tests/fixtures/tone.flac");
const OGG: &[u8] = include_bytes!("../../tests/fixtures/tone.ogg");
const MP3: &[u8] = include_bytes!("../../tests/fixtures/tone.mp3");
const M4A: &[u8] = include_bytes!("../../tests/fixtures/tone.m4a");
const ALAC: &[u8] = include_bytes!("../../tests/fixtures/alac.m4a");

fn open(name: &str, bytes: &[u8]) -> Result<Sound, Error> {
    decode(&Source::bytes(name, bytes.to_vec()))
}

/// A box of MP4: its length, its name, its parts.
fn atom(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len() as u32 + 8;
    [&length.to_be_bytes(), &name[..], &content].concat()
}

fn u32s(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// A QuickTime file of uncompressed sound, 64-bit floats at 8 kHz, which says that a packet has `frames_per_packet`.
fn lpcm(channels: u32, frames: u32, frames_per_packet: u32) -> Vec<u8> {
    let frame = vec![0.5f64; channels as usize];
    let frame: Vec<u8> = frame.iter().flat_map(|s| s.to_be_bytes()).collect();
    let sound = frame.repeat(frames as usize);
    let ftyp = atom(b"ftyp", &[b"qt  ", &u32s(&[0]), b"qt  "]);
    let moov = |at| lpcm_header(channels, frames, frames_per_packet, at);
    let at = ftyp.len() + moov(0).len() + 8;
    [ftyp, moov(at as u32), atom(b"mdat", &[&sound])].concat()
}

/// Its `moov`; the sound begins `at` this byte.
fn lpcm_header(channels: u32, frames: u32, frames_per_packet: u32, at: u32) -> Vec<u8> {
    let entry = [
        u32s(&[0, 1]), // reserved, data reference
        u32s(&[0x0002_0000, 0, 0x0003_0010, 0xFFFE_0000, 0x0001_0000, 72]),
        8000f64.to_be_bytes().to_vec(),
        // 64 bits, float and big-endian.
        u32s(&[
            channels,
            0x7F00_0000,
            64,
            3,
            8 * channels,
            frames_per_packet,
        ]),
    ];
    let entry = atom(b"lpcm", &[&entry.concat()]);
    let table = [
        atom(b"stsd", &[&u32s(&[0, 1]), &entry]),
        atom(b"stts", &[&u32s(&[0, 1, frames, 1])]),
        atom(b"stsc", &[&u32s(&[0, 1, 1, frames, 1])]),
        atom(b"stsz", &[&u32s(&[0, 8 * channels, frames])]),
        atom(b"stco", &[&u32s(&[0, 1, at])]),
    ];
    let media = [
        atom(b"mdhd", &[&u32s(&[0, 0, 0, 8000, frames, 0])]),
        atom(b"hdlr", &[&u32s(&[0, 0]), b"soun", &[0; 13]]),
        atom(
            b"minf",
            &[
                &atom(b"smhd", &[&u32s(&[0, 0])]),
                &atom(b"stbl", &[&table.concat()]),
            ],
        ),
    ];
    let header = atom(b"tkhd", &[&u32s(&[7, 0, 0, 1, 0, frames]), &[0; 60]]);
    let track = atom(b"trak", &[&header, &atom(b"mdia", &[&media.concat()])]);
    let movie = atom(b"mvhd", &[&u32s(&[0, 0, 0, 8000, frames]), &[0; 80]]);
    atom(b"moov", &[&movie, &track])
}

#[test]
fn a_header_s_word_on_packets_takes_no_memory() {
    // Eight channels of four billion 64-bit numbers would be 256 gigabytes.
    let sound = open("a.mov", &lpcm(8, 100, u32::MAX)).unwrap();
    let expected = Sound {
        samples: vec![0.5; 100],
        sample_rate_hz: 8000,
    };
    assert_eq!(sound, expected);
    assert_eq!(open("a.mov", &lpcm(8, 100, 1)).unwrap(), expected);
}

#[test]
fn a_sound_cut_short_says_how_much_is_there() {
    let check = |name: &str, bytes: &[u8], length: usize, expected: &str| {
        let error = open(name, &bytes[..length]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{name}: is cut off: {expected}; copy it again")
        );
    };
    let nothing = "it ends half-way, after 0.00 seconds of sound";
    check(
        "a.flac",
        FLAC,
        9 * FLAC.len() / 10,
        "0.07 of its 0.25 seconds are there",
    );
    check("a.flac", FLAC, FLAC.len() / 2, nothing);
    check("a.ogg", OGG, OGG.len() - 10, nothing);
    check(
        "a.mp3",
        MP3,
        6 * MP3.len() / 10,
        "0.07 of its 0.25 seconds are there",
    );
    // An MP4 is told by the bytes of its `mdat`, wherever its header stands.
    for (name, bytes) in [("a.mov", &lpcm(1, 800, 1)[..]), ("a.m4a", &M4A[..1000])] {
        let error = open(name, &bytes[..bytes.len() - 100]).unwrap_err();
        assert!(matches!(error, Error::CutOff { .. }), "{error}");
    }
}

#[test]
fn no_part_of_a_file_passes_for_the_whole() {
    let mov = lpcm(1, 100, 1);
    let files = [
        ("a.flac", FLAC),
        ("a.ogg", OGG),
        ("a.m4a", M4A),
        ("b.m4a", ALAC),
        ("a.mov", &mov),
    ];
    for (name, bytes) in files {
        assert!(open(name, bytes).is_ok());
        for length in (0..bytes.len()).step_by(61) {
            assert!(open(name, &bytes[..length]).is_err(), "{name} of {length}");
        }
    }
}

#[test]
fn an_mp3_without_a_tag_gives_what_is_there() {
    // After the ID3 tag of ten bytes and its padding stands a frame of 144 bytes with the encoder's tag.
    let frames = &MP3[20 + 144..];
    let whole = open("a.mp3", frames).unwrap().seconds();
    let half = open("a.mp3", &frames[..frames.len() / 2])
        .unwrap()
        .seconds();
    assert!(
        half > 0.4 * whole && half < 0.6 * whole,
        "{half} of {whole}"
    );
}

#[test]
fn the_parts_of_a_chained_ogg_follow_each_other() {
    let once = open("a.ogg", OGG).unwrap();
    let twice = open("a.ogg", &[OGG, OGG].concat()).unwrap();
    assert_eq!(twice.samples, [&once.samples[..], &once.samples].concat());
}

#[test]
fn the_start_of_a_long_sound_is_the_same_as_in_the_whole() {
    for (from_hz, to_hz) in [
        (44_100, 16_000),
        (8_001, 8_000),
        (16_000, 16_000),
        (8_000, 44_100),
    ] {
        let noise = (0..6 * from_hz).map(|i| ((i as f32 * 12.9898).sin() * 43_758.547).fract());
        let samples: Vec<f32> = noise.collect();
        let source = Source::bytes("a.wav", crate::tests::float_wav(&samples, from_hz));
        let whole = decode(&source).unwrap();
        let count = to_hz as usize / 3;
        let start = decode_start(&source, |hz| needed(hz, to_hz, count)).unwrap();
        assert!(
            start.samples.len() < whole.samples.len(),
            "{from_hz} to {to_hz}"
        );
        let (start, whole) = (
            resample(&start, to_hz).unwrap(),
            resample(&whole, to_hz).unwrap(),
        );
        assert_eq!(start[..count], whole[..count], "{from_hz} to {to_hz}");
    }
    // What comes after is not looked at.
    let cut = Source::bytes("a.flac", &FLAC[..9 * FLAC.len() / 10]);
    assert!(decode_start(&cut, |_| 1000).unwrap().samples.len() >= 1000);
}

#[test]
fn a_wav_without_a_sample_holds_no_sound() {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    hound::WavWriter::new(&mut file, spec)
        .unwrap()
        .finalize()
        .unwrap();
    let bytes = file.into_inner();
    // What is asked for goes by a rate that no packet has told.
    let start = super::decode_start(&Source::bytes("zero.wav", bytes.clone()), |rate_hz| {
        assert_ne!(rate_hz, 0);
        1000
    });
    let expected = "zero.wav: holds no sound (no samples)";
    assert_eq!(start.unwrap_err().to_string(), expected);
    let error = decode(&Source::bytes("zero.wav", bytes)).unwrap_err();
    assert_eq!(error.to_string(), expected);
}
