//! What is heard, and why the rest is refused.

/// Each file of the corpus with a part of its message; nothing for what is heard.
pub const EXPECTED: &[(&str, &str)] = &[
    ("adpcm.wav", "is no sound that can be read"),
    (
        "atom-of-0.m4a",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "atom-of-1.m4a",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "atom-of-2-to-the-63.m4a",
        "is cut off: its header announces 9223372036854775808 bytes of sound, but 16 are there; copy it again",
    ),
    (
        "atom-of-4-gb.m4a",
        "cannot be decoded: unsupported feature: isomp4: missing moov atom",
    ),
    (
        "atoms-in-atoms.m4a",
        "cannot be decoded: isomp4 (moov): missing mvhd atom",
    ),
    ("bits-0.wav", "is no sound that can be read"),
    ("bits-65535.wav", "is no sound that can be read"),
    ("bits-7.wav", "is no sound that can be read"),
    (
        "block-of-0.flac",
        "cannot be decoded: flac: minimum block length is 16 samples",
    ),
    ("channels-0.wav", "is no sound that can be read"),
    (
        "channels-15624-of-8-places.wav",
        "cannot be decoded: the decoder gave up on it",
    ),
    (
        "channels-65534-behind-a-tag.wav",
        "cannot be decoded: the decoder gave up on it",
    ),
    (
        "channels-65535.wav",
        "cannot be decoded: the decoder gave up on it",
    ),
    (
        "comment-of-4-gb.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "cues-of-no-length.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "cut-off.wav",
        "is cut off: its header announces 16 bytes of sound, but 12 are there; copy it again",
    ),
    (
        "data-of-2-gb.wav",
        "is cut off: its header announces 2147483648 bytes of sound, but 16 are there; copy it again",
    ),
    ("empty.wav", "is empty"),
    (
        "extensible-of-another-kind.wav",
        "is no sound that can be read",
    ),
    ("extensible-too-short.wav", "is no sound that can be read"),
    (
        "extensible-valid-bits-40.wav",
        "is no sound that can be read",
    ),
    ("format-of-4-gb.wav", "is no sound that can be read"),
    ("format-of-no-bytes.wav", "is no sound that can be read"),
    (
        "frame-of-noise.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("frames-of-noise.aac", "is no sound that can be read"),
    (
        "header-alone.mkv",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("infinite.wav", "sample 2 is not a finite number"),
    ("kind-unknown.wav", "is no sound that can be read"),
    (
        "length-of-no-bytes.mkv",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("less-than-a-sample.wav", "holds no sound (no samples)"),
    (
        "marker-alone.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "movie-of-nothing.m4a",
        "cannot be decoded: isomp4 (moov): missing mvhd atom",
    ),
    ("no-data.wav", "is no sound that can be read"),
    (
        "no-end-of-headers.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("no-format.wav", "is no sound that can be read"),
    (
        "no-frame.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("no-samples-but-a-list.wav", "holds no sound (no samples)"),
    ("no-samples.wav", "holds no sound (no samples)"),
    ("not-a-number-f64.wav", "sample 0 is not a finite number"),
    ("not-a-number.wav", "sample 1 is not a finite number"),
    ("one-frame-cut-off.mp3", "is no sound that can be read"),
    ("page-alone.ogg", "cannot be decoded: ogg: crc mismatch"),
    (
        "page-cut-off.ogg",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "page-of-a-wrong-sum.ogg",
        "cannot be decoded: ogg: crc mismatch",
    ),
    ("page.html", "is no sound that can be read"),
    (
        "picture-of-16-mb.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("picture.png", "is no sound that can be read"),
    ("pointer.flac", "is no sound that can be read"),
    (
        "rate-0.flac",
        "cannot be decoded: flac: stream sample rate out of bounds",
    ),
    (
        "rate-0.wav",
        "has 0 samples a second; 1000 to 768000 are read",
    ),
    (
        "rate-1.wav",
        "has 1 samples a second; 1000 to 768000 are read",
    ),
    (
        "rate-of-u32-max.wav",
        "has 4294967295 samples a second; 1000 to 768000 are read",
    ),
    ("rate-reserved.mp3", "is no sound that can be read"),
    ("riff-alone.wav", "is no sound that can be read"),
    ("riff-of-another-kind.wav", "is no sound that can be read"),
    ("riff-of-nothing.wav", "is no sound that can be read"),
    (
        "samples-of-4-billion.m4a",
        "cannot be decoded: isomp4 (trak): missing tkhd atom",
    ),
    (
        "segment-of-2-to-the-55.mkv",
        "is cut off: its header announces 36028797018963966 bytes of sound, but 0 are there; copy it again",
    ),
    (
        "segment-of-nothing.mkv",
        "cannot be decoded: holds no description",
    ),
    (
        "segments-and-no-body.ogg",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    ("size-of-no-meaning.wav", "is no sound that can be read"),
    ("sync-alone.mp3", "is no sound that can be read"),
    ("tag-alone.mp3", "is no sound that can be read"),
    ("tag-of-256-mb.mp3", "is no sound that can be read"),
    ("text.mp3", "is no sound that can be read"),
    (
        "total-of-2-to-the-36.flac",
        "is cut off: it ends half-way, after 0.00 seconds of sound; copy it again",
    ),
    (
        "tracks-of-nothing.mkv",
        "cannot be decoded: holds no description",
    ),
    (
        "type-alone.m4a",
        "cannot be decoded: unsupported feature: isomp4: missing moov atom",
    ),
    ("valid-alaw.wav", ""),
    ("valid-align-0.wav", ""),
    ("valid-align-lies.wav", ""),
    ("valid-extensible-8-channels.wav", ""),
    ("valid-extensible.wav", ""),
    ("valid-f32-past-one.wav", ""),
    ("valid-f32.wav", ""),
    ("valid-f64.wav", ""),
    ("valid-from-a-pipe-half-a-sample.wav", ""),
    ("valid-from-a-pipe.wav", ""),
    ("valid-from-a-program-that-was-killed.wav", ""),
    ("valid-from-another-pipe.wav", ""),
    ("valid-mulaw.wav", ""),
    ("valid-one-sample.wav", ""),
    ("valid-rate-1000.wav", ""),
    ("valid-rate-768000.wav", ""),
    ("valid-s16.wav", ""),
    ("valid-s24.wav", ""),
    ("valid-s32.wav", ""),
    ("valid-text-behind.wav", ""),
    ("valid-u8.wav", ""),
    ("valid-unknown-chunks.wav", ""),
    ("zeros.wav", "is no sound that can be read"),
];
