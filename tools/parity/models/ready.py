"""Small whole checkpoints, files and texts in, as published ones come: weights, tokenizer, preparation.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ready.py

Into crates/sensorium-models/tests/fixtures go, each with what Transformers makes of the texts or of the pictures of `ready`
(which tools/parity/models/tiny_clip.py draws):

- ready-siglip: `image_embeds`, `text_embeds`, and `probabilities` of the texts for each picture;
- ready-dinov2: `image_embeds`, the class token after the last norm;
- ready-bert: `probabilities` of the classes of each text.

Seed 7, float32. Tokenizers are of the families' kinds: pieces with scores for SigLIP, words and their pieces for BERT.
"""

import json
import string
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BitImageProcessorPil,
    Dinov2Config,
    Dinov2Model,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

FIXTURES = Path(__file__).parents[3] / "crates/sensorium-models/tests/fixtures"
PICTURES = FIXTURES / "ready"
BLOCKS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
TEXTS = ["a cat", "This is a photo of a dog, asleep.", "", "on a mat " * 9, "Ünïcode  and\ttabs, 42!"]
WORDS = ["a", "cat", "dog", "photo", "of", "this", "is", "mat", "on", "and", "sleep"]


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Weights as large as those of a trained model, so that inputs show in the outputs."""
    torch.manual_seed(7)
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() >= 2:
                torch.nn.init.normal_(value, std=value[0].numel() ** -0.5)
            elif value.dim() == 1:
                value.add_(torch.randn_like(value) * 0.1)
    return model.eval()


def images(prepare) -> torch.Tensor:
    names = json.loads((PICTURES / "inputs.json").read_text(encoding="utf-8"))["images"]
    # As Transformers' `load_image` opens files.
    opened = [Image.open(PICTURES / name).convert("RGB") for name in names]
    return torch.cat([prepare(image, return_tensors="pt")["pixel_values"] for image in opened])


def write(out: Path, model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    model.save_pretrained(out)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / "reference.safetensors")


def write_texts(out: Path, words: Tokenizer, settings: dict) -> PreTrainedTokenizerFast:
    out.mkdir(exist_ok=True)
    words.save(str(out / "tokenizer.json"))
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (out / "inputs.json").write_text(json.dumps({"texts": TEXTS}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    tokens = {name: token for name, token in settings.items() if name.endswith("_token")}
    return PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=settings["model_max_length"], **tokens)


def siglip_tokenizer() -> Tokenizer:
    """As SigLIP's: lower case without punctuation, a mark before each word, the end's token as padding."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *(f"▁{word}" for word in WORDS), "ca", "og", *string.ascii_lowercase]
    scores = [(piece, 0.0 if i < 3 else -1.0 - 0.1 * i) for i, piece in enumerate(pieces)]
    made = Tokenizer(models.Unigram(scores, unk_id=2))
    removed = [normalizers.Replace(mark, "") for mark in ",.!"]
    made.normalizer = normalizers.Sequence([normalizers.Lowercase(), *removed, normalizers.Strip()])
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return made


def siglip(out: Path) -> None:
    length = 12
    words = siglip_tokenizer()
    settings = {
        "tokenizer_class": "SiglipTokenizer",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": length,
    }
    tokenizer = write_texts(out, words, settings)
    text = BLOCKS | {"vocab_size": words.get_vocab_size(), "max_position_embeddings": length, "projection_size": 16}
    vision = BLOCKS | {"image_size": 16, "patch_size": 8}
    model = spread(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)))
    with torch.no_grad():
        model.logit_scale.fill_(1.5)
        model.logit_bias.fill_(-2.0)
    prepare = SiglipImageProcessorPil(size={"height": 16, "width": 16})
    prepare.save_pretrained(out)
    read = tokenizer(TEXTS, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        pixels = images(prepare)
        answer = model(input_ids=read, pixel_values=pixels)
        seen = model.vision_model(pixels).pooler_output
        texts = model.text_model(read).pooler_output
    tensors = {"image_embeds": seen, "text_embeds": texts, "probabilities": answer.logits_per_image.sigmoid()}
    write(out, model, tensors)


def dinov2(out: Path) -> None:
    config = Dinov2Config(**{k: v for k, v in BLOCKS.items() if k != "intermediate_size"}, mlp_ratio=2, image_size=28, patch_size=7)
    model = spread(Dinov2Model(config))
    prepare = BitImageProcessorPil(size={"shortest_edge": 24}, crop_size={"height": 21, "width": 21})
    prepare.save_pretrained(out)
    with torch.no_grad():
        seen = model(images(prepare)).pooler_output
    write(out, model, {"image_embeds": seen})


def bert_tokenizer() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    pieces = [*special, *(word for word in WORDS if len(word) > 1), *letters, ",", ".", "4", "##2"]
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def bert(out: Path) -> None:
    words = bert_tokenizer()
    settings = {
        "tokenizer_class": "BertTokenizer",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
        "do_lower_case": True,
        "model_max_length": 16,
    }
    tokenizer = write_texts(out, words, settings)
    labels = {"id2label": {0: "calm", 1: "glad", 2: "cross"}, "label2id": {"calm": 0, "glad": 1, "cross": 2}}
    config = BertConfig(**BLOCKS, vocab_size=words.get_vocab_size(), max_position_embeddings=20, **labels)
    model = spread(BertForSequenceClassification(config))
    read = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        found = model(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).logits.softmax(1)
    write(out, model, {"probabilities": found})


if __name__ == "__main__":
    siglip(FIXTURES / "ready-siglip")
    dinov2(FIXTURES / "ready-dinov2")
    bert(FIXTURES / "ready-bert")
