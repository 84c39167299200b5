"""Makes the sounds that fuzzing begins with and that `cargo test -p sensorium-audio` replays.

    python tools/fuzz/sounds.py fuzz/corpus/sound

Each file says by its name what it is; what begins with `valid-` is heard, the rest is refused. `EXPECTED` in
`crates/sensorium-audio/tests/corpus/expected.rs` has a row for each. An input that a run of the fuzzer found is made here
too, cut down to what matters. Files of the formats that only an encoder makes lie in
`crates/sensorium-audio/tests/fixtures/formats`, where tests cut and change them.
"""

import struct
import sys
from pathlib import Path

PCM, FLOAT, ALAW, MULAW, ADPCM, EXTENSIBLE = 1, 3, 6, 7, 2, 0xFFFE
LARGEST = 2**32 - 1


def chunk(name, data, size=None):
    return name + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def form(kind=PCM, channels=1, rate=8000, bits=16, align=None, more=b""):
    """A `fmt ` chunk, whose numbers need not agree."""
    align = channels * bits // 8 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, (rate * align) & LARGEST, align & 0xFFFF, bits) + more)


def riff(*chunks, size=None, name=b"RIFF", kind=b"WAVE"):
    body = kind + b"".join(chunks)
    return name + struct.pack("<I", len(body) if size is None else size) + body


def wav(data, size=None, **fmt):
    return riff(form(**fmt), chunk(b"data", data, size))


def extensible(valid=16, mask=4, kind=PCM, **fmt):
    guid = struct.pack("<H", kind) + bytes.fromhex("000000001000800000aa00389b71")
    return form(EXTENSIBLE, more=struct.pack("<HHI", 22, valid, mask) + guid, **fmt)


def floats(*numbers, kind="f"):
    return struct.pack(f"<{len(numbers)}{kind}", *numbers)


S16 = struct.pack("<8h", 0, 8192, 16384, 8192, 0, -8192, -16384, -8192)


def streaminfo(block=4096, rate=8000, channels=1, bits=16, total=8):
    packed = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36 | total
    return struct.pack(">HH", block, block) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)


def flac(info, *blocks, last=True, tail=b""):
    """Metadata blocks of a FLAC file, each a kind and its bytes, and what follows."""
    parts = [(0, info, None), *blocks]
    out = b"fLaC"
    for i, (kind, data, size) in enumerate(parts):
        end = 0x80 if last and i == len(parts) - 1 else 0
        out += bytes([end | kind]) + (len(data) if size is None else size).to_bytes(3, "big") + data
    return out + tail


def atom(name, *parts, size=None):
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8 if size is None else size) + name + body


FTYP = atom(b"ftyp", b"M4A \0\0\0\0isom")


def nested(name, depth):
    data = b""
    for _ in range(depth):
        data = atom(name, data)
    return data


def ogg(body, kind=2, crc=0, segments=None):
    table = bytes([len(body)]) if segments is None else segments
    return b"OggS\0" + bytes([kind]) + bytes(8) + struct.pack("<III", 1, 0, crc) + bytes([len(table)]) + table + body


def ebml(name, data, size=None):
    length = (len(data) if size is None else size) | 1 << 56
    return name + length.to_bytes(8, "big") + data


EBML = ebml(b"\x1a\x45\xdf\xa3", ebml(b"\x42\x82", b"matroska"))
# One frame of silence, MPEG-1 layer III, 32 kbit/s, 44.1 kHz, mono.
MP3 = b"\xff\xfb\x10\xc4" + bytes(100)

FILES = {
    # WAV that is heard.
    "valid-u8.wav": wav(bytes([128, 255, 128, 0]), bits=8),
    "valid-s16.wav": wav(S16),
    "valid-s24.wav": wav(bytes(9) + b"\xff\xff\x7f", bits=24),
    "valid-s32.wav": wav(struct.pack("<2i", -(2**31), 2**31 - 1), bits=32),
    "valid-f32.wav": wav(floats(0.5, -0.5), kind=FLOAT, bits=32),
    "valid-f64.wav": wav(floats(0.5, -0.5, kind="d"), kind=FLOAT, bits=64),
    "valid-f32-past-one.wav": wav(floats(1e30, -1e30), kind=FLOAT, bits=32),
    "valid-alaw.wav": wav(bytes(range(16)), kind=ALAW, bits=8, more=b"\0\0"),
    "valid-mulaw.wav": wav(bytes(range(16)), kind=MULAW, bits=8, more=b"\0\0"),
    "valid-one-sample.wav": wav(b"\0\x40"),
    "valid-rate-1000.wav": wav(S16, rate=1000),
    "valid-rate-768000.wav": wav(S16, rate=768000),
    "valid-extensible.wav": riff(extensible(), chunk(b"data", S16)),
    "valid-extensible-8-channels.wav": riff(extensible(channels=8, mask=0x63F), chunk(b"data", S16)),
    "valid-unknown-chunks.wav": riff(chunk(b"odd ", b"123"), form(), chunk(b"LIST", b"INFO"), chunk(b"data", S16)),
    "valid-from-a-pipe.wav": riff(form(), chunk(b"data", S16, LARGEST), size=LARGEST),
    "valid-from-another-pipe.wav": riff(form(), chunk(b"data", S16, 0x7FFFF000), size=0x7FFFF024),
    "valid-from-a-pipe-half-a-sample.wav": riff(form(), chunk(b"data", S16 + b"\1", LARGEST)[:-1], size=LARGEST),
    "valid-from-a-program-that-was-killed.wav": riff(form(), chunk(b"data", S16, 0), size=0),
    "valid-align-0.wav": wav(S16, align=0),
    "valid-align-lies.wav": wav(S16, align=3),
    "valid-text-behind.wav": wav(S16) + b"and more",
    # WAV that is not.
    "empty.wav": b"",
    "riff-alone.wav": b"RIFF",
    "riff-of-nothing.wav": riff(),
    "riff-of-another-kind.wav": riff(form(), chunk(b"data", S16), kind=b"AVI "),
    "no-format.wav": riff(chunk(b"data", S16)),
    "no-data.wav": riff(form()),
    "no-samples.wav": wav(b""),
    "less-than-a-sample.wav": wav(b"\1"),
    "format-of-no-bytes.wav": riff(chunk(b"fmt ", b""), chunk(b"data", S16)),
    "format-of-4-gb.wav": riff(chunk(b"fmt ", form()[8:], LARGEST), chunk(b"data", S16)),
    "channels-0.wav": wav(S16, channels=0),
    "channels-65535.wav": wav(S16, channels=65535),
    "channels-65534-behind-a-tag.wav": b"ID3\4" + bytes(5) + b"\2\0\0" + wav(S16, channels=65534),
    "channels-15624-of-8-places.wav": riff(extensible(channels=15624, mask=0x63F), chunk(b"data", S16)),
    "rate-0.wav": wav(S16, rate=0),
    "rate-1.wav": wav(S16, rate=1),
    "rate-of-u32-max.wav": wav(S16, rate=LARGEST),
    "bits-0.wav": wav(S16, bits=0),
    "bits-7.wav": wav(S16, bits=7),
    "bits-65535.wav": wav(S16, bits=65535),
    "size-of-no-meaning.wav": riff(form(), chunk(b"data", S16), size=3),
    "no-samples-but-a-list.wav": riff(form(), chunk(b"data", b""), chunk(b"LIST", b"INFO")),
    "extensible-too-short.wav": riff(form(EXTENSIBLE), chunk(b"data", S16)),
    "extensible-of-another-kind.wav": riff(extensible(kind=0x1234), chunk(b"data", S16)),
    "extensible-valid-bits-40.wav": riff(extensible(valid=40), chunk(b"data", S16)),
    "kind-unknown.wav": wav(S16, kind=0x4242),
    "adpcm.wav": wav(S16, kind=ADPCM, bits=4),
    "cut-off.wav": wav(S16)[:-4],
    "data-of-2-gb.wav": wav(S16, 2**31),
    "not-a-number.wav": wav(floats(0.0, float("nan")), kind=FLOAT, bits=32),
    "infinite.wav": wav(floats(0.0, 0.0, float("-inf")), kind=FLOAT, bits=32),
    "not-a-number-f64.wav": wav(floats(float("nan"), kind="d"), kind=FLOAT, bits=64),
    # FLAC.
    "marker-alone.flac": b"fLaC",
    "no-frame.flac": flac(streaminfo()),
    "no-end-of-headers.flac": flac(streaminfo(), last=False),
    "block-of-0.flac": flac(streaminfo(block=0)),
    "rate-0.flac": flac(streaminfo(rate=0)),
    "total-of-2-to-the-36.flac": flac(streaminfo(total=2**36 - 1)),
    "picture-of-16-mb.flac": flac(streaminfo(), (6, b"\0\0\0\3", 2**24 - 1)),
    "comment-of-4-gb.flac": flac(streaminfo(), (4, struct.pack("<I", LARGEST), None)),
    "cues-of-no-length.flac": flac(streaminfo(), (5, b"", None)),
    "frame-of-noise.flac": flac(streaminfo(), tail=b"\xff\xf8" + bytes(range(64))),
    # MP3, AAC.
    "text.mp3": b"just a text, renamed",
    "tag-alone.mp3": b"ID3\4\0\0" + bytes(4),
    "tag-of-256-mb.mp3": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(30),
    "one-frame-cut-off.mp3": MP3[:50],
    "sync-alone.mp3": b"\xff\xfb",
    "rate-reserved.mp3": b"\xff\xfb\x1c\xc4" + bytes(100),
    "frames-of-noise.aac": b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(range(9)),
    # Ogg.
    "page-alone.ogg": ogg(b""),
    "page-of-a-wrong-sum.ogg": ogg(b"\1vorbis" + bytes(23), crc=1),
    "page-cut-off.ogg": ogg(b"\1vorbis" + bytes(23))[:-9],
    "segments-and-no-body.ogg": ogg(b"", segments=bytes([255] * 255)),
    # MP4.
    "type-alone.m4a": FTYP,
    "atom-of-0.m4a": FTYP + atom(b"moov", size=0),
    "atom-of-1.m4a": FTYP + atom(b"moov", size=1),
    "atom-of-4-gb.m4a": FTYP + atom(b"moov", size=LARGEST),
    "atom-of-2-to-the-63.m4a": FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**63),
    "movie-of-nothing.m4a": FTYP + atom(b"moov"),
    "atoms-in-atoms.m4a": FTYP + nested(b"moov", 100),
    "samples-of-4-billion.m4a": FTYP + atom(b"moov", atom(b"trak", atom(b"stsz", struct.pack(">III", 0, 4, LARGEST)))),
    # Matroska.
    "header-alone.mkv": EBML,
    "segment-of-nothing.mkv": EBML + ebml(b"\x18\x53\x80\x67", b""),
    "segment-of-2-to-the-55.mkv": EBML + ebml(b"\x18\x53\x80\x67", b"", 2**55 - 2),
    "tracks-of-nothing.mkv": EBML + ebml(b"\x18\x53\x80\x67", ebml(b"\x16\x54\xae\x6b", b"")),
    "length-of-no-bytes.mkv": EBML + b"\x18\x53\x80\x67\0",
    # No sound at all.
    "zeros.wav": bytes(512),
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "page.html": b"<!DOCTYPE html><html>404</html>",
    "pointer.flac": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 132\n",
}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.*"):
        old.unlink()
    for name, data in FILES.items():
        assert len(data) < 2048, f"{name}: {len(data)} bytes"
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
