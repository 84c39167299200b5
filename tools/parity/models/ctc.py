"""Makes cases of connectionist temporal classification: what ids of frames say, and the likeliest labels by prefix beams.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ctc.py

Under crates/sensorium-models/tests/fixtures/ctc: `texts.json` holds the files of several Wav2Vec2CTCTokenizers, ids of
frames, and what `batch_decode` makes of them, with the offsets of characters and words. `reference.safetensors` holds
`logits.I` `[frames, labels]`, of which label 0 is the blank, and `beam.I.WIDTH`: the labels that fast-ctc-decode finds with
so many beams. Seed 17.
"""

import json
import tempfile
from pathlib import Path

import fast_ctc_decode
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2CTCTokenizer

from vision_towers import FIXTURES

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"EATO'N"]
PLAIN = {letter: i for i, letter in enumerate(LETTERS)}
FILES = {
    "plain": {"vocab.json": PLAIN},
    "lower, another blank, other spaces": {
        "vocab.json": {"[BLANK]": 3, "A": 0, "É": 1, "Σ": 2, "_": 4, "ng": 5, "[UNK]": 6},
        "tokenizer_config.json": {
            "pad_token": {"content": "[BLANK]", "__type": "AddedToken"},
            "unk_token": "[UNK]",
            "word_delimiter_token": "_",
            "replace_word_delimiter_char": "~",
            "do_lower_case": True,
        },
    },
    "tidied, the blank by the older file": {
        "vocab.json": {"e": 0, "'": 1, " ": 2, ".": 3, "s": 4, "[PAD]": 5, "|": 6},
        "tokenizer_config.json": {"clean_up_tokenization_spaces": True, "unk_token": "[UNK]"},
        "special_tokens_map.json": {"pad_token": "[PAD]", "unk_token": "[UNK]"},
        "added_tokens.json": {"<s>": 7, "</s>": 8},
    },
    "one language of several": {
        "vocab.json": {"de": {"<pad>": 0, "ä": 1, "|": 2}, "en": {"<pad>": 2, "a": 1, "|": 0}},
        "tokenizer_config.json": {"target_lang": "de"},
    },
}


def texts(rng: np.random.Generator) -> None:
    cases = []
    for name, files in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                (Path(folder) / file).write_text(json.dumps(content, ensure_ascii=False))
            tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder)
            settings = files.get("tokenizer_config.json", {})
            if "word_delimiter_token" in settings:
                # Which this version reads from a file, and then passes over.
                settings = settings | {"pad_token": settings["pad_token"]["content"]}
                tokenizer = Wav2Vec2CTCTokenizer(str(Path(folder) / "vocab.json"), **settings)
        count = 11
        # Runs of an id, of which many are the blank; of nothing, of blanks alone, and of spaces alone too.
        blank, space = tokenizer.pad_token_id, tokenizer.word_delimiter_token_id
        ids = [[], [blank] * 3, [space, space, blank, space]]
        for _ in range(8):
            drawn = rng.choice(count, size=40, p=rng.dirichlet(np.ones(count)))
            runs = rng.integers(1, 4, size=40)
            mixed = np.where(rng.random(40) < 0.25, blank, np.where(rng.random(40) < 0.2, space, drawn))
            ids.append(np.repeat(mixed, runs)[:60].tolist())
        out = tokenizer.batch_decode(ids, output_char_offsets=True, output_word_offsets=True)

        def spans(all_offsets, key):
            return [[[o[key], int(o["start_offset"]), int(o["end_offset"])] for o in offsets] for offsets in all_offsets]

        cases.append(
            {
                "name": name,
                "files": files,
                "n_ids": count,
                "ids": ids,
                "texts": out.text,
                "characters": spans(out.char_offsets, "char"),
                "words": spans(out.word_offsets, "word"),
            }
        )
        print(name, out.text)
    (FIXTURES / "ctc/texts.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")


def beams(rng: np.random.Generator) -> None:
    tensors = {}
    differ = 0
    for i, (frames, labels, scale) in enumerate([(12, 4, 1.0), (30, 6, 1.5), (60, 8, 2.0), (50, 5, 0.7), (80, 12, 3.0)]):
        logits = torch.tensor(rng.normal(size=(frames, labels)) * scale, dtype=torch.float32)
        tensors[f"logits.{i}"] = logits
        probabilities = torch.softmax(logits, -1).numpy()
        alphabet = [chr(ord("a") + label) for label in range(labels)]
        found = []
        for width in (1, 2, 5, 16, 64):
            text, _ = fast_ctc_decode.beam_search(probabilities, alphabet, beam_size=width, beam_cut_threshold=0.0)
            tensors[f"beam.{i}.{width}"] = torch.tensor([ord(letter) - ord("a") for letter in text])
            found.append(text)
        differ += len(set(found)) - 1
    assert differ >= 8, f"widths make no difference: {differ}"
    save_file(tensors, FIXTURES / "ctc/reference.safetensors")


if __name__ == "__main__":
    (FIXTURES / "ctc").mkdir(exist_ok=True)
    texts(np.random.default_rng(17))
    beams(np.random.default_rng(17))
