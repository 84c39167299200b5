//! Files that were cut, changed or made to harm give an error of one line or a shorter sound: no panic, no great memory.

use sensorium_core::Source;

use super::tests_formats::fixture;
use super::{Sound, decode, decode_window};
use crate::Error;

const FILES: [&str; 20] = [
    "u8.wav",
    "alaw.wav",
    "s24.wav",
    "f64.wav",
    "notes.flac",
    "alac.m4a",
    "cbr.mp3",
    "vbr.mp3",
    "vorbis.ogg",
    "aac.m4a",
    "adts.aac",
    "film_aac.mp4",
    "film_aac.mkv",
    "film_flac.mkv",
    "film_mp3.mkv",
    "film_pcm.mkv",
    "film_piped.mkv",
    "film_vorbis.webm",
    "surround51.flac",
    "surround71.wav",
];

fn open(name: &str, bytes: &[u8]) -> Result<Sound, Error> {
    decode(&Source::bytes(name, bytes))
}

/// Whether a result is what a spoilt file may give.
fn judge(name: &str, result: Result<Sound, Error>, most: usize) {
    match result {
        Ok(sound) => {
            let count = sound.samples.len();
            assert!((1..=most).contains(&count), "{name}: {count} samples");
            assert!(sound.samples.iter().all(|s| s.is_finite()), "{name}");
        }
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with(name), "{line}");
            assert!(!line.contains('\n') && line.len() < 200, "{line}");
            assert!(
                !matches!(error, Error::Source(_) | Error::Config(_)),
                "{line}"
            );
        }
    }
}

/// A row of numbers that look drawn (xorshift64, Marsaglia 2003).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_shorter() {
    for name in FILES {
        let file = fixture(name);
        let whole = open(name, &file).unwrap().samples.len();
        for length in (0..file.len()).step_by(file.len() / 97) {
            judge(name, open(name, &file[..length]), whole);
        }
    }
}

#[test]
fn a_file_with_changed_bits_is_an_error_or_a_sound() {
    let mut draw = Draw(0x5EED);
    for name in FILES {
        let file = fixture(name);
        // Headers hold the numbers that lie about memory.
        for round in 0..300 {
            let within = if round % 2 == 0 {
                file.len().min(600)
            } else {
                file.len()
            };
            let mut changed = file.clone();
            for _ in 0..1 + round % 3 {
                changed[draw.below(within)] ^= 1 << draw.below(8);
            }
            let source = Source::bytes(name, changed);
            judge(name, decode(&source), 1 << 24);
            judge(name, decode_window(&source, 0.08, 0.02), 1 << 20);
        }
    }
}

#[test]
fn a_matroska_file_cut_off_says_so() {
    let file = fixture("film_pcm.mkv");
    let error = open("a.mkv", &file[..file.len() - 500]).unwrap_err();
    let Error::CutOff {
        announced, found, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(announced - found, 500);
    // One that was written into a pipe tells by its cluster.
    let file = fixture("film_piped.mkv");
    let error = open("a.mkv", &file[..file.len() - 100]).unwrap_err();
    let Error::CutOff {
        announced, found, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(announced - found, 100);
    // With clusters of no length, too, there is no telling.
    let mut file = file;
    let at = find(&file, b"\x1F\x43\xB6\x75") + 4;
    let width = file[at].leading_zeros() as usize + 1;
    file[at] = 0xFF >> (width - 1);
    file[at + 1..at + width].fill(0xFF);
    let whole = open("a.mkv", &file).unwrap().samples;
    assert_eq!(
        whole,
        open("a.mkv", &fixture("film_piped.mkv")).unwrap().samples
    );
    let part = open("a.mkv", &file[..file.len() - 100]).unwrap().samples;
    assert!(part.len() < whole.len());
    assert_eq!(part, whole[..part.len()]);
}

fn find(file: &[u8], part: &[u8]) -> usize {
    let mut windows = file.windows(part.len());
    windows.position(|window| window == part).unwrap()
}

/// An element of Matroska with a length of eight bytes.
fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64 | 1 << 56).to_be_bytes();
    [id, &length, content].concat()
}

/// A Matroska file with more in its segment, before all else.
fn with(more: &[u8]) -> Vec<u8> {
    let file = fixture("film_piped.mkv");
    let at = find(&file, b"\x18\x53\x80\x67");
    let content = at + 4 + 8;
    [&file[..content], more, &file[content..]].concat()
}

#[test]
fn what_a_matroska_file_holds_besides_sound_takes_no_memory() {
    let plain = open("a.mkv", &fixture("film_piped.mkv")).unwrap();
    // A million empty tags, which would take hundreds of bytes each.
    let tags = element(b"\x12\x54\xC3\x67", &b"\x73\x73\x80".repeat(1 << 20));
    let file = with(&tags);
    assert_eq!(open("a.mkv", &file).unwrap(), plain);
    // Contents that point at them again and again.
    let seek = element(
        b"\x4D\xBB",
        &[
            element(b"\x53\xAB", b"\x12\x54\xC3\x67"),
            element(b"\x53\xAC", &[0x40, 0]),
        ]
        .concat(),
    );
    let contents = element(b"\x11\x4D\x9B\x74", &seek.repeat(10_000));
    let before = resident();
    let file = with(&[contents, tags].concat());
    assert_eq!(open("a.mkv", &file).unwrap(), plain);
    assert!(resident() - before < 256 << 20);
}

#[test]
fn a_matroska_header_of_any_size_is_refused() {
    let void = element(b"\xEC", &vec![0; 2 << 20]);
    let file = fixture("film_piped.mkv");
    // The tracks' element, grown by what may be in any.
    let mut windows = file.windows(4);
    let at = windows
        .rposition(|part| part == b"\x16\x54\xAE\x6B")
        .unwrap();
    let width = file[at + 4].leading_zeros() as usize + 1;
    let size = file[at + 4..at + 4 + width].iter();
    let size = size.fold(0, |n, b| n << 8 | usize::from(*b)) & ((1 << (7 * width)) - 1);
    let content = at + 4 + width;
    let end = content + size;
    let tracks = element(&file[at..at + 4], &[&file[content..end], &void].concat());
    let file = [&file[..at], &tracks, &file[end..]].concat();
    assert_eq!(
        open("a.mkv", &file).unwrap_err().to_string(),
        "a.mkv: cannot be decoded: its header is larger than one megabyte"
    );
}

/// The most memory that this process has held, in bytes; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    1024 * kilobytes.unwrap_or(0)
}
