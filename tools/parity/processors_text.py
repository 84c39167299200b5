"""Tiny tokenizers with settings of each kind, and what Transformers makes of texts with them; see `processors.py`.

Each case is a folder with the files that a model's has (`tokenizer.json`, and `tokenizer_config.json` or
`special_tokens_map.json` where it has them) and `expected.json`: the texts, the model's positions, the length that
batches are padded to if it is fixed, and the ids and masks.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizer, PreTrainedTokenizerFast

TEXTS = [
    "A cat sat on the mat.",
    "Two dogs, one of them grey, ran after the cat and lost it in the garden behind the old house!",
    "",
    "Grey GARDEN",
    "the the the the the the",
]
ENDLESS = int(1e30)


def wordpiece(lower: bool) -> Tokenizer:
    """As BERT: [CLS] and [SEP] around words and their pieces."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def clip() -> Tokenizer:
    """As CLIP: bytes in pairs, and an end of the text that pads too."""
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|startoftext|>", "<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=90, special_tokens=special, end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", 1), ("<|startoftext|>", 0), add_prefix_space=False, trim_offsets=False
    )
    return tokenizer


def siglip() -> Tokenizer:
    """As SigLIP: only an end, which pads too."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    trainer = trainers.BpeTrainer(vocab_size=90, special_tokens=["<unk>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


BERT = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
CLIP = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
SIGLIP = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}


def own_settings() -> Tokenizer:
    """With padding and truncation in `tokenizer.json` itself."""
    tokenizer = wordpiece(True)
    tokenizer.enable_padding(direction="left", pad_id=4, pad_token="[MASK]", length=20)
    tokenizer.enable_truncation(9, direction="left")
    return tokenizer


# Tokenizer, class, tokenizer_config.json, special_tokens_map.json, positions, fixed length.
CASES = {
    "bert": (wordpiece(True), BertTokenizer, {"model_max_length": 12, "do_lower_case": True, **BERT}, None, 512, None),
    "bert-endless": (
        wordpiece(True), BertTokenizer, {"model_max_length": ENDLESS, "do_lower_case": True, **BERT}, None, 16, None,
    ),
    "bert-left": (
        wordpiece(True), BertTokenizer,
        {"model_max_length": 12, "padding_side": "left", "truncation_side": "left", "do_lower_case": True, **BERT},
        None, 512, None,
    ),
    "bert-cased": (
        wordpiece(False), BertTokenizer, {"model_max_length": 14, "do_lower_case": False, **BERT}, None, 512, None,
    ),
    # The settings and tokenizer.json disagree: the settings are followed.
    "bert-to-lower": (
        wordpiece(False), BertTokenizer, {"model_max_length": 14, "do_lower_case": True, **BERT}, None, 512, None,
    ),
    "bert-not-to-lower": (
        wordpiece(True), BertTokenizer, {"model_max_length": 14, "do_lower_case": False, **BERT}, None, 512, None,
    ),
    "clip": (
        clip(), PreTrainedTokenizerFast, {"model_max_length": 10, **CLIP},
        {"pad_token": {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": False,
                       "single_word": False}}, 77, None,
    ),
    "siglip": (siglip(), PreTrainedTokenizerFast, {"model_max_length": 18, **SIGLIP}, None, 18, 18),
    "siglip-left": (
        siglip(), PreTrainedTokenizerFast, {"model_max_length": 64, "padding_side": "left", **SIGLIP}, None, 64, 40,
    ),
    "only-tokenizer": (own_settings(), PreTrainedTokenizerFast, None, None, 512, None),
}


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def kept(path: Path, tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer that is there already: training breaks ties as it pleases, and numbers pieces otherwise each time."""
    return Tokenizer.from_file(str(path)) if path.exists() else tokenizer


def texts(folder: Path) -> None:
    for case, (tokenizer, kind, config, special, positions, fixed) in CASES.items():
        place = folder / case
        place.mkdir(parents=True, exist_ok=True)
        tokenizer = kept(place / "tokenizer.json", tokenizer)
        tokenizer.save(str(place / "tokenizer.json"))
        if config is not None:
            write(place / "tokenizer_config.json", {**config, "tokenizer_class": kind.__name__})
        if special is not None:
            write(place / "special_tokens_map.json", special)
        if config is None:
            reference = kind(tokenizer_file=str(place / "tokenizer.json"))
        else:
            reference = kind.from_pretrained(place)
        own = tokenizer.truncation or {}
        longest = min(reference.model_max_length, positions)
        if config is None:
            longest = own["max_length"]
        rows = reference(
            TEXTS, truncation=True, max_length=fixed or longest, padding="max_length" if fixed else "longest"
        )
        write(
            place / "expected.json",
            {
                "texts": TEXTS, "positions": positions, "fixed": fixed, "pad_id": reference.pad_token_id,
                "ids": rows["input_ids"],
                "mask": [[1] * fixed] * len(TEXTS) if fixed else rows["attention_mask"],
            },
        )
        print(case, type(reference).__name__, [len(ids) for ids in rows["input_ids"]], reference.pad_token)
