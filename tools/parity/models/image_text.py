"""Makes tiny CLIP and SigLIP checkpoints with random weights, inputs, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/image_text.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as `save_pretrained` writes them, and
`reference.safetensors` with `input.pixels`, `input.ids`, `input.mask` (1 = not padding), and of each tower
`hidden.0` (what the blocks take) to `hidden.N`, `last_hidden_state` and `pooler_output`; of a whole model
these stand under `text.` and `vision.`, beside `text_embeds`, `image_embeds` (not normalised) and
`logits_per_image`. SigLIP takes no mask: its texts are filled up with padding, which it attends to. Seed 7.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    SiglipConfig,
    SiglipModel,
    SiglipTextConfig,
    SiglipTextModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from vision_towers import FIXTURES, randomize

BLOCKS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
IMAGE = BLOCKS | {"image_size": 8, "patch_size": 4}
# The end is 22 in CLIP's vocabulary, and 23 comes after it in the padding; padding is 1 in SigLIP's.
TEXT = BLOCKS | {"vocab_size": 24, "max_position_embeddings": 7}
ENDING = TEXT | {"eos_token_id": 22}
PROJECTION = {"projection_dim": 6}
ODD_IMAGE = IMAGE | {
    "num_attention_heads": 2,
    "intermediate_size": 17,
    "image_size": 11,
    "patch_size": 3,
    "num_channels": 1,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-3,
}
ODD_TEXT = TEXT | {
    "hidden_size": 12,
    "num_attention_heads": 1,
    "num_hidden_layers": 1,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-3,
}

ENDED = [[3, 9, 4, 22, 23, 23], [7, 22, 22, 22, 22, 22], [5, 6, 7, 8, 9, 22]]
ENDED_MASK = [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]]
# The largest id is the end's, as in the vocabulary of the published models.
LARGEST = [[3, 9, 4, 23, 23, 23, 23], [7, 23, 0, 0, 0, 0, 0], [5, 6, 7, 8, 9, 10, 23]]
LARGEST_MASK = [[1, 1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]]
FILLED = [[5, 9, 4, 1, 1, 1, 1], [7, 1, 1, 1, 1, 1, 1], [5, 6, 7, 8, 9, 10, 11]]
FILLED_MASK = [[1, 1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]]


def clip(text: dict, vision: dict, **rest) -> CLIPConfig:
    return CLIPConfig(text_config=text, vision_config=vision, **PROJECTION, **rest)


def siglip(text: dict, vision: dict) -> SiglipConfig:
    return SiglipConfig(text_config=text, vision_config=vision)


# name: (model, config, ids, mask, [height, width] of the input; positions are resampled where that is not the model's)
CASES = {
    "clip": (CLIPModel, clip(ENDING, IMAGE), ENDED, ENDED_MASK, [8, 8]),
    "clip-odd": (
        CLIPModel,
        clip(ODD_TEXT | {"eos_token_id": 2}, ODD_IMAGE),
        LARGEST,
        LARGEST_MASK,
        [11, 11],
    ),
    "clip-resized": (CLIPModel, clip(ENDING, IMAGE | {"image_size": 12}), ENDED, ENDED_MASK, [20, 9]),
    "clip-text": (CLIPTextModel, CLIPTextConfig(**ENDING), ENDED, ENDED_MASK, None),
    "clip-text-projection": (
        CLIPTextModelWithProjection,
        CLIPTextConfig(**ENDING, **PROJECTION),
        ENDED,
        ENDED_MASK,
        None,
    ),
    "clip-vision": (CLIPVisionModel, CLIPVisionConfig(**IMAGE), None, None, [8, 8]),
    "clip-vision-projection": (
        CLIPVisionModelWithProjection,
        CLIPVisionConfig(**IMAGE, **PROJECTION),
        None,
        None,
        [8, 8],
    ),
    "siglip": (SiglipModel, siglip(TEXT, IMAGE), FILLED, FILLED_MASK, [8, 8]),
    "siglip-odd": (
        SiglipModel,
        siglip(ODD_TEXT | {"projection_size": 16}, ODD_IMAGE),
        FILLED,
        FILLED_MASK,
        [11, 11],
    ),
    "siglip-resized": (
        SiglipVisionModel,
        SiglipVisionConfig(**IMAGE | {"image_size": 12}),
        None,
        None,
        [20, 9],
    ),
    "siglip-text": (SiglipTextModel, SiglipTextConfig(**TEXT), FILLED, FILLED_MASK, None),
    "siglip-headless": (
        SiglipVisionModel,
        SiglipVisionConfig(**IMAGE | {"vision_use_head": False}),
        None,
        None,
        [8, 8],
    ),
}


def tower(out, prefix: str) -> dict:
    tensors = {f"{prefix}hidden.{i}": hidden for i, hidden in enumerate(out.hidden_states)}
    for name in ("last_hidden_state", "pooler_output", "text_embeds", "image_embeds"):
        if getattr(out, name, None) is not None:
            tensors[prefix + name] = getattr(out, name)
    return tensors


def results(model, given: dict) -> dict:
    """Hidden states of each tower, and the outputs."""
    config = model.config
    whole = hasattr(config, "text_config")
    text, image = {}, {}
    if "input.ids" in given:
        text["input_ids"] = given["input.ids"]
        if "siglip" not in config.model_type:
            text["attention_mask"] = given["input.mask"]
    if "input.pixels" in given:
        image["pixel_values"] = given["input.pixels"]
        side = (config.vision_config if whole else config).image_size
        image["interpolate_pos_encoding"] = list(given["input.pixels"].shape[2:]) != [side, side]
    with torch.no_grad():
        if not whole:
            return tower(model(**text, **image, output_hidden_states=True), "")
        tensors = tower(model.text_model(**text, output_hidden_states=True), "text.")
        tensors |= tower(model.vision_model(**image, output_hidden_states=True), "vision.")
        tensors["text_embeds"] = model.get_text_features(**text).pooler_output
        tensors["image_embeds"] = model.get_image_features(**image).pooler_output
        tensors["logits_per_image"] = model(**text, **image).logits_per_image
    return tensors


def checkpoint(folder: Path, model, given: dict) -> None:
    model.save_pretrained(folder)
    tensors = given | results(model, given)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "reference.safetensors")


def main() -> None:
    for name, (kind, config, ids, mask, size) in CASES.items():
        torch.manual_seed(7)
        model = kind._from_config(config, attn_implementation="eager").eval()
        randomize(model)
        given = {}
        if ids is not None:
            given["input.ids"] = torch.tensor(ids)
            given["input.mask"] = torch.tensor(mask)
        if size is not None:
            vision = getattr(config, "vision_config", config)
            given["input.pixels"] = torch.randn(2, vision.num_channels, *size)
        checkpoint(FIXTURES / name, model, given)


if __name__ == "__main__":
    main()
