"""Makes the corpus that fuzzing begins with and that `cargo test -p sensorium-hub` replays.

    python tools/fuzz/corpus.py fuzz/corpus

Each file says by its name what it is; what begins with `valid-` is read, the rest is refused. `EXPECTED` in
`crates/sensorium-hub/tests/corpus/main.rs` has a row for each. An input that a run of the fuzzer found is made here too,
cut down to what matters.
"""

import json
import struct
import sys
from pathlib import Path

DTYPES = {
    "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
LARGEST = 2**64 - 1


def file(header, data=b""):
    """A safetensors file of this header, given as bytes, as text or as what JSON is made of."""
    if not isinstance(header, (bytes, str)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header)) + header + data


def tensor(dtype, shape, start, end, **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end], **more}


def one(dtype="F32", shape=(1,), start=0, end=4, data=4, **more):
    """A file of one tensor `w`; `data` is how many bytes are there."""
    return file({"w": tensor(dtype, list(shape), start, end, **more)}, bytes(range(data)))


def every_dtype():
    header, end = {}, 0
    for dtype, size in DTYPES.items():
        header[dtype.lower()] = tensor(dtype, [1], end, end + size)
        end += size
    return file(header, bytes(end))


def nested(depth):
    return "[" * depth + "]" * depth


def text(tensors):
    """A file whose header is this text about bytes, of which there are as many as the text names."""
    return file("{" + tensors + "}", b"\x01\x02")


U8 = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
U8_2ND = '{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'

FILES = {
    # What is read.
    "valid-no-tensor": file("{}"),
    "valid-f16": one("F16", [2, 1], 0, 4),
    "valid-bf16": one("BF16", [2], 0, 4),
    "valid-f32-not-a-number": file({"w": tensor("F32", [1], 0, 4)}, b"\xff" * 4),
    "valid-f64-past-f32": file({"w": tensor("F64", [1], 0, 8)}, struct.pack("<d", 1e300)),
    "valid-every-dtype": every_dtype(),
    "valid-bool-not-0-or-1": one("BOOL", [4], 0, 4),
    "valid-scalar": one("F32", []),
    "valid-no-elements": one("I64", [0, 7], 0, 0, 0),
    "valid-zero-times-huge": one("F32", [0, LARGEST], 0, 0, 0),
    "valid-many-ones": one("U8", [1] * 200, 0, 1, 1),
    "valid-places-out-of-order": file(
        {"a": tensor("U8", [2], 3, 5), "b": tensor("U8", [0], 3, 3), "c": tensor("I8", [3], 0, 3)},
        bytes(5),
    ),
    "valid-metadata": file({"__metadata__": {"format": "pt", "": "\n"}, "w": tensor("U8", [1], 0, 1)}, b"\0"),
    "valid-metadata-empty": file({"__metadata__": {}}),
    "valid-padded-header": file('{"w":' + U8 + "}" + " " * 15, b"\0"),
    "valid-unknown-field": one(strides=[1, {"any": None}], quantized=False),
    "valid-deep-nesting-where-ignored": file('{"w":{"x":' + nested(300) + "," + U8[1:] + "}", b"\0"),
    "valid-number-past-f64-where-ignored": file('{"w":{"x":1e999,' + U8[1:] + "}", b"\0"),
    "valid-lone-surrogate-where-ignored": file(r'{"w":{"x":"\udead",' + U8[1:] + "}", b"\0"),
    "valid-tensor-as-list": file('{"w":["F32",[1],[0,4]]}', bytes(4)),
    "valid-name-empty": text(f'"":{U8},"b":{U8_2ND}'),
    "valid-name-escaped": text(rf'"\n\u0000\u202e":{U8},"\ud83d\ude00":{U8_2ND}'),
    # The length of the header.
    "empty": b"",
    "length-cut-off": b"\x10\0\0",
    "length-and-no-header": struct.pack("<Q", 100),
    "header-of-no-bytes": struct.pack("<Q", 0),
    "header-past-the-end": struct.pack("<Q", 3) + b"{}",
    "header-of-100-mb": struct.pack("<Q", 100_000_000) + b"{}",
    "header-past-100-mb": struct.pack("<Q", 100_000_001) + b"{}",
    "header-of-u64-max": struct.pack("<Q", LARGEST) + b"{}",
    "header-shorter-than-said": struct.pack("<Q", 1) + b"{}",
    # Its JSON.
    "header-not-json": file("PK\x03\x04"),
    "header-not-utf8": file(b'{"\xff":' + U8.encode() + b"}", b"\0"),
    "header-not-utf8-where-ignored": file(
        b'{"w":{"x":"\xff","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"\0"
    ),
    "header-a-list": file("[]"),
    "header-two-values": file("{}{}"),
    "header-after-a-mark": file(b"\xef\xbb\xbf{}"),
    "lone-surrogate": text(rf'"\ud83d":{U8},"b":{U8_2ND}'),
    "deep-nesting": file(nested(400)),
    "deep-nesting-for-a-shape": one(shape=json.loads(nested(150))),
    "tensor-a-number": file('{"w":1}'),
    "tensor-null": file('{"w":null}'),
    "tensor-list-too-long": file('{"w":["F32",[1],[0,4],0]}', bytes(4)),
    "metadata-not-text": file({"__metadata__": {"step": 1}}),
    "metadata-null": file({"__metadata__": None}),
    # Found by fuzzing, cut down: what the reader of JSON has a word of its own for.
    "header-cut-in-a-name": file('{"w'),
    "header-with-a-control-character": text(f'"\x1f":{U8},"b":{U8_2ND}'),
    "header-with-a-wrong-escape": text(rf'"\x":{U8},"b":{U8_2ND}'),
    "header-with-a-trailing-comma": text(f'"a":{U8},"b":{U8_2ND},'),
    "header-a-number": file("-0.0"),
    "name-a-number": text(f'1:{U8},"b":{U8_2ND}'),
    "tensor-list-too-short": file('{"w":[]}'),
    "offsets-of-one": file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', bytes(4)),
    "shape-long-and-uncounted": one("U8", [3] * 120, 0, 0, 0),
    # Names.
    "duplicate-key": text(f'"w":{U8},"w":{U8_2ND}'),
    "duplicate-key-escaped": text(rf'"w":{U8},"\u0077":{U8_2ND}'),
    "duplicate-metadata": file('{"__metadata__":{},"__metadata__":{}}'),
    "duplicate-metadata-key": file('{"__metadata__":{"format":"pt","format":"tf"}}'),
    "duplicate-field": file('{"w":{"shape":[2],' + U8[1:] + "}", b"\0"),
    "name-long-and-wild": file({"\n\u202e\U000e0001" * 40: tensor("?", [], 0, 0)}),
    # Types.
    "dtype-of-eight-bits": one("F8_E4M3", [4]),
    "bad-dtype": one("complex"),
    "dtype-in-small-letters": one("f32"),
    "dtype-a-number": one(7),
    "dtype-missing": file({"w": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "dtype-long": one("\t" * 400),
    # Shapes.
    "element-overflow": one("U8", [2**32, 2**32], 0, 0, 0),
    "element-overflow-before-zero": one("U8", [LARGEST, 2, 0], 0, 0, 0),
    "byte-overflow": one("F64", [2**61], 0, 0, 0),
    "shape-negative": one("F32", [-1]),
    "shape-a-fraction": file('{"w":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', bytes(4)),
    "shape-past-u64": one("F32", [2**64]),
    "shape-past-f64": file('{"w":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', bytes(4)),
    "shape-long": one("F32", [7] * 20 + [0] * 300),
    "shape-a-long-text": file({"w": {"dtype": "F32", "shape": "x\n" * 300, "data_offsets": [0, 0]}}),
    "shape-larger-than-its-place": one("F32", [2]),
    "shape-smaller-than-its-place": one("F32", [1], 0, 8, 8),
    # Places.
    "overlap": file({"a": tensor("U8", [3], 0, 3), "b": tensor("U8", [2], 2, 4)}, bytes(4)),
    "overlap-whole": text(f'"a":{U8},"b":{U8}'),
    "overlap-within": file({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [0], 2, 2)}, bytes(4)),
    "hole": file({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 2, 3)}, bytes(3)),
    "hole-before-all": one("U8", [1], 1, 2, 2),
    "hole-before-nothing": one("U8", [0], 1, 1, 1),
    "trailing-bytes": one(data=5),
    "trailing-bytes-and-no-tensor": file("{}", b"\0"),
    "data-cut-off": one(data=3),
    "data-missing": one(data=0),
    "negative-offset": one(start=-4, end=0),
    "offset-past-u64": one(end=2**64),
    "offset-of-u64-max": one(start=LARGEST - 4, end=LARGEST),
    "offset-past-the-end": one(start=1000, end=1004),
    "offsets-reversed": one(start=4, end=0),
    "offsets-of-three": file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', bytes(4)),
}


def index(weight_map, **more):
    return json.dumps({"metadata": {"total_size": 12}, "weight_map": weight_map, **more}).encode()


def shard(name):
    """An index whose one tensor is in the shard of this name."""
    return index({"a": name})


A, C = "1.safetensors", "2.safetensors"

INDEXES = {
    "valid-two-shards": index({"a": A, "b": A, "c": C}),
    "valid-one-shard": index({"a": A, "b": A}),
    "valid-part-of-a-shard": shard(A),
    "valid-no-tensor": index({}),
    "valid-unknown-field": index({"c": C}, more=[{}]),
    "valid-deep-nesting-where-ignored": b'{"metadata":' + nested(200).encode() + b',"weight_map":{}}',
    "empty": b"",
    "not-json": b"weight_map: {}",
    "not-utf8": b'{"weight_map":{"\xff":"1.safetensors"}}',
    "not-utf8-where-ignored": b'{"metadata":"\xff","weight_map":{}}',
    "a-list": b"[]",
    "two-values": b'{"weight_map":{}}{}',
    "deep-nesting": b'{"weight_map":' + nested(200).encode() + b"}",
    "weight-map-missing": b'{"metadata":{}}',
    "weight-map-twice": b'{"weight_map":{},"weight_map":{}}',
    "weight-map-a-list": index([A]),
    "weight-map-a-long-text": index("x\n" * 300),
    "duplicate-tensor": b'{"weight_map":{"a":"1.safetensors","a":"again.safetensors"}}',
    "tensor-in-two-shards": index({"a": A, "b": "again.safetensors"}),
    "tensor-in-another-shard": index({"a": A, "c": A}),
    "tensor-in-no-shard": index({"a": A, "z": A}),
    "tensor-long-and-wild": index({"\n\u202e" * 100: A}),
    "shard-a-number": shard(1),
    "shard-absent": shard("3.safetensors"),
    "shard-outside": index({"outside": "../outside.safetensors"}),
    "shard-outside-by-the-folder": index({"outside": "./../outside.safetensors"}),
    "shard-outside-backwards": index({"outside": "..\\outside.safetensors"}),
    "shard-absolute": shard("/1.safetensors"),
    "shard-of-a-drive": shard("c:1.safetensors"),
    "shard-in-a-folder": shard("model/1.safetensors"),
    "shard-the-folder": shard("."),
    "shard-the-folder-above": shard(".."),
    "shard-without-a-name": shard(""),
    "shard-ends-in-a-slash": shard("1.safetensors/"),
    "shard-with-a-nul": shard("1.safetensors\0"),
    # Found by fuzzing: a name that would have been shown as it is.
    "shard-with-a-delete-character": shard("1.safetens\x7frs"),
    "shard-with-a-line-break": shard("1\n2.safetensors"),
    "shard-with-a-long-name": shard("x" * 600),
    "shard-the-index": shard("model.safetensors.index.json"),
}


def main():
    root = Path(sys.argv[1])
    for folder, extension, files in [("safetensors", ".safetensors", FILES), ("index", ".json", INDEXES)]:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for old in (root / folder).glob("*" + extension):
            old.unlink()
        for name, data in files.items():
            assert len(data) < 1024, f"{name}: {len(data)} bytes"
            (root / folder / (name + extension)).write_bytes(data)


if __name__ == "__main__":
    main()
