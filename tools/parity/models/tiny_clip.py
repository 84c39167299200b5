"""Makes recipes/tiny-clip: a CLIP with random weights, as small as it goes, for the recipe clip-digits.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/tiny_clip.py

crates/sensorium-models/tests/fixtures/ready gets a few small pictures and texts, and what Transformers makes of them with
this checkpoint: `image_embeds` and `text_embeds` (not normalised), and `probabilities` of the texts for each picture.
Seed 7. Weights are written in half precision. The tokenizer is CLIP's kind (byte pairs, a mark at the end of each word),
its merges learned from the hints of av-digits, which are read out of crates/sensorium-data/src/av_digits/hints.rs.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, PreTrainedTokenizerFast

ROOT = Path(__file__).parents[3]
HINTS = ROOT / "crates/sensorium-data/src/av_digits/hints.rs"
CHECKPOINT = ROOT / "recipes/tiny-clip"
CASE = ROOT / "crates/sensorium-models/tests/fixtures/ready"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
BLOCKS = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
POSITIONS = 32


def tokenizer() -> Tokenizer:
    hints = re.findall(r'^    \("([^"]+)", &|^        "([^"]+)",$', HINTS.read_text(), re.MULTILINE)
    hints = [first or second for first, second in hints]
    assert len(hints) == 26, hints
    made = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    made.pre_tokenizer = pre_tokenizers.Split(words, behavior="removed", invert=True)
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=[BEGIN, END], end_of_word_suffix="</w>", show_progress=False
    )
    made.train_from_iterator([", and ".join(hints)] * 2, trainer)
    ids = [(token, made.token_to_id(token)) for token in (BEGIN, END)]
    made.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A {END}", special_tokens=ids)
    return made


def main(out: Path) -> None:
    torch.manual_seed(7)
    # Training breaks ties as it pleases, and numbers pieces otherwise each time.
    there = out / "tokenizer.json"
    words = Tokenizer.from_file(str(there)) if there.exists() else tokenizer()
    ids = {"bos_token_id": words.token_to_id(BEGIN), "eos_token_id": words.token_to_id(END)}
    text = BLOCKS | ids | {
        "vocab_size": words.get_vocab_size(),
        "max_position_embeddings": POSITIONS,
        "pad_token_id": words.token_to_id(END),
    }
    vision = BLOCKS | {"image_size": 24, "patch_size": 6}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    model = CLIPModel(config).eval()
    # A fresh CLIP of this width begins near zero; such towers hand on next to nothing of what they see.
    for name, value in model.named_parameters():
        if value.dim() >= 2:
            torch.nn.init.normal_(value, std=value[0].numel() ** -0.5)
    model.half().save_pretrained(out)
    size = 24
    CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size}).save_pretrained(out)
    words.save(str(out / "tokenizer.json"))
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
        "model_max_length": POSITIONS,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


TEXTS = [
    "a photo of a cat",
    "It is even, and its word has five letters",
    "",
    "its figure has a closed loop " * 9,
    "Ünïcode  and\ttabs, 42!",
]


def pictures() -> dict[str, Image.Image]:
    rng = np.random.default_rng(7)

    def smooth(height: int, width: int, channels: int) -> np.ndarray:
        y, x, c = np.mgrid[:height, :width, :channels]
        waves = 128 + 90 * np.sin(y / 3 + c) * np.cos(x / 4 - c) + rng.normal(0, 8, (height, width, channels))
        return waves.clip(0, 255).astype(np.uint8)

    return {
        "wide.png": Image.fromarray(smooth(25, 40, 3)),
        "exact.png": Image.fromarray(smooth(24, 24, 1)[..., 0]),
        "tall.png": Image.fromarray(smooth(50, 10, 3)).quantize(16),
        "alpha.png": Image.fromarray(smooth(31, 30, 4)),
        "tiny.png": Image.fromarray(smooth(2, 3, 3)),
    }


def reference(checkpoint: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model = CLIPModel.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    words = PreTrainedTokenizerFast.from_pretrained(checkpoint)
    prepare = CLIPImageProcessorPil.from_pretrained(checkpoint)
    made = pictures()
    for name, picture in made.items():
        picture.save(out / name, optimize=True)
    # As Transformers' `load_image` opens files.
    images = [Image.open(out / name).convert("RGB") for name in made]
    pixels = torch.cat([prepare(image, return_tensors="pt")["pixel_values"] for image in images])
    texts = [words(text, truncation=True, max_length=POSITIONS, return_tensors="pt") for text in TEXTS]
    with torch.no_grad():
        seen = model.visual_projection(model.vision_model(pixels).pooler_output)
        read = torch.cat([model.text_projection(model.text_model(**text).pooler_output) for text in texts])
        unit = torch.nn.functional.normalize
        logits = unit(seen) @ unit(read).T * model.logit_scale.exp()
    tensors = {"image_embeds": seen, "text_embeds": read, "probabilities": logits.softmax(1)}
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "reference.safetensors")
    names = {"images": list(made), "texts": TEXTS}
    (out / "inputs.json").write_text(json.dumps(names, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(CHECKPOINT)
    reference(CHECKPOINT, CASE)
