//! One sequence of tones comes out of every format as it went in (`tools/parity/audio/make_formats.sh`).

use sensorium_core::Source;

use super::{Sound, decode};

/// The fixture of a name.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/formats/");
    std::fs::read(format!("{folder}{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn open(name: &str) -> Sound {
    decode(&Source::bytes(name, fixture(name))).unwrap_or_else(|error| panic!("{error}"))
}

/// The samples that all were made of, by another reader: 2,400 at 16 kHz, silent up to 800.
fn original() -> Vec<f32> {
    let mut reader = hound::WavReader::new(std::io::Cursor::new(fixture("s16.wav"))).unwrap();
    let samples = reader.samples::<i16>();
    samples.map(|s| f32::from(s.unwrap()) / 32768.0).collect()
}

#[test]
fn what_loses_nothing_gives_the_original_to_the_last_bit() {
    let original = original();
    assert_eq!(original.len(), 2400);
    for name in [
        "s16.wav",
        "s24.wav",
        "s32.wav",
        "f32.wav",
        "f64.wav",
        "notes.flac",
        "alac.m4a",
        "s24_big.mov",
        "s24_little.mov",
        "f32_big.mov",
        "film_flac.mkv",
        "film_pcm.mkv",
    ] {
        let sound = open(name);
        assert_eq!(sound.sample_rate_hz, 16_000, "{name}");
        assert!(sound.samples == original, "{name}");
    }
}

#[test]
fn eight_bits_are_as_close_as_they_can_be() {
    // A step of 8 bits; of A-law and µ-law a sixteenth of the sample's power of two, and the first step.
    type Allowed = fn(f32) -> f32;
    let allowed: [(&str, Allowed); 3] = [
        ("u8.wav", |_| 1.0 / 128.0),
        ("alaw.wav", |s| s.abs() / 32.0 + 1.0 / 4096.0),
        ("mulaw.wav", |s| s.abs() / 32.0 + 1.0 / 4096.0),
    ];
    for (name, allowed) in allowed {
        let sound = open(name);
        assert_eq!(sound.samples.len(), 2400, "{name}");
        for (i, (found, expected)) in sound.samples.iter().zip(original()).enumerate() {
            let difference = (found - expected).abs();
            assert!(
                difference <= allowed(expected),
                "{name}: {found} is not {expected} at {i}"
            );
        }
    }
}

/// By how many samples a sound lags behind the original, and how well they agree there: 1 is wholly.
fn lag(sound: &[f32], original: &[f32]) -> (usize, f64) {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let norm = |a: &[f32]| dot(a, a).sqrt();
    // The original's silence lets the sound begin early by up to 64 samples.
    let original = &original[64..];
    (0..sound.len().saturating_sub(1000))
        .map(|lag| {
            let sound = &sound[lag..];
            let both = sound.len().min(original.len());
            let (sound, original) = (&sound[..both], &original[..both]);
            (
                lag,
                dot(sound, original) / (norm(sound) * norm(original)).max(1e-9),
            )
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap()
}

#[test]
fn what_loses_some_keeps_the_length_and_the_time_where_the_file_tells_them() {
    // What is left of the codec's silence: nothing, where the file says how much there is. An AAC stream and a
    // Matroska file of FFmpeg 5.1 do not say it of the start; that of AAC and the WebM do not of the end.
    for (name, samples, late) in [
        ("cbr.mp3", 2400, 0),
        ("vbr.mp3", 2400, 0),
        ("vorbis.ogg", 2400, 0),
        ("aac.m4a", 2400, 0),
        ("film_aac.mp4", 2400, 0),
        ("adts.aac", 4096, 1024),
        ("film_aac.mkv", 4096, 1024),
        ("film_piped.mkv", 4096, 1024),
        // 576 of the encoder and 529 of the decoder.
        ("film_mp3.mkv", 2400 + 576 + 529, 576 + 529),
        ("film_vorbis.webm", 2688, 0),
    ] {
        let sound = open(name);
        assert_eq!(sound.sample_rate_hz, 16_000, "{name}");
        assert_eq!(sound.samples.len(), samples, "{name}");
        let (lag, likeness) = lag(&sound.samples, &original());
        assert_eq!(lag, late + 64, "{name}");
        assert!(likeness > 0.999, "{name}: {likeness}");
    }
}

/// A box of MP4, renamed to one that is passed over.
fn without(name: &[u8; 4], mut file: Vec<u8>) -> Vec<u8> {
    let at = file.windows(4).position(|part| part == name).unwrap();
    file[at..at + 4].copy_from_slice(b"free");
    file
}

fn decode_bytes(name: &str, file: Vec<u8>) -> Vec<f32> {
    decode(&Source::bytes(name, file)).unwrap().samples
}

#[test]
fn an_mp4_without_an_edit_list_gives_all_there_is_or_what_itunes_says() {
    let trimmed = open("aac.m4a").samples;
    let bare = without(b"edts", fixture("aac.m4a"));
    let all = decode_bytes("a.m4a", bare.clone());
    assert_eq!(all.len(), 4 * 1024);
    assert_eq!(all[1024..1024 + 2400], trimmed);
    // The header of its film stands last, so that a box can be added.
    let text = b" 00000000 00000400 00000260 0000000000000960 00000000 00000000 00000000";
    let tag = [&b"----iTunSMPB\0\0\0\0data\0\0\0\x01\0\0\0\0"[..], text].concat();
    let mut file = bare;
    let at = file.windows(4).position(|part| part == b"moov").unwrap() - 4;
    assert_eq!(
        at + u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize,
        file.len()
    );
    file.extend((tag.len() as u32 + 8).to_be_bytes());
    file.extend(b"udta");
    file.extend(&tag);
    let length = (file.len() - at) as u32;
    file[at..at + 4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(decode_bytes("a.m4a", file), trimmed);
}

#[test]
fn a_matroska_track_s_delay_is_cut_off() {
    let mut file = fixture("film_aac.mkv");
    let all = decode_bytes("a.mkv", file.clone());
    // A language of three letters, six bytes, makes room for 64 milliseconds in nanoseconds: 03 D0 90 00.
    let language = b"\x22\xB5\x9C\x83und";
    let at = file.windows(7).rposition(|part| part == language).unwrap();
    file[at..at + 7].copy_from_slice(b"\x56\xAA\x84\x03\xD0\x90\x00");
    assert_eq!(decode_bytes("a.mkv", file), all[1024..]);
}

#[test]
fn the_last_packet_of_a_matroska_track_is_cut_as_it_says() {
    // The same packets as in Ogg, whose end is told by a count of samples.
    let sound = open("long_vorbis.mkv");
    assert_eq!(sound.samples.len(), 40_000);
    assert_eq!(sound, open("long.ogg"));
}

#[test]
fn what_is_not_read_is_named() {
    let mut file = fixture("film_vorbis.webm");
    let at = file
        .windows(8)
        .position(|part| part == b"A_VORBIS")
        .unwrap();
    file[at..at + 8].copy_from_slice(b"A_OPUS\0\0");
    let error = decode(&Source::bytes("a.webm", file))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "a.webm: cannot be decoded: its sound is Opus, which is not read"
    );
    // A film without sound: the type of its second track becomes that of a picture.
    let mut file = fixture("film_pcm.mkv");
    let at = file
        .windows(3)
        .position(|part| part == b"\x83\x81\x02")
        .unwrap();
    file[at + 2] = 1;
    let at = file
        .windows(13)
        .position(|part| part == b"A_PCM/INT/LIT")
        .unwrap();
    file[at] = b'X';
    let error = decode(&Source::bytes("a.mkv", file))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "a.mkv: cannot be decoded: none of its tracks is sound of a kind that is read"
    );
}

#[test]
fn a_stream_is_read_like_its_bytes() {
    let bytes = fixture("film_aac.mp4");
    let stream = Source::stream("a.mp4", bytes.as_slice(), super::LARGEST).unwrap();
    assert_eq!(decode(&stream).unwrap(), open("film_aac.mp4"));
}
